/** The PIN's half in the browser, held to the vectors of RFC 9497 and to those it shares with Rust: `crates/wallet/testdata/pin.json`. */

import { readFileSync } from 'node:fs';
import { p256_oprf } from '@noble/curves/nist.js';
import { expect, test } from 'vitest';
import { decode, encode } from './base64url.ts';
import { PinSecret, PinTry } from './pin.ts';
import { FlowError, type Told } from './types.ts';

type Vector = Record<'issuer' | 'device' | 'pin' | 'blind' | 'share' | 'blinded' | 'evaluated' | 'salt' | 'content' | 'kept', string>;

const VECTORS: Vector[] = JSON.parse(readFileSync(new URL('../../../../crates/wallet/testdata/pin.json', import.meta.url), 'utf8'));
const bytes = (text: string) => decode(text) ?? new Uint8Array();
const drawn = (text: string) => () => bytes(text);
const told = (evaluated: unknown, tries_left: unknown = 9): Told => ({ told: 'answer', status: 200, body: JSON.stringify({ evaluated, tries_left }) });

/** What the provider does. */
function evaluate(share: string, attempt: PinTry): string {
  const { blinded } = attempt.want.body as { blinded: string };
  return encode(p256_oprf.oprf.blindEvaluate(bytes(share), bytes(blinded)));
}

/** The library draws 48 bytes and takes their remainder by n - 1, plus 1 (FIPS 186-5 A.2.1): these are the ones that make this blind. */
const wide = (text: string) => (length: number) => {
  const drawn = BigInt(`0x${Buffer.from(bytes(text)).toString('hex')}`) - 1n;
  return Uint8Array.from(Buffer.from(drawn.toString(16).padStart(2 * length, '0'), 'hex'));
};

test('the vectors of RFC 9497 A.3.1 come out', () => {
  const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
  const key = hex('159749d750713afe245d2d39ccfaae8381c53ce92d098a9375ee70739c7ac0bf');
  const blind = hex('3338fa65ec36e0290022b48eb562889d89dbfa691d1cde91517fa222ed7ad364');
  const vectors = [
    ['00', '030de02ffec47a1fd53efcdd1c6faf5bdc270912b8749e783c7ca75bb412958832', 'a0b34de5fa4c5b6da07e72af73cc507cceeb48981b97b7285fc375345fe495dd'],
    ['5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a', '03a0395fe3828f2476ffcd1f4fe540e5a8489322d398be3c4e5a869db7fcb7c52c', 'c748ca6dd327f0ce85f4ae3a8cd6d4d5390bbb804c9e12dcf94f853fece3dcce'],
  ];
  for (const [input, evaluated, output] of vectors) {
    expect(p256_oprf.oprf.finalize(hex(input ?? ''), blind, hex(evaluated ?? ''))).toEqual(hex(output ?? ''));
    const { blind: other, blinded } = p256_oprf.oprf.blind(hex(input ?? ''));
    const answer = p256_oprf.oprf.blindEvaluate(key, blinded);
    expect(p256_oprf.oprf.finalize(hex(input ?? ''), other, answer)).toEqual(hex(output ?? ''));
  }
});

test.each(VECTORS)('the Rust half does the same with $pin', async (vector) => {
  const attempt = PinTry.begin(vector.issuer, vector.device, vector.pin, wide(vector.blind));
  expect(attempt.want).toEqual({
    want: 'send',
    method: 'POST',
    url: `${vector.issuer}/devices/pin/evaluate`,
    body: { device: vector.device, blinded: vector.blinded },
  });
  expect(evaluate(vector.share, attempt)).toBe(vector.evaluated);
  const { secret, triesLeft } = attempt.tell(told(vector.evaluated));
  expect(triesLeft).toBe(9);
  expect(encode(await secret.wrap(bytes(vector.content), drawn(vector.salt)))).toBe(vector.kept);
  expect(await secret.unwrap(bytes(vector.kept))).toEqual(bytes(vector.content));
});

test('another PIN, device or insurer, and a changed byte, unlock nothing', async () => {
  const [vector] = VECTORS;
  if (!vector) throw new Error('no vectors');
  const secret = (issuer: string, device: string, pin: string): PinSecret => {
    const attempt = PinTry.begin(issuer, device, pin);
    return attempt.tell(told(evaluate(vector.share, attempt))).secret;
  };
  const kept = bytes(vector.kept);
  const right = secret(vector.issuer, vector.device, vector.pin);
  expect(await right.unwrap(kept)).toEqual(bytes(vector.content));
  for (const other of [
    secret(vector.issuer, vector.device, '135791'),
    secret(vector.issuer, 'other', vector.pin),
    secret('https://other.example', vector.device, vector.pin),
  ]) {
    expect(await other.unwrap(kept)).toBeUndefined();
  }
  for (let at = 0; at < kept.length; at += 1) {
    const changed = Uint8Array.from(kept);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(await right.unwrap(changed), `byte ${at}`).toBeUndefined();
    expect(await right.unwrap(kept.subarray(0, at)), `length ${at}`).toBeUndefined();
  }
});

test('a key is wrapped as its PKCS #8 form is, and comes back as one that stays or one that is wrapped again', async () => {
  const [vector] = VECTORS;
  if (!vector) throw new Error('no vectors');
  const secret = (pin: string): PinSecret => {
    const attempt = PinTry.begin(vector.issuer, vector.device, pin);
    return attempt.tell(told(evaluate(vector.share, attempt))).secret;
  };
  const curve = { name: 'ECDSA', namedCurve: 'P-256' };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(curve, true, ['sign', 'verify']);
  const right = secret(vector.pin);
  const kept = await right.wrapKey(privateKey);
  expect(await secret(vector.pin).unwrap(kept)).toEqual(new Uint8Array(await crypto.subtle.exportKey('pkcs8', privateKey)));
  for (const mayLeave of [false, true]) {
    const key = await right.unwrapKey(kept, curve, mayLeave);
    if (!key) throw new Error('not unlocked');
    expect([key.extractable, key.usages]).toEqual([mayLeave, ['sign']]);
    const how = { name: 'ECDSA', hash: 'SHA-256' };
    expect(await crypto.subtle.verify(how, publicKey, await crypto.subtle.sign(how, key, bytes('AAAA')), bytes('AAAA'))).toBe(true);
  }
  expect(await secret('135791').unwrapKey(kept, curve, false)).toBeUndefined();
  // Right PIN, and no key in it; changed; cut.
  expect(await right.unwrapKey(bytes(vector.kept), curve, false)).toBeUndefined();
  for (const at of [0, 1, 17, kept.length - 1]) {
    const changed = Uint8Array.from(kept);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(await right.unwrapKey(changed, curve, false), `byte ${at}`).toBeUndefined();
    expect(await right.unwrapKey(kept.subarray(0, at), curve, false), `length ${at}`).toBeUndefined();
  }
  expect((await right.wrapKey(privateKey)).subarray(1, 17)).not.toEqual(kept.subarray(1, 17));
});

test('two tries of one PIN look different', () => {
  const [one, other] = [0, 1].map(() => PinTry.begin('https://idp.example', 'd', '135790').want.body);
  expect(one).not.toEqual(other);
  expect(JSON.stringify(one)).not.toContain('135790');
});

test('a PIN is set with a login', () => {
  const { want } = PinTry.set('https://idp.example', 'c', 'l', 'd', '135790');
  expect(want.url).toBe('https://idp.example/devices/pin');
  expect(Object.keys(want.body as object).toSorted()).toEqual(['blinded', 'client_id', 'device', 'login']);
});

test.each(['', 'AA', '###', encode(new Uint8Array(33)), encode(new Uint8Array(33).fill(2, 0, 1).fill(255, 1)), 7, null])(
  'an answer that is no point of the curve is refused: %s',
  (evaluated) => {
    expect(() => PinTry.begin('https://idp.example', 'd', '135790').tell(told(evaluated))).toThrow(FlowError);
  },
);

test('refusals and PINs without a length are told', () => {
  const locked: Told = { told: 'answer', status: 403, body: JSON.stringify({ error: 'access_denied', error_description: 'x', reason: 'pin-locked' }) };
  expect(() => PinTry.begin('https://idp.example', 'd', '135790').tell(locked)).toThrow(expect.objectContaining({ reason: 'pin-locked' }));
  expect(() => PinTry.begin('https://idp.example', 'd', '')).toThrow(RangeError);
  expect(() => PinTry.begin('https://idp.example', 'd', '1'.repeat(65))).toThrow(RangeError);
});
