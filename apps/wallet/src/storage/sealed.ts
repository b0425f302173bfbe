/**
 * Records of the wallet, sealed (AES-256-GCM) under a key that no script can read out. Whoever runs script at this origin can still open them;
 * that is what the page's policy is against. So can whoever copies the whole profile: its files hold that key, too (ADR 0018).
 */

import { Trouble } from '../app/problem.ts';
import { parse } from '../core/shape.ts';
import type { Database } from './database.ts';

const KEY = 'sealing';
const ALGORITHM = { name: 'AES-GCM', length: 256 };

type SealedRecord = { iv: Uint8Array<ArrayBuffer>; bytes: ArrayBuffer };

export class Records {
  #last: Promise<void> = Promise.resolve();

  private constructor(
    private readonly database: Database,
    private key: CryptoKey,
  ) {}

  /** With the key that is there, or a new one. Two tabs that begin at once end with the same key: `alone` lets one after the other in. */
  static async open(database: Database, alone: <T>(work: () => Promise<T>) => Promise<T>): Promise<Records> {
    const key = await alone(async () => {
      const kept = await database.read('keys', KEY);
      return kept instanceof CryptoKey ? kept : fresh(database);
    });
    return new Records(database, key);
  }

  /** Forgets everything, keys included, and begins with a new one. */
  forget(): Promise<void> {
    return this.#inTurn(async () => {
      await this.database.clear();
      this.key = await fresh(this.database);
    });
  }

  /** A record; `undefined` where there is none. One that does not open is `storage-lost`. */
  async read(name: string): Promise<unknown> {
    const sealed = (await this.database.read('sealed', name)) as SealedRecord | undefined;
    if (sealed === undefined) return undefined;
    try {
      const bytes = await crypto.subtle.decrypt(parameters(name, sealed.iv), this.key, sealed.bytes);
      return parse(new TextDecoder().decode(bytes));
    } catch {
      throw new Trouble('storage-lost');
    }
  }

  /** Writes of one tab happen in the order they were asked for. */
  write(name: string, value: unknown): Promise<void> {
    return this.#inTurn(() => this.#write(name, value));
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(() => this.database.remove('sealed', name));
  }

  /** When everything asked for so far was done. */
  settled(): Promise<void> {
    return this.#inTurn(async () => undefined);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #write(name: string, value: unknown): Promise<void> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const bytes = await crypto.subtle.encrypt(parameters(name, iv), this.key, new TextEncoder().encode(JSON.stringify(value)));
    await this.database.write('sealed', name, { iv, bytes } satisfies SealedRecord);
  }
}

async function fresh(database: Database): Promise<CryptoKey> {
  const made = await crypto.subtle.generateKey(ALGORITHM, false, ['encrypt', 'decrypt']);
  await database.write('keys', KEY, made);
  return made;
}

/** A record opens at its own place only. */
function parameters(name: string, iv: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(`healthid-wallet/v1/${name}`) };
}
