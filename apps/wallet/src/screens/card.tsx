/** The card step: which card, its PIN, holding it still. It lies over whatever needs the card. */

import { useState } from 'preact/hooks';
import type { CardStep, Problem, ReadableCard, Reason } from '../app/model.ts';
import { Progress } from './enrol.tsx';
import { Button, Buttons, Field, Form, SecretField, Title, useArrival, type Props } from './parts.tsx';
import { Details, ProblemNotice, ProblemScreen, wordsFor } from './problem.tsx';
import { PinMissing } from './start.tsx';

/** PIN.CH has six to eight digits. */
const PIN = /^\d{6,8}$/;
const NO_READER = { reason: 'no-card-reader', supportCode: null, retryAfter: null, triesLeft: null } as const;

/** Refused for what the card is: its PIN once more would change nothing. */
const ANOTHER_CARD: ReadonlySet<Reason> = new Set<Reason>(['card-unknown', 'card-revoked', 'card-expired', 'card-other-insurer']);

export function Card(props: Props & { step: CardStep }) {
  const { state, act, t, step } = props;
  const [changing, setChanging] = useState(false);
  const [pinMissing, setPinMissing] = useState(false);
  const refused = step.problem && ANOTHER_CARD.has(step.problem.reason) ? step.problem : null;
  useArrival(`${changing} ${pinMissing} ${refused?.reason}`);
  if (state.reader === 'none') return <ProblemScreen {...props} problem={NO_READER} />;
  if (pinMissing) return <PinMissing {...props} onBack={() => setPinMissing(false)} />;
  const card = step.cards.find((entry) => entry.id === step.chosen) ?? (step.cards.length === 1 ? step.cards[0] : undefined);
  if (state.busy === 'card' && state.reader === 'shell') return <Hold step={step} t={t} />;
  if (!card || changing) {
    return (
      <Choice
        {...props}
        onChoose={(id) => {
          setChanging(false);
          act.chooseCard(id);
        }}
      />
    );
  }
  const blocked = step.problem?.reason === 'pin-blocked' || step.problem?.reason === 'puk-wrong' || card.triesLeft === 0;
  const other = step.cards.length > 1 ? () => setChanging(true) : undefined;
  if (refused) return <Refused {...props} card={card} problem={refused} other={other ?? (() => act.refreshCards())} />;
  // A new form for another card: no digit of one PIN is left for the other.
  if (blocked) return <Puk key={card.id} {...props} card={card} other={other} />;
  return <Pin key={card.id} {...props} card={card} other={other} onPinMissing={() => setPinMissing(true)} />;
}

function Above({ step, t }: { step: CardStep; t: Props['t'] }) {
  return step.purpose === 'enrol' ? <Progress now={2} t={t} /> : null;
}

function Choice({ state, act, t, step, onChoose }: Props & { step: CardStep; onChoose: (id: string) => void }) {
  const none = step.cards.length === 0 && state.busy === null;
  return (
    <>
      <Above step={step} t={t} />
      <Title>{t.enrol.cardTitle}</Title>
      <p class="lead">{t.purposes[step.purpose]}</p>
      {step.problem && <ProblemNotice problem={step.problem} t={t} />}
      {state.config.invented && step.cards.length > 0 && <p>{t.enrol.cardIntro}</p>}
      {none && !step.problem && <p role="status">{t.enrol.cardNone}</p>}
      <ul class="choice-list">
        {step.cards.map((card) => (
          <li key={card.id}>
            <button type="button" onClick={() => onChoose(card.id)}>
              <CardWords card={card} t={t} />
            </button>
          </li>
        ))}
      </ul>
      <Buttons>
        {none && <Button onPress={() => act.refreshCards()}>{t.common.again}</Button>}
        <Button look="calm" onPress={() => act.cancelCard()}>
          {t.common.cancel}
        </Button>
      </Buttons>
    </>
  );
}

function CardWords({ card, t }: { card: ReadableCard; t: Props['t'] }) {
  return (
    <span class="text">
      {card.name}
      <span class="hint">{card.issuedByText ?? card.insurer}</span>
      {card.special !== null && <span class="hint">{card.special}</span>}
      {card.triesLeft !== null && card.triesLeft < 3 && <span class="hint">{t.enrol.cardTries(card.triesLeft)}</span>}
    </span>
  );
}

type PinProps = Props & { step: CardStep; card: ReadableCard; other: (() => void) | undefined };

function Pin({ state, act, t, step, card, other, onPinMissing }: PinProps & { onPinMissing: () => void }) {
  const [pin, setPin] = useState('');
  const [short, setShort] = useState(false);
  const { problem } = step;
  const left = problem?.triesLeft ?? card.triesLeft;
  const wrong = problem?.reason === 'pin-wrong' && !short && pin === '';
  const error = short ? t.enrol.pinShort : wrong ? (left === null ? t.reasons['pin-wrong'].title : t.enrol.pinWrong(left)) : undefined;
  const about = state.config.invented ? card.pinHint !== null && t.enrol.pinSandbox(card.pinHint) : t.enrol.pinPrivate;
  const send = () => {
    if (state.busy !== null) return;
    if (!PIN.test(pin)) {
      setShort(true);
      return;
    }
    setShort(false);
    setPin('');
    act.answerCard(pin);
  };
  return (
    <>
      <Above step={step} t={t} />
      <Title>{t.enrol.pinTitle}</Title>
      <p class="lead">{t.enrol.pinFor(card.name)}</p>
      <p>{t.purposes[step.purpose]}</p>
      {problem && problem.reason !== 'pin-wrong' && problem.reason !== 'pin-malformed' && <ProblemNotice problem={problem} t={t} />}
      {/* Before she types, not after: the third wrong PIN blocks the card. */}
      {left === 1 && (
        <div class="notice warn" role="alert">
          <p class="notice-title">{t.enrol.pinLast}</p>
          <p>{t.enrol.pinLastHelp}</p>
        </div>
      )}
      <Form onSubmit={send}>
        <SecretField
          label={t.enrol.pinLabel}
          hint={[t.enrol.pinHint, about, left !== null && left > 1 && `${t.enrol.cardTries(left)}.`].filter(Boolean).join(' ')}
          error={error}
          value={pin}
          longest={8}
          onInput={(typed) => {
            setPin(typed.replace(/\D/g, ''));
            setShort(false);
          }}
          show={t.enrol.pinShow}
        />
        <Buttons>
          <Button submit busy={state.busy !== null}>
            {t.enrol.pinNext}
          </Button>
          <Button look={left === 1 ? 'equal' : 'calm'} onPress={() => act.cancelCard()}>
            {left === 1 ? t.enrol.pinStop : t.common.cancel}
          </Button>
          <Button look="link" onPress={onPinMissing}>
            {t.start.pinMissing}
          </Button>
          {other && (
            <Button look="link" onPress={other}>
              {t.enrol.cardOther}
            </Button>
          )}
        </Buttons>
      </Form>
    </>
  );
}

function Refused({ state, act, t, step, card, problem, other }: Props & { step: CardStep; card: ReadableCard; problem: Problem; other: () => void }) {
  return (
    <>
      <Above step={step} t={t} />
      <Title>{wordsFor(t, problem.reason).title}</Title>
      <p class="lead">{t.enrol.pinFor(card.name)}</p>
      <div class="notice bad" role="alert">
        <Details problem={problem} t={t} />
      </div>
      <Buttons>
        <Button busy={state.busy !== null} onPress={other}>
          {t.enrol.cardOther}
        </Button>
        <Button look="calm" onPress={() => act.cancelCard()}>
          {t.common.cancel}
        </Button>
      </Buttons>
    </>
  );
}

function Puk({ state, act, t, step, card, other }: PinProps) {
  const [puk, setPuk] = useState('');
  return (
    <>
      <Above step={step} t={t} />
      <Title>{t.enrol.pukTitle}</Title>
      <p class="lead">{t.enrol.pinFor(card.name)}</p>
      <ProblemNotice problem={step.problem ?? { reason: 'pin-blocked', supportCode: null, retryAfter: null, triesLeft: 0 }} t={t} />
      <Form onSubmit={() => state.busy === null && act.unblockCard(puk)}>
        <Field
          label={t.enrol.pukLabel}
          hint={state.config.invented ? t.enrol.pukSandbox : t.enrol.pukHint}
          value={puk}
          digits
          longest={8}
          onInput={(typed) => setPuk(typed.replace(/\D/g, ''))}
        />
        <Buttons>
          <Button submit busy={state.busy !== null}>
            {t.enrol.pukNext}
          </Button>
          {other && (
            <Button look="calm" onPress={other}>
              {t.enrol.cardOther}
            </Button>
          )}
          <Button look="calm" onPress={() => act.cancelCard()}>
            {t.common.cancel}
          </Button>
        </Buttons>
      </Form>
    </>
  );
}

/** While the surrounding app reads the card. The phone's back is drawn, not photographed: where the antenna is differs. */
function Hold({ step, t }: { step: CardStep; t: Props['t'] }) {
  return (
    <>
      <Above step={step} t={t} />
      <Title>{t.enrol.holdTitle}</Title>
      <svg class="hold" viewBox="0 0 120 120" aria-hidden="true" focusable="false">
        <rect class="phone" x="35" y="20" width="50" height="95" rx="8" />
        <circle class="phone" cx="47" cy="32" r="4" />
        <rect class="plastic" x="15" y="12" width="76" height="48" rx="5" />
        <rect class="chip" x="24" y="28" width="12" height="10" rx="2" />
      </svg>
      <ol class="steps">
        {t.enrol.hold.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ol>
      <p>{t.enrol.holdTip}</p>
    </>
  );
}
