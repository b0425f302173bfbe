/** What the Rust half recorded comes out here too: `crates/wallet/testdata/waking.json`. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FlowError, type DeviceRecord, type Send, type Told } from './types.ts';
import { Waking } from './waking.ts';

type Answered = { told: Told; is_taken: boolean; until: number | null; error: [string, string | null] | null };
type Wish = { endpoint: string | null; message: string; signed: Send; answers: Answered[] };
type Plays = { issuer: string; record: DeviceRecord; now: number; signature: string; wishes: Wish[]; refused: string[] };

const PLAYS: Plays = JSON.parse(readFileSync(new URL('../../../../crates/wallet/testdata/waking.json', import.meta.url), 'utf8'));

const wished = ({ endpoint }: Wish) =>
  endpoint === null ? Waking.nowhere(PLAYS.issuer, PLAYS.record, PLAYS.now) : Waking.at(PLAYS.issuer, PLAYS.record, endpoint, PLAYS.now);

const thrown = (work: () => unknown): FlowError => {
  try {
    work();
  } catch (error) {
    if (error instanceof FlowError) return error;
  }
  throw new Error('it was taken');
};

test.each(PLAYS.wishes)('both halves sign and send the same, and read the same: $endpoint', (wish) => {
  const waking = wished(wish);
  expect(waking.message).toBe(wish.message);
  expect(waking.signed(PLAYS.signature)).toEqual(wish.signed);
  expect(wish.answers.length).toBeGreaterThan(14);
  for (const { told, is_taken, until, error } of wish.answers) {
    if (is_taken) {
      expect(waking.kept(told)).toBe(until);
      continue;
    }
    const { code, reason } = thrown(() => waking.kept(told));
    expect([code, reason ?? null], JSON.stringify(told)).toEqual(error);
  }
});

test('neither half signs what is no address of a push service', () => {
  expect(PLAYS.refused.length).toBeGreaterThan(6);
  for (const endpoint of PLAYS.refused) {
    const error = thrown(() => Waking.at(PLAYS.issuer, PLAYS.record, endpoint, PLAYS.now));
    expect([error.code, error.ends], endpoint).toEqual(['endpoint', false]);
  }
});

test('a device of another insurer and what is no signature are refused', () => {
  const elsewhere = 'https://other.example';
  expect(thrown(() => Waking.nowhere(elsewhere, PLAYS.record, 1)).code).toBe('foreign-device');
  expect(thrown(() => Waking.at(elsewhere, PLAYS.record, 'https://push.example/a', 1)).code).toBe('foreign-device');
  const wish = Waking.nowhere(PLAYS.issuer, PLAYS.record, 1);
  for (const signature of ['', 'x', 'AAAA']) expect(thrown(() => wish.signed(signature)).code).toBe('device-key');
});
