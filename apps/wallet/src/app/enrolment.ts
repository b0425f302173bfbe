/**
 * Enrolment by health card: what has to be known first, a name, the card, the app's PIN, and then this browser's own key at the insurer. Every
 * step but card and PIN is kept; the card's login lives ten minutes and is begun anew when it is needed. A passkey whose binding was not answered
 * goes out again as it was, after the tab was closed, too; a key that was not kept yet is gone with its tab.
 */

import { account, sealed, type CardAnswer } from './answer.ts';
import { wrapAgain } from './app-pin.ts';
import { bind, bindAgain } from './bind.ts';
import type { CardSteps } from './card-step.ts';
import type { Enrolment, Problem, Reason } from './model.ts';
import type { PinSteps } from './pin-step.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Run } from './run.ts';
import type { Tools } from './tools.ts';

/** Longest name the provider takes. */
const MAX_NAME_CHARACTERS = 64;

/** After these the same may do, with the card's login there is. */
const PASSING: ReadonlySet<Reason> = new Set<Reason>(['offline', 'timeout', 'unavailable', 'internal', 'too-many-tries']);
/** After these nobody knows whether the device is bound. */
const UNANSWERED: ReadonlySet<Reason> = new Set<Reason>(['offline', 'timeout', 'unavailable', 'internal']);
/** The card's login is good for ten minutes. */
const TOO_OLD: ReadonlySet<Reason> = new Set<Reason>(['login-expired', 'login-unknown', 'login-over']);

function anew(problem: Problem): Problem {
  return TOO_OLD.has(problem.reason) ? { ...problem, reason: 'card-login-needed' } : problem;
}

export class Enrolling {
  constructor(
    private readonly tools: Tools,
    private readonly cards: CardSteps,
    private readonly pins: PinSteps,
    /** Called with the card's login once the device is bound: the account can be shown without another card. */
    private readonly done: (login: string) => Promise<void>,
  ) {}

  begin(suggestedName: string): void {
    const { store, now } = this.tools;
    const begun: Enrolment = {
      step: 'prepare',
      name: suggestedName,
      kind: 'device-key',
      consentToSubstantial: false,
      startedAt: now(),
      resumed: false,
      problem: null,
    };
    const { enrolment } = store.state;
    this.#keep(enrolment && enrolment.step !== 'bound' ? enrolment : begun);
  }

  set(wish: Partial<Pick<Enrolment, 'name' | 'kind' | 'consentToSubstantial'>>): void {
    const { enrolment } = this.tools.store.state;
    if (!enrolment || enrolment.step !== 'name') return;
    this.#keep({ ...enrolment, ...wish, problem: null });
  }

  next(): void {
    const { enrolment } = this.tools.store.state;
    if (enrolment?.step === 'binding') return void this.tools.store.run('enrolling', () => this.#again(), (problem) => this.#unbound(problem));
    if (enrolment?.step === 'prepare') return this.#keep({ ...enrolment, step: 'name', resumed: false });
    if (enrolment?.step !== 'name' || !enrolment.name.trim() || !enrolment.consentToSubstantial) return;
    this.#keep({ ...enrolment, name: enrolment.name.trim().slice(0, MAX_NAME_CHARACTERS), step: 'card', problem: null, resumed: false });
    const open = () =>
      this.cards.open('enrol', {
        use: (answer) => this.#known(answer),
        failed: (problem) => this.#failed(problem),
        cancelled: () => this.#change({ step: 'name' }),
      });
    void this.tools.store.run('card', open, (problem) => this.#change({ step: 'name', problem }));
  }

  back(): void {
    const { store } = this.tools;
    if (store.state.busy) return;
    const step = store.state.enrolment?.step;
    if (step === 'card') this.cards.cancel();
    else if (step === 'pin') this.pins.cancel();
    else if (step === 'name') this.#change({ step: 'prepare' });
    else if (step === 'binding') void this.#toName(null).catch((error: unknown) => store.set({ problem: problemOf(error) }));
    else this.drop();
  }

  drop(): void {
    const { store, kept } = this.tools;
    if (store.state.busy) return;
    if (store.state.card?.purpose === 'enrol') this.cards.close();
    if (store.state.pin?.purpose === 'enrol') this.pins.close();
    store.set({ enrolment: null });
    void kept.dropEnrolment().catch((error: unknown) => store.set({ problem: problemOf(error) }));
  }

  /** The card has said who she is. A passkey is unlocked by its authenticator; a key by the app's PIN, if she wants one. */
  async #known(answer: CardAnswer): Promise<void> {
    const run = await account(this.tools, answer);
    if (this.tools.store.state.enrolment?.kind === 'passkey') return this.#bind(run, null);
    this.#change({ step: 'pin' });
    this.pins.choose('enrol', {
      use: (pin) => this.#bind(run, pin),
      failed: (problem) => {
        const isPassing = PASSING.has(problem.reason);
        this.#change(isPassing ? { step: 'pin' } : { step: 'name', problem: anew(problem) });
        return !isPassing;
      },
      cancelled: () => this.#change({ step: 'name' }),
    });
  }

  async #bind(run: Run, pin: string | null): Promise<void> {
    const { store, kept } = this.tools;
    const { enrolment } = store.state;
    if (!enrolment) throw new Trouble('unexpected');
    await kept.dropSent();
    this.#change({ step: 'binding', problem: null });
    await bind(this.tools, run, enrolment, pin);
    await this.#bound(sealed(run));
  }

  /** The same once more; the card has done its part. */
  async #again(): Promise<void> {
    this.#change({ problem: null, resumed: false });
    await this.#bound(await bindAgain(this.tools));
  }

  async #bound(login: string): Promise<void> {
    await this.tools.kept.dropEnrolment();
    this.#change({ step: 'bound', problem: null, resumed: false });
    await this.done(login);
  }

  /**
   * A new PIN by card: the old one is forgotten or locked, or there was none. What was wrapped with it is lost with it, so this browser gets a
   * new key, in the place of the old one (ADR 0018).
   */
  newPin(): void {
    const { store } = this.tools;
    const { device } = store.state;
    if (store.state.busy || device?.kind !== 'device-key') return;
    this.pins.close();
    const use = async (answer: CardAnswer) => {
      const run = await account(this.tools, answer);
      this.pins.choose('new', {
        use: async (pin) => {
          // She agreed to the level when she set this device up.
          await bind(this.tools, run, { name: device.name, kind: device.kind, consentToSubstantial: true }, pin);
          await this.done(sealed(run));
          store.set({ done: 'pin-set' });
        },
        failed: (problem) => {
          if (PASSING.has(problem.reason)) return false;
          store.set({ problem: anew(problem) });
          return true;
        },
        cancelled: () => undefined,
      });
    };
    void store.run('card', () => this.cards.open('new-pin', { use, failed: () => false, cancelled: () => undefined }));
  }

  /** Another PIN, the old one known. Her key signs a login in between: that gives the tries back, and a wrong key would show. */
  changePin(): void {
    const { store } = this.tools;
    const use = async (key: CryptoKey) => {
      await account(this.tools, key);
      this.pins.choose('change', {
        use: async (pin) => {
          if (pin === null) return;
          await wrapAgain(this.tools, pin, key);
          store.set({ done: 'pin-changed' });
        },
        failed: (problem) => {
          if (PASSING.has(problem.reason)) return false;
          store.set({ problem });
          return true;
        },
        cancelled: () => undefined,
      });
    };
    const failed = (problem: Problem) => {
      store.set({ problem });
      return true;
    };
    if (!store.state.busy && store.state.device?.pin) this.pins.ask('change', { use, failed, cancelled: () => undefined, mayLeave: true });
  }

  /** What the card or its PIN is about stays in the card step; everything else is said where the name stands, and what was typed is there. */
  async #failed(problem: Problem): Promise<boolean> {
    const isTheCards = /^(card|pin|puk)-|^reader-|^no-card-reader$/.test(problem.reason) && problem.reason !== 'card-login-needed';
    if (isTheCards) this.#change({ step: 'card' });
    else await this.#unbound(problem);
    return !isTheCards;
  }

  /** Nothing is bound as far as anybody here knows. Where it was only not answered, the same can be sent again. */
  async #unbound(problem: Problem): Promise<void> {
    if (UNANSWERED.has(problem.reason) && (await this.tools.kept.sent())) this.#change({ step: 'binding', problem });
    else await this.#toName(anew(problem));
  }

  async #toName(problem: Problem | null): Promise<void> {
    this.#change({ step: 'name', problem });
    await this.tools.kept.dropSent();
  }

  #keep(enrolment: Enrolment): void {
    const { store, kept } = this.tools;
    store.set({ enrolment });
    kept.keepEnrolment(enrolment).catch((error: unknown) => store.set({ problem: problemOf(error) }));
  }

  #change(change: Partial<Enrolment>): void {
    const { store } = this.tools;
    if (store.state.enrolment) store.set({ enrolment: { ...store.state.enrolment, ...change } });
  }
}
