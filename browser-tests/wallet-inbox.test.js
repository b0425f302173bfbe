// A login that comes to the phone without a code: scanned once with the tick, sent by the button the next time.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const portal = process.env.PORTAL;
const screenshots = process.env.SCREENSHOTS;
// Nobody else's test looks at this person's devices.
const person = 'Fiona';
const insurer = /Kleeblatt/;

let browser;
let phone;
let computer;
let record;
let wallet;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  phone = await (await context(390)).newPage();
  await phone.goto(portal);
  const account = await phone.locator('a[href$="/account"]').filter({ hasText: insurer }).getAttribute('href');
  record = new URL(await phone.locator('ol.steps a.button').first().getAttribute('href'), portal).href;
  wallet = `${account.replace(/\/account$/, '')}/wallet/`;
  await phone.goto(wallet);
  await press('Start now');
  await press('I have both here');
  await press('I agree, set up device');
  await phone.locator('.choice-list button').filter({ hasText: person }).click();
  await phone.getByLabel('PIN of your health card').fill('123456');
  await press('Continue');
  await press('Go on without app PIN');
  await heading('Done. This device is set up.');
  // Both logins are begun in one browser, which keeps what it was told.
  computer = await context(1280);
});
after(() => browser?.close());

async function context(width) {
  const made = await browser.newContext({ viewport: { width, height: 844 }, locale: 'en-GB' });
  made.setDefaultTimeout(10_000);
  return made;
}

const press = (name) => phone.getByRole('button', { name, exact: true }).click();
const heading = (name) => phone.getByRole('heading', { level: 1, name }).waitFor();

/** A login begun on the computer, where nobody is logged in any more. */
async function begun() {
  await computer.clearCookies({ name: /^(?!healthid_phone$)/ });
  const page = await computer.newPage();
  await page.goto(record);
  await page.locator('form[action="/login"] label').filter({ hasText: insurer }).click();
  await page.locator('form[action="/login"] button[type=submit]').click();
  await page.waitForURL(/\/auth\?/);
  const waiting = page.frameLocator('iframe.waiting');
  return { page, waiting, digits: await waiting.locator('.number strong').innerText() };
}

async function answered(digits) {
  await heading(/on another device\?$/);
  await phone.getByText('Chrome on Linux').waitFor();
  await press('Yes, that was me');
  await phone.getByLabel('Number with two digits').fill(digits);
  await press('Log in there');
  await heading('Done. Look at the other screen.');
}

async function loggedIn(page) {
  await page.waitForURL(/\/account$/);
  assert.ok((await page.locator('table.claims tbody tr').count()) > 0, 'the record knows her');
  await page.close();
}

async function looked(page, name) {
  const frame = page.frames().find((each) => each !== page.mainFrame());
  await frame.evaluate(axeSource);
  const rules = { 'page-has-heading-one': { enabled: false } };
  const { violations } = await frame.evaluate((rules) => window.axe.run(document, { resultTypes: ['violations'], rules }), rules);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`), [], name);
  for (const width of [320, 390, 768, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    const overflow = await frame.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name}: sideways by ${overflow} px at ${width} px`);
    await page.screenshot({ path: `${screenshots}/inbox-${name}.en.${width}.png`, fullPage: true });
  }
}

test('the first login by the code with the tick, the second by the button, without any link', async () => {
  const first = await begun();
  assert.equal(await first.waiting.locator('#send-to-phone').count(), 0, 'nothing is offered before');
  const tick = first.waiting.getByLabel('Next time send the request to this phone');
  assert.equal(await tick.isChecked(), false, 'off by default');
  await tick.check();
  await looked(first.page, 'tick');
  await phone.goto(await first.waiting.locator('.code a').getAttribute('href'));
  await answered(first.digits);
  await loggedIn(first.page);

  // The wallet's first page is open, and nothing waits.
  await phone.goto(wallet);
  await heading('Your GesundheitsID');
  assert.equal(await phone.getByRole('button', { name: 'See the request' }).count(), 0);
  const second = await begun();
  await looked(second.page, 'offer');
  await second.waiting.locator('#send-to-phone').click();
  await second.waiting.locator('#sent-to-phone').waitFor();
  await looked(second.page, 'sent');
  // It comes by itself.
  await press('See the request');
  await answered(await second.waiting.locator('.number strong').innerText());
  await loggedIn(second.page);
});

test('"that was not me" ends it on both screens, and this browser sends nothing any more', async () => {
  await phone.goto(wallet);
  const { page, waiting } = await begun();
  await waiting.locator('#send-to-phone').click();
  await waiting.locator('#sent-to-phone').waitFor();
  await press('See the request');
  await heading(/on another device\?$/);
  await press('That was not me');
  await waiting.locator('.notice.bad').waitFor();
  await page.close();
  const next = await begun();
  await next.waiting.getByLabel('Next time send the request to this phone').waitFor();
  assert.equal(await next.waiting.locator('#send-to-phone').count(), 0);
  await next.page.close();
});
