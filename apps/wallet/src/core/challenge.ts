/** The provider's signed question, verified before anything is signed for it (`authenticator::challenge` in Rust). */

import * as base64url from './base64url.ts';
import { members, parse, text, whole, type Members } from './shape.ts';

const TYP = 'healthid-challenge+jwt';
const LIFETIME_SECONDS = 180;
const LEEWAY_SECONDS = 10;
const MAX_CHARACTERS = 8 * 1024;
const LOGIN_ID_BYTES = 16;

export type Challenge = {
  token: string;
  iss: string;
  loginId: Uint8Array<ArrayBuffer>;
  client_id: string;
  client_name: string;
  purpose: 'login' | 'account' | 'move';
  exp: number;
};

/** Members that choose a key, compress, or change the meaning of others (RFC 8725 section 3.10). */
const FORBIDDEN = ['crit', 'jwk', 'jku', 'x5u', 'zip', 'b64'];

/** The challenge, if one of these keys signed it and it is fresh. */
export async function verify(token: string, keys: Members[], now: number): Promise<Challenge | undefined> {
  const parts = token.split('.');
  const [header, payload, signature] = parts;
  if (token.length > MAX_CHARACTERS || parts.length !== 3 || !header || !payload || !signature) return undefined;
  const head = members(json(header));
  if (!head || head['alg'] !== 'ES256' || head['typ'] !== TYP || FORBIDDEN.some((name) => name in head)) return undefined;
  const key = keys.find((candidate) => candidate['kid'] !== undefined && candidate['kid'] === head['kid']);
  const bytes = base64url.decodeArray(signature, 64);
  if (!key || !bytes || !(await signed(key, `${header}.${payload}`, bytes))) return undefined;
  const challenge = read(token, json(payload));
  return challenge && isFresh(challenge, now) ? challenge : undefined;
}

function json(part: string): unknown {
  const bytes = base64url.decode(part);
  return bytes && parse(new TextDecoder().decode(bytes));
}

async function signed(key: Members, message: string, signature: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const { x, y, kty, crv } = key;
  if (kty !== 'EC' || crv !== 'P-256' || typeof x !== 'string' || typeof y !== 'string') return false;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  try {
    const imported = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, false, ['verify']);
    const bytes = new TextEncoder().encode(message);
    return await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, imported, signature, bytes);
  } catch {
    return false;
  }
}

type Said = Challenge & { iat: number };

const MEMBERS = ['iss', 'jti', 'client_id', 'client_name', 'request_hash', 'purpose', 'iat', 'exp'];

function read(token: string, value: unknown): Said | undefined {
  const said = members(value);
  if (!said || Object.keys(said).length !== MEMBERS.length || !MEMBERS.every((name) => name in said)) return undefined;
  const [iss, client_id, client_name, hash] = [said['iss'], said['client_id'], said['client_name'], said['request_hash']].map(text);
  const [iat, exp] = [said['iat'], said['exp']].map(whole);
  const loginId = base64url.decodeArray(text(said['jti']) ?? '', LOGIN_ID_BYTES);
  const purpose = said['purpose'];
  if (purpose !== 'login' && purpose !== 'account' && purpose !== 'move') return undefined;
  if (iss === undefined || client_id === undefined || client_name === undefined || hash === undefined) return undefined;
  if (iat === undefined || exp === undefined || !loginId) return undefined;
  return { token, iss, loginId, client_id, client_name, purpose, exp, iat };
}

function isFresh(challenge: Said, now: number): boolean {
  const lifetime = Math.max(0, challenge.exp - challenge.iat);
  return lifetime <= LIFETIME_SECONDS && challenge.iat <= now + LEEWAY_SECONDS && now <= challenge.exp + LEEWAY_SECONDS;
}
