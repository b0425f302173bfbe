/** Fetching `more.ts` and its words: when nothing else is to be done, or when one of its screens is opened before that. */

import { useEffect, useState } from 'preact/hooks';
import type { Language } from '../app/model.ts';
import { loadMore as loadTexts, withMore, type TranslateMore } from '../texts/index.ts';
import type { Props } from './parts.tsx';

export type More = typeof import('./more.ts');

let more: More | undefined;

export async function loadMore(language: Language): Promise<void> {
  const [screens] = await Promise.all([import('./more.ts'), loadTexts(language)]);
  more = screens;
}

/** Once the first screen can be used. What fails here is asked for again when it is needed. */
export function loadMoreWhenIdle(language: Language): void {
  const load = () => void loadMore(language).catch(() => undefined);
  // Safari has no idle callbacks.
  if ('requestIdleCallback' in globalThis) requestIdleCallback(load);
  else setTimeout(load, 1_000);
}

export type Later = {
  is: 'not-needed' | 'fetching' | 'failed' | 'fetched';
  found: { more: More; t: TranslateMore } | undefined;
  again: () => void;
};

export function useLater({ state: { language }, t }: Props, isNeeded: boolean): Later {
  const [at, go] = useState({ tries: 0, failed: false });
  const words = isNeeded ? withMore(t, language) : undefined;
  const found = more && words && { more, t: words };
  const isMissing = isNeeded && !found;
  useEffect(() => {
    if (!isMissing) return;
    loadMore(language)
      .catch(async (error: unknown) => {
        if (at.tries > 0) await reloadWhereItHelps();
        throw error;
      })
      .then(
        () => go({ ...at, failed: false }),
        () => go({ ...at, failed: true }),
      );
  }, [isMissing, language, at.tries]);
  const is = !isNeeded ? 'not-needed' : found ? 'fetched' : at.failed ? 'failed' : 'fetching';
  return { is, found, again: () => go({ tries: at.tries + 1, failed: false }) };
}

/**
 * A browser may remember that a script was not there, and a newer wallet has other files: both need the page anew. Not where nobody answers,
 * since all she saw then would be the browser's own page.
 */
async function reloadWhereItHelps(): Promise<void> {
  if ((await fetch('./config.json', { cache: 'no-cache' })).ok) location.reload();
}
