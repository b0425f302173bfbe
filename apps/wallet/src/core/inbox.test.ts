/** What the Rust half recorded comes out here too: `crates/wallet/testdata/inbox.json`. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Look, type Found } from './inbox.ts';
import { FlowError, type DeviceRecord, type Send, type Told } from './types.ts';

type Answered = { told: Told; found: Found | null; error: [string, string | null] | null };
type Plays = {
  issuer: string;
  record: DeviceRecord;
  now: number;
  message: string;
  signature: string;
  signed: Send;
  ticket: string;
  again: Send;
  answers: Answered[];
};

const PLAYS: Plays = JSON.parse(readFileSync(new URL('../../../../crates/wallet/testdata/inbox.json', import.meta.url), 'utf8'));

test('both halves sign and send the same', () => {
  const look = Look.begin(PLAYS.issuer, PLAYS.record, PLAYS.now);
  expect(look.message).toBe(PLAYS.message);
  expect(look.signed(PLAYS.signature)).toEqual(PLAYS.signed);
  expect(Look.again(PLAYS.issuer, PLAYS.ticket)).toEqual(PLAYS.again);
});

test.each(PLAYS.answers.map((answered) => ({ answered, title: JSON.stringify(answered.told) })))('both halves read the same: $title', ({ answered }) => {
  if (answered.found) return expect(Look.found(answered.told)).toEqual(answered.found);
  let thrown: unknown;
  try {
    Look.found(answered.told);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(FlowError);
  const { code, reason } = thrown as FlowError;
  expect([code, reason ?? null]).toEqual(answered.error);
});

test('there are answers of both kinds', () => {
  expect(PLAYS.answers.filter(({ found }) => found).length).toBe(2);
  expect(PLAYS.answers.filter(({ error }) => error).length).toBeGreaterThan(8);
});

test('a device of another insurer and what is no signature are refused', () => {
  expect(() => Look.begin('https://other.example', PLAYS.record, 1)).toThrow(FlowError);
  const look = Look.begin(PLAYS.issuer, PLAYS.record, 1);
  for (const signature of ['', 'x', 'AAAA']) expect(() => look.signed(signature)).toThrow(FlowError);
});
