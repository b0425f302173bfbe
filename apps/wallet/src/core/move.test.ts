/** Both halves play what the Rust side recorded: `crates/wallet/testdata/move.json`. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { MoveTold, MoveWant } from './move.ts';
import { MoveIn } from './move-in.ts';
import { MoveOut } from './move-out.ts';
import { FlowError, type DeviceRecord } from './types.ts';

type Said = { want: MoveWant } | { error: { code: string; ends: boolean; reason: string | null } };
type Begin =
  | { begin: 'out'; login: string; device: DeviceRecord; is_passkey: boolean }
  | { begin: 'in'; issuer: string; offer: string; name: string; class: string; consent_to_substantial: boolean; hardware?: string };
type Play = Begin & { title: string; said: Said; steps: { now: number; told: MoveTold; said: Said }[] };

const PLAYS: Play[] = JSON.parse(readFileSync(new URL('../../../../crates/wallet/testdata/move.json', import.meta.url), 'utf8'));

async function begin(play: Play): Promise<[MoveOut | MoveIn, MoveWant]> {
  if (play.begin === 'out') return MoveOut.begin(play.login, play.device, play.is_passkey);
  const { issuer, offer, class: name, consent_to_substantial, hardware } = play;
  return MoveIn.begin(issuer, offer, { name: play.name, class: name, consent_to_substantial, ...(hardware && { hardware }) });
}

async function said(act: () => Promise<MoveWant>): Promise<Said> {
  try {
    return { want: await act() };
  } catch (error) {
    if (!(error instanceof FlowError)) throw error;
    const { code, ends, reason } = error;
    return { error: { code, ends, reason: reason ?? null } };
  }
}

test('there are plays', () => expect(PLAYS.length).toBeGreaterThan(12));

test.each(PLAYS.map((play, at) => ({ play, title: `${at}: ${play.title}` })))('$title', async ({ play }) => {
  const [machine, want] = await begin(play);
  expect({ want }).toEqual(play.said);
  for (const [at, step] of play.steps.entries()) {
    expect(await said(() => machine.tell(step.told, step.now)), `step ${at}`).toEqual(step.said);
  }
});
