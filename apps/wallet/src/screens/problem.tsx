/** What happened, what to do, and one button that does it. */

import type { Actions, Problem, Reason, State } from '../app/model.ts';
import type { Translate } from '../texts/index.ts';
import { Button, Buttons, Code, Title, type Props } from './parts.tsx';

type Step = 'again' | 'use-card' | 'enrol' | 'renew' | 'unlock' | 'devices' | 'help' | 'home';

/** The next step after each reason. `home` becomes the way back to the service where there is one. */
const NEXT: Record<Reason, Step> = {
  'login-unknown': 'home',
  'login-expired': 'home',
  'login-over': 'home',
  'no-more-time': 'again',
  'challenge-expired': 'again',
  'card-unknown': 'again',
  'card-revoked': 'again',
  'card-expired': 'again',
  'card-refused': 'again',
  'card-other-insurer': 'again',
  'device-clock': 'again',
  'device-not-admitted': 'use-card',
  declined: 'home',
  'must-not-ask': 'home',
  'account-closed': 'help',
  'service-unknown': 'home',
  'device-unknown': 'enrol',
  'device-locked': 'unlock',
  'device-blocked': 'unlock',
  'device-due': 'renew',
  'device-cloned': 'enrol',
  'consent-missing': 'use-card',
  'level-too-low': 'use-card',
  'attestation-refused': 'use-card',
  'too-many-devices': 'devices',
  'too-many-tries': 'home',
  'number-wrong': 'home',
  aborted: 'home',
  'cooling-off': 'home',
  'move-over': 'home',
  'other-browser': 'home',
  'pin-locked': 'use-card',
  'card-login-needed': 'use-card',
  'push-service-unknown': 'home',
  'notifications-denied': 'home',
  'push-failed': 'again',
  'not-found': 'home',
  malformed: 'help',
  unavailable: 'again',
  internal: 'again',
  offline: 'again',
  timeout: 'again',
  'answer-not-genuine': 'help',
  'link-broken': 'home',
  'foreign-insurer': 'home',
  'pin-wrong': 'again',
  'pin-blocked': 'help',
  'pin-malformed': 'again',
  'puk-wrong': 'again',
  'puk-used-up': 'help',
  'card-gone': 'again',
  'no-card-reader': 'help',
  'reader-unreachable': 'again',
  'not-enrolled': 'enrol',
  'already-set-up': 'home',
  'passkey-cancelled': 'again',
  'passkey-unavailable': 'use-card',
  'passkey-exists': 'devices',
  'other-tab': 'again',
  'storage-unavailable': 'again',
  'storage-lost': 'enrol',
  'account-timeout': 'use-card',
  'browser-too-old': 'help',
  unexpected: 'again',
};

/** The words for a reason. One that the provider added after this wallet was built is told like an internal fault, with its support code. */
export function wordsFor(t: Translate, reason: Reason): { title: string; help: string } {
  return (t.reasons as Partial<typeof t.reasons>)[reason] ?? t.reasons.internal;
}

/** In a running request the card and another try are about this request, in the settings about the app's PIN; elsewhere about the account. */
function step(reason: Reason, state: State, act: Actions): [Step, () => void] {
  const asked = state.route === 'request' && state.request?.step !== 'over' && state.request?.step !== 'done';
  const next = (NEXT as Partial<typeof NEXT>)[reason] ?? 'again';
  switch (next) {
    case 'again':
      // Where there is nothing to be done again, the screen below is.
      return [
        next,
        () => {
          act.dismiss();
          act.retry();
        },
      ];
    case 'use-card':
      return [next, () => (asked ? act.answerWithCard() : state.route === 'settings' ? act.newPin() : act.openAccount('card'))];
    case 'enrol':
      return [next, () => act.beginEnrolment()];
    case 'renew':
      return [next, () => act.renewDevice()];
    case 'unlock':
      return state.device ? [next, () => act.unlockDevice(state.device?.device ?? '')] : ['use-card', () => act.openAccount('card')];
    case 'devices':
    case 'help':
      return [next, () => act.go(next)];
    case 'home':
      return [
        'home',
        () => {
          act.dismiss();
          act.go('start');
        },
      ];
  }
}

/** What to do about it, and the code to be read out. */
export function Details({ problem, t, children }: { problem: Problem; t: Translate; children?: preact.ComponentChildren }) {
  return (
    <>
      <p>{wordsFor(t, problem.reason).help}</p>
      {problem.retryAfter !== null && problem.retryAfter > 0 && <p>{t.problem.wait(t.span(problem.retryAfter))}</p>}
      {children}
      {problem.supportCode !== null && (
        <>
          <p>{t.problem.codeHelp}</p>
          <Code code={problem.supportCode} label={t.problem.code} />
        </>
      )}
    </>
  );
}

/** A problem above a screen that stays as it is. */
export function ProblemNotice({ problem, t }: { problem: Problem; t: Translate }) {
  return (
    <div class="notice bad" role="alert">
      <p class="notice-title">{wordsFor(t, problem.reason).title}</p>
      <Details problem={problem} t={t} />
    </div>
  );
}

/** A problem that takes the whole screen. `again`: what the screens themselves do once more. */
export function ProblemScreen({ problem, state, act, t, again }: Props & { problem: Problem; again?: () => void }) {
  if (state.phase === 'stopped') {
    // Nothing runs yet that could do anything.
    return (
      <>
        <Title>{wordsFor(t, problem.reason).title}</Title>
        <div class="notice bad">
          <Details problem={problem} t={t} />
        </div>
        <Buttons>
          <Button onPress={() => location.reload()}>{t.common.reload}</Button>
        </Buttons>
      </>
    );
  }
  const [name, go]: [Step, () => void] = again ? ['again', again] : step(problem.reason, state, act);
  const back = state.route === 'request' && state.request?.back !== null && state.request !== null;
  return (
    <>
      <Title>{wordsFor(t, problem.reason).title}</Title>
      <div class="notice bad">
        <Details problem={problem} t={t} />
      </div>
      <Buttons>
        {name === 'home' && back ? <Button onPress={() => act.goBack()}>{t.steps['to-service']}</Button> : <Button onPress={go}>{t.steps[name]}</Button>}
        {name !== 'home' && (
          <Button
            look="calm"
            onPress={() => {
              act.dismiss();
              act.go('start');
            }}
          >
            {t.steps.home}
          </Button>
        )}
        {name !== 'help' && (
          <Button look="link" onPress={() => act.go('help')}>
            {t.steps.help}
          </Button>
        )}
      </Buttons>
    </>
  );
}
