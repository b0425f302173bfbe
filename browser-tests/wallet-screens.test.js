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
const pressed = (page) => page.evaluate(() => window.gallery.pressed());
const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/** Reasons differ in words only: two of them stand for the layout of all. */
const isLayout = (name) => !name.startsWith('reason-') || name === 'reason-too-many-tries' || name === 'reason-foreign-insurer';

async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
  // Preact draws in a microtask; axe looks after it.
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html).join('\n  ')}`).join('\n');
}

/** Looks at every screen in a language; in which scheme of colours, is for contrast alone. */
async function look(language, tag, colorScheme) {
  const page = await open({ viewport: { width: 320, height: 800 }, colorScheme });
  const found = [];
  const say = (name, what) => found.push(`${name} (${language}, ${colorScheme}): ${what}`);
  for (const name of names) {
    await show(page, name, language);
    const { lang, headings, title } = await page.evaluate(() => ({
      lang: document.documentElement.lang,
      headings: document.querySelectorAll('h1').length,
      title: document.title,
    }));
    if (lang !== tag) say(name, `language ${lang}`);
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
  const looks = [['de', 'de', 'light'], ['de-simple', 'de-simple', 'dark'], ['en', 'en', 'light']];
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
