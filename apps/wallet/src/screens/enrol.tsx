/** Setting up this device: what is needed, a name and the consent, the card, done. */

import { useState } from 'preact/hooks';
import { browserClass } from '../app/bind.ts';
import { Button, Buttons, Check, Code, Field, Form, Notice, Title, useArrival, type Props } from './parts.tsx';
import { PinMissing } from './start.tsx';
import { ProblemNotice } from './problem.tsx';

/** Steps a person sees: preparing, naming, card, done. The card step is drawn by `card.tsx`. */
export const ENROL_STEPS = 3;

export function Enrol(props: Props) {
  const { state, act, t } = props;
  const { enrolment } = state;
  if (!enrolment) return null;
  switch (enrolment.step) {
    case 'prepare':
      return <Prepare {...props} />;
    case 'name':
      return <Name {...props} />;
    case 'card':
      // The card step was left: one tap takes it up again.
      return (
        <>
          <Progress now={2} t={t} />
          <Title>{t.enrol.holdTitle}</Title>
          {enrolment.resumed && <Notice look="good">{t.enrol.resumed}</Notice>}
          {enrolment.problem && <ProblemNotice problem={enrolment.problem} t={t} />}
          <p class="lead">{t.purposes.enrol}</p>
          <Buttons>
            <Button onPress={() => (enrolment.problem ? act.retry() : act.continueEnrolment())}>{t.common.next}</Button>
            <Button look="calm" onPress={() => act.backInEnrolment()}>
              {t.common.back}
            </Button>
          </Buttons>
        </>
      );
    case 'pin':
    case 'binding':
      return (
        <>
          <Progress now={3} t={t} />
          <Title>{enrolment.problem || enrolment.resumed ? t.enrol.sentTitle : t.common.moment}</Title>
          {enrolment.problem && <ProblemNotice problem={enrolment.problem} t={t} />}
          {(enrolment.problem || enrolment.resumed) && (
            <>
              <p class="lead">{t.enrol.sentHelp}</p>
              <Buttons>
                <Button busy={state.busy !== null} onPress={() => act.continueEnrolment()}>
                  {t.common.again}
                </Button>
                <Button look="calm" onPress={() => act.backInEnrolment()}>
                  {t.common.back}
                </Button>
              </Buttons>
            </>
          )}
        </>
      );
    case 'bound':
      return <Bound {...props} />;
  }
}

export function Progress({ now, t }: { now: number; t: Props['t'] }) {
  return (
    <p class="progress">
      <span>{t.enrol.step(now, ENROL_STEPS)}</span>
      <progress value={now} max={ENROL_STEPS} aria-hidden="true" />
    </p>
  );
}

function Prepare(props: Props) {
  const { state, act, t } = props;
  const [pinMissing, setPinMissing] = useState(false);
  useArrival(`${pinMissing}`);
  if (pinMissing) return <PinMissing {...props} onBack={() => setPinMissing(false)} />;
  return (
    <>
      <Title>{t.enrol.prepareTitle}</Title>
      {state.enrolment?.resumed && <Notice look="good">{t.enrol.resumed}</Notice>}
      <ul class="needs">
        <li>
          <strong>{t.start.needCard}</strong>
          <span class="hint">{t.start.needCardHelp(state.config.insurer)}</span>
        </li>
        <li>
          <strong>{t.start.needPin}</strong>
          <span class="hint">{t.start.needPinHelp}</span>
        </li>
      </ul>
      <Buttons>
        <Button onPress={() => act.continueEnrolment()}>{t.enrol.prepareNext}</Button>
        <Button look="calm" onPress={() => setPinMissing(true)}>
          {t.start.pinMissing}
        </Button>
        <Button look="link" onPress={() => act.backInEnrolment()}>
          {t.common.back}
        </Button>
      </Buttons>
    </>
  );
}

function Name({ state, act, t }: Props) {
  const wish = state.enrolment;
  const [tried, setTried] = useState(false);
  if (!wish) return null;
  const empty = wish.name.trim() === '';
  const next = (consentToSubstantial: boolean) => {
    setTried(true);
    if (empty) return;
    act.setEnrolment({ consentToSubstantial });
    act.continueEnrolment();
  };
  const reached = wish.kind === 'device-key' ? browserClass(state.config.device_classes) : undefined;
  return (
    <>
      <Progress now={1} t={t} />
      <Title>{t.enrol.deviceTitle}</Title>
      {wish.resumed && <Notice look="good">{t.enrol.resumed}</Notice>}
      {wish.problem && <ProblemNotice problem={wish.problem} t={t} />}
      <p class="lead">{reached ? t.enrol.deviceIntro(t.span(reached.reconfirm_after_seconds)) : t.enrol.deviceIntroOpen}</p>
      <Form onSubmit={() => next(true)}>
        <Field
          label={t.enrol.nameLabel}
          hint={t.enrol.nameHint}
          error={tried && empty ? t.enrol.nameEmpty : undefined}
          value={wish.name}
          longest={64}
          onInput={(name) => act.setEnrolment({ name })}
        />
        {state.passkeys.available && state.passkeys.offered && (
          <Check
            label={t.enrol.kindPasskey}
            hint={t.enrol.kindPasskeyHelp}
            checked={wish.kind === 'passkey'}
            onChange={(on) => act.setEnrolment({ kind: on ? 'passkey' : 'device-key' })}
          />
        )}
        <Notice title={t.enrol.consentTitle}>
          <p>{t.enrol.consentText}</p>
          <p>{t.enrol.consentUndo}</p>
        </Notice>
        <Buttons>
          <Button submit>{t.enrol.consentAgree}</Button>
          <Button
            look="equal"
            onPress={() => {
              act.dropEnrolment();
              act.go('start');
            }}
          >
            {t.enrol.consentRefuse}
          </Button>
          <Button look="link" onPress={() => act.backInEnrolment()}>
            {t.common.back}
          </Button>
        </Buttons>
      </Form>
    </>
  );
}

function Bound({ state, act, t }: Props) {
  const code = state.account.newBlockCode;
  const next = () => {
    act.forgetBlockCode();
    act.dropEnrolment();
    act.go(state.request && state.request.step !== 'done' && state.request.step !== 'over' ? 'request' : 'start');
  };
  return (
    <>
      <Title>{t.enrol.doneTitle}</Title>
      {state.device && (
        <Notice look="good">
          <p>{state.device.class === 'passkey-own-pages' ? t.enrol.ownPagesOnly : t.enrol.doneUntil(t.dateTime(state.device.validUntil))}</p>
        </Notice>
      )}
      {state.account.problem && <ProblemNotice problem={state.account.problem} t={t} />}
      <BlockCode state={state} act={act} t={t} />
      <Buttons>
        {code === null ? (
          <>
            <Button look="strong" onPress={() => act.makeBlockCode()} busy={state.busy !== null}>
              {t.block.codeMake}
            </Button>
            <Button look="calm" onPress={next}>
              {t.enrol.codeLater}
            </Button>
          </>
        ) : (
          <Button onPress={next}>{t.enrol.codeKept}</Button>
        )}
      </Buttons>
    </>
  );
}

/** The code that blocks every device, just made. */
export function BlockCode({ state, t }: Props) {
  const code = state.account.newBlockCode;
  if (code === null) return <p>{t.enrol.codeWhy}</p>;
  return (
    <section class="sheet" aria-labelledby="block-code">
      <h2 id="block-code">{t.enrol.codeTitle}</h2>
      <Code code={code} label={t.enrol.codeLabel} />
      <p>{t.enrol.codeHelp}</p>
      <Button look="calm" onPress={() => window.print()}>
        {t.enrol.codePrint}
      </Button>
    </section>
  );
}
