import { expect, test } from 'vitest';
import { encode } from '../core/base64url.ts';
import type { PasskeyOptions } from '../core/types.ts';
import type { Browser } from './authenticator.ts';
import { create } from './create.ts';
import { PASSKEY_REASONS, PasskeyFailure } from './failure.ts';
import { get } from './get.ts';
import { storageKey, unwrap, wrap } from './prf.ts';

const bytes = (...values: number[]) => new Uint8Array(values);
const TEXT = new TextEncoder().encode('what is kept');

const OPTIONS: PasskeyOptions = {
  rp: { id: 'idp.example', name: 'Kasse' },
  user: { id: encode(bytes(1, 2, 3)), name: 'Kasse', displayName: 'Kasse' } as PasskeyOptions['user'],
  challenge: encode(bytes(9)),
  pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
  timeout: 1_000,
  attestation: 'direct',
};

type Asked = { publicKey: PublicKeyCredentialCreationOptions & PublicKeyCredentialRequestOptions };

/** A browser whose authenticator does this. */
function browser(act: (asked: Asked) => unknown, clock: number[] = [0, 0]): Browser & { asked: Asked[] } {
  const asked: Asked[] = [];
  const answer = async (options: unknown) => {
    asked.push(options as Asked);
    return act(options as Asked) as Credential | null;
  };
  return { asked, credentials: { create: answer, get: answer }, now: () => clock.shift() ?? 0 };
}

const credential = (response: object, results: object = {}) => ({
  type: 'public-key',
  rawId: bytes(7).buffer,
  response,
  getClientExtensionResults: () => results,
});

const MADE = { clientDataJSON: bytes(1).buffer, attestationObject: bytes(2).buffer };
const SIGNED = {
  clientDataJSON: bytes(1).buffer,
  authenticatorData: bytes(2).buffer,
  signature: bytes(3).buffer,
  userHandle: bytes(4).buffer,
};
const prf = (value: number, length = 32) => ({ prf: { results: { first: new Uint8Array(length).fill(value).buffer } } });

test('a passkey is made with the options of the provider, and says so in base64url', async () => {
  const here = browser(() => credential(MADE, { prf: { enabled: true } }));
  const excludeCredentials = [{ type: 'public-key', id: encode(bytes(5)) }];
  const created = await create({ ...OPTIONS, excludeCredentials }, { label: 'Lena', browser: here });
  expect(created).toEqual({ made: { credential_id: 'Bw', client_data: 'AQ', attestation_object: 'Ag' }, prf: true });
  const { publicKey } = here.asked[0]!;
  expect(publicKey.challenge).toEqual(bytes(9));
  expect(publicKey.user).toEqual({ id: bytes(1, 2, 3), name: 'Lena', displayName: 'Lena' });
  expect(publicKey.excludeCredentials).toEqual([{ type: 'public-key', id: bytes(5) }]);
  expect(publicKey.attestation).toBe('direct');
  expect(publicKey.rp).toEqual(OPTIONS['rp']);
});

test('no passkey is made where what she has is told in another form, and one is where nothing is told', async () => {
  const here = browser(() => credential(MADE));
  for (const excludeCredentials of ['BQ', {}, [5], ['BQ'], [{}], [{ id: 5 }], [{ id: '=' }], null]) {
    await expect(create({ ...OPTIONS, excludeCredentials }, { browser: here })).rejects.toMatchObject({ reason: 'failed' });
  }
  expect(here.asked).toEqual([]);
  await create(OPTIONS, { browser: here });
  expect(here.asked[0]!.publicKey.excludeCredentials).toEqual([]);
});

test('an answer holds what the provider reads and nothing of the secret', async () => {
  const here = browser(() => credential(SIGNED, prf(0x5a)));
  const got = await get(encode(bytes(9)), { browser: here });
  expect(got.answer).toEqual({ credential_id: 'Bw', client_data: 'AQ', authenticator_data: 'Ag', signature: 'Aw', user_handle: 'BA' });
  expect(got.key?.extractable).toBe(false);
  const { publicKey } = here.asked[0]!;
  expect([publicKey.userVerification, publicKey.allowCredentials, publicKey.rpId]).toEqual(['required', [], undefined]);
});

test.each([
  ['NotAllowedError', 10, 'cancelled'],
  ['NotAllowedError', 1_000, 'timeout'],
  ['AbortError', 10, 'cancelled'],
  ['TimeoutError', 10, 'timeout'],
  ['NotSupportedError', 10, 'not-supported'],
  ['ConstraintError', 10, 'not-supported'],
  ['InvalidStateError', 10, 'exists'],
  ['SecurityError', 10, 'wrong-site'],
  ['EncodingError', 10, 'failed'],
  ['', 10, 'failed'],
])('%s after %i ms is %s', async (name, elapsed, reason) => {
  const here = browser(
    () => {
      throw new DOMException('said by a browser', name);
    },
    [5, 5 + elapsed],
  );
  await expect(create(OPTIONS, { browser: here })).rejects.toMatchObject({ name: 'PasskeyFailure', reason });
  expect(PASSKEY_REASONS).toContain(reason);
});

test('what is thrown need not be an error', async () => {
  const here = browser(() => Promise.reject('no'));
  await expect(get('CQ', { browser: here })).rejects.toEqual(new PasskeyFailure('failed'));
});

test('a browser without passkeys says so', async () => {
  const none: Browser = { credentials: undefined, now: () => 0 };
  await expect(create(OPTIONS, { browser: none })).rejects.toMatchObject({ reason: 'not-supported' });
  await expect(get('CQ', { browser: none })).rejects.toMatchObject({ reason: 'not-supported' });
});

test.each([
  ['nothing', () => null],
  ['a password', () => ({ ...credential(SIGNED), type: 'password' })],
  ['a passkey without handle', () => credential({ ...SIGNED, userHandle: null })],
  ['a secret of another length', () => credential(SIGNED, prf(1, 31))],
])('%s is no answer', async (_, act) => {
  await expect(get('CQ', { browser: browser(act) })).rejects.toMatchObject({ reason: 'failed' });
});

test('options and challenges that are no base64url are not handed to the browser', async () => {
  const here = browser(() => credential(MADE));
  await expect(create({ ...OPTIONS, challenge: 'a=' }, { browser: here })).rejects.toMatchObject({ reason: 'failed' });
  await expect(get('!', { browser: here })).rejects.toMatchObject({ reason: 'failed' });
  await expect(get('CQ', { credentialIds: ['!'], browser: here })).rejects.toMatchObject({ reason: 'failed' });
  expect(here.asked).toEqual([]);
});

const keyOf = async (value: number) => (await storageKey(credential(SIGNED, prf(value)) as unknown as PublicKeyCredential))!;

test('the same passkey opens what it wrapped, and nothing else does', async () => {
  const wrapped = await wrap(await keyOf(1), 'device', TEXT);
  expect(await unwrap(await keyOf(1), 'device', wrapped)).toEqual(TEXT);
  expect(await unwrap(await keyOf(2), 'device', wrapped)).toBeUndefined();
  expect(await unwrap(await keyOf(1), 'snapshot', wrapped)).toBeUndefined();
  for (const at of [0, 1, 13, wrapped.length - 1]) {
    const changed = wrapped.slice();
    changed[at]! ^= 1;
    expect(await unwrap(await keyOf(1), 'device', changed), `byte ${at}`).toBeUndefined();
  }
  for (const length of [0, 1, 13, 28]) expect(await unwrap(await keyOf(1), 'device', wrapped.slice(0, length))).toBeUndefined();
});

test('nothing is wrapped the same way twice', async () => {
  const key = await keyOf(1);
  expect(await wrap(key, 'device', TEXT)).not.toEqual(await wrap(key, 'device', TEXT));
});

test('the key is the one that was agreed on, so that an older storage opens', async () => {
  // HKDF-SHA256 of 32 times 0x01 with this file's salt and info, AES-256-GCM: computed once with Python's cryptography.
  const key = await keyOf(1);
  const wrapped = Uint8Array.from(Buffer.from(VECTOR, 'hex'));
  expect(await unwrap(key, 'device', wrapped)).toEqual(TEXT);
});

test('without the extension there is no key', async () => {
  expect(await storageKey(credential(SIGNED) as unknown as PublicKeyCredential)).toBeUndefined();
});

const VECTOR = '01000102030405060708090a0bcca00d5773b5f66733b4be42f1dcb734a1a25b0bd60b86c39978383b';
