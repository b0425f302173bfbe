/**
 * This browser's own device: its record, and, unless it is a passkey, the P-256 key that signs for it and cannot be read out (WebCrypto,
 * `extractable: false`).
 *
 * The key is software: whoever controls the browser's profile while it runs can let it sign. Its class at the insurer says so. With the app's
 * PIN it lies here only wrapped, and signs when the PIN was right at the provider (ADR 0018). The counter is kept before the key signs, so no
 * number is ever used twice.
 */

import { Trouble } from '../app/problem.ts';
import type { OwnDevice } from '../app/model.ts';
import * as base64url from '../core/base64url.ts';
import { members, text, whole } from '../core/shape.ts';
import type { DeviceRecord } from '../core/types.ts';
import type { Database } from './database.ts';
import type { Alone } from './locks.ts';
import type { Records } from './sealed.ts';

const RECORD = 'device';
const KEY = 'device';
export const CURVE = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' };

/** What is kept of the device. */
export type KeptDevice = DeviceRecord & {
  kind: OwnDevice['kind'];
  class: string;
  bound_at: number;
  /** Of a passkey: its identifier (base64url). */
  credential: string | null;
  /** Whether this passkey wraps what is kept of her account (extension `prf`). */
  wraps: boolean;
  /** The key, wrapped with what only the app's PIN and the provider's share make (base64url). `null`: it has no PIN. */
  wrapped: string | null;
  /** Tries of the PIN, as the provider said after a wrong one: to be shown, it counts nothing. */
  tries_left: number | null;
};

/** What is not kept of a device without passkey and without PIN. */
export const PLAIN = { credential: null, wraps: false, wrapped: null, tries_left: null } as const;

export class OwnKey {
  /** A key that is being bound; it becomes the device's when the provider said yes, and is gone with the tab. */
  #new: CryptoKey | undefined;

  constructor(
    private readonly database: Database,
    private readonly records: Records,
    private readonly alone: Alone,
  ) {}

  /** The device, if one is bound here and its key is there. */
  async kept(): Promise<KeptDevice | undefined> {
    const device = read(await this.records.read(RECORD));
    if (device?.kind === 'device-key' && device.wrapped === null && !((await this.database.read('keys', KEY)) instanceof CryptoKey)) {
      throw new Trouble('storage-lost');
    }
    return device;
  }

  /** Does the work with the device's record, while no other tab does. */
  async with<T>(work: (device: KeptDevice) => Promise<T>): Promise<T> {
    return this.alone('device', async () => {
      const device = await this.kept();
      if (!device) throw new Trouble('not-enrolled');
      return work(device);
    });
  }

  /** Signs with the device's key, after the counter was kept. Only inside {@link with}. `unlocked`: the key, where it lies here wrapped. */
  async sign(device: KeptDevice, counter: number, message: string, unlocked?: CryptoKey): Promise<string> {
    // Another tab has given it a PIN.
    if (device.wrapped !== null && !unlocked) throw new Trouble('other-tab');
    await this.records.write(RECORD, { ...device, counter });
    const key = unlocked ?? (await this.database.read('keys', KEY));
    if (!(key instanceof CryptoKey)) throw new Trouble('storage-lost');
    return signature(key, message);
  }

  /** Signs what counts nothing. Nothing, where the key lies here wrapped and is not at hand. */
  async signLook(device: KeptDevice, message: string, unlocked?: CryptoKey): Promise<string | undefined> {
    const key = unlocked ?? (device.wrapped === null ? await this.database.read('keys', KEY) : undefined);
    return key instanceof CryptoKey ? signature(key, message) : undefined;
  }

  /** Makes a key to be bound. An earlier one that never was is dropped. `mayLeave`: to be wrapped, and kept only so. */
  async make(mayLeave = false): Promise<{ x: string; y: string }> {
    const pair = await crypto.subtle.generateKey(CURVE, mayLeave, ['sign', 'verify']);
    const { x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
    if (x === undefined || y === undefined) throw new Trouble('browser-too-old');
    this.#new = pair.privateKey;
    return { x, y };
  }

  async signWithNew(message: string): Promise<string> {
    return signature(this.made(), message);
  }

  /** The key that is being bound. */
  made(): CryptoKey {
    if (!this.#new) throw new Trouble('storage-lost');
    return this.#new;
  }

  /** The provider bound the new key: it is the device's from now on. */
  async keep(device: KeptDevice): Promise<void> {
    await this.alone('device', async () => {
      const isHere = device.kind === 'device-key' && device.wrapped === null;
      if (isHere) await this.database.write('keys', KEY, this.made());
      await this.records.write(RECORD, device);
      if (!isHere) await this.database.remove('keys', KEY);
      this.#new = undefined;
    });
  }

  /** Its name, its time or its PIN changed. */
  async change(change: Partial<Pick<KeptDevice, 'name' | 'valid_until' | 'wrapped' | 'tries_left'>>): Promise<void> {
    await this.with((device) => this.records.write(RECORD, { ...device, ...change }));
  }

  /** The device is gone at the insurer, or is to be gone here. */
  async drop(): Promise<void> {
    await this.alone('device', async () => {
      await this.records.remove(RECORD);
      await this.database.remove('keys', KEY);
    });
  }
}

async function signature(key: CryptoKey, message: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.sign(SIGNATURE, key, new TextEncoder().encode(message))));
}

function read(value: unknown): KeptDevice | undefined {
  const found = members(value);
  if (!found) return undefined;
  const [issuer, device, name, className, kind] = ['issuer', 'device', 'name', 'class', 'kind'].map((member) => text(found[member]));
  const [valid_until, counter, bound_at] = ['valid_until', 'counter', 'bound_at'].map((member) => whole(found[member]));
  const isWhole = issuer && device && name !== undefined && className !== undefined && (kind === 'device-key' || kind === 'passkey');
  if (!isWhole || valid_until === undefined || counter === undefined || bound_at === undefined) throw new Trouble('storage-lost');
  const [credential, wrapped] = [text(found['credential']) ?? null, text(found['wrapped']) ?? null];
  const tries_left = whole(found['tries_left']) ?? null;
  return { issuer, device, name, class: className, kind, valid_until, counter, bound_at, credential, wraps: found['wraps'] === true, wrapped, tries_left };
}
