/**
 * This browser's own device: its record, and, unless it is a passkey, the P-256 key that signs for it and cannot be read out (WebCrypto,
 * `extractable: false`).
 *
 * The key is software: whoever controls the browser's profile while it runs can let it sign. Its class at the insurer says so. The counter is
 * kept before the key signs, so no number is ever used twice.
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
/** A key that is being bound; it becomes the device's when the provider said yes. */
const NEW_KEY = 'device-new';
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' };
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
};

export class OwnKey {
  constructor(
    private readonly database: Database,
    private readonly records: Records,
    private readonly alone: Alone,
  ) {}

  /** The device, if one is bound here and its key is there. */
  async kept(): Promise<KeptDevice | undefined> {
    const device = read(await this.records.read(RECORD));
    if (device?.kind === 'device-key' && !((await this.database.read('keys', KEY)) instanceof CryptoKey)) {
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

  /** Signs with the device's key, after the counter was kept. Only inside {@link with}. */
  async sign(device: KeptDevice, counter: number, message: string): Promise<string> {
    await this.records.write(RECORD, { ...device, counter });
    const key = await this.database.read('keys', KEY);
    if (!(key instanceof CryptoKey)) throw new Trouble('storage-lost');
    return signature(key, message);
  }

  /** Makes a key to be bound. An earlier one that never was is dropped. */
  async make(): Promise<{ x: string; y: string }> {
    const pair = await crypto.subtle.generateKey(CURVE, false, ['sign', 'verify']);
    const { x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
    if (x === undefined || y === undefined) throw new Trouble('browser-too-old');
    await this.database.write('keys', NEW_KEY, pair.privateKey);
    return { x, y };
  }

  async signWithNew(message: string): Promise<string> {
    const key = await this.database.read('keys', NEW_KEY);
    if (!(key instanceof CryptoKey)) throw new Trouble('storage-lost');
    return signature(key, message);
  }

  /** The provider bound the new key: it is the device's from now on. */
  async keep(device: KeptDevice): Promise<void> {
    await this.alone('device', async () => {
      if (device.kind === 'device-key') {
        const key = await this.database.read('keys', NEW_KEY);
        if (!(key instanceof CryptoKey)) throw new Trouble('storage-lost');
        await this.database.write('keys', KEY, key);
      }
      await this.records.write(RECORD, device);
      await this.database.remove('keys', NEW_KEY);
    });
  }

  /** Its name or its time changed. */
  async change(change: Partial<Pick<KeptDevice, 'name' | 'valid_until'>>): Promise<void> {
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
  const credential = text(found['credential']) ?? null;
  return { issuer, device, name, class: className, kind, valid_until, counter, bound_at, credential, wraps: found['wraps'] === true };
}
