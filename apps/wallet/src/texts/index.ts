/** The wallet's words. A language is fetched when it is chosen. */

import type { Language } from '../app/model.ts';
import type { Texts } from './de.ts';
import { formats, type Formats } from './format.ts';
import type { MoreTexts } from './more-de.ts';

export type { Texts } from './de.ts';

/** The words of a language (`t.start.title`; with values: `t.request.title(name)`), and how it writes dates and times. */
export type Translate = Texts & Formats;

/** Also the words of the screens that are fetched later. */
export type TranslateMore = Translate & MoreTexts;

const later = new Map<Language, MoreTexts>();

/** A language's words. Where the later ones of another language are there, these are fetched, too: no screen waits for them after a change. */
export async function load(language: Language): Promise<Translate> {
  const more = later.size > 0 ? loadMore(language).catch(() => undefined) : undefined;
  const words = await texts(language);
  await more;
  return { ...words, ...formats(language) };
}

/** A language's later words. */
export async function loadMore(language: Language): Promise<void> {
  if (!later.has(language)) later.set(language, (await moreTexts(language)).more);
}

/** With the later words of its language, where they are there. */
export function withMore(t: Translate, language: Language): TranslateMore | undefined {
  const more = later.get(language);
  return more && { ...t, ...more };
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

function moreTexts(language: Language): Promise<{ more: MoreTexts }> {
  switch (language) {
    case 'de':
      return import('./more-de.ts');
    case 'de-simple':
      return import('./more-de-simple.ts');
    case 'en':
      return import('./more-en.ts');
  }
}
