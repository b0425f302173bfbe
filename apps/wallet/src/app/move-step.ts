/** The way into a move and out of it. What it does is fetched when it begins. */

import type { MoveLink } from './route.ts';
import type { Move, Problem } from './model.ts';
import type { NewPhone, OldPhone } from './moving.ts';
import type { PinSteps } from './pin-step.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Tools } from './tools.ts';

/** Longest name the provider takes. */
const MAX_NAME_CHARACTERS = 64;

const EMPTY: Omit<Move, 'side' | 'step'> = { name: '', code: null, link: null, asking: null, number: null, expiresAt: null, problem: null };

const fetched = () =>
  import('./moving.ts').catch(() => {
    throw new Trouble('offline');
  });

export class MoveSteps {
  #old: OldPhone | undefined;
  #new: NewPhone | undefined;

  constructor(
    private readonly tools: Tools,
    private readonly pins: PinSteps,
    /** Called when this phone was bound. */
    private readonly bound: () => void,
  ) {}

  /** On the old phone: the warning first. */
  begin(): void {
    this.drop();
    this.tools.store.set({ move: { ...EMPTY, side: 'old', step: 'warn' } });
  }

  /** She has read the warning. Also for another code, when one grew old. */
  offer(): void {
    const { store } = this.tools;
    if (store.state.busy || store.state.move?.side !== 'old') return;
    store.set({ move: { ...EMPTY, side: 'old', step: 'warn' } });
    const start = async () => {
      if (this.#old) this.#old.stopped = true;
      this.#old = new (await fetched()).OldPhone(this.tools);
      return this.#old;
    };
    if (!store.state.device?.pin) return void store.run('device', async () => (await start()).begin(), this.#failed);
    this.pins.ask('account', {
      use: async (key) => (await start()).begin(key),
      failed: (problem) => {
        this.#failed(problem);
        return true;
      },
      cancelled: () => undefined,
    });
  }

  approve(number: string): void {
    void this.#old?.approve(number);
  }

  end(why: 'declined' | 'not-me' | 'phone-call'): void {
    if (this.#old) return void this.#old.end(why);
    this.drop();
  }

  /** On the new phone: a link was opened. */
  arrive(link: MoveLink | null, suggestedName: string): void {
    const { store, provider } = this.tools;
    const over = (problem: Problem) => store.set({ move: { ...EMPTY, side: 'new', step: 'over', problem } });
    if (!link) return over(new Trouble('link-broken').problem);
    if (link.issuer !== provider.issuer) return over(new Trouble('foreign-insurer').problem);
    if (store.state.device) return over(new Trouble('already-set-up').problem);
    store.set({ move: { ...EMPTY, side: 'new', step: 'name', name: suggestedName } });
    this.#new = undefined;
    void fetched()
      .then(({ NewPhone }) => {
        this.#new = new NewPhone(this.tools, link.offer, this.bound);
      })
      .catch((error: unknown) => this.#failed(problemOf(error)));
  }

  accept(name: string): void {
    const { store } = this.tools;
    const given = name.trim().slice(0, MAX_NAME_CHARACTERS);
    if (!given || !store.state.move || store.state.move.step !== 'name') return;
    store.set({ move: { ...store.state.move, name: given } });
    void this.#new?.accept(given);
  }

  drop(): void {
    if (this.#old) this.#old.stopped = true;
    if (this.#new) this.#new.stopped = true;
    this.#old = undefined;
    this.#new = undefined;
    this.tools.store.set({ move: null });
  }

  #failed = (problem: Problem): void => {
    const { store } = this.tools;
    if (store.state.move) store.set({ move: { ...store.state.move, problem } });
  };
}
