// Every page of the sandbox as a person meets it. The flow runs once without JavaScript; then again under axe, in both languages.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { check } from './check.js';

const portal = process.env.PORTAL;
const pin = '123456';

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});
after(() => browser?.close());

const open = (options) => browser.newContext({ viewport: { width: 390, height: 844 }, ...options });

const chooseService = (page) => page.locator('ol.steps a.button').first().click();
const chooseInsurer = (page) => page.locator('form[action="/login"] button[type=submit]').click();
const toCard = (page) => page.locator('main a.button').first().click();
const approve = (page) => page.locator('button[value=approve]').click();

async function typePin(page, digits) {
  await page.locator('input[name=card]').first().check();
  await page.locator('#pin').fill(digits);
  await page.locator('form[action="/card"] button').click();
}

/** From the portal to the card page. */
async function toCardPage(page, look = async () => {}) {
  await page.goto(portal);
  await look('portal');
  await chooseService(page);
  await look('service');
  await chooseInsurer(page);
  await page.waitForURL(/\/auth\?/);
  await look('provider-login');
  await toCard(page);
  await look('card');
}

test('a person logs in without JavaScript and chooses what is shared voluntarily', async () => {
  const context = await open({ javaScriptEnabled: false, locale: 'de-DE' });
  const page = await context.newPage();
  await toCardPage(page);
  await typePin(page, pin);
  const voluntary = page.locator('input[name^="release."]');
  const offered = await voluntary.count();
  assert.ok(offered > 0, 'something is voluntary');
  assert.equal(await page.locator('input:checked').count(), 0, 'nothing is shared that she did not choose');
  await voluntary.first().check();
  await approve(page);
  await page.waitForURL(/\/account/);
  assert.ok((await page.locator('table.claims tbody tr').count()) > 0, 'released data is shown');
  await page.locator('a[href="/token"]').click();
  assert.ok((await page.locator('main').innerText()).includes('ECDH-ES'), 'the token is taken apart');
  await context.close();
});

for (const [lang, locale] of [['de', 'de-DE'], ['en', 'en-GB']]) {
  test(`every page of a login is accessible (${lang})`, async () => {
    const context = await open({ locale });
    const page = await context.newPage();
    const look = (name) => check(page, name, lang);
    await toCardPage(page, look);
    await typePin(page, '000000');
    await page.getByRole('alert').first().waitFor();
    await look('card-wrong-pin');
    await typePin(page, pin);
    await look('consent');
    await approve(page);
    await page.waitForURL(/\/account/);
    await look('service-account');
    await page.locator('a[href="/token"]').click();
    await look('token');
    await context.close();
  });

  test(`declining leads back to the service, which says so (${lang})`, async () => {
    const context = await open({ locale });
    const page = await context.newPage();
    await toCardPage(page);
    await typePin(page, pin);
    await page.locator('button[value=decline]').click();
    await page.waitForURL((url) => url.pathname !== '/auth/consent');
    await check(page, 'declined', lang);
    await context.close();
  });

  test(`the account shows and revokes what was remembered (${lang})`, async () => {
    const context = await open({ locale });
    const page = await context.newPage();
    await toCardPage(page);
    await typePin(page, pin);
    await page.locator('input[name=remember]').check();
    await approve(page);
    await page.waitForURL(/\/account/);
    await page.goto(portal);
    await page.locator('a[href$="/account"]').first().click();
    await check(page, 'account-begin', lang);
    await toCard(page);
    await typePin(page, pin);
    await check(page, 'account', lang);
    await page.locator('form[action$="/account/revoke"] button').first().click();
    await page.getByRole('status').first().waitFor();
    await check(page, 'account-revoked', lang);
    await context.close();
  });

  test(`the page that blocks all devices without a login is accessible (${lang})`, async () => {
    const context = await open({ locale });
    const page = await context.newPage();
    await page.goto(portal);
    const account = await page.locator('a[href$="/account"]').first().getAttribute('href');
    await page.goto(`${account.replace(/\/account$/, '')}/block`);
    await check(page, 'block', lang);
    await page.locator('#code').fill('ABCD-EFGH-JKLM');
    await page.locator('form[action$="/block"] button').click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.locator('#code').getAttribute('aria-invalid'), 'true');
    await check(page, 'block-unknown', lang);
    await context.close();
  });

  test(`a login says how long it lives, and gives more time at a click (${lang})`, async () => {
    const context = await open({ locale, javaScriptEnabled: false });
    const page = await context.newPage();
    await toCardPage(page);
    await page.goBack();
    const time = page.frameLocator('iframe.time');
    await time.locator('#left').waitFor();
    const before = await page.locator('iframe.time').getAttribute('src');
    await time.locator('a.button').click();
    await page.waitForURL(/\/auth\/extend\?/);
    assert.notEqual(await page.locator('iframe.time').getAttribute('src'), before);
    await toCard(page);
    await typePin(page, pin);
    await page.locator('input[name^="release."]').first().uncheck();
    await page.locator('button[value=more-time]').click();
    await page.locator('iframe.time').waitFor();
    assert.equal(await page.locator('input[name^="release."]').first().isChecked(), false, 'what she chose stays');
    await approve(page);
    await page.waitForURL(/\/account/);
    await context.close();
  });

  test(`errors are pages, with a code to read out (${lang})`, async () => {
    const context = await open({ locale });
    const page = await context.newPage();
    await page.goto(portal);
    const account = await page.locator('a[href$="/account"]').first().getAttribute('href');
    const provider = account.replace(/\/account$/, '');
    await page.goto(`${provider}/auth?client_id=https://service.example&request_uri=urn:ietf:params:oauth:request_uri:gone`);
    await check(page, 'provider-error', lang);
    assert.match(await page.locator('.support-code').innerText(), /^[A-Z]{4}-[A-Z]{4}$/);
    await page.goto(`${portal}/nowhere`);
    await check(page, 'portal-error', lang);
    await page.goto(`${portal}/register`);
    await check(page, 'register', lang);
    await context.close();
  });
}

test('a page can be switched to the other language and stays there', async () => {
  const context = await open({ locale: 'de-DE', javaScriptEnabled: false });
  const page = await context.newPage();
  await toCardPage(page);
  await page.goBack();
  await page.locator('.language-switch a').first().click();
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  await page.reload();
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  await context.close();
});

test('three wrong PINs block the card, as on a real one', async () => {
  const context = await open({ locale: 'en-GB', javaScriptEnabled: false });
  const page = await context.newPage();
  await toCardPage(page);
  const card = page.locator('input[name=card]').nth(1);
  for (const _ of [1, 2, 3]) {
    await card.check();
    await page.locator('#pin').fill('999999');
    await page.locator('form[action="/card"] button').click();
  }
  await page.locator('form[action="/card/unblock"] button').click();
  await page.getByRole('status').first().waitFor();
  await context.close();
});
