/** Base64url without padding (RFC 4648 section 5), as strict as the Rust side: no padding, no other alphabet, no bits that say nothing. */

const ALPHABET = /^[A-Za-z0-9_-]*$/;

export function encode(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function encodeText(text: string): string {
  return encode(new TextEncoder().encode(text));
}

/** The bytes, or nothing where the text is not their one encoding. */
export function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!ALPHABET.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return encode(bytes) === text ? bytes : undefined;
}

/** Exactly so many bytes, or nothing. */
export function decodeArray(text: string, length: number): Uint8Array<ArrayBuffer> | undefined {
  const bytes = decode(text);
  return bytes?.length === length ? bytes : undefined;
}
