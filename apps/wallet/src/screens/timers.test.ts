import { expect, it } from 'vitest';
import { reminderDue } from './reminder.tsx';

const DAY = 86_400;
const device = (days: number) => ({ device: 'd', name: 'n', kind: 'device-key' as const, class: 'c', boundAt: 0, validUntil: days * DAY, pin: null });

it('a device that lasts half a year is reminded of 30, 7 and 1 days before, and when its time is over', () => {
  const due = (left: number) => reminderDue(device(184), 184 * DAY - left);
  expect([30 * DAY + 1, 30 * DAY, 7 * DAY + 1, 7 * DAY, DAY + 1, DAY, 1, 0, -DAY].map(due)).toEqual([undefined, 30, 30, 7, 7, 1, 1, 0, 0]);
});

it('a device that lasts a day is not reminded from its first minute on', () => {
  expect(reminderDue(device(1), 60)).toBeUndefined();
  expect(reminderDue(device(1), DAY)).toBe(0);
});

it('a device that lasts a month is not reminded of the 30 days it never had more of', () => {
  expect(reminderDue(device(30), 60)).toBeUndefined();
  expect(reminderDue(device(30), 23 * DAY)).toBe(7);
});
