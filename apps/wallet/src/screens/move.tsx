/** Moving to a new phone: the old one shows a code and compares, the new one shows a number. */

import { useState } from 'preact/hooks';
import type { DrawnCode } from '../core/move.ts';
import type { Move as Moving } from '../app/model.ts';
import { numberOf, NumberField, Origin } from './elsewhere.tsx';
import { Button, Buttons, Confirm, Facts, Field, Form, Notice, Section, Title, type MoreProps } from './parts.tsx';
import { ProblemNotice, ProblemScreen } from './problem.tsx';

type MoveProps = MoreProps & { move: Moving };

export function Move(props: MoveProps) {
  const { move, act, t } = props;
  switch (move.step) {
    case 'warn':
      return <Warn {...props} />;
    case 'code':
      return <Code {...props} />;
    case 'compare':
      return <Compare {...props} />;
    case 'moved':
      return <Moved {...props} />;
    case 'name':
      return <Name {...props} />;
    case 'number':
      return <Number {...props} />;
    case 'bound':
      return (
        <>
          <Title>{t.move.boundTitle}</Title>
          <Notice look="good">
            <p>{t.enrol.doneUntil(t.dateTime(props.state.device?.validUntil ?? 0))}</p>
          </Notice>
          <p>{t.move.bound}</p>
          <Buttons>
            <Button onPress={() => leave(act, 'start')}>{t.steps.home}</Button>
          </Buttons>
        </>
      );
    case 'over':
      return move.problem ? <ProblemScreen {...props} problem={move.problem} /> : <Title>{t.common.moment}</Title>;
  }
}

function leave(act: MoreProps['act'], route: 'start' | 'devices'): void {
  act.dropMove();
  act.go(route);
}

/** Who was talked into it stops here. */
function Warning({ act, t }: MoreProps) {
  return (
    <div class="notice warn">
      <p class="notice-title">{t.move.warning}</p>
      <p>{t.move.warningHelp}</p>
      <Buttons>
        <Button look="danger" onPress={() => act.endMove('phone-call')}>
          {t.elsewhere.phone}
        </Button>
      </Buttons>
    </div>
  );
}

function Warn(props: MoveProps) {
  const { state, act, t, move } = props;
  return (
    <>
      <Title>{t.move.begin}</Title>
      <div class="notice warn">
        <p class="notice-title">{t.move.warning}</p>
        <p>{t.move.warningHelp}</p>
      </div>
      {move.problem && <ProblemNotice problem={move.problem} t={t} />}
      <p class="lead">{t.move.intro}</p>
      <ol class="steps">
        {t.move.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      <p>{t.move.time}</p>
      <Buttons>
        <Button busy={state.busy !== null} onPress={() => act.offerMove()}>
          {t.move.offer}
        </Button>
        <Button look="equal" onPress={() => leave(act, 'devices')}>
          {t.common.cancel}
        </Button>
      </Buttons>
    </>
  );
}

function Code(props: MoveProps) {
  const { state, act, t, move } = props;
  const isOld = move.expiresAt !== null && state.now > move.expiresAt;
  return (
    <>
      <Title>{t.move.codeTitle}</Title>
      {move.problem && <ProblemNotice problem={move.problem} t={t} />}
      {isOld ? (
        <Notice look="warn">
          <p>{t.move.codeOld}</p>
        </Notice>
      ) : (
        <>
          <p class="lead">{t.move.codeHelp}</p>
          {move.code && <Drawn code={move.code} label={t.move.codeLabel} />}
          {state.config.invented && move.link !== null && (
            <p>
              <a href={move.link} target="_blank" rel="noreferrer">
                {t.move.window}
              </a>
            </p>
          )}
          {move.expiresAt !== null && <p class="hint">{t.move.until(t.time(move.expiresAt))}</p>}
        </>
      )}
      <Warning {...props} />
      <Buttons>
        <Button look={isOld ? 'strong' : 'calm'} busy={state.busy !== null} onPress={() => act.offerMove()}>
          {t.move.anew}
        </Button>
        <Button look="equal" onPress={() => act.endMove('declined')}>
          {t.common.cancel}
        </Button>
      </Buttons>
    </>
  );
}

/** Black on white in every colour scheme: cameras expect that. */
function Drawn({ code: { size, path }, label }: { code: DrawnCode; label: string }) {
  return (
    <svg class="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path fill="#000" d={path} />
    </svg>
  );
}

function Compare(props: MoveProps) {
  const { state, act, t, move } = props;
  const [typed, setTyped] = useState('');
  const [tried, setTried] = useState(false);
  const { asking } = move;
  if (!asking) return null;
  const number = numberOf(typed);
  const approve = () => {
    setTried(true);
    if (number !== undefined) act.approveMove(number);
  };
  return (
    <>
      <Title>{t.move.compareTitle(asking.name)}</Title>
      <Warning {...props} />
      {move.problem && <ProblemNotice problem={move.problem} t={t} />}
      <Section title={t.move.asksTitle}>
        <Facts facts={[[t.move.asksName, asking.name]]} />
      </Section>
      <Origin from={asking} t={t} />
      <Form onSubmit={approve}>
        <NumberField typed={typed} error={tried && number === undefined ? t.elsewhere.numberShort : undefined} t={t} onType={setTyped} />
        <Buttons>
          <Button submit busy={state.busy !== null}>
            {t.move.approve}
          </Button>
          <Button look="equal" onPress={() => act.endMove('not-me')}>
            {t.move.notMine}
          </Button>
        </Buttons>
      </Form>
    </>
  );
}

function Moved({ state, act, t, move }: MoveProps) {
  const [asked, setAsked] = useState(false);
  const own = state.device;
  return (
    <>
      <Title>{t.move.movedTitle(move.name)}</Title>
      <Notice look="good">
        <p>{t.move.moved}</p>
      </Notice>
      <p>{t.move.keepHelp}</p>
      <Buttons>
        <Button onPress={() => leave(act, 'devices')}>{t.move.keepBoth}</Button>
        {own && (
          <Button look="equal" onPress={() => setAsked(true)}>
            {t.move.removeOld}
          </Button>
        )}
      </Buttons>
      {asked && own && (
        <Confirm
          title={t.devices.removeTitle(own.name)}
          yes={t.devices.removeConfirm}
          no={t.devices.keep}
          onNo={() => setAsked(false)}
          onYes={() => {
            leave(act, 'devices');
            act.removeDevice(own.device);
          }}
        >
          <p>{t.devices.removeThis}</p>
          <p>{t.devices.removeHelp}</p>
        </Confirm>
      )}
    </>
  );
}

function Name({ state, act, t, move }: MoveProps) {
  const [name, setName] = useState(move.name);
  const [tried, setTried] = useState(false);
  const empty = name.trim() === '';
  const next = () => {
    setTried(true);
    if (!empty) act.acceptMove(name);
  };
  return (
    <>
      <Title>{t.move.nameTitle}</Title>
      {move.problem && <ProblemNotice problem={move.problem} t={t} />}
      <p class="lead">{t.move.nameIntro(state.config.insurer)}</p>
      <Form onSubmit={next}>
        <Field
          label={t.enrol.nameLabel}
          hint={t.enrol.nameHint}
          error={tried && empty ? t.enrol.nameEmpty : undefined}
          value={name}
          longest={64}
          onInput={setName}
        />
        <Notice title={t.enrol.consentTitle}>
          <p>{t.enrol.consentText}</p>
          <p>{t.enrol.consentUndo}</p>
        </Notice>
        <Buttons>
          <Button submit busy={state.busy !== null}>
            {t.enrol.consentAgree}
          </Button>
          <Button look="equal" onPress={() => leave(act, 'start')}>
            {t.enrol.consentRefuse}
          </Button>
        </Buttons>
      </Form>
    </>
  );
}

function Number({ act, t, move }: MoveProps) {
  return (
    <>
      <Title>{t.move.numberTitle}</Title>
      {move.problem && <ProblemNotice problem={move.problem} t={t} />}
      <p class="move-number">
        <span class="visually-hidden">{[...(move.number ?? '')].join(' ')}</span>
        <span aria-hidden="true">{move.number}</span>
      </p>
      <p class="lead">{t.move.numberHelp}</p>
      {move.expiresAt !== null && <p class="hint">{t.move.until(t.time(move.expiresAt))}</p>}
      <Buttons>
        <Button look="equal" onPress={() => leave(act, 'start')}>
          {t.common.cancel}
        </Button>
      </Buttons>
    </>
  );
}
