/** How a language writes dates, times and numbers. */

import type { Language } from '../app/model.ts';

export type Formats = {
  /** What is chosen. */
  language: Language;
  /** BCP 47: what stands in `lang`. "simple" is a registered variant. */
  tag: string;
  /** "3. März 2027". Takes seconds since 1970. */
  date(seconds: number): string;
  /** "3. März 2027 um 14:05". */
  dateTime(seconds: number): string;
  /** "14:05". */
  time(seconds: number): string;
  /** "1984-03-02" as the language writes it; a date of which only the year or month is known stays as it is. */
  birthdate(iso: string): string;
  /** "30 Tage", "5 Stunden", "2 Minuten": the largest unit, rounded down, at least one minute. */
  span(seconds: number): string;
  /** "A, B und C". */
  list(items: string[]): string;
};

const DAY = 86_400;
const HOUR = 3_600;

/** The name of each language in itself. */
export const LANGUAGE_NAMES: Record<Language, string> = { de: 'Deutsch', 'de-simple': 'Einfaches Deutsch', en: 'English' };

export const LANGUAGE_TAGS: Record<Language, string> = { de: 'de', 'de-simple': 'de-simple', en: 'en' };

export function formats(language: Language, timeZone?: string): Formats {
  const locale = language === 'en' ? 'en-GB' : 'de-DE';
  const zone = timeZone === undefined ? {} : { timeZone };
  const day = { day: 'numeric', month: 'long', year: 'numeric' } as const;
  const clock = { hour: '2-digit', minute: '2-digit' } as const;
  const date = new Intl.DateTimeFormat(locale, { ...day, ...zone });
  const dateTime = new Intl.DateTimeFormat(locale, { ...day, ...clock, ...zone });
  const time = new Intl.DateTimeFormat(locale, { ...clock, ...zone });
  const wholeDate = new Intl.DateTimeFormat(locale, { ...day, timeZone: 'UTC' });
  const list = new Intl.ListFormat(locale, { type: 'conjunction' });
  const unit = (count: number, name: string) =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'long' }).format(count);
  return {
    language,
    tag: LANGUAGE_TAGS[language],
    date: (seconds) => date.format(seconds * 1000),
    dateTime: (seconds) => dateTime.format(seconds * 1000),
    time: (seconds) => time.format(seconds * 1000),
    birthdate: (iso) => (/^\d{4}-\d{2}-\d{2}$/.test(iso) && !Number.isNaN(Date.parse(iso)) ? wholeDate.format(Date.parse(iso)) : iso),
    span(seconds) {
      if (seconds >= 2 * DAY) return unit(Math.floor(seconds / DAY), 'day');
      if (seconds >= 2 * HOUR) return unit(Math.floor(seconds / HOUR), 'hour');
      return unit(Math.max(1, Math.floor(seconds / 60)), 'minute');
    },
    list: (items) => list.format(items),
  };
}
