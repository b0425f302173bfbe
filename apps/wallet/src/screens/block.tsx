/** Lost or stolen: every device is locked by the code, without a login. And making that code beforehand. */

import { useState } from 'preact/hooks';
import { BlockCode } from './enrol.tsx';
import { Button, Buttons, Contact, Field, Form, Notice, Section, Title, type Props } from './parts.tsx';
import { ProblemNotice } from './problem.tsx';

/** Letters of a block code. */
const LETTERS = 12;

export function Block(props: Props) {
  const { state, act, t } = props;
  const [code, setCode] = useState('');
  const [tried, setTried] = useState(false);
  if (state.done === 'blocked') return <Blocked {...props} />;
  const letters = code.replace(/[^a-zA-Z]/g, '');
  const short = tried && letters.length !== LETTERS;
  const { problem } = state;
  return (
    <>
      <Title>{t.block.title}</Title>
      <p class="lead">{t.block.intro}</p>
      {problem && problem.reason !== 'not-found' && <ProblemNotice problem={problem} t={t} />}
      <Form
        onSubmit={() => {
          setTried(true);
          if (letters.length === LETTERS && state.busy === null) act.block(code);
        }}
      >
        <Field
          label={t.block.label}
          hint={t.block.hint}
          error={short ? t.block.short : problem?.reason === 'not-found' ? t.block.wrong : undefined}
          value={code}
          letters
          longest={24}
          onInput={setCode}
        />
        <Buttons>
          <Button submit look="danger" busy={state.busy !== null}>
            {t.block.confirm}
          </Button>
        </Buttons>
      </Form>
      <p>{t.block.noCode}</p>
      <Contact config={state.config} t={t} />
      <Section title={t.block.codeTitle}>
        <OwnCode {...props} />
      </Section>
    </>
  );
}

function Blocked({ act, t }: Props) {
  return (
    <>
      <Title>{t.block.doneTitle}</Title>
      <Notice look="good">
        <p>{t.block.done}</p>
      </Notice>
      <Buttons>
        <Button
          onPress={() => {
            act.dismiss();
            act.go('start');
          }}
        >
          {t.steps.home}
        </Button>
      </Buttons>
    </>
  );
}

function OwnCode(props: Props) {
  const { state, act, t } = props;
  const { account } = state;
  if (account.state === 'closed') {
    return (
      <>
        <p>{t.home.locked}</p>
        <Buttons>
          <Button look="calm" busy={state.busy !== null} onPress={() => act.openAccount(state.device ? 'device' : 'card')}>
            {state.device ? t.home.unlock : t.home.unlockCard}
          </Button>
        </Buttons>
      </>
    );
  }
  if (account.newBlockCode !== null) {
    return (
      <>
        <BlockCode {...props} />
        <Buttons>
          <Button onPress={() => act.forgetBlockCode()}>{t.enrol.codeKept}</Button>
        </Buttons>
      </>
    );
  }
  return (
    <>
      <p>{account.blockCode ? `${t.block.codeSet(t.date(account.blockCode.setAt))} ${t.block.codeRenewHelp}` : t.block.codeNone}</p>
      <Buttons>
        <Button look="calm" busy={state.busy !== null} onPress={() => act.makeBlockCode()}>
          {account.blockCode ? t.block.codeRenew : t.block.codeMake}
        </Button>
      </Buttons>
    </>
  );
}
