/** Which PINs are too easy to guess: ten tries at the provider are few, but the first ten that come to anybody's mind are always the same. */

import type { TooSimple } from './model.ts';

/** Six to eight digits, as the health card's. */
export const PIN = /^\d{6,8}$/;

/** Why a new PIN is refused; `undefined`: it may be taken. */
export function tooSimple(pin: string): TooSimple | undefined {
  if (/^(\d)\1+$/.test(pin)) return 'same-digit';
  if (isRow(pin)) return 'row';
  // 121212, 123123; 112233, 111222; 123321.
  if (/^(\d{2,4})\1+$/.test(pin) || /^((\d)\2+)+$/.test(pin) || [...pin].reverse().join('') === pin) return 'repeats';
  return isDate(pin) ? 'date' : undefined;
}

/** Up or down by one each time; after 9 comes 0. */
function isRow(pin: string): boolean {
  const digits = [...pin].map(Number);
  const step = (by: number) => digits.every((digit, at) => at === 0 || digit === ((digits[at - 1] ?? 0) + by + 10) % 10);
  return step(1) || step(-1);
}

const DAY = '(?:0[1-9]|[12]\\d|3[01])';
const MONTH = '(?:0[1-9]|1[0-2])';
const YEAR = '(?:19|20)\\d\\d';
/** As dates are written here, and as machines write them: 020751, 510702, 02071951, 19510702, 071951, 195107. */
const DATE = new RegExp(
  `^(?:${DAY}${MONTH}\\d\\d|\\d\\d${MONTH}${DAY}|${DAY}${MONTH}${YEAR}|${YEAR}${MONTH}${DAY}|${MONTH}${YEAR}|${YEAR}${MONTH})$`,
);

function isDate(pin: string): boolean {
  return DATE.test(pin);
}
