import { expect, it } from 'vitest';
import { formats } from './format.ts';

const [german, english] = [formats('de', 'Europe/Berlin'), formats('en', 'Europe/London')];
/** 1 March 2027, 22:30 UTC: the next day in Berlin is half an hour away. */
const LATE = 1_803_940_200;

it('dates and times are written as the language writes them, in the time of the place', () => {
  expect(german.date(LATE)).toBe('1. März 2027');
  expect(german.time(LATE)).toBe('23:30');
  expect(german.date(LATE + 1_800)).toBe('2. März 2027');
  expect(english.date(LATE)).toBe('1 March 2027');
  expect(formats('de-simple', 'Europe/Berlin').date(LATE)).toBe('1. März 2027');
});

it('a birth date does not move with the time zone, and one that is known in part stays as it is', () => {
  expect(formats('de', 'America/Los_Angeles').birthdate('1951-07-02')).toBe('2. Juli 1951');
  expect(german.birthdate('1951-07')).toBe('1951-07');
  expect(german.birthdate('1951-13-40')).toBe('1951-13-40');
  expect(german.birthdate('')).toBe('');
});

it('a span is told in one unit, never as longer than it is, and never as nothing', () => {
  const told: [number, string][] = [
    [30 * 86_400, '30 Tage'],
    [3 * 86_400 - 1, '2 Tage'],
    [2 * 86_400 - 1, '47 Stunden'],
    [86_400, '24 Stunden'],
    [2 * 3_600 - 1, '119 Minuten'],
    [60, '1 Minute'],
    [1, '1 Minute'],
    [0, '1 Minute'],
  ];
  expect(told.map(([seconds]) => german.span(seconds))).toEqual(told.map(([, text]) => text));
  expect(english.span(86_400)).toBe('24 hours');
});
