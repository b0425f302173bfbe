/** What is in the first load of being woken: the way to `waking.ts`, where the insurer wakes phones and the browser can be. */

import type { PinSteps } from './pin-step.ts';
import { Trouble } from './problem.ts';
import type { Tools } from './tools.ts';
import type { Waking } from './waking.ts';

export class WakeSteps {
  #waking: Promise<Waking> | undefined;

  constructor(
    private readonly tools: Tools,
    private readonly pins: PinSteps,
  ) {}

  /** Shows how it stands, and does what is due; in the background, so nothing is said of what fails. */
  async check(unlocked?: CryptoKey): Promise<void> {
    const { store, push, kept } = this.tools;
    if (!push || !store.state.online) return;
    try {
      // What was turned on where the insurer wakes nobody any more is ended.
      if (store.state.config.push_key !== null || (await kept.wake()) !== undefined) await (await this.#load(push)).check(unlocked);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
    }
  }

  turn(on: boolean): void {
    const { store, push } = this.tools;
    if (!push) return;
    void store.run('changing', async () => (await this.#load(push)).turn(on), (problem) => {
      if (store.state.wake) store.set({ wake: { ...store.state.wake, problem } });
    });
  }

  /** Nobody is to reach this browser any more. */
  async end(): Promise<void> {
    await (await this.#waking?.catch(() => undefined))?.end();
  }

  #load(push: NonNullable<Tools['push']>): Promise<Waking> {
    const both = () => Promise.all([import('./waking.ts'), push()]);
    this.#waking ??= both().then(
      ([{ Waking }, found]) => new Waking(this.tools, this.pins, found),
      () => {
        this.#waking = undefined;
        throw new Trouble('offline');
      },
    );
    return this.#waking;
  }
}
