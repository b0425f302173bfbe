/** The state of one tab, and who is told when it changes. */

import type { Doing, Problem, State } from './model.ts';
import { problemOf } from './problem.ts';

export class Store {
  #listener: (() => void) | undefined;
  #told = false;
  #again: (() => void) | undefined;

  constructor(public state: State) {}

  /** Who shows the state. Told once for all changes of one turn. */
  listen(listener: () => void): void {
    this.#listener = listener;
  }

  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.#listener?.();
    });
  }

  /**
   * Does something, while nothing else is done: a second tap is ignored. It ends in whatever `work` sets, or in `failed` with the problem.
   * `failed` left out: the problem is the page's.
   */
  async run(doing: Doing, work: () => Promise<void>, failed: (problem: Problem) => void | Promise<void> = (problem) => this.set({ problem })): Promise<void> {
    if (this.state.busy) return;
    this.set({ busy: doing, problem: null, done: null });
    try {
      await work();
      this.#again = undefined;
    } catch (error) {
      this.#again = () => void this.run(doing, work, failed);
      await Promise.resolve(failed(problemOf(error))).catch((second: unknown) => this.set({ problem: problemOf(second) }));
    } finally {
      this.set({ busy: null });
    }
  }

  /** Does what failed last once more. */
  again(): void {
    this.#again?.();
  }

  /** What failed is no longer to be repeated. */
  forgetAgain(): void {
    this.#again = undefined;
  }
}
