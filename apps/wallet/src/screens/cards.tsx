/** Her cards, as the insurer's register has them. No photograph of a card: it would prove nothing and look as if it did. */

import type { CardEntry, State } from '../app/model.ts';
import type { TranslateMore } from '../texts/index.ts';
import { Account } from './account.tsx';
import { Facts, Notice, type MoreProps } from './parts.tsx';

export function Cards(props: MoreProps) {
  const { state, t } = props;
  const { account, snapshot } = state;
  const notes = (
    <>
      <Notice>
        <p>{t.cards.notProof}</p>
        <p>{t.cards.source}</p>
      </Notice>
      <article class="own-card not-yet" aria-labelledby="identity">
        <h2 id="identity">{t.cards.identity}</h2>
        <p>{t.cards.identityNotYet}</p>
      </article>
    </>
  );
  const seen = account.state === 'closed' && account.problem === null && snapshot !== null && (
    <>
      <p class="hint">{t.cards.asOf(t.date(snapshot.at))}</p>
      <Listed cards={snapshot.cards} state={state} t={t} />
      {notes}
    </>
  );
  return (
    <Account {...props} title={t.cards.title} before={seen}>
      {account.cards.length === 0 && <p>{t.cards.none}</p>}
      <Listed cards={account.cards} state={state} t={t} />
      {notes}
    </Account>
  );
}

function Listed({ cards, state, t }: { cards: CardEntry[]; state: State; t: TranslateMore }) {
  return (
    <>
      {cards.map((card) => (
        <OneCard key={`${card.kind} ${card.kvnr}`} card={card} state={state} t={t} />
      ))}
    </>
  );
}

const MONTH = 30 * 86_400;

/** Whether a card is over, or ends within a month. The last day is hers to its end, where she is. */
export function cardEnds({ validUntil }: CardEntry, now: number): 'over' | 'soon' | undefined {
  const left = Date.parse(`${validUntil}T24:00`) / 1000 - now;
  return left <= 0 ? 'over' : left <= MONTH ? 'soon' : undefined;
}

function OneCard({ card, state, t }: { card: CardEntry; state: State; t: TranslateMore }) {
  const facts: [string, string][] = [
    [t.cards.name, card.name],
    [t.cards.number, card.kvnr],
    [t.cards.born, t.birthdate(card.birthdate)],
    [t.cards.insurerNumber, card.ik],
    card.validUntil ? [t.devices.validUntil, t.birthdate(card.validUntil)] : [t.cards.validity, t.cards.validityHelp],
  ];
  const ends = cardEnds(card, state.now);
  const over = t.reasons['card-expired'];
  return (
    <article class="own-card" aria-labelledby="health-card">
      <header>
        <h2 id="health-card">{t.cards.health}</h2>
        <p>{card.insurer}</p>
        <img src={state.config.logo} alt="" width="48" height="48" />
      </header>
      {ends && (
        <Notice look="warn" title={ends === 'over' ? over.title : t.cards.soon}>
          <p>{over.help}</p>
        </Notice>
      )}
      <Facts facts={facts} />
    </article>
  );
}
