/** Before anything begins: what is needed, how it goes, and what to do without a PIN. Later: the overview. */

import { useState } from 'preact/hooks';
import type { Route } from '../app/model.ts';
import { Button, Buttons, Contact, Notice, Section, Title, useArrival, type Props } from './parts.tsx';
import { Reminder } from './reminder.tsx';

/** In the order of how often they are needed. */
const PLACES: Exclude<Route, 'start' | 'enrol' | 'request' | 'move' | 'not-found'>[] = [
  'cards',
  'history',
  'devices',
  'timers',
  'consents',
  'block',
  'data',
  'help',
  'settings',
];

export function Start(props: Props) {
  const [pinMissing, setPinMissing] = useState(false);
  useArrival(`${pinMissing}`);
  if (props.state.device) return <Home {...props} />;
  if (pinMissing) return <PinMissing {...props} onBack={() => setPinMissing(false)} />;
  return <Before {...props} onPinMissing={() => setPinMissing(true)} />;
}

function Before({ state, act, t, onPinMissing }: Props & { onPinMissing: () => void }) {
  const begun = state.enrolment !== null && state.enrolment.step !== 'bound';
  return (
    <>
      <Title>{t.start.title}</Title>
      <Waiting state={state} act={act} t={t} />
      {begun ? <Notice look="good">{t.start.resumeHelp}</Notice> : <p class="lead">{t.start.intro}</p>}
      <Section title={t.start.needTitle}>
        <ul class="needs">
          <li>
            <strong>{t.start.needCard}</strong>
            <span class="hint">{t.start.needCardHelp(state.config.insurer)}</span>
          </li>
          <li>
            <strong>{t.start.needPin}</strong>
            <span class="hint">{t.start.needPinHelp}</span>
          </li>
          <li>
            <strong>{t.start.needTime}</strong>
            <span class="hint">{t.start.needTimeHelp}</span>
          </li>
        </ul>
      </Section>
      <Section title={t.start.stepsTitle}>
        <ol class="steps">
          {t.start.steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      </Section>
      <Buttons>
        <Button onPress={() => (begun ? act.go('enrol') : act.beginEnrolment())}>{begun ? t.start.resume : t.start.begin}</Button>
        <Button look="calm" onPress={onPinMissing}>
          {t.start.pinMissing}
        </Button>
        {begun && (
          <Button look="link" onPress={() => act.dropEnrolment()}>
            {t.enrol.drop}
          </Button>
        )}
      </Buttons>
      <Places places={['block', 'help', 'settings']} t={t} />
    </>
  );
}

export function PinMissing({ state, t, onBack }: Props & { onBack: () => void }) {
  return (
    <>
      <Title>{t.pinMissing.title}</Title>
      <Section title={t.pinMissing.neverTitle}>
        <p>{t.pinMissing.never}</p>
      </Section>
      <Section title={t.pinMissing.forgottenTitle}>
        <p>{t.pinMissing.forgotten}</p>
      </Section>
      <Section title={t.pinMissing.blockedTitle}>
        <p>{t.pinMissing.blocked}</p>
      </Section>
      <Section title={t.help.contactTitle(state.config.insurer)}>
        <Contact config={state.config} t={t} />
      </Section>
      <Notice>{t.pinMissing.later}</Notice>
      <Buttons>
        <Button look="calm" onPress={onBack}>
          {t.common.back}
        </Button>
      </Buttons>
    </>
  );
}

function Home(props: Props) {
  const { state, act, t } = props;
  return (
    <>
      <Title>{t.home.title}</Title>
      <Waiting {...props} />
      <Reminder {...props} />
      {state.device !== null && state.device.validUntil > state.now && (
        <Notice look="good" title={t.home.ready}>
          <p>{t.home.readyHelp}</p>
        </Notice>
      )}
      {state.request !== null && state.request.step !== 'done' && state.request.step !== 'over' && (
        <Buttons>
          <Button onPress={() => act.go('request')}>{t.home.answer}</Button>
        </Buttons>
      )}
      <Places places={PLACES} t={t} />
    </>
  );
}

/** Requests that were begun here, or sent here, and not answered. They may come while she looks. */
function Waiting({ state, act, t }: Props) {
  return (
    <div role="status">
      {state.waiting.map((request) => (
        <Notice key={request.id} look="warn" title={t.home.waiting(request.service ?? t.home.someService)}>
          <Buttons>
            <Button onPress={() => act.takeUp(request.id)}>{t.home.answer}</Button>
          </Buttons>
        </Notice>
      ))}
    </div>
  );
}

function Places({ places, t }: { places: typeof PLACES; t: Props['t'] }) {
  return (
    <nav aria-label={t.common.menu}>
      <ul class="choice-list places">
        {places.map((place) => (
          <li key={place}>
            <a href={`#/${place}`}>
              <span class="text">
                {t.nav[place]}
                <span class="hint">{t.navHelp[place]}</span>
              </span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
