// A login on a computer that is approved on a phone: two browsers that share nothing but what the person carries from one screen to the other.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const portal = process.env.PORTAL;
const screenshots = process.env.SCREENSHOTS;
// Nobody else's test looks at this person's devices.
const person = 'Emma Morgenstern';

let browser;
let phone;
let record;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  const page = await context(390).then((made) => made.newPage());
  await page.goto(portal);
  const account = await page.locator('a[href$="/account"]').first().getAttribute('href');
  record = new URL(await page.locator('ol.steps a.button').first().getAttribute('href'), portal).href;
  phone = page;
  await phone.goto(`${account.replace(/\/account$/, '')}/wallet/`);
  await press('Start now');
  await press('I have both here');
  await press('I agree, set up device');
  await phone.locator('.choice-list button').filter({ hasText: person }).click();
  await phone.getByLabel('PIN of your health card').fill('123456');
  await press('Continue');
  await press('Go on without app PIN');
  await heading('Done. This device is set up.');
});
after(() => browser?.close());

async function context(width) {
  const made = await browser.newContext({ viewport: { width, height: 844 }, locale: 'en-GB' });
  made.setDefaultTimeout(10_000);
  return made;
}

const press = (name) => phone.getByRole('button', { name, exact: true }).click();
const heading = (name) => phone.getByRole('heading', { level: 1, name }).waitFor();

/** A login begun on a computer: its page, and what stands in the part that waits. */
async function begun() {
  const page = await (await context(1280)).newPage();
  await page.goto(record);
  await page.locator('form[action="/login"] button[type=submit]').click();
  await page.waitForURL(/\/auth\?/);
  const waiting = page.frameLocator('iframe.waiting');
  const digits = await waiting.locator('.number strong').innerText();
  assert.match(digits, /^\d\d$/);
  return { page, waiting, digits, link: await waiting.locator('.code a').getAttribute('href') };
}

async function typed(digits, decision) {
  await phone.getByLabel('Number with two digits').fill(digits);
  await press(decision);
}

/** The link of the code, opened on the phone and found to be her own doing. */
async function opened(link) {
  await phone.goto(link);
  await heading(/on another device\?$/);
  await phone.getByText('Chrome on Linux').waitFor();
  await press('Yes, that was me');
  await phone.getByLabel('Number with two digits').waitFor();
}

async function accessible(frame, name) {
  await frame.evaluate(axeSource);
  // The first heading is the page's around it.
  const rules = { 'page-has-heading-one': { enabled: false } };
  const { violations } = await frame.evaluate((rules) => window.axe.run(document, { resultTypes: ['violations'], rules }), rules);
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`), [], name);
}

test('the phone approves with the digits of the screen, and the code comes to the computer alone', async () => {
  const { page, digits, link } = await begun();
  const frame = page.frames().find((each) => each !== page.mainFrame());
  await accessible(frame, 'the part that waits');
  for (const width of [320, 390, 768, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    const overflow = await frame.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `sideways by ${overflow} px at ${width} px`);
    await page.screenshot({ path: `${screenshots}/second-device.en.${width}.png`, fullPage: true });
  }
  await opened(link);
  await typed(digits, 'Log in there');
  await heading('Done. Look at the other screen.');
  await page.waitForURL(/\/account$/);
  assert.ok((await page.locator('table.claims tbody tr').count()) > 0, 'the record knows her');
  assert.equal(await phone.getByRole('button', { name: /Back to/ }).count(), 0, 'nothing to go back to on the phone');
  await page.context().close();
});

test('a wrong number ends it on both screens, and each says so', async () => {
  const { page, waiting, digits, link } = await begun();
  await opened(link);
  await typed(String((Number(digits) + 1) % 100).padStart(2, '0'), 'Log in there');
  await phone.getByText('The number is not right').first().waitFor();
  await waiting.getByText('A wrong number was typed').waitFor();
  await phone.goto(link);
  await phone.locator('main h1').waitFor();
  assert.equal(await phone.getByLabel('Number with two digits').count(), 0, 'no second try');
  await page.context().close();
});

test('someone is on the phone with her: nothing is approved, and both screens say so', async () => {
  const { page, waiting, link } = await begun();
  await opened(link);
  await press('Someone is on the phone with me');
  await heading('We have stopped it');
  await phone.getByText('Was someone on the phone? Then hang up now.').waitFor();
  await waiting.locator('.notice.bad').waitFor();
  await page.context().close();
});
