// The wallet in Firefox, as Debian packages it and as people use it: set up, log in on the same device, approve for another one, open without
// network. Driven over WebDriver BiDi. Where no Firefox is installed nothing is tried, and the run says so.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { firefox } from 'playwright-core';

const portal = process.env.PORTAL;
const executablePath = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const skip = existsSync(executablePath) ? false : `NOT TRIED: no Firefox at ${executablePath} (Debian: firefox-esr)`;
if (skip) console.log(`# ${skip}`);
// Nobody else's test looks at this person's devices.
const person = 'Jonas Morgenstern';

let browser, phone, wallet, record;
const wrong = [];
before(async () => {
  if (skip) return;
  browser = await firefox.launch({ channel: 'moz-firefox', executablePath });
  phone = await opened(390);
  await phone.goto(portal);
  const account = await phone.locator('a[href$="/account"]').nth(1).getAttribute('href');
  wallet = `${account.replace(/\/account$/, '')}/wallet/`;
  record = new URL(await phone.locator('ol.steps a.button').first().getAttribute('href'), portal).href;
});
after(() => browser?.close());

async function opened(width) {
  const context = await browser.newContext({ viewport: { width, height: 844 }, locale: 'en-GB' });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  return page;
}

const press = (name) => phone.getByRole('button', { name, exact: true }).click();
const heading = (name) => phone.getByRole('heading', { level: 1, name }).waitFor();

/** A login begun at the record: the insurer's page. */
async function begun(page) {
  await page.goto(record);
  await page.locator('form[action="/login"] input[type=radio]').nth(1).check();
  await page.locator('form[action="/login"] button[type=submit]').click();
  await page.waitForURL(/\/auth\?/);
}

test('she sets her device up with the card', { skip }, async () => {
  await phone.goto(wallet);
  await press('Start now');
  await press('I have both here');
  assert.match(await phone.getByLabel('Name of this device').inputValue(), /^Firefox, Linux$/);
  await press('I agree, set up device');
  await phone.locator('.choice-list button').filter({ hasText: person }).click();
  await phone.getByLabel('PIN of your health card').fill('123456');
  await press('Continue');
  await press('Go on without app PIN');
  await heading('Done. This device is set up.');
});

test('she logs in on the same device', { skip }, async () => {
  await begun(phone);
  const link = await phone.locator('a[href*="login="]').first().getAttribute('href');
  await phone.goto(`${wallet}${new URL(link).search}`);
  await heading(/Patientenakte/);
  await press('Log in');
  await phone.waitForURL(/\/account$/);
  assert.ok((await phone.locator('table.claims tbody tr').count()) > 0, 'the record knows her');
});

test('she approves for another device', { skip }, async () => {
  const computer = await opened(1280);
  await begun(computer);
  const waiting = computer.frameLocator('iframe.waiting');
  const digits = await waiting.locator('.number strong').innerText();
  await phone.goto(await waiting.locator('.code a').getAttribute('href'));
  await heading(/on another device\?$/);
  await phone.getByText('Firefox on Linux').waitFor();
  await press('Yes, that was me');
  await phone.getByLabel('Number with two digits').fill(digits);
  await press('Log in there');
  await heading('Done. Look at the other screen.');
  await computer.waitForURL(/\/account$/);
  await computer.context().close();
});

test('it is in the insurer’s colour, and nothing was forbidden or failed on the way', { skip }, async () => {
  await phone.goto(wallet);
  await phone.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  const colour = await phone.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--brand'));
  assert.match(colour.trim(), /^#[0-9a-f]{6}$/);
  assert.deepEqual(wrong, []);
});
