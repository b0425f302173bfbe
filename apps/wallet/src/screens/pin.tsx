/** The app's PIN: asked for, chosen and typed again, or locked. What is typed stands in the field alone, and is gone from it when it is sent. */

import { useState } from 'preact/hooks';
import type { PinStep } from '../app/model.ts';
import { Progress } from './enrol.tsx';
import { Button, Buttons, Form, Notice, SecretField, Title, type Props } from './parts.tsx';
import { ProblemNotice } from './problem.tsx';

type PinProps = Props & { step: PinStep };

export function Pin(props: PinProps) {
  const { step } = props;
  if (step.step === 'locked') return <Locked {...props} />;
  // A new form for another question: no digit of one answer is left for the other.
  return step.step === 'ask' ? <Ask {...props} /> : <Choose key={step.step} {...props} />;
}

type TypedProps = PinProps & { label: string; hint: string | undefined; error: string | undefined; send: string; children?: preact.ComponentChildren };

function Typed({ state, act, t, step, label, hint, error, send, children }: TypedProps) {
  const [pin, setPin] = useState('');
  const press = () => {
    if (state.busy !== null) return;
    setPin('');
    act.typePin(pin);
  };
  return (
    <Form onSubmit={press}>
      {/* Said until she types again. */}
      <SecretField
        label={label}
        hint={hint}
        error={pin === '' && state.busy === null ? error : undefined}
        value={pin}
        longest={8}
        onInput={(typed) => setPin(typed.replace(/\D/g, ''))}
        show={t.enrol.pinShow}
      />
      <Buttons>
        <Button submit busy={state.busy !== null}>
          {send}
        </Button>
        {step.purpose === 'enrol' && (
          <Button look="calm" busy={state.busy !== null} onPress={() => act.withoutPin()}>
            {t.pin.without}
          </Button>
        )}
        <Button look="calm" busy={state.busy !== null} onPress={() => act.cancelPin()}>
          {t.common.cancel}
        </Button>
        {children}
      </Buttons>
    </Form>
  );
}

function Ask(props: PinProps) {
  const { state, act, t, step } = props;
  const left = state.device?.pin?.triesLeft ?? null;
  const wrong = step.refused === 'wrong' && left !== null;
  const error = wrong ? t.pin.wrong(left) : step.refused === 'short' ? t.pin.refused.short : undefined;
  return (
    <>
      <Title>{step.purpose === 'change' ? t.pin.oldTitle : t.pin.askTitle}</Title>
      {step.purpose === 'request' && <p class="lead">{what(props)}</p>}
      {step.problem && <ProblemNotice problem={step.problem} t={t} />}
      {left !== null && !wrong && left > 1 && <p>{t.pin.left(left)}</p>}
      {/* Before she types, not after. */}
      {left === 1 && (
        <div class="notice warn" role="alert">
          <p class="notice-title">{t.enrol.pinLast}</p>
          <p>{t.pin.lastHelp}</p>
        </div>
      )}
      <Typed {...props} label={t.pin.askLabel} hint={t.pin.askHint} error={error} send={t.pin.unlock}>
        {step.purpose === 'request' && (
          <Button look="link" busy={state.busy !== null} onPress={() => act.answerWithCard()}>
            {t.request.useCard}
          </Button>
        )}
        <Button look="link" busy={state.busy !== null} label={`${t.pin.forgot} ${t.pin.newByCard}`} onPress={() => act.newPin()}>
          {t.pin.forgot}
        </Button>
      </Typed>
    </>
  );
}

/** What she is about to answer. */
function what({ state: { request }, t }: PinProps): string {
  const name = request?.service?.name ?? '';
  return request?.otherDevice ? t.elsewhere.title(name) : t.request.title(name);
}

function Choose(props: PinProps) {
  const { t, step } = props;
  const again = step.step === 'repeat';
  const error = step.refused === null || step.refused === 'wrong' ? undefined : t.pin.refused[step.refused];
  return (
    <>
      {step.purpose === 'enrol' && <Progress now={3} t={t} />}
      <Title>{again ? t.pin.repeatTitle : t.pin.chooseTitle}</Title>
      {step.problem && <ProblemNotice problem={step.problem} t={t} />}
      {!again && <p class="lead">{t.pin.chooseIntro}</p>}
      <Typed
        {...props}
        label={again ? t.pin.repeatLabel : t.pin.chooseLabel}
        hint={again ? undefined : t.pin.chooseHint}
        error={error}
        send={again ? t.pin.save : t.pin.next}
      />
    </>
  );
}

function Locked({ state, act, t, step }: PinProps) {
  const busy = state.busy !== null;
  return (
    <>
      <Title>{t.reasons['pin-locked'].title}</Title>
      <Notice look="bad">
        <p>{t.reasons['pin-locked'].help}</p>
      </Notice>
      <Buttons>
        <Button busy={busy} onPress={() => act.newPin()}>
          {t.pin.newByCard}
        </Button>
        {step.purpose === 'request' && (
          <Button look="calm" busy={busy} onPress={() => act.answerWithCard()}>
            {t.request.useCard}
          </Button>
        )}
        <Button look="calm" busy={busy} onPress={() => act.cancelPin()}>
          {t.common.cancel}
        </Button>
      </Buttons>
    </>
  );
}
