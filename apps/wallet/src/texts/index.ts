/** The wallet's words. A language is fetched when it is chosen. */

import type { Language } from '../app/model.ts';
import type { Texts } from './de.ts';
import { formats, type Formats } from './format.ts';

export type { Texts } from './de.ts';

/** The words of a language (`t.start.title`; with values: `t.request.title(name)`), and how it writes dates and times. */
export type Translate = Texts & Formats;

/** A language's words. */
export async function load(language: Language): Promise<Translate> {
  return { ...(await texts(language)), ...formats(language) };
}

async function texts(language: Language): Promise<Texts> {
  switch (language) {
    case 'de':
      return (await import('./de.ts')).de;
    case 'de-simple':
      return (await import('./de-simple.ts')).simple;
    case 'en':
      return (await import('./en.ts')).en;
  }
}
