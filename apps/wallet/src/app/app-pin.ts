/**
 * The app's PIN at the provider (ADR 0018): a try of it unlocks the device's key, which lies here only wrapped with what PIN and the
 * provider's share make. Nobody is asked whether it was right: what it unwraps tells.
 */

import * as base64url from '../core/base64url.ts';
import type { PinSecret, PinTry } from '../core/pin.ts';
import { CURVE } from '../storage/device.ts';
import { noteTries } from './answer.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Tools } from './tools.ts';

async function tried({ provider }: Tools, attempt: PinTry): Promise<{ secret: PinSecret; triesLeft: number }> {
  const told = await provider.send(attempt.want);
  try {
    return attempt.tell(told);
  } catch (error) {
    throw Trouble.of(problemOf(error, provider.refused));
  }
}

/** The curve's arithmetic is heavy: fetched when a PIN is asked for first. */
export function arithmetic(): Promise<typeof import('../core/pin.ts')> {
  return import('../core/pin.ts').catch(() => {
    throw new Trouble('offline');
  });
}

/** One try: the device's key, where it was the PIN. `pin-wrong` with the tries left, `pin-locked` without any. */
export async function unlock(tools: Tools, pin: string, mayLeave: boolean): Promise<CryptoKey> {
  const device = await tools.key.kept();
  if (!device) throw new Trouble('not-enrolled');
  // Another tab has bound it anew, without one.
  if (device.wrapped === null) throw new Trouble('other-tab');
  const { PinTry } = await arithmetic();
  const { secret, triesLeft } = await tried(tools, PinTry.begin(device.issuer, device.device, pin)).catch(async (error: unknown) => {
    if (problemOf(error).reason === 'pin-locked') await noteTries(tools, 0);
    throw error;
  });
  const key = await secret.unwrapKey(base64url.decode(device.wrapped) ?? new Uint8Array(), CURVE, mayLeave);
  if (key) return key;
  await noteTries(tools, triesLeft);
  throw new Trouble(triesLeft === 0 ? 'pin-locked' : 'pin-wrong', { triesLeft });
}

/** A new PIN for a device just bound, with the card's login: its key, wrapped. */
export async function wrapWithNew(tools: Tools, login: string, device: string, pin: string, signing: CryptoKey): Promise<string> {
  const { PinTry } = await arithmetic();
  const { issuer } = tools.provider;
  const { secret } = await tried(tools, PinTry.set(issuer, issuer, login, device, pin));
  return base64url.encode(await secret.wrapKey(signing));
}

/** Another PIN for the key the old one unlocked. Until the last line the old one is good. */
export async function wrapAgain(tools: Tools, pin: string, signing: CryptoKey): Promise<void> {
  const device = await tools.key.kept();
  if (!device) throw new Trouble('not-enrolled');
  const { PinTry } = await arithmetic();
  const { secret } = await tried(tools, PinTry.begin(device.issuer, device.device, pin));
  await tools.key.change({ wrapped: base64url.encode(await secret.wrapKey(signing)) });
}
