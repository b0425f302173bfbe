// The app's PIN on the wallet's screens, in a real browser against the real provider: what lies in IndexedDB answers nothing without it, the
// tries are counted where no copy of the browser's storage reaches, and the card helps out.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const portal = process.env.PORTAL;
const person = 'Hatice Yıldız';
const right = '407193';
const wrong = '407194';

let browser, wallet, record;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage();
  await page.goto(portal);
  // Her insurer is the second one.
  const account = await page.locator('a[href$="/account"]').nth(1).getAttribute('href');
  wallet = `${account.replace(/\/account$/, '')}/wallet/`;
  record = new URL(await page.locator('ol.steps a.button').first().getAttribute('href'), portal).href;
  await page.close();
});
after(() => browser?.close());

const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function card(page) {
  await page.locator('.choice-list button').filter({ hasText: person }).click();
  await page.getByLabel('PIN of your health card').fill('123456');
  await press(page, 'Continue');
}

async function choose(page, pin, again = pin) {
  await page.getByLabel('New app PIN').fill(pin);
  await press(page, 'Continue');
  await page.getByLabel('The same app PIN').fill(again);
  await press(page, 'Set app PIN');
}

async function type(page, pin) {
  await page.getByLabel('App PIN', { exact: true }).fill(pin);
  await press(page, 'Unlock');
}

/** Types a PIN that leads nowhere, and gives what the provider answered. */
async function refused(page, pin) {
  const tried = page.waitForResponse((response) => response.url().endsWith('/devices/pin/evaluate'));
  await type(page, pin);
  return (await tried).json();
}

/** A login begun at the record, up to the question for the PIN. */
async function asked(page) {
  await page.goto(record);
  await page.locator('input[name=idp]').nth(1).check();
  // The record's page would otherwise know her from the login before.
  await page.locator('form[action="/login"] summary').click();
  await page.locator('input[name=fresh]').check();
  await page.locator('form[action="/login"] button[type=submit]').click();
  await page.waitForURL(/\/auth\?/);
  const link = await page.locator('a[href*="login="]').first().getAttribute('href');
  await page.goto(`${wallet}${new URL(link).search}`);
  await heading(page, /Patientenakte/);
  await press(page, 'Log in');
}

/** Puts the whole content of the wallet's database, keys included, into another one of the same origin, or back from there. */
function copyStorage(page, way) {
  return page.evaluate(async (way) => {
    const settled = (request) => new Promise((yes, no) => Object.assign(request, { onsuccess: () => yes(request.result), onerror: () => no(request.error) }));
    const [{ name }] = (await indexedDB.databases()).filter((one) => one.name.startsWith('healthid-wallet ') && !one.name.endsWith(' copy'));
    const opened = async (name) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => ['keys', 'sealed'].forEach((shelf) => request.result.createObjectStore(shelf));
      return settled(request);
    };
    const pair = [await opened(name), await opened(`${name} copy`)];
    const [from, to] = way === 'away' ? pair : pair.reverse();
    const found = {};
    for (const shelf of ['keys', 'sealed']) {
      const store = from.transaction(shelf).objectStore(shelf);
      const [names, values] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())]);
      const writing = to.transaction(shelf, 'readwrite').objectStore(shelf);
      await settled(writing.clear());
      for (const [at, value] of values.entries()) await settled(writing.put(value, names[at]));
      found[shelf] = names;
    }
    pair.forEach((database) => database.close());
    return found;
  }, way);
}

test('the app PIN: set up with it, log in, lock it, an old copy of the storage gives no try back, the card does', async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB' });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const sent = [];
  context.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
  // The arithmetic comes with the first PIN: what the page itself asked for, not what the service worker stores.
  const fetched = () => page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => /\/assets\/pin-/.test(name)));

  await page.goto(wallet);
  await press(page, 'Start now');
  await press(page, 'I have both here');
  await press(page, 'I agree, set up device');
  await page.locator('.choice-list button').first().waitFor();
  assert.equal(await fetched(), false, 'not before a PIN is asked for');
  await card(page);
  await heading(page, 'Choose an app PIN');
  await page.getByLabel('New app PIN').fill('123456');
  await press(page, 'Continue');
  await page.getByText('the digits are in a row').waitFor();
  await choose(page, right, wrong);
  await page.getByText('The two were not the same').waitFor();
  await choose(page, right);
  await heading(page, 'Done. This device is set up.');
  assert.equal(await fetched(), true);

  const copied = await copyStorage(page, 'away');
  assert.deepEqual(copied.keys, ['sealing'], 'the device’s key does not lie there');

  await asked(page);
  const first = await refused(page, wrong);
  await page.getByText(`You have ${first.tries_left} tries left`).waitFor();
  await type(page, right);
  await page.waitForURL(/\/account$/);
  assert.ok((await page.locator('table.claims tbody tr').count()) > 0, 'the record knows her');

  await asked(page);
  const { tries_left } = await refused(page, wrong);
  assert.equal(tries_left, first.tries_left, 'the login gave the try back');
  for (let left = tries_left; left > 0; left -= 1) assert.equal((await refused(page, wrong)).tries_left, left - 1);
  await heading(page, 'The app PIN is locked');

  await copyStorage(page, 'back');
  await page.goto(`${wallet}#/settings`);
  await page.reload();
  await press(page, 'Change app PIN');
  assert.equal((await refused(page, right)).reason, 'pin-locked', 'the right PIN on the old storage');
  await heading(page, 'The app PIN is locked');

  await press(page, 'Set a new app PIN with card');
  await card(page);
  await choose(page, '951407');
  await page.getByText('The new app PIN is set').waitFor();
  await asked(page);
  assert.equal((await refused(page, right)).tries_left, tries_left, 'the old one is one of ten wrong ones now');
  await type(page, '951407');
  await page.waitForURL(/\/account$/);

  // The storage of before the lock is of a device that is no more.
  await page.goto(wallet);
  await copyStorage(page, 'back');
  await asked(page);
  assert.equal((await refused(page, right)).reason, 'device-unknown');
  await page.getByText('Your insurer does not know this device').waitFor();
  for (const request of sent) for (const pin of [right, wrong, '951407']) assert.ok(!request.includes(pin), 'no PIN was sent anywhere');
  await context.close();
});
