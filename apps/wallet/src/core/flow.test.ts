/** The machines play what the Rust side recorded: `crates/wallet/testdata/flow.json`. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Binding, type BindingWish } from './binding.ts';
import { Login } from './login.ts';
import { PasskeyBinding, type PasskeyWish } from './passkey-binding.ts';
import { FlowError, type Told, type Want } from './types.ts';

type Said = { want: Want } | { error: { code: string; ends: boolean; reason: string | null; support_code: string | null } };
type Step = { now: number; told: Told; said: Said };
type Begin =
  | { begin: 'open'; issuer: string; address: string }
  | { begin: 'resume'; issuer: string; client_id: string; login: string }
  | { begin: 'account'; issuer: string };
type Played<Wish> = Wish & { said: Said; steps: Step[] };
type Play = Begin & { name: string; said: Said; steps: Step[]; binding?: Played<BindingWish>; passkey_binding?: Played<PasskeyWish> };

const PLAYS: Play[] = JSON.parse(readFileSync(new URL('../../../../crates/wallet/testdata/flow.json', import.meta.url), 'utf8'));

function begin(play: Play): [Login, Want] {
  switch (play.begin) {
    case 'open':
      return Login.open(play.issuer, play.address);
    case 'resume':
      return Login.resume(play.issuer, play.client_id, play.login);
    case 'account':
      return Login.account(play.issuer);
  }
}

async function said(act: () => Promise<Want>): Promise<Said> {
  try {
    return { want: await act() };
  } catch (error) {
    if (!(error instanceof FlowError)) throw error;
    const { code, ends, reason, supportCode } = error;
    return { error: { code, ends, reason: reason ?? null, support_code: supportCode ?? null } };
  }
}

test('there are plays', () => expect(PLAYS.length).toBeGreaterThan(15));

test.each(PLAYS.map((play, at) => ({ play, title: `${at}: ${play.name}` })))('$title', async ({ play }) => {
  let login: Login | undefined;
  const first = await said(async () => {
    const [begun, want] = begin(play);
    login = begun;
    return want;
  });
  expect(first).toEqual(play.said);
  if (!login) return;
  const machine = login;
  for (const [at, step] of play.steps.entries()) {
    expect(await said(() => machine.tell(step.told, step.now)), `step ${at}`).toEqual(step.said);
  }
  if (play.passkey_binding) {
    const { said: expected, steps, ...wish } = play.passkey_binding;
    let passkey: PasskeyBinding | undefined;
    const begun = await said(async () => {
      const [made, want] = PasskeyBinding.begin(machine, wish);
      passkey = made;
      return want;
    });
    expect(begun).toEqual(expected);
    for (const [at, step] of passkey ? steps.entries() : []) {
      expect(await said(() => passkey!.tell(step.told)), `passkey, step ${at}`).toEqual(step.said);
    }
  }
  if (!play.binding) return;
  const { said: expected, steps, ...wish } = play.binding;
  let binding: Binding | undefined;
  const begun = await said(async () => {
    const [made, want] = await Binding.begin(machine, wish);
    binding = made;
    return want;
  });
  expect(begun).toEqual(expected);
  if (!binding) return;
  const bound = binding;
  for (const [at, step] of steps.entries()) {
    expect(await said(() => bound.tell(step.told)), `binding, step ${at}`).toEqual(step.said);
  }
});
