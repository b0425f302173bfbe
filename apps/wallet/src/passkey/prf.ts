/**
 * Wrapping what the wallet keeps in the browser with a passkey (extension `prf`, level 3, section 10.1.4).
 *
 * The authenticator yields 32 secret bytes for a salt, to this site, after verifying the person. HKDF makes an AES-256-GCM key of them that
 * cannot be exported. Nothing of it goes to the provider: the answer that is sent has no member for it.
 */

import { malformed } from './failure.ts';

const PRF_BYTES = 32;
const NONCE_BYTES = 12;
const VERSION = 1;
const encoder = new TextEncoder();
const SALT = encoder.encode('healthid/passkey-storage/v1\0');
const INFO = encoder.encode('healthid/passkey-storage/aes-256-gcm/v1');

/** The question to the authenticator: the same salt every time, so that the key is the same every time. */
export function prfQuestion(): AuthenticationExtensionsClientInputs {
  return { prf: { eval: { first: SALT } } };
}

/** Whether the authenticator answered, or said that it will. */
export function hasPrf(credential: PublicKeyCredential): boolean {
  const { prf } = credential.getClientExtensionResults();
  return prf?.enabled === true || prf?.results?.first !== undefined;
}

/** The key for the storage; nothing where the authenticator has no such extension. */
export async function storageKey(credential: PublicKeyCredential): Promise<CryptoKey | undefined> {
  const first = credential.getClientExtensionResults().prf?.results?.first;
  if (first === undefined) return undefined;
  const secret = ArrayBuffer.isView(first)
    ? new Uint8Array(first.buffer as ArrayBuffer, first.byteOffset, first.byteLength)
    : new Uint8Array(first);
  if (secret.length !== PRF_BYTES) throw malformed();
  const material = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  secret.fill(0);
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: SALT, info: INFO };
  return crypto.subtle.deriveKey(hkdf, material, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** Version, nonce, ciphertext. `about` says what it is and is bound to it: one thing cannot be put in another's place. */
export async function wrap(key: CryptoKey, about: string, content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce, additionalData: encoder.encode(about) }, key, content);
  return new Uint8Array([VERSION, ...nonce, ...new Uint8Array(sealed)]);
}

/** What was wrapped; nothing where it was changed, is about something else, or was wrapped with another passkey. */
export async function unwrap(key: CryptoKey, about: string, wrapped: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (wrapped[0] !== VERSION) return undefined;
  const iv = wrapped.slice(1, 1 + NONCE_BYTES);
  const sealed = wrapped.slice(1 + NONCE_BYTES);
  try {
    const algorithm = { name: 'AES-GCM', iv, additionalData: encoder.encode(about) };
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed));
  } catch {
    return undefined;
  }
}
