// The web wallet as a person uses it, in a real browser against the real provider: enrol with a card, log in, see it again, go on after
// closing, work without network. Whatever the page's policy forbids and the page tried, fails the test.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const portal = process.env.PORTAL;
const pin = '123456';

const launching = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};

let browser;
let wallet;
/** The other insurer's. */
let other;
let record;
before(async () => {
  browser = await chromium.launch(launching);
  const page = await browser.newPage();
  await page.goto(portal);
  const accounts = await page.locator('a[href$="/account"]').evaluateAll((links) => links.map((link) => link.href));
  [wallet, other] = [...new Set(accounts)].map((account) => `${account.replace(/\/account$/, '')}/wallet/`);
  record = await page.locator('ol.steps a.button').first().getAttribute('href');
  record = new URL(record, portal).href;
  await page.close();
});
after(() => browser?.close());

/** A browser nobody has used, and what went wrong in it. */
async function fresh(options = {}) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB', ...options });
  const wrong = await watched(context);
  return { context, wrong, page: await context.newPage() };
}

async function watched(context) {
  const wrong = [];
  context.setDefaultTimeout(10_000);
  await context.exposeFunction('violated', (what) => wrong.push(`policy: ${what}`));
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', (event) => window.violated(`${event.effectiveDirective} ${event.blockedURI} at ${event.sourceFile}`)),
  );
  context.on('weberror', (error) => wrong.push(`error: ${error.error().message}`));
  context.on('request', (request) => {
    const from = request.serviceWorker()?.url() ?? (request.isNavigationRequest() ? '' : request.frame().url());
    const allowed = [wallet, portal].map((address) => new URL(address).origin);
    if ([wallet, other].some((one) => from.startsWith(one)) && !allowed.includes(new URL(request.url()).origin)) wrong.push(`foreign: ${request.url()}`);
  });
  return wrong;
}

const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function toName(page, at = wallet) {
  await page.goto(at);
  await press(page, 'Start now');
  await press(page, 'I have both here');
  await heading(page, 'Set up this device');
}

const lena = 'Lena Beispiel';

async function card(page, person) {
  await page.locator('.choice-list button').filter({ hasText: person }).click();
  await page.getByLabel('PIN of your health card').fill(pin);
  await press(page, 'Continue');
}

async function enrol(page, person = lena) {
  await toName(page);
  await press(page, 'I agree, set up device');
  await card(page, person);
  await press(page, 'Go on without app PIN');
  await heading(page, 'Done. This device is set up.');
}

/** One that makes passkeys, for this page. */
async function authenticator(context, page) {
  const session = await context.newCDPSession(page);
  await session.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, hasPrf: true };
  await session.send('WebAuthn.addVirtualAuthenticator', { options: { ...options, isUserVerified: true, automaticPresenceSimulation: true } });
}

/** What the insurer's page offers a person who logs in at the record: the way into her authenticator. */
async function requestOf(page) {
  await page.goto(record);
  await page.locator('form[action="/login"] button[type=submit]').click();
  await page.waitForURL(/\/auth\?/);
  const link = await page.locator('a[href*="login="]').first().getAttribute('href');
  return `${wallet}${new URL(link).search}`;
}

test('a first visit: enrol with the card, log in at the record, find it in the history', async () => {
  const { context, page, wrong } = await fresh();
  await enrol(page);
  await page.goto(await requestOf(page));
  await heading(page, /Patientenakte/);
  assert.equal(page.url(), `${wallet}#/request`, 'the login does not stay in the address');
  await press(page, 'Log in');
  await page.waitForURL(/\/account$/);
  assert.ok((await page.locator('table.claims tbody tr').count()) > 0, 'the record knows her');
  await page.goto(`${wallet}#/history`);
  await press(page, 'Log in');
  const entry = page.getByRole('article').filter({ hasText: 'Patientenakte' }).first();
  await entry.waitFor();
  assert.match(await entry.innerText(), /health insurance number/i, 'names of what was shared');
  assert.equal((await page.locator('main').innerText()).match(/[A-Z]\d{9}/), null, 'and no values');
  assert.deepEqual(wrong, []);
  await context.close();
});

test('each wallet is in the colour of its insurer before anything is drawn, without network, too', async () => {
  const { context, page, wrong } = await fresh();
  await context.addInitScript(() => {
    // The first frame with something in it: style sheets hold it up, scripts do not.
    const seen = new MutationObserver(() => {
      if (!document.querySelector('#wallet')?.firstChild) return;
      seen.disconnect();
      window.first = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim();
    });
    seen.observe(document, { childList: true, subtree: true });
  });
  const colours = [];
  for (const at of [wallet, other]) {
    await page.goto(at);
    await page.getByRole('button', { name: 'Start now' }).waitFor();
    colours.push(await page.evaluate(() => window.first));
  }
  assert.deepEqual(colours, ['#0b5a7a', '#1a6338']);
  assert.equal(await page.getByRole('button', { name: 'Start now' }).evaluate((button) => getComputedStyle(button).backgroundColor), 'rgb(26, 99, 56)');
  assert.equal(await page.locator('meta[name=theme-color]').getAttribute('content'), '#1a6338');
  await page.evaluate(() => navigator.serviceWorker.ready);
  await context.setOffline(true);
  await page.reload();
  await page.getByRole('button', { name: 'Start now' }).waitFor();
  assert.equal(await page.evaluate(() => window.first), '#1a6338');
  assert.ok(await page.locator('.site-name img').evaluate((logo) => logo.complete && logo.naturalWidth > 0), 'and with its logo');
  await context.setOffline(false);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('declining leads back to the service with nothing', async () => {
  const { context, page, wrong } = await fresh();
  await page.goto(await requestOf(page));
  await heading(page, /Patientenakte/);
  await press(page, 'Decline');
  await page.waitForURL((url) => url.origin === new URL(record).origin);
  assert.equal(await page.locator('table.claims').count(), 0);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('without network the wallet opens, shows what it keeps, and has cached nothing of anybody', async () => {
  const { context, page, wrong } = await fresh();
  await enrol(page);
  await page.goto(wallet);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await context.setOffline(true);
  for (const place of ['', '#/cards', '#/timers', '#/block', '#/help', '#/history', '#/devices', '#/consents', '#/data', '#/settings']) {
    await page.goto(`${wallet}${place}`);
    await page.reload();
    await page.locator('main h1').waitFor();
    // Rare screens come in a second file: their heading is there before their text.
    await page.waitForFunction(() => document.querySelector('main').innerText.length > 80, null, { timeout: 10_000 }).catch(() => assert.fail(`${place} says nothing`));
  }
  await page.goto(`${wallet}#/cards`);
  await page.reload();
  await page.getByText('Lena').first().waitFor();
  const cached = await page.evaluate(async () => {
    const names = await caches.keys();
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map((request) => request.url);
  });
  assert.ok(cached.length > 5, 'the shell is cached');
  for (const address of cached) {
    const folder = wallet.replace(/wallet\/$/, '');
    assert.ok(address.startsWith(folder), address);
    assert.match(address.slice(folder.length), /^(brand\.css|logo\.svg|wallet\/(|assets\/[\w.-]+|config\.json|[\w-]+\.(png|svg)))$/);
  }
  await context.setOffline(false);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('screens that are fetched later: one that cannot be had says so and is asked for again, one that comes late has the focus at its heading', async () => {
  // No worker, which would have them all.
  const { context, page, wrong } = await fresh({ serviceWorkers: 'block' });
  const later = /\/assets\/more-/;
  let asked = 0;
  await context.route(later, (route) => {
    asked += 1;
    return route.abort('connectionreset');
  });
  await page.goto(`${wallet}#/settings`);
  await heading(page, 'Your insurer does not answer right now');
  assert.ok(asked > 0, 'they are files of their own');
  await press(page, 'Get help');
  await heading(page, 'Help');
  await page.goBack();
  await heading(page, 'Your insurer does not answer right now');
  await context.setOffline(true);
  await heading(page, 'No internet connection');
  await press(page, 'Try again');
  await heading(page, 'No internet connection');
  await context.setOffline(false);
  await context.unroute(later);
  await press(page, 'Try again');
  await heading(page, 'Settings');

  // Held up for as long as it takes to see what stands there meanwhile. The page's first screen leaves the focus where the browser put it.
  for (const [start, focused] of [['#/history', 'BODY'], ['#/help', 'H1']]) {
    let letGo;
    const held = new Promise((resolve) => (letGo = resolve));
    await context.route(later, (route) => held.then(() => route.continue()));
    const tab = await context.newPage();
    await tab.goto(`${wallet}${start}`);
    if (start === '#/help') await heading(tab, 'Help');
    await tab.evaluate(() => (location.hash = '#/history'));
    await heading(tab, 'One moment, please');
    letGo();
    await heading(tab, 'History');
    assert.equal(await tab.evaluate(() => document.activeElement.tagName), focused);
    assert.match(await tab.title(), /^History/);
    await context.unroute(later);
  }
  assert.deepEqual(wrong, []);
  await context.close();
});

test('a tab closed in the middle loses nothing: neither an enrolment nor a request', async () => {
  const { context, page, wrong } = await fresh();
  await toName(page);
  await page.getByLabel('Name of this device').fill('My own phone');
  await press(page, 'I agree, set up device');
  await page.locator('.choice-list button').first().waitFor();
  await page.close();
  const second = await context.newPage();
  await second.goto(`${wallet}#/enrol`);
  await heading(second, 'Set up this device');
  assert.equal(await second.getByLabel('Name of this device').inputValue(), 'My own phone');
  await press(second, 'I agree, set up device');
  await card(second, lena);
  await press(second, 'Go on without app PIN');
  await heading(second, 'Done. This device is set up.');

  const third = await context.newPage();
  await third.goto(await requestOf(third));
  await heading(third, /Patientenakte/);
  await third.reload();
  await heading(third, /Patientenakte/);
  await third.close();
  const fourth = await context.newPage();
  await fourth.goto(wallet);
  await fourth.getByText('Patientenakte').first().waitFor();
  assert.deepEqual(wrong, []);
  await context.close();
});

test('a passkey whose binding is not answered is bound without the card, after the tab was closed, too, and once', async () => {
  const { context, page, wrong } = await fresh();
  const jonas = 'Jonas Morgenstern';
  await authenticator(context, page);
  await toName(page, other);
  await page.getByRole('checkbox').first().check();
  await press(page, 'I agree, set up device');
  await context.route('**/devices', async (route) => {
    await route.fetch();
    await route.abort('connectionreset');
  });
  await card(page, jonas);
  await heading(page, 'Only the answer is missing');
  await press(page, 'Try again');
  await page.getByRole('alert').waitFor();
  await page.close();
  await context.unroute('**/devices');
  const later = await context.newPage();
  await later.goto(other);
  await press(later, 'Go on');
  await press(later, 'Try again');
  await heading(later, 'Done. This device is set up.');
  await later.goto(`${other}#/devices`);
  await later.getByRole('heading', { name: 'Chrome, Linux' }).first().waitFor();
  assert.equal(await later.getByRole('heading', { name: 'Chrome, Linux' }).count(), 1);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('two tabs of one wallet answer two requests at once', async () => {
  const { context, page, wrong } = await fresh();
  await enrol(page);
  const tabs = [await context.newPage(), await context.newPage()];
  for (const tab of tabs) await tab.goto(await requestOf(tab));
  for (const tab of tabs) await heading(tab, /Patientenakte/);
  await Promise.all(tabs.map((tab) => press(tab, 'Log in')));
  // One cookie of the record holds one login: both come back, and the record takes the last it began.
  await Promise.all(tabs.map((tab) => tab.waitForURL((url) => url.origin === new URL(record).origin)));
  assert.deepEqual(wrong, []);
  await context.close();
});

test('a copy of her data, then nothing of it: export and erase', async () => {
  const { context, page, wrong } = await fresh({ acceptDownloads: true });
  // Not the person of the other tests: the insurer does not know this one any more afterwards.
  const gone = 'Jürgen Groß-Weiß';
  await enrol(page, gone);
  await page.goto(`${wallet}#/data`);
  await page.reload();
  await press(page, 'Log in');
  const downloading = page.waitForEvent('download');
  await press(page, 'Download everything');
  const copy = JSON.parse(readFileSync(await (await downloading).path(), 'utf8'));
  assert.match(JSON.stringify(copy), /Jürgen/, 'the copy is about her');
  await press(page, 'Delete account');
  await page.getByRole('textbox').fill('delete');
  await press(page, 'Yes, delete account');
  await card(page, gone);
  await heading(page, 'Your account is deleted');
  await page.goto(wallet);
  await page.reload();
  await page.getByRole('button', { name: 'Start now' }).waitFor();
  assert.deepEqual(wrong, []);
  await context.close();
});

test('her devices: renamed, locked, unlocked with the card, and all blocked by the code alone', async () => {
  const { context, page, wrong } = await fresh();
  const owner = 'Kim Nguyễn';
  await enrol(page, owner);
  const made = page.waitForResponse((response) => response.url().endsWith('/account/block-code'));
  await press(page, 'Make a block code');
  const { code } = await (await made).json();
  await page.goto(`${wallet}#/devices`);
  await press(page, 'Rename: Chrome, Linux');
  await page.getByLabel('New name').fill('Kitchen');
  await press(page, 'Save name');
  await press(page, 'Lock: Kitchen');
  await press(page, 'Yes, lock');
  await press(page, 'Unlock with card: Kitchen');
  await card(page, owner);
  await page.getByRole('button', { name: 'Lock: Kitchen', exact: true }).waitFor();

  const other = await fresh();
  await other.page.goto(`${wallet}#/block`);
  await other.page.getByRole('textbox', { name: 'Block code' }).fill('ABCDEFGHJKLM');
  await press(other.page, 'Lock all devices');
  await other.page.getByText('This block code is not right').first().waitFor();
  await other.page.getByRole('textbox', { name: 'Block code' }).fill(code.toLowerCase());
  await press(other.page, 'Lock all devices');
  await heading(other.page, 'All devices are locked');
  await other.context.close();

  await page.goto(await requestOf(page));
  await heading(page, /Patientenakte/);
  await press(page, 'Log in');
  await page.getByText('locked').first().waitFor();
  assert.equal(new URL(page.url()).origin, new URL(wallet).origin);
  // One gesture: what she agreed to goes on after the card.
  await press(page, 'Log in with card');
  await card(page, owner);
  await page.waitForURL(/\/account$/);
  assert.deepEqual([...wrong, ...other.wrong], []);
  await context.close();
});

test('a passkey instead of a key: it opens the account, and without network what it wraps', async () => {
  const { context, page, wrong } = await fresh();
  await authenticator(context, page);
  await toName(page);
  await page.getByRole('checkbox').first().check();
  await press(page, 'I agree, set up device');
  await card(page, lena);
  await heading(page, 'Done. This device is set up.');
  // A reload forgets the card's login.
  await page.goto(`${wallet}#/devices`);
  await page.reload();
  await page.locator('main button').first().click();
  await page.getByText('Chrome').first().waitFor();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await context.setOffline(true);
  await page.goto(`${wallet}#/cards`);
  await page.reload();
  await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
  assert.equal(await page.getByText('Lena').count(), 0, 'nothing of her without the passkey');
  await press(page, 'Log in');
  await page.getByText('Lena').first().waitFor();
  await context.setOffline(false);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('the wallet can be installed', async () => {
  const profile = mkdtempSync(join(tmpdir(), 'wallet-profile-'));
  const context = await chromium.launchPersistentContext(profile, { ...launching, locale: 'en-GB' });
  try {
    const page = await context.newPage();
    await page.goto(wallet);
    await page.evaluate(() => navigator.serviceWorker.ready);
    const session = await context.newCDPSession(page);
    const manifest = await session.send('Page.getAppManifest');
    assert.deepEqual(manifest.errors, []);
    assert.equal(JSON.parse(manifest.data).short_name, 'GesundheitsID');
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    assert.deepEqual(installabilityErrors.map(({ errorId }) => errorId), []);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

test('how soon it can be used on a slow machine: a report', async () => {
  const { context, page, wrong } = await fresh();
  const session = await context.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await context.addInitScript(() => {
    const seen = new MutationObserver(() => {
      if (!document.querySelector('main button')) return;
      seen.disconnect();
      performance.mark('usable');
    });
    seen.observe(document, { childList: true, subtree: true });
  });
  await page.goto(wallet);
  await page.getByRole('button', { name: 'Start now' }).waitFor();
  const at = await page.evaluate(() => ['first-contentful-paint', 'usable'].map((name) => Math.round(performance.getEntriesByName(name)[0]?.startTime ?? NaN)));
  console.log(`# wallet at a quarter of this machine's speed: first paint after ${at[0]} ms, first button after ${at[1]} ms`);
  assert.deepEqual(wrong, []);
  await context.close();
});
