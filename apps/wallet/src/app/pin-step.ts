/**
 * The PIN step: the app's PIN asked for, or a new one chosen and typed again. One at a time, inside whatever needs it. What was typed is
 * held until it was typed again, in this tab's memory, and nothing repeats a try but a person who types it again.
 */

import { arithmetic, unlock } from './app-pin.ts';
import type { Doing, PinRefusal, PinStep, Problem } from './model.ts';
import { PIN, tooSimple } from './pin-rules.ts';
import type { Tools } from './tools.ts';

type After = {
  /** What went wrong after the PIN. `true`: it has a place of its own, and the step is over. */
  failed: (problem: Problem) => boolean | Promise<boolean>;
  cancelled: () => void;
};
/** `mayLeave`: the key is to be wrapped again. */
type Asked = After & { use: (key: CryptoKey) => Promise<void>; mayLeave?: boolean };
/** `null`: she wants none. */
type Chosen = After & { use: (pin: string | null) => Promise<void> };
/** What is done once she has typed, as the screens say it. */
const DOING = { request: 'deciding', account: 'loading-account', enrol: 'enrolling', new: 'enrolling', change: 'changing', wake: 'changing' } as const satisfies Record<
  PinStep['purpose'],
  Doing
>;

type Pending = ({ what: 'ask' } & Asked) | ({ what: 'choose' } & Chosen);

export class PinSteps {
  #pending: Pending | undefined;
  /** Typed once. */
  #first: string | undefined;

  constructor(private readonly tools: Tools) {}

  /** Asks for the PIN of this device. */
  ask(purpose: PinStep['purpose'], asked: Asked): void {
    const isLocked = this.tools.store.state.device?.pin?.triesLeft === 0;
    this.#open({ what: 'ask', ...asked }, isLocked ? 'locked' : 'ask', purpose);
  }

  /** Lets her choose one. */
  choose(purpose: PinStep['purpose'], chosen: Chosen): void {
    this.#open({ what: 'choose', ...chosen }, 'choose', purpose);
  }

  typed(pin: string): void {
    const { store } = this.tools;
    const [pending, step] = [this.#pending, store.state.pin?.step];
    if (!pending || !step || store.state.busy || step === 'locked') return;
    if (!PIN.test(pin)) return this.#refuse('short');
    if (pending.what === 'ask') return this.#try(pending, pin);
    if (step === 'choose') {
      const why = tooSimple(pin);
      if (why) return this.#refuse(why);
      this.#first = pin;
      return this.#change({ step: 'repeat', refused: null, problem: null });
    }
    if (pin !== this.#first) {
      this.#first = undefined;
      return this.#change({ step: 'choose', refused: 'different', problem: null });
    }
    this.#use(pending, pin);
  }

  /** She wants none. */
  without(): void {
    const { state } = this.tools.store;
    if (this.#pending?.what === 'choose' && state.pin?.purpose === 'enrol' && !state.busy) this.#use(this.#pending, null);
  }

  cancel(): void {
    if (this.tools.store.state.busy) return;
    const pending = this.#pending;
    this.close();
    pending?.cancelled();
  }

  close(): void {
    this.#pending = undefined;
    this.#first = undefined;
    this.tools.store.set({ pin: null });
  }

  #try(pending: Extract<Pending, { what: 'ask' }>, pin: string): void {
    let isUnlocked = false;
    const work = async () => {
      const key = await unlock(this.tools, pin, pending.mayLeave ?? false);
      isUnlocked = true;
      await pending.use(key);
      this.#done(pending);
    };
    this.#run(work, async (problem) => {
      if (problem.reason === 'pin-wrong') return this.#refuse('wrong');
      if (problem.reason === 'pin-locked') return this.#change({ step: 'locked', refused: null, problem: null });
      // Whatever is not about this try has a place of its own.
      const isAboutTheTry = !isUnlocked && ['offline', 'timeout', 'unavailable', 'internal', 'too-many-tries', 'other-tab'].includes(problem.reason);
      if (!isAboutTheTry && (await pending.failed(problem))) return this.#done(pending);
      this.#change({ problem, refused: null });
    });
  }

  #use(pending: Extract<Pending, { what: 'choose' }>, pin: string | null): void {
    const work = async () => {
      await pending.use(pin);
      this.#done(pending);
    };
    this.#run(work, async (problem) => {
      if (await pending.failed(problem)) return this.#done(pending);
      this.#change({ problem, refused: null });
    });
  }

  #run(work: () => Promise<void>, failed: (problem: Problem) => Promise<void> | void): void {
    const { store } = this.tools;
    void store.run(DOING[store.state.pin?.purpose ?? 'request'], work, async (problem) => {
      await failed(problem);
      store.forgetAgain();
    });
  }

  /** Over, unless what followed has asked for another. */
  #done(pending: Pending): void {
    if (this.#pending === pending) this.close();
  }

  #open(pending: Pending, step: PinStep['step'], purpose: PinStep['purpose']): void {
    this.#pending = pending;
    this.#first = undefined;
    // While she types. If it fails, she is told when she has typed.
    arithmetic().catch(() => undefined);
    this.tools.store.set({ pin: { step, purpose, refused: null, problem: null } });
  }

  #refuse(refused: PinRefusal): void {
    this.#change({ refused, problem: null });
  }

  #change(change: Partial<PinStep>): void {
    const { store } = this.tools;
    if (store.state.pin) store.set({ pin: { ...store.state.pin, ...change } });
  }
}
