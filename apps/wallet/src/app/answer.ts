/** Answering a login: with the device of this browser, or with a card. */

import type { DeviceRecord } from '../core/types.ts';
import type { OwnDevice } from './model.ts';
import type { KeptDevice } from '../storage/device.ts';
import { Login } from '../core/login.ts';
import { PasskeyFailure, type Got } from '../passkey/index.ts';
import { Run } from './run.ts';
import { Trouble } from './problem.ts';
import type { Tools } from './tools.ts';

export type CardAnswer = { card: string; pin: string };

/** Up to the question what to share. One tab at a time, so that counters are used in their order. `unlocked`: by the app's PIN, where it has one. */
export async function withDevice(tools: Tools, run: Run, unlocked?: CryptoKey): Promise<void> {
  const { key } = tools;
  const kept = await key.kept();
  // Its authenticator counts by itself, and a person may take a while.
  if (kept?.kind === 'passkey') return withPasskey(tools, run, kept);
  await key.with(async (device) => {
    await run.tell({ told: 'with-device', ...record(device) });
    const { counter, message } = run.expect('sign-with-device');
    await run.tell({ told: 'signed', signature: await key.sign(device, counter, message, unlocked) });
  });
  run.expect('decide');
  // Its signature gave them back.
  if (!unlocked) return;
  await noteTries(tools, null);
  tools.look?.(unlocked);
}

async function withPasskey(tools: Tools, run: Run, device: KeptDevice): Promise<void> {
  await run.tell({ told: 'with-passkey' });
  const { challenge } = run.expect('sign-with-passkey');
  let got: Got;
  try {
    got = await prompted(tools, challenge, device);
  } catch (error) {
    await run.tell({ told: 'decline' });
    throw error;
  }
  await run.tell({ told: 'passkey-answered', ...got.answer });
  run.expect('decide');
}

/** Her passkey's answer; with it comes what opens the storage. */
export async function prompted({ passkeys, opened }: Tools, challenge: string, { credential }: KeptDevice): Promise<Got> {
  try {
    const got = await passkeys.get(challenge, { credentialIds: credential === null ? [] : [credential] });
    opened.key = got.key;
    return got;
  } catch (error) {
    throw passkeyTrouble(error);
  }
}

/** What a browser says about its passkeys, as the screens have words for it. */
export function passkeyTrouble(error: unknown): unknown {
  if (!(error instanceof PasskeyFailure)) return error;
  if (error.reason === 'exists') return new Trouble('passkey-exists');
  const isHers = error.reason === 'cancelled' || error.reason === 'timeout';
  return new Trouble(isHers ? 'passkey-cancelled' : 'passkey-unavailable');
}

/** Up to the question what to share. A card that does not sign leaves the login at its first question. */
export async function withCard({ reader }: Tools, run: Run, { card, pin }: CardAnswer): Promise<void> {
  if (!reader) throw new Trouble('no-card-reader');
  await run.tell({ told: 'with-card' });
  const { challenge } = run.expect('sign-with-card');
  let response: string;
  try {
    response = await reader.sign(card, pin, challenge);
  } catch (error) {
    await run.tell({ told: 'decline' });
    throw error;
  }
  await run.tell({ told: 'card-answered', response });
  run.expect('decide');
}

/** How often the app's PIN may still be tried, as far as it was told: for the screens. */
export async function noteTries({ key, store }: Tools, triesLeft: number | null): Promise<void> {
  if ((await key.kept())?.tries_left !== triesLeft) await key.change({ tries_left: triesLeft });
  const { device } = store.state;
  if (device?.pin) store.set({ device: { ...device, pin: { triesLeft } } });
}

/** Opens the person's account. The sealed login in the answer opens its pages until it is ten minutes old. A key: her device's, unlocked. */
export async function account(tools: Tools, by: 'device' | CryptoKey | CardAnswer): Promise<Run> {
  const run = new Run(tools.provider, tools.now, Login.account(tools.provider.issuer));
  await run.advance();
  run.expect('choose');
  if (by === 'device') await withDevice(tools, run);
  else if (by instanceof CryptoKey) await withDevice(tools, run, by);
  else await withCard(tools, run, by);
  return run;
}

/** The sealed login of a run that was answered. */
export function sealed(run: Run): string {
  const answered = run.login.answered;
  if (!answered) throw new Trouble('unexpected');
  return answered.login;
}

export function record({ issuer, device, name, valid_until, counter }: KeptDevice): DeviceRecord {
  return { issuer, device, name, valid_until, counter };
}

/** As the screens see it. */
export function shown(device: KeptDevice): OwnDevice {
  return {
    device: device.device,
    name: device.name,
    kind: device.kind,
    class: device.class,
    validUntil: device.valid_until,
    boundAt: device.bound_at,
    pin: device.wrapped === null ? null : { triesLeft: device.tries_left },
  };
}
