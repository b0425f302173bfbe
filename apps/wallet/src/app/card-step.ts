/** The card step: which card, its PIN, and what follows. One at a time, inside whatever needs it. */

import type { CardAnswer } from './answer.ts';
import type { CardStep, Problem } from './model.ts';
import { Trouble } from './problem.ts';
import type { Tools } from './tools.ts';

type Pending = {
  /** What the card is for. */
  use: (answer: CardAnswer) => Promise<void>;
  /** A problem that is not the card's. `true`: it has a place of its own, and the step is over. */
  failed: (problem: Problem) => boolean | Promise<boolean>;
  cancelled: () => void;
};

export class CardSteps {
  #pending: Pending | undefined;

  constructor(private readonly tools: Tools) {}

  /** Asks for a card. */
  async open(purpose: CardStep['purpose'], pending: Pending): Promise<void> {
    const { store, reader } = this.tools;
    this.#pending = pending;
    store.set({ card: { purpose, cards: [], chosen: null, problem: null } });
    if (!reader) return this.#problem(new Trouble('no-card-reader').problem);
    await this.#load();
  }

  refresh(): void {
    void this.tools.store.run('card', () => this.#load());
  }

  choose(id: string): void {
    this.#change({ chosen: id, problem: null });
  }

  /** The PIN goes to the card and is forgotten: nothing repeats this but a person who types it again. */
  answer(pin: string): void {
    const { store } = this.tools;
    const [pending, step] = [this.#pending, store.state.card];
    if (!pending || !step) return;
    const card = step.chosen ?? step.cards[0]?.id;
    if (card === undefined) return;
    if (!/^[0-9]{6,8}$/.test(pin)) return this.#problem(new Trouble('pin-malformed').problem);
    const work = async () => {
      await pending.use({ card, pin });
      this.close();
    };
    const failed = async (problem: Problem) => {
      if (await pending.failed(problem)) this.close();
      else this.#problem(problem);
      store.forgetAgain();
    };
    void store.run('card', work, failed);
  }

  unblock(puk: string): void {
    const { store, reader } = this.tools;
    const card = store.state.card?.chosen ?? store.state.card?.cards[0]?.id;
    if (!reader || card === undefined) return;
    const work = async () => {
      await reader.unblock(card, puk === '' ? null : puk);
      await this.#load();
      store.set({ done: 'card-unblocked' });
    };
    void store.run('unblocking-card', work, (problem) => {
      this.#problem(problem);
      store.forgetAgain();
    });
  }

  cancel(): void {
    if (this.tools.store.state.busy) return;
    const pending = this.#pending;
    this.close();
    pending?.cancelled();
  }

  close(): void {
    this.#pending = undefined;
    this.tools.store.set({ card: null });
  }

  async #load(): Promise<void> {
    const { reader, store } = this.tools;
    if (!reader) return;
    try {
      const cards = await reader.cards(store.state.language);
      const chosen = store.state.card?.chosen ?? null;
      this.#change({
        cards,
        chosen: cards.some((card) => card.id === chosen) ? chosen : cards.length === 1 ? (cards[0]?.id ?? null) : null,
        problem: null,
      });
    } catch (error) {
      this.#problem(error instanceof Trouble ? error.problem : new Trouble('reader-unreachable').problem);
    }
  }

  #problem(problem: Problem): void {
    const { card } = this.tools.store.state;
    const cards = (card?.cards ?? []).map((one) =>
      one.id === (card?.chosen ?? card?.cards[0]?.id) && problem.triesLeft !== null ? { ...one, triesLeft: problem.triesLeft } : one,
    );
    this.#change({ problem, cards });
  }

  #change(change: Partial<CardStep>): void {
    const { store } = this.tools;
    if (store.state.card) store.set({ card: { ...store.state.card, ...change } });
  }
}
