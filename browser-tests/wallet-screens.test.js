// Every screen of the wallet, out of the gallery (apps/wallet/gallery): nothing here needs a provider, so every state can be looked at.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, normalize } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const gallery = process.env.GALLERY;
const portal = process.env.PORTAL;
const screenshots = process.env.SCREENSHOTS;
const widths = [320, 390, 768, 1280];
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

let browser, server, origin, names;
before(async () => {
  mkdirSync(screenshots, { recursive: true });
  server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://gallery').pathname));
    try {
      const body = readFileSync(join(gallery, path));
      response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await open();
  names = await page.evaluate(() => window.gallery.names);
  await page.close();
  assert.ok(names.length > 90, 'the gallery has the screens');
});
after(async () => {
  await browser?.close();
  server?.close();
});

async function open(options = {}) {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 }, timezoneId: 'Europe/Berlin', ...options });
  const errors = [];
  page.on('pageerror', (error) => errors.push(error));
  await page.goto(`${origin}/gallery.html`);
  await page.waitForFunction(() => window.gallery && document.querySelector('h1'));
  page.errors = errors;
  return page;
}

const show = (page, name, language = 'de') => page.evaluate(([name, language]) => window.gallery.show(name, language), [name, language]);
const follow = (page, name, language = 'de') => page.evaluate(([name, language]) => window.gallery.follow(name, language), [name, language]);
/** What is reached by a tap only, at every width. */
async function photograph(page, name) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 });
    const over = await sideways(page);
    assert.ok(over <= 0, `${name} scrolls sideways by ${over} px at ${width} px`);
    await page.screenshot({ path: `${screenshots}/wallet-${name}.${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 390, height: 844 });
}

const pressed = (page) => page.evaluate(() => window.gallery.pressed());
const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/** Reasons differ in words only: two of them stand for the layout of all. */
const isLayout = (name) => !name.startsWith('reason-') || name === 'reason-too-many-tries' || name === 'reason-foreign-insurer';

async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
  // Preact draws in a microtask; axe looks after it.
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], preload: false }));
  return violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html).join('\n  ')}`).join('\n');
}

/** The colours of the sandbox's two insurers. */
async function brands() {
  const page = await browser.newPage();
  await page.goto(portal);
  const accounts = await page.locator('a[href$="/account"]').evaluateAll((links) => links.map((link) => link.href));
  await page.close();
  const sheets = accounts.map(async (account) => (await fetch(account.replace(/account$/, 'brand.css'))).text());
  const found = [...new Set(await Promise.all(sheets))];
  assert.equal(found.length, 2, 'each has its own');
  for (const sheet of found) assert.match(sheet, /--brand:#[0-9a-f]{6};/);
  return found;
}

/** Looks at every screen in a language; in which scheme of colours, is for contrast alone. */
async function look(language, tag, colorScheme, brand) {
  const page = await open({ viewport: { width: 320, height: 800 }, colorScheme });
  // The sheet as the sandbox's insurer serves it.
  await page.addStyleTag({ content: brand });
  const found = [];
  const say = (name, what) => found.push(`${name} (${language}, ${colorScheme}): ${what}`);
  for (const name of names) {
    await show(page, name, language);
    // Drawn a second time, as the shell does with every change.
    await page.evaluate(([name, language]) => window.gallery.follow(name, language), [name, language]);
    const { lang, headings, title, ids } = await page.evaluate(() => ({
      ids: [...document.querySelectorAll('[id]')].map((e) => e.id),
      lang: document.documentElement.lang,
      headings: document.querySelectorAll('h1').length,
      title: document.title,
    }));
    if (lang !== tag) say(name, `language ${lang}`);
    if (new Set(ids).size !== ids.length) say(name, `an id twice: ${ids}`);
    if (headings !== 1) say(name, `${headings} h1`);
    if (!title.includes('·')) say(name, `the page is called "${title}"`);
    const over = await sideways(page);
    if (over > 0) say(name, `${over} px too wide`);
    if (isLayout(name)) {
      const said = await violations(page);
      if (said) say(name, said);
    }
  }
  assert.deepEqual(page.errors, []);
  await page.close();
  return found;
}

test('every screen is accessible in every language, in light and dark, and none scrolls sideways at 320 px', async () => {
  const [one, other] = await brands();
  const looks = [['de', 'de', 'light', one], ['de-simple', 'de-simple', 'dark', other], ['en', 'en', 'light', other]];
  const found = await Promise.all(looks.map((one) => look(...one)));
  assert.deepEqual(found.flat(), []);
});

test('every screen is photographed at four widths', async () => {
  const photograph = async (width) => {
    const page = await open({ viewport: { width, height: 800 } });
    for (const name of names.filter(isLayout)) {
      await show(page, name);
      const over = await sideways(page);
      assert.ok(over <= 0, `${name} scrolls sideways by ${over} px at ${width} px`);
      await page.screenshot({ path: `${screenshots}/wallet-${name}.${width}.png`, fullPage: true });
    }
    await page.close();
  };
  await Promise.all(widths.map(photograph));
});

test('text of twice the size still fits, at 1280 px and on a phone', async () => {
  const page = await open();
  await page.addStyleTag({ content: 'html { font-size: 200% }' });
  const found = [];
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    await page.setViewportSize({ width, height });
    for (const name of names.filter(isLayout)) {
      await show(page, name);
      const over = await sideways(page);
      if (over > 0) found.push(`${name}: ${over} px too wide at ${width} px`);
      // Nothing may be cut off inside its box either.
      const cut = await page.evaluate(() =>
        [...document.querySelectorAll('button, dd, h1, h2, li, label')].filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline').map((e) => e.textContent),
      );
      if (cut.length > 0) found.push(`${name}: cut off at ${width} px: ${cut.join(' | ')}`);
    }
  }
  assert.deepEqual(found, []);
  await page.close();
});

test('everything that is tapped is 44 px high, and declining is as large as accepting', async () => {
  const page = await open({ viewport: { width: 320, height: 800 } });
  const found = [];
  for (const name of names.filter(isLayout)) {
    await show(page, name);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, a, input, summary')]
        // A tick or a switch is tapped by its label; a link inside a sentence is as high as its line.
        .map((e) => e.closest('label') ?? e)
        .filter((e) => e.getBoundingClientRect().height < 44 && !e.matches('p > a, .skip-link'))
        .map((e) => `${e.tagName} ${e.textContent} ${e.getBoundingClientRect().height}`),
    );
    if (small.length > 0) found.push(`${name}: ${small.join(' | ')}`);
  }
  assert.deepEqual(found, []);
  for (const [name, yes, no] of [['request-device', 'Anmelden', 'Ablehnen'], ['request-elsewhere', 'Ja, das war ich', 'Das war ich nicht'], ['request-number', 'Dort anmelden', 'Ablehnen']]) {
    await show(page, name);
    const [accept, decline] = await Promise.all(
      [yes, no].map((text) => page.getByRole('button', { name: text, exact: true }).evaluate((e) => {
        const { width, height } = e.getBoundingClientRect();
        const { fontSize, fontWeight, backgroundColor } = getComputedStyle(e);
        return { size: [width, height, fontSize, fontWeight], filled: backgroundColor !== 'rgba(0, 0, 0, 0)' };
      })),
    );
    assert.deepEqual(decline, accept, `${name}: as strong as the other`);
  }
  await page.close();
});

test('in forced colours every button keeps its edge, and nothing moves when motion is unwanted', async () => {
  const page = await open({ forcedColors: 'active', reducedMotion: 'reduce' });
  const found = [];
  for (const name of names.filter(isLayout)) {
    await show(page, name);
    const { edgeless, moving } = await page.evaluate(() => ({
      edgeless: [...document.querySelectorAll('button, .check.switch, input')]
        // Those three are underlined as links are.
        .filter((e) => e.type !== 'checkbox' && e.type !== 'radio' && !e.closest('.language-switch'))
        .filter((e) => parseFloat(getComputedStyle(e).borderTopWidth) < 1 || getComputedStyle(e).borderTopStyle === 'none')
        .map((e) => e.textContent),
      moving: document.getAnimations().length,
    }));
    if (edgeless.length > 0) found.push(`${name}: without an edge: ${edgeless.join(' | ')}`);
    if (moving > 0) found.push(`${name}: ${moving} animations`);
  }
  assert.deepEqual(found, []);
  for (const name of ['start', 'card-pin-last', 'request-device', 'devices']) {
    await show(page, name);
    await page.screenshot({ path: `${screenshots}/wallet-${name}.forced.png`, fullPage: true });
  }
  await page.close();
  const calm = await open({ reducedMotion: 'no-preference' });
  await show(calm, 'request-signing');
  assert.ok((await calm.evaluate(() => document.getAnimations().length)) > 0, 'where motion is welcome, waiting is seen');
  await calm.close();
});

test('every reason says what happened and what to do, gives the code to read out, and has a button that does it', async () => {
  const page = await open();
  const reasons = names.filter((name) => name.startsWith('reason-'));
  assert.ok(reasons.length > 45);
  const told = new Map();
  for (const name of reasons) {
    await show(page, name);
    const said = await page.evaluate(() => document.querySelector('main').innerText);
    const [title, help] = said.split('\n').filter(Boolean);
    assert.ok(!told.has(title + help), `${name} says the same as ${told.get(title + help)}`);
    told.set(title + help, name);
    assert.ok(said.includes('BCDF'), `${name}: the code`);
    await page.evaluate(() => document.querySelector('main .buttons button').click());
    assert.ok((await pressed(page)).length > 0, `${name}: its button does nothing`);
  }
  await page.close();
});

test('what is wrong with a field is said at the field, and nothing is sent', async () => {
  const page = await open();
  const field = page.getByLabel('PIN Ihrer Gesundheitskarte');
  await show(page, 'card-pin');
  await field.fill('12a3');
  await page.keyboard.press('Enter');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.ok(await field.evaluate((e) => e === document.activeElement), 'the field to put right has the focus');
  const said = await field.evaluate((e) => e.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).textContent).join(' '));
  assert.match(said, /sechs bis acht Ziffern. Es ist kein Versuch verloren/);
  assert.deepEqual(await pressed(page), []);
  await field.fill('123456');
  await page.keyboard.press('Enter');
  assert.deepEqual(await pressed(page), ['answerCard "123456"']);
  assert.equal(await field.inputValue(), '', 'the PIN does not stay on the screen');

  const app = page.getByLabel('App-PIN', { exact: true });
  await show(page, 'pin-ask');
  await follow(page, 'pin-wrong');
  assert.ok(await app.evaluate((e) => e === document.activeElement && e.getAttribute('aria-invalid') === 'true'), 'a wrong PIN leads back to its field');
  const described = await app.evaluate((e) => e.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).textContent).join(' '));
  assert.match(described, /Sie haben noch 9 Versuche/);
  const attributes = () => app.evaluate((e) => [e.type, e.inputMode, e.autocomplete]);
  assert.deepEqual(await attributes(), ['password', 'numeric', 'off']);
  await page.getByRole('checkbox', { name: 'PIN anzeigen' }).check();
  assert.deepEqual(await attributes(), ['text', 'numeric', 'off']);

  await show(page, 'block');
  await page.getByRole('textbox', { name: 'Sperr-Code' }).fill('abc');
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('textbox', { name: 'Sperr-Code' }).getAttribute('aria-invalid'), 'true');
  assert.deepEqual(await pressed(page), []);

  await show(page, 'request-number');
  await page.getByLabel('Zahl mit zwei Ziffern').fill('4');
  await page.getByRole('button', { name: 'Dort anmelden' }).click();
  assert.deepEqual(await pressed(page), [], 'not without the whole number');
  await page.getByLabel('Zahl mit zwei Ziffern').fill('42');
  await page.getByRole('switch', { name: 'E-Mail-Adresse' }).check();
  await page.getByRole('button', { name: 'Dort anmelden' }).click();
  assert.deepEqual(await pressed(page), ['approve ["urn:telematik:claims:email"] false "42"']);
  await page.close();
});

test('what she chose goes with her yes, and the screen asks again with it where it is asked for more', async () => {
  const page = await open();
  const choice = '{"voluntary":["urn:telematik:claims:email"],"remember":false}';
  for (const [screen, button, action] of [
    ['request-device', 'Anmelden', 'answerWithDevice'],
    ['request-card', 'Mit Karte anmelden', 'answerWithCard'],
  ]) {
    await show(page, screen);
    await page.getByRole('switch', { name: 'E-Mail-Adresse' }).check();
    await page.getByRole('button', { name: button, exact: true }).click();
    assert.deepEqual(await pressed(page), [`${action} ${choice}`]);
  }
  await show(page, 'request-agreed');
  assert.equal(await page.locator('main button').count(), 0, 'nothing is left to be pressed');
  await show(page, 'request-decide-more');
  assert.ok(await page.getByRole('switch', { name: 'E-Mail-Adresse' }).isChecked(), 'her choice is there');
  assert.equal(await page.getByRole('switch', { checked: true }).count(), 1, 'and nothing else is switched on');
  await show(page, 'pin-ask');
  await page.getByLabel('App-PIN', { exact: true }).fill('12 34 56');
  await page.getByRole('button', { name: 'Entsperren' }).click();
  assert.deepEqual(await pressed(page), ['typePin "123456"']);
  assert.equal(await page.getByLabel('App-PIN', { exact: true }).inputValue(), '', 'no PIN stays in the field');
  await page.close();
});

test('nothing is done twice while something is being done', async () => {
  const page = await open();
  await show(page, 'card-reading');
  await page.getByLabel('PIN Ihrer Gesundheitskarte').fill('123456');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Weiter' }).click({ force: true });
  assert.deepEqual(await pressed(page), []);
  assert.match(await page.getByRole('status').first().innerText(), /Wir lesen und prüfen die Karte/);
  await page.close();
});

test('what cannot be taken back is asked first, in a dialog that keeps the keyboard and gives it back', async () => {
  const page = await open();
  await show(page, 'devices');
  const remove = page.getByRole('button', { name: 'Entfernen: Tablet in der Küche' });
  await remove.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: '„Tablet in der Küche“ entfernen?' });
  await dialog.waitFor();
  assert.equal(await violations(page), '');
  await page.keyboard.press('Enter');
  assert.deepEqual(await pressed(page), [], 'a second Enter is no answer');
  await photograph(page, 'dialog-remove');
  for (let step = 0; step < 6; step++) {
    await page.keyboard.press('Tab');
    assert.ok(await dialog.evaluate((e) => e.contains(document.activeElement) || document.activeElement === document.body), 'the focus stays in the dialog');
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(await remove.evaluate((e) => e === document.activeElement), 'back where she was');
  assert.deepEqual(await pressed(page), []);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Ja, entfernen' }).click();
  assert.deepEqual(await pressed(page), ['removeDevice "d2"']);

  await show(page, 'data');
  // As the shell does it: drawn again, then the dialog.
  await page.evaluate(() => window.gallery.follow('data', 'de'));
  await page.getByRole('button', { name: 'Konto löschen' }).click();
  const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map((e) => e.id));
  assert.equal(new Set(ids).size, ids.length, `no id twice: ${ids}`);
  await page.getByRole('button', { name: 'Ja, Konto löschen' }).click();
  assert.deepEqual(await pressed(page), [], 'not before the word is typed');
  await page.getByLabel('Schreiben Sie zur Sicherheit „löschen“').fill('Löschen');
  assert.equal(await violations(page), '');
  await photograph(page, 'dialog-erase');
  await page.getByRole('button', { name: 'Ja, Konto löschen' }).click();
  assert.deepEqual(await pressed(page), ['erase']);
  await page.close();
});

/** Whoever is at the keyboard: Tab until it is there. */
async function tabTo(page, role, name) {
  const target = page.getByRole(role, { name, exact: typeof name === 'string' }).first();
  await target.waitFor();
  for (let step = 0; step < 60; step++) {
    if (await target.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${role} ${name} is not reached by Tab`);
}

async function pressKey(page, role, name, key = 'Enter') {
  await tabTo(page, role, name);
  await page.keyboard.press(key);
}

/** After each change of the screen the focus is at its heading, so that a screen reader begins there. */
async function arrive(page, name) {
  const title = page.getByRole('heading', { level: 1, name });
  await title.waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'H1', null, { timeout: 3_000 });
}

test('the way out for a person without a PIN takes the focus with it, there and back', async () => {
  const page = await open();
  for (const name of ['start', 'enrol-prepare', 'card-pin']) {
    await show(page, name);
    const title = await page.getByRole('heading', { level: 1 }).innerText();
    await pressKey(page, 'button', 'Ich habe keine PIN');
    await arrive(page, 'So kommen Sie zu Ihrer PIN');
    assert.equal(await violations(page), '');
    if (name === 'start') await photograph(page, 'pin-missing');
    await pressKey(page, 'button', 'Zurück');
    await arrive(page, title);
  }
  await page.close();
});

test('enrolling and logging in need nothing but a keyboard', { skip: process.env.PORTAL ? false : 'no sandbox' }, async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'de-DE' });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(process.env.PORTAL);
  const account = await page.locator('a[href$="/account"]').first().getAttribute('href');
  const record = new URL(await page.locator('ol.steps a.button').first().getAttribute('href'), process.env.PORTAL).href;
  const wallet = `${account.replace(/\/account$/, '')}/wallet/`;

  await page.goto(wallet);
  await page.getByRole('heading', { level: 1, name: 'GesundheitsID einrichten' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Zum Inhalt springen', 'the first stop leads past the head of the page');
  await pressKey(page, 'button', 'Jetzt beginnen');
  await arrive(page, 'Legen Sie das bereit');
  await pressKey(page, 'button', 'Ich habe beides hier');
  await arrive(page, 'Dieses Gerät einrichten');
  await tabTo(page, 'textbox', 'Name für dieses Gerät');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('Mein Computer');
  await pressKey(page, 'button', 'Einverstanden, Gerät einrichten');
  await arrive(page, 'Welche Karte nehmen Sie?');
  await page.locator('.choice-list button').first().waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await arrive(page, 'PIN der Karte eingeben');
  await tabTo(page, 'textbox', 'PIN Ihrer Gesundheitskarte');
  await page.keyboard.type('123456');
  await page.keyboard.press('Enter');
  await arrive(page, 'App-PIN wählen');
  await tabTo(page, 'textbox', 'Neue App-PIN');
  await page.keyboard.type('407193');
  await page.keyboard.press('Enter');
  await arrive(page, 'App-PIN noch einmal eingeben');
  await tabTo(page, 'textbox', 'Dieselbe App-PIN');
  await page.keyboard.type('407193');
  await page.keyboard.press('Enter');
  await arrive(page, 'Fertig. Dieses Gerät ist eingerichtet.');

  await page.goto(record);
  await page.locator('form[action="/login"] button[type=submit]').press('Enter');
  await page.waitForURL(/\/auth\?/);
  const link = await page.locator('a[href*="login="]').first().getAttribute('href');
  await page.goto(`${wallet}${new URL(link).search}`);
  await page.getByRole('heading', { level: 1, name: /^Bei .* anmelden\?$/ }).waitFor();
  await pressKey(page, 'switch', 'E-Mail-Adresse', 'Space');
  await pressKey(page, 'button', 'Anmelden');
  await arrive(page, 'App-PIN eingeben');
  await tabTo(page, 'textbox', 'App-PIN');
  await page.keyboard.type('407193');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/account$/);
  const told = await page.locator('table.claims').innerText();
  assert.match(told, /@/, 'what was switched on has arrived');
  await context.close();
});
