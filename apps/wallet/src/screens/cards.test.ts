import { expect, it } from 'vitest';
import { cardEnds } from './cards.tsx';

const DAY = 86_400;
const card = { kind: 'health-card', insurer: 'I', ik: '1', kvnr: 'K', name: 'N', birthdate: '' };
/** Where the test runs: the day is hers as her clock has it. */
const at = (local: string) => new Date(local).getTime() / 1000;

it('a card is good to the end of its last day, and is warned of for a month before', () => {
  const ends = (now: number) => cardEnds({ ...card, validUntil: '2027-04-30' }, now);
  const over = at('2027-05-01T00:00:00');
  expect(ends(at('2027-01-31T12:00:00'))).toBeUndefined();
  expect(ends(over - 30 * DAY - 1)).toBeUndefined();
  expect(ends(over - 30 * DAY)).toBe('soon');
  expect(ends(at('2027-04-30T12:00:00'))).toBe('soon');
  expect(ends(over - 1)).toBe('soon');
  expect(ends(over)).toBe('over');
  expect(ends(at('2028-04-30T12:00:00'))).toBe('over');
});

it('where the insurer did not say, nothing is claimed, nor of a card that an older wallet kept', () => {
  for (const one of [{ ...card, validUntil: null }, card]) expect(cardEnds(one, at('2027-04-30T12:00:00'))).toBeUndefined();
});
