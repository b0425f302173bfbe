/**
 * The app's PIN: one try at the provider, and what it unlocks. The PIN never leaves this file, and the provider does not learn whether it was right.
 *
 * It brings the curve's arithmetic along: fetched when a PIN is typed first (`app/app-pin.ts`), never by the page itself.
 *
 * OPRF(P-256, SHA-256) of RFC 9497; what comes out wraps key material with AES-256-GCM. The same as `wallet::flow::PinTry` in Rust: `pin.json` holds both.
 */

import { p256_oprf } from '@noble/curves/nist.js';
import { answer } from './answers.ts';
import { decodeArray, encode } from './base64url.ts';
import { text, whole } from './shape.ts';
import type { Send, Told } from './types.ts';

const ELEMENT_BYTES = 33;
const SALT_BYTES = 16;
const FORM = 1;
/** Longest PIN, in bytes. */
const MAX_PIN_BYTES = 64;

type Bytes = Uint8Array<ArrayBuffer>;
/** Randomness; a test gives its own. */
type Random = (length: number) => Uint8Array;

const random: Random = (length) => crypto.getRandomValues(new Uint8Array(length));

/** One try of a PIN, under way: send `want`, tell the answer. */
export class PinTry {
  readonly want: Send;
  readonly #pin: Uint8Array;
  readonly #blind: Uint8Array;
  readonly #info: Bytes;

  private constructor(issuer: string, device: string, pin: string, path: string, more: object, draw: Random) {
    this.#pin = new TextEncoder().encode(pin);
    if (this.#pin.length < 1 || this.#pin.length > MAX_PIN_BYTES) throw new RangeError(`a PIN must have 1 to ${MAX_PIN_BYTES} bytes`);
    const { blind, blinded } = p256_oprf.oprf.blind(this.#pin, (length = 32) => Uint8Array.from(draw(length)));
    this.#blind = blind;
    this.#info = new TextEncoder().encode(`healthid/app-pin/v1\0${issuer}\0${device}`);
    this.want = { want: 'send', method: 'POST', url: `${issuer}/${path}`, body: { ...more, device, blinded: encode(blinded) } };
  }

  /** Tries a PIN of this device. */
  static begin(issuer: string, device: string, pin: string, draw: Random = random): PinTry {
    return new PinTry(issuer, device, pin, 'devices/pin/evaluate', {}, draw);
  }

  /** Sets a PIN, the first one or a new one: the login was answered with the card, just now. What was wrapped before is lost. */
  static set(issuer: string, clientId: string, login: string, device: string, pin: string, draw: Random = random): PinTry {
    return new PinTry(issuer, device, pin, 'devices/pin', { client_id: clientId, login }, draw);
  }

  /** Takes the answer: the secret of this PIN, and how many tries are left. Throws a `FlowError`; with the reason `pin-locked` only the card helps. */
  tell(told: Told): { secret: PinSecret; triesLeft: number } {
    return answer(told, 'devices/pin', (found) => {
      const evaluated = decodeArray(text(found.evaluated) ?? '', ELEMENT_BYTES);
      const triesLeft = whole(found.tries_left);
      if (!evaluated || triesLeft === undefined) return undefined;
      try {
        return { secret: new PinSecret(p256_oprf.oprf.finalize(this.#pin, this.#blind, evaluated), this.#info), triesLeft };
      } catch {
        // No point of the curve.
        return undefined;
      }
    });
  }
}

/** What came of a try: the right one, if the PIN was. */
export class PinSecret {
  readonly #secret: Bytes;
  readonly #info: Bytes;

  constructor(secret: Uint8Array, info: Bytes) {
    this.#secret = Uint8Array.from(secret);
    this.#info = info;
  }

  /** Wraps what the PIN protects. */
  async wrap(content: Uint8Array, draw: Random = random): Promise<Bytes> {
    const salt = Uint8Array.from(draw(SALT_BYTES));
    const sealed = await crypto.subtle.encrypt(this.#algorithm(), await this.#key(salt, 'encrypt'), Uint8Array.from(content));
    return Uint8Array.from([FORM, ...salt, ...new Uint8Array(sealed)]);
  }

  /** Opens what `wrap` made; nothing with another PIN's secret, another device's, or after a change. */
  async unwrap(kept: Uint8Array): Promise<Bytes | undefined> {
    if (kept[0] !== FORM || kept.length < 1 + SALT_BYTES) return undefined;
    const key = await this.#key(Uint8Array.from(kept.subarray(1, 1 + SALT_BYTES)), 'decrypt');
    try {
      return new Uint8Array(await crypto.subtle.decrypt(this.#algorithm(), key, Uint8Array.from(kept.subarray(1 + SALT_BYTES))));
    } catch {
      return undefined;
    }
  }

  /** The same as {@link wrap} of the key's PKCS #8 form, whose bytes no script sees. `signing`: one that may leave. */
  async wrapKey(signing: CryptoKey): Promise<Bytes> {
    const salt = Uint8Array.from(random(SALT_BYTES));
    const sealed = await crypto.subtle.wrapKey('pkcs8', signing, await this.#key(salt, 'wrapKey'), this.#algorithm());
    return Uint8Array.from([FORM, ...salt, ...new Uint8Array(sealed)]);
  }

  /** Opens what {@link wrapKey} made. `mayLeave`: it is to be wrapped again. */
  async unwrapKey(kept: Uint8Array, algorithm: EcKeyImportParams, mayLeave: boolean): Promise<CryptoKey | undefined> {
    if (kept[0] !== FORM || kept.length < 1 + SALT_BYTES) return undefined;
    const key = await this.#key(Uint8Array.from(kept.subarray(1, 1 + SALT_BYTES)), 'unwrapKey');
    const sealed = Uint8Array.from(kept.subarray(1 + SALT_BYTES));
    try {
      return await crypto.subtle.unwrapKey('pkcs8', sealed, key, this.#algorithm(), algorithm, mayLeave, ['sign']);
    } catch {
      return undefined;
    }
  }

  /** The salt is never used twice, and a key is for one salt: so the nonce may be constant. */
  #algorithm(): AesGcmParams {
    return { name: 'AES-GCM', iv: new Uint8Array(12), additionalData: this.#info };
  }

  async #key(salt: Bytes, use: 'encrypt' | 'decrypt' | 'wrapKey' | 'unwrapKey'): Promise<CryptoKey> {
    const secret = await crypto.subtle.importKey('raw', this.#secret, 'HKDF', false, ['deriveKey']);
    const hkdf = { name: 'HKDF', hash: 'SHA-256', salt, info: this.#info };
    return crypto.subtle.deriveKey(hkdf, secret, { name: 'AES-GCM', length: 256 }, false, [use]);
  }
}
