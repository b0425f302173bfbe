// Passkeys with Chromium's virtual authenticators against the real provider: the ones that stay on a device and the ones a cloud copies, and
// everything that goes wrong with either. @simplewebauthn/server judges the same answers as the provider does.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server';
import { chromium } from 'playwright-core';
import { check } from './check.js';

const portal = process.env.PORTAL;
const pin = '123456';
/** A model the sandbox's insurers believe: Chromium's. */
const here = { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, hasPrf: true };
const synced = { ...here, defaultBackupEligibility: true, defaultBackupState: true };

/** The wallet's core and its passkey functions as one script. */
async function script() {
  const vite = createRequire(new URL('../apps/wallet/package.json', import.meta.url)).resolve('vite');
  const { build } = await import(pathToFileURL(vite));
  const [{ output }] = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, target: 'es2022', lib: { entry: new URL('passkeys.entry.js', import.meta.url).pathname, formats: ['iife'], name: 'core' } },
  });
  return `${output[0].code};globalThis.core = core;`;
}

let browser;
let code;
let at;
let record;
let cardId;
before(async () => {
  [browser, code] = await Promise.all([
    chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] }),
    script(),
  ]);
  const page = await browser.newPage();
  await page.goto(portal);
  const account = await page.locator('a[href$="/account"]').first().getAttribute('href');
  record = new URL(await page.locator('ol.steps a.button').first().getAttribute('href'), portal).href;
  await page.close();
  const base = account.replace(/\/account$/, '');
  const { issuer, insurer } = await (await fetch(`${base}/wallet/config.json`)).json();
  at = { base, issuer };
  // Not the first card: other tests bind devices with that one, and a person may have sixteen.
  const { cards } = await (await fetch(`${portal}/terminal/cards`)).json();
  cardId = cards.filter((card) => card.insurer === insurer)[2].id;
});
after(() => browser?.close());

/** The card signs. */
async function signWithCard(challenge) {
  const answer = await fetch(`${portal}/terminal/sign`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: new URL(at.base).origin },
    body: JSON.stringify({ card: cardId, pin, challenge }),
  });
  return (await answer.json()).response;
}

/** A page of the provider in a browser nobody has used, with an authenticator. */
async function person(options = here, locale = 'en-GB') {
  // The page is a bare one of the provider's, whose policy lets no script connect. The wallet's own journey is in wallet.test.js.
  const context = await browser.newContext({ locale, bypassCSP: true });
  context.setDefaultTimeout(10_000);
  await context.exposeFunction('signWithCard', signWithCard);
  await context.addInitScript({ content: code });
  const page = await context.newPage();
  await page.goto(`${at.base}/account`);
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options });
  return { context, page, authenticatorId, authenticator: (method, more = {}) => devtools.send(`WebAuthn.${method}`, { authenticatorId, ...more }) };
}

const register = (page) => page.evaluate((at) => core.register(at), at);
const enter = (page) => page.evaluate((at) => core.enter(at), at);

/** A login at the record, begun in this browser, answered with a passkey. */
async function logIn(page) {
  await page.goto(record);
  await page.locator('form[action="/login"] button[type=submit]').click();
  await page.waitForURL(/\/auth\?/);
  const link = new URL(await page.locator('a[href*="login="]').first().getAttribute('href'));
  const [client, login] = ['client_id', 'login'].map((name) => link.searchParams.get(name));
  return page.evaluate(([at, client, login]) => core.logIn(at, client, login), [at, client, login]);
}

const post = async (path, body) => {
  const answer = await fetch(`${at.base}/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
};

test('a passkey that stays on its device logs in to a service, and nobody types a name', async () => {
  const { context, page } = await person();
  const { kept, failed } = await register(page);
  assert.equal(failed, undefined);
  assert.deepEqual([kept.class, kept.findings], ['passkey', []]);
  const { back, failed: why } = await logIn(page);
  assert.equal(why, undefined);
  await page.goto(back);
  assert.ok((await page.locator('table.claims tbody tr').count()) > 0, 'the record knows her');
  await context.close();
});

for (const [lang, locale] of [['de', 'de-DE'], ['en', 'en-GB']]) {
  test(`the account's page looks after a device and makes a block code (${lang})`, async () => {
    const { context, page } = await person(here, locale);
    assert.equal((await register(page)).failed, undefined);
    await page.goto(`${at.base}/account`);
    await page.locator('main a.button').first().click();
    await page.locator(`input[name=card][value="${cardId}"]`).check();
    await page.locator('#pin').fill(pin);
    await page.locator('form[action="/card"] button').click();
    const newest = page.locator('.card:has(button[value=lock])').last();
    await newest.locator('button[value=lock]').click();
    await page.getByRole('status').waitFor();
    // With everything folded out, as it is at its widest.
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
    await check(page, 'account-locked', lang);
    await page.locator('button[value=unlock]').click();
    const device = page.locator('.card:has(button[value=rename])').last();
    await device.locator('summary').first().click();
    await device.locator('input[name=name]').fill('Tablet');
    await device.locator('button[value=rename]').click();
    await page.getByRole('heading', { name: 'Tablet' }).waitFor();
    await page.locator('form[action$="/account/block-code"] button').click();
    const code = await page.locator('#block-code').innerText();
    assert.match(code, /^[A-Z]{4}-[A-Z]{4}-[A-Z]{4}$/);
    await check(page, 'account-code', lang);
    await page.locator('main a.button').click();
    assert.ok(!(await page.locator('main').innerText()).includes(code), 'shown once');
    const named = page.locator('.card', { has: page.getByRole('heading', { name: 'Tablet' }) });
    await named.locator('summary').last().click();
    await named.locator('button[value=remove]').click();
    await page.getByRole('status').waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Tablet' }).count(), 0);
    await context.close();
  });
}

test('a passkey that a cloud copies enters the account and no service', async () => {
  const { context, page } = await person(synced);
  const { kept } = await register(page);
  assert.equal(kept.class, 'passkey-own-pages');
  assert.deepEqual(kept.findings, [{ check: 'passkey-device-bound', outcome: 'failed', class: null }]);
  assert.equal((await logIn(page)).failed, 'level-too-low');
  await page.goto(`${at.base}/account`);
  assert.equal((await enter(page)).failed, undefined);
  await context.close();
});

for (const [what, options] of [['device-bound', here], ['synced', synced]]) {
  test(`a copy with an older counter is refused (${what})`, async () => {
    const { context, page, authenticator } = await person(options);
    await register(page);
    const { credentials } = await authenticator('getCredentials');
    for (const _ of [1, 2]) assert.equal((await enter(page)).failed, undefined);
    await authenticator('clearCredentials');
    await authenticator('addCredential', { credential: credentials[0] });
    assert.equal((await enter(page)).failed, 'device-cloned');
    await context.close();
  });
}

test('another site cannot use it: not with its own name, not with ours', async () => {
  const { context, page } = await person();
  const { options } = await register(page);
  const foreign = await page.evaluate(
    (options) => core.passkey.create({ ...options, rp: { id: 'service.example', name: 'x' } }).catch((error) => error.reason),
    options,
  );
  assert.equal(foreign, 'wrong-site');
  // Another port is another origin with the same RP ID: the browser signs, the provider refuses.
  const { challenge, login } = (await post('auth/challenge', { client_id: at.issuer })).body;
  await page.goto(portal);
  const bytes = new TextEncoder().encode(`healthid/passkey-login/v1\0${challenge}`);
  const asked = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('base64url');
  const passkey = await page.evaluate((asked) => core.passkey.get(asked).then(({ answer }) => answer), asked);
  const { status, body } = await post('auth/device', { client_id: at.issuer, login, challenge, passkey });
  assert.deepEqual([status, body.reason], [400, 'malformed'], body.error_description);
  assert.match(body.error_description, /another site/);
  await context.close();
});

test('what a person cancels is cancelled, and the next try goes on', async () => {
  const { context, page, authenticator } = await person();
  assert.equal((await register(page)).failed, undefined);
  await authenticator('setAutomaticPresenceSimulation', { enabled: false });
  const aborted = await page.evaluate(() => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    return core.passkey.get('AAAA', { signal: stop.signal }).catch((error) => error.reason);
  });
  assert.equal(aborted, 'cancelled', 'nobody touched it');
  await authenticator('setAutomaticPresenceSimulation', { enabled: true });
  assert.equal((await enter(page)).failed, undefined);
  await context.close();
});

test('who is not verified gets no passkey and does not enter with one', async () => {
  const { context, page, authenticator } = await person();
  assert.equal((await register(page)).failed, undefined);
  await authenticator('setUserVerified', { isUserVerified: false });
  assert.equal((await enter(page)).failed, 'cancelled');
  await context.close();
  const stranger = await person({ ...here, isUserVerified: false });
  assert.equal((await register(stranger.page)).failed, 'cancelled');
  await stranger.context.close();
  const without = await person({ ...here, hasUserVerification: false, isUserVerified: false });
  assert.equal((await register(without.page)).failed, 'cancelled', 'browsers do not tell that it cannot');
  await without.context.close();
});

test('a passkey that is gone from the browser, and one that is gone from the provider', async () => {
  const { context, page, authenticator } = await person();
  const { kept, made } = await register(page);
  const { login } = await enter(page);
  assert.equal((await post('account/revoke', { login, device: kept.device })).status, 200);
  assert.equal((await enter(page)).failed, 'device-unknown');
  await page.evaluate((id) => core.passkey.forget(id), made.credential_id);
  assert.equal((await authenticator('getCredentials')).credentials.length, 0, 'the browser does not offer it any more');
  assert.equal((await enter(page)).failed, 'cancelled', 'there is none: browsers do not say so');
  await context.close();
});

test('one authenticator gets one passkey for her, until she removes it: the provider names those she has', async () => {
  const { context, page } = await person();
  const { kept, options, made } = await register(page);
  assert.ok(!options.excludeCredentials.some(({ id }) => id === made.credential_id));
  const again = await register(page);
  assert.equal(again.failed, 'exists');
  assert.deepEqual(again.options.excludeCredentials.filter(({ id }) => id === made.credential_id), [{ type: 'public-key', id: made.credential_id }]);
  const { login } = await enter(page);
  assert.equal((await post('account/revoke', { login, device: kept.device })).status, 200);
  assert.equal((await register(page)).failed, undefined);
  await context.close();
});

test('what is wrapped with a passkey opens with it, every time, and with no other', async () => {
  const { context, page } = await person();
  assert.equal((await register(page)).prf, true);
  await enter(page);
  const wrapped = await page.evaluate(async () => [...(await core.passkey.wrap(storageKey, 'device', new TextEncoder().encode('kept')))]);
  const open = async (wrapped) => {
    const bytes = await core.passkey.unwrap(storageKey, 'device', new Uint8Array(wrapped));
    return bytes && new TextDecoder().decode(bytes);
  };
  await page.reload();
  await enter(page);
  assert.equal(await page.evaluate(open, wrapped), 'kept');
  const stranger = await person();
  await register(stranger.page);
  await enter(stranger.page);
  assert.equal(await stranger.page.evaluate(open, wrapped), undefined);
  await stranger.context.close();
  const without = await person({ ...here, hasPrf: false });
  assert.equal((await register(without.page)).prf, false);
  await enter(without.page);
  assert.equal(await without.page.evaluate(() => storageKey), undefined);
  await without.context.close();
  await context.close();
});

const decoded = (text) => Buffer.from(text, 'base64url');
const encoded = (bytes) => Buffer.from(bytes).toString('base64url');
const flipped = (text, at) => {
  const bytes = decoded(text);
  bytes[at < 0 ? bytes.length + at : at] ^= 1;
  return encoded(bytes);
};

test('another library and the provider say the same of the same passkeys', async () => {
  for (const kind of [here, synced]) {
    const { context, page } = await person(kind);
    const { options, made } = await register(page);
    const expected = { expectedOrigin: new URL(at.base).origin, expectedRPID: options.rp.id, requireUserVerification: true };
    const registration = (made, challenge = options.challenge) =>
      verifyRegistrationResponse({
        ...expected,
        expectedChallenge: challenge,
        supportedAlgorithmIDs: options.pubKeyCredParams.map(({ alg }) => alg),
        response: {
          id: made.credential_id,
          rawId: made.credential_id,
          type: 'public-key',
          clientExtensionResults: {},
          response: { clientDataJSON: made.client_data, attestationObject: made.attestation_object },
        },
      });
    const { verified, registrationInfo } = await registration(made);
    assert.equal(verified, true);
    assert.equal(registrationInfo.fmt, 'packed');
    assert.equal(registrationInfo.credentialDeviceType, kind === here ? 'singleDevice' : 'multiDevice');
    assert.equal(registrationInfo.userVerified, true);

    const { challenge: token, login } = (await post('auth/challenge', { client_id: at.issuer })).body;
    const asked = encoded(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`healthid/passkey-login/v1\0${token}`)));
    const answer = await page.evaluate((asked) => core.passkey.get(asked).then(({ answer }) => answer), asked);
    const theirs = async (answer, challenge = asked) => {
      try {
        const { verified } = await verifyAuthenticationResponse({
          ...expected,
          expectedChallenge: challenge,
          credential: registrationInfo.credential,
          response: {
            id: answer.credential_id,
            rawId: answer.credential_id,
            type: 'public-key',
            clientExtensionResults: {},
            response: { clientDataJSON: answer.client_data, authenticatorData: answer.authenticator_data, signature: answer.signature, userHandle: answer.user_handle },
          },
        });
        return verified;
      } catch {
        return false;
      }
    };
    const ours = async (passkey) => (await post('auth/device', { client_id: at.issuer, login, challenge: token, passkey })).status === 200;
    const wrong = [
      ['a flipped bit of the counter', { authenticator_data: flipped(answer.authenticator_data, -1) }],
      ['another RP ID', { authenticator_data: flipped(answer.authenticator_data, 0) }],
      ['nobody verified', { authenticator_data: flipped(answer.authenticator_data, 32) }],
      ['another signature', { signature: flipped(answer.signature, -1) }],
      ['other client data', { client_data: encoded(decoded(answer.client_data).toString().replace('webauthn.get', 'webauthn.create')) }],
      ['another origin', { client_data: encoded(decoded(answer.client_data).toString().replace('http://localhost', 'http://localhosts')) }],
      ['no client data', { client_data: encoded('{') }],
      ['short data', { authenticator_data: encoded(decoded(answer.authenticator_data).subarray(0, 36)) }],
    ];
    for (const [what, change] of wrong) {
      const changed = { ...answer, ...change };
      assert.deepEqual([await theirs(changed), await ours(changed)], [false, false], what);
    }
    assert.deepEqual([await theirs(answer), await ours(answer)], [true, true]);
    await assert.rejects(registration(made, asked), /challenge/i);
    await context.close();
  }
});
