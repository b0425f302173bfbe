// The phone is told that a login waits: from the switch in the settings to a push service on this machine and back into the service worker. No push
// service of a browser is reached from here: what `PushManager.subscribe` would bring from there is stood in for, and the message it would bring is
// delivered through the browser's own debugging door. Everything between is real.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const portal = process.env.PORTAL;
// Nobody else's test looks at this person's devices.
const person = 'Stefan Altgerät';
const insurer = /Kleeblatt/;
/** The one push service this sandbox calls (`browser-tests/run`). */
const port = Number(new URL(portal).port) + 9;
const service = `https://localhost:${port}`;

let browser, phone, place, computer, record, wallet, pushes, folder;
const messages = [];
let arrived = () => {};

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'push-'));
  execFileSync(process.env.HEALTHID, ['certificate', '--at', portal, '--out', folder], { stdio: 'ignore' });
  const tls = { cert: readFileSync(join(folder, 'server.pem')), key: readFileSync(join(folder, 'server.key')) };
  pushes = createServer(tls, (request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      messages.push({ method: request.method, path: request.url, headers: request.headers, body });
      response.writeHead(201).end();
      arrived();
    });
  });
  await new Promise((listening) => pushes.listen(port, '127.0.0.1', listening));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  place = await context(390);
  await place.grantPermissions(['notifications']);
  await place.addInitScript(standIn, `${service}/her-phone`);
  phone = await place.newPage();
  await phone.goto(portal);
  const account = await phone.locator('a[href$="/account"]').filter({ hasText: insurer }).getAttribute('href');
  record = new URL(await phone.locator('ol.steps a.button').first().getAttribute('href'), portal).href;
  wallet = `${account.replace(/\/account$/, '')}/wallet/`;
  computer = await context(1280);
  await phone.goto(wallet);
  await press('Start now');
  await press('I have both here');
  await press('I agree, set up device');
  await phone.locator('.choice-list button').filter({ hasText: person }).click();
  await phone.getByLabel('PIN of your health card').fill('123456');
  await press('Continue');
  await press('Go on without app PIN');
  await heading('Done. This device is set up.');
});
after(async () => {
  await browser?.close();
  pushes?.close();
  if (folder) rmSync(folder, { recursive: true });
});

async function context(width) {
  const made = await browser.newContext({ viewport: { width, height: 844 }, locale: 'en-GB' });
  made.setDefaultTimeout(10_000);
  return made;
}

/** In the page: a push service that gives out one address, or another where the test says so. */
function standIn(address) {
  if (!('PushManager' in globalThis)) return;
  const there = () => JSON.parse(localStorage.getItem('subscription') ?? 'null');
  const made = ({ endpoint, key }) => ({
    endpoint,
    options: { userVisibleOnly: true, applicationServerKey: Uint8Array.from(key).buffer },
    unsubscribe: async () => (localStorage.removeItem('subscription'), true),
  });
  PushManager.prototype.getSubscription = async () => there() && made(there());
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly) throw new DOMException('', 'NotAllowedError');
    const subscription = { endpoint: localStorage.getItem('address') ?? address, key: [...applicationServerKey] };
    localStorage.setItem('subscription', JSON.stringify(subscription));
    return made(subscription);
  };
}

const press = (name) => phone.getByRole('button', { name, exact: true }).click();
const heading = (name) => phone.getByRole('heading', { level: 1, name }).waitFor();
const toggle = () => phone.getByRole('switch', { name: 'Tell me when a login waits for me' });
const subscription = () => phone.evaluate(() => JSON.parse(localStorage.getItem('subscription') ?? 'null'));
/** The messages on her screen once there are so many: the browser shows and closes them in its own time. */
async function showing(many) {
  for (let left = 200; ; left -= 1) {
    const list = await phone.evaluate(async () => {
      const worker = await navigator.serviceWorker.ready;
      return (await worker.getNotifications()).map(({ title, body, tag, lang, data }) => ({ title, body, tag, lang, data }));
    });
    if (list.length === many) return list;
    assert.ok(left > 0, `${list.length} messages are shown, not ${many}`);
    await phone.waitForTimeout(50);
  }
}

/** The page anew: what was said there before is gone. */
async function settings() {
  await phone.goto(`${wallet}#/settings`);
  await phone.reload();
  await heading('Settings');
  await toggle().waitFor();
}

async function refused(title) {
  await phone.getByRole('alert').filter({ hasText: title }).waitFor();
  assert.equal(await toggle().isChecked(), false, 'it stays off');
  assert.equal(await subscription(), null, 'nobody reaches this browser');
}

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

/** As the browser's push service would bring it. */
async function delivered(data) {
  const door = await place.newCDPSession(phone);
  const registered = new Promise((found) =>
    door.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => registrations.forEach((one) => one.scopeURL === wallet && found(one))),
  );
  await door.send('ServiceWorker.enable');
  const { registrationId } = await registered;
  await door.send('ServiceWorker.deliverPushMessage', { origin: new URL(wallet).origin, registrationId, data });
  await door.detach();
}

test('an address at a push service the insurer does not call, a changed one, and forbidden messages: each is said, and it stays off', async () => {
  await settings();
  assert.equal(await toggle().isChecked(), false, 'off by default');
  assert.equal(await subscription(), null);
  for (const address of ['https://push.evil.example/a', `https://localhost:${port + 1}/a`]) {
    await phone.evaluate((address) => localStorage.setItem('address', address), address);
    await toggle().click();
    await refused('Messages do not work here');
    await phone.evaluate(() => localStorage.removeItem('address'));
    await settings();
  }
  // Changed on its way: the device's key has signed another one.
  await phone.route('**/devices/push', (route) => {
    const [head, payload, signature] = route.request().postDataJSON().look.split('.');
    const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), endpoint: `${service}/his-phone` };
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return route.continue({ postData: JSON.stringify({ look: [head, changed, signature].join('.') }) });
  });
  await toggle().click();
  await refused('This device is not set up');
  await phone.unroute('**/devices/push');
  await place.clearPermissions();
  await settings();
  await toggle().click();
  await refused('Your device forbids messages');
  await place.grantPermissions(['notifications']);
  assert.equal(messages.length, 0);
});

test('turned on, a login that is sent wakes the phone with one message that says nothing, and leads to the request', async () => {
  await settings();
  await toggle().click();
  await phone.getByText('You will be told.').waitFor();
  assert.equal(await toggle().isChecked(), true);
  const config = await (await phone.request.get(`${wallet}config.json`)).json();
  const { endpoint, key } = await subscription();
  assert.equal(endpoint, `${service}/her-phone`);
  assert.equal(Buffer.from(key).toString('base64url'), config.push_key);

  // She ticks it in the other browser, once.
  const first = await begun();
  await first.waiting.getByLabel('Next time send the request to this phone').check();
  await phone.goto(await first.waiting.locator('.code a').getAttribute('href'));
  await heading(/on another device\?$/);
  await press('Yes, that was me');
  await phone.getByLabel('Number with two digits').fill(first.digits);
  await press('Log in there');
  await heading('Done. Look at the other screen.');
  await first.page.waitForURL(/\/account$/);
  await first.page.close();

  // Not on the first page: there she would see it come.
  await settings();
  assert.equal(messages.length, 0, 'nobody is woken for what is scanned');
  const second = await begun();
  const woken = new Promise((resolve) => (arrived = resolve));
  await second.waiting.locator('#send-to-phone').click();
  await second.waiting.locator('#sent-to-phone').waitFor();
  await woken;
  const [{ method, path, headers, body }] = messages;
  assert.deepEqual([method, path, body], ['POST', '/her-phone', '']);
  assert.ok(headers.authorization.endsWith(`, k=${config.push_key}`));

  // Whatever somebody else may have put in: nothing of it is shown.
  const expected = { title: 'GesundheitsID', body: 'A login waits for you. Was that you? Then tap here.', tag: wallet, lang: 'en', data: null };
  for (const data of ['Lena Beispiel, Patientenakte, https://evil.example', '{"notification":{"title":"Lena"}}', '']) {
    await phone.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).forEach((one) => one.close()));
    await showing(0);
    await delivered(data);
    assert.deepEqual(await showing(1), [expected], data);
  }

  // Pressed, it is gone, and the wallet that is open shows the request.
  const worker = place.serviceWorkers().find((one) => one.url().startsWith(wallet));
  await worker.evaluate(async () => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
  });
  await heading('Your GesundheitsID');
  await phone.getByRole('button', { name: 'See the request' }).waitFor();
  await showing(0);
  await second.page.close();

  await settings();
  assert.equal(await toggle().isChecked(), true, 'after a reload, too');
  const told = phone.waitForResponse((response) => response.url().endsWith('/devices/push'));
  await toggle().click();
  await phone.getByText('You will not be told any more.').waitFor();
  assert.deepEqual(await (await told).json(), {});
  assert.equal(await subscription(), null);
  assert.equal(messages.length, 1);
});
