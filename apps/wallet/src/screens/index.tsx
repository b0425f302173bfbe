/** The whole page: frame, and the screen of the route. */

import type { Actions, State } from '../app/model.ts';
import type { Translate } from '../texts/index.ts';

export type Props = { state: State; act: Actions; t: Translate };

export function Wallet({ state, t }: Props) {
  return <main id="main">{t(`route.${state.route}`)}</main>;
}
