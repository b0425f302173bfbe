/** Compact JWS around a key that signs elsewhere. */

import * as base64url from './base64url.ts';
import { FlowError } from './types.ts';

/** What the key signs: header and payload, encoded (RFC 7515 section 5.1). */
export function message(typ: string, claims: object): string {
  const header = JSON.stringify({ alg: 'ES256', typ });
  return `${base64url.encodeText(header)}.${base64url.encodeText(JSON.stringify(claims))}`;
}

/** The token, from what was signed and the signature in base64url. */
export function token(signed: string, signature: string): string {
  if (!base64url.decodeArray(signature, 64)) throw new FlowError('device-key', 'device: its key did not sign');
  return `${signed}.${signature}`;
}
