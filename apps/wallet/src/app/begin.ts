/** Starts the wallet. */

import { load } from '../texts/index.ts';
import type { Translate } from '../texts/index.ts';
import type { Actions, State } from './model.ts';
import { initial } from './initial.ts';

export type Shown = { state: State; act: Actions; t: Translate };

export async function begin(show: (shown: Shown) => void): Promise<void> {
  const state = initial();
  show({ state, act: {} as Actions, t: await load(state.language) });
}
