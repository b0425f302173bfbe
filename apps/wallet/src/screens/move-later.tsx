/** The screens of a move are fetched when there is one: hardly anybody needs them, and the first load is for everybody. */

import { useEffect, useState } from 'preact/hooks';
import type { Move as Moving } from '../app/model.ts';
import { Title, type Props } from './parts.tsx';

let screens: typeof import('./move.tsx') | undefined;

export async function loadMove(): Promise<void> {
  screens ??= await import('./move.tsx');
}

export function MoveLater(props: Props & { move: Moving }) {
  const [, drawn] = useState(false);
  useEffect(() => {
    // Without network there is nothing to move; the way home is above.
    if (!screens) loadMove().then(() => drawn(true), () => undefined);
  }, []);
  return screens ? <screens.Move {...props} /> : <Title>{props.t.common.moment}</Title>;
}
