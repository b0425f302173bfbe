// A new phone bound with the old one: two browsers that share nothing but the code on one screen and the number on the other.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const portal = process.env.PORTAL;
const screenshots = process.env.SCREENSHOTS;
// Nobody else's test looks at this person's devices.
const person = 'Dr. Ada-Liv';

let browser;
let wallet;
let old;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  old = await phone();
  await old.goto(portal);
  const account = await old.locator('a[href$="/account"]').first().getAttribute('href');
  wallet = `${account.replace(/\/account$/, '')}/wallet/`;
  await old.goto(wallet);
  await press(old, 'Start now');
  await press(old, 'I have both here');
  await old.getByLabel('Name of this device').fill('Old phone');
  await press(old, 'I agree, set up device');
  await old.locator('.choice-list button').filter({ hasText: person }).click();
  await old.getByLabel('PIN of your health card').fill('123456');
  await press(old, 'Continue');
  await press(old, 'Go on without app PIN');
  await heading(old, 'Done. This device is set up.');
  assert.deepEqual(old.asked.filter((path) => /\/assets\/mov/.test(path)), [], 'nothing of a move is fetched before there is one');
});
after(() => browser?.close());

/** A phone nobody has used. */
async function phone() {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB' });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.wrong = [];
  page.asked = [];
  page.on('request', (request) => request.serviceWorker() || page.asked.push(new URL(request.url()).pathname));
  page.on('pageerror', (error) => page.wrong.push(error.message));
  await page.exposeFunction('violated', (what) => page.wrong.push(what));
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => window.violated(`${event.effectiveDirective} ${event.blockedURI}`)));
  return page;
}

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();

async function accessible(page, name) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`), [], name);
  await page.screenshot({ path: `${screenshots}/wallet-move-${name}.png`, fullPage: true });
}

/** On the old phone, in her account: the way to a new phone. */
async function toMove() {
  await old.goto(`${wallet}#/devices`);
  const open = old.getByRole('button', { name: 'Log in', exact: true });
  const begin = old.getByRole('button', { name: 'Move to a new phone', exact: true });
  await open.or(begin).first().waitFor();
  if (await open.isVisible()) await open.click();
  await begin.click();
}

/** The old phone shows a code; what stands in it. */
async function offered() {
  await toMove();
  await old.getByText('Only for a phone that you hold in your own hand').waitFor();
  await press(old, 'I have both phones with me');
  await old.getByRole('img', { name: 'Code for the new phone' }).waitFor();
  return old.locator('a[target=_blank]').getAttribute('href');
}

/** The new phone reads it, and shows a number. */
async function arrived(link) {
  const page = await phone();
  await page.goto(link);
  await heading(page, 'Set up this new phone');
  assert.ok(!page.url().includes('move='), 'the offer does not stay in the address');
  await page.getByLabel('Name of this device').fill('New phone');
  await press(page, 'I agree, set up device');
  await heading(page, 'Type this number on the old phone');
  return { page, number: await page.locator('.move-number [aria-hidden]').innerText() };
}

test('a new phone shows a number, the old one approves it, and the new one opens the account by itself', async () => {
  const link = await offered();
  await accessible(old, 'code');
  const { page, number } = await arrived(link);
  await accessible(page, 'number');
  await heading(old, 'Is “New phone” to be your new phone?');
  await accessible(old, 'compare');
  await old.getByLabel('Number with two digits').fill(number);
  await press(old, 'Yes, this is my new phone');
  await heading(old, '“New phone” is set up');
  await heading(page, 'Your new phone is set up');
  await page.goto(`${wallet}#/devices`);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await page.getByRole('heading', { level: 2, name: 'Old phone' }).waitFor();
  await page.getByRole('heading', { level: 2, name: 'New phone' }).waitFor();
  assert.deepEqual([...old.wrong, ...page.wrong], []);
  await page.context().close();
});

test('a wrong number ends it on both phones, and a second phone is too late', async () => {
  const link = await offered();
  const { page, number } = await arrived(link);
  const late = await phone();
  await late.goto(link);
  await press(late, 'I agree, set up device');
  await heading(late, 'This move has ended');
  await heading(old, /to be your new phone\?$/);
  await old.getByLabel('Number with two digits').fill(String((Number(number) + 1) % 100).padStart(2, '0'));
  await press(old, 'Yes, this is my new phone');
  await heading(old, 'The number is not right');
  await heading(page, 'The number is not right');
  await late.context().close();
  await page.context().close();
});

test('somebody is on the phone: it ends, and no other code is shown for a while', async () => {
  const { page } = await arrived(await offered());
  await heading(old, /to be your new phone\?$/);
  await press(old, 'Someone is on the phone with me');
  await old.getByText('The move has ended. No device was set up.').waitFor();
  await heading(page, 'This move has ended');
  await toMove();
  await press(old, 'I have both phones with me');
  await heading(old, 'Logins on other devices are paused');
  await page.context().close();
});
