/** One tab at a time (Web Locks). */

import { Trouble } from '../app/problem.ts';

/** Longer than a signature and the answer to it. */
const WAIT_MILLISECONDS = 20_000;

/** Does the work while no other tab does work under this name. `other-tab` where the other one does not end. */
export type Alone = <T>(what: string, work: () => Promise<T>) => Promise<T>;

export function alone(scope: string, locks: LockManager, wait: number = WAIT_MILLISECONDS): Alone {
  return async (what, work) => {
    let began = false;
    try {
      // The signal ends the waiting, not the work.
      return (await locks.request(`${scope} ${what}`, { signal: AbortSignal.timeout(wait) }, () => {
        began = true;
        return work();
      })) as Awaited<ReturnType<typeof work>>;
    } catch (error) {
      throw began ? error : new Trouble('other-tab');
    }
  };
}
