// The tour, as a newcomer takes it: three windows, no JavaScript in the tour's own, everything the page calls seen was really done.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const portal = process.env.PORTAL;
const screenshots = process.env.SCREENSHOTS;

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});
after(() => browser?.close());

const steps = 8;
const next = (page) => page.locator('main p.button-row').last().locator('a.button').first().click();

for (const [lang, locale] of [['de', 'de-DE'], ['en', 'en-GB']]) {
  test(`every step of the tour is accessible (${lang})`, async () => {
    const context = await browser.newContext({ locale });
    const page = await context.newPage();
    await page.goto(`${portal}/tour`);
    for (let step = 0; step <= steps; step += 1) {
      await page.locator('details').evaluateAll((all) => all.forEach((one) => (one.open = true)));
      for (const width of [320, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(overflow <= 0, `step ${step} scrolls sideways by ${overflow} px at ${width} px`);
        await page.screenshot({ path: `${screenshots}/tour-${step}.${lang}.${width}.png`, fullPage: true });
      }
      assert.equal(await page.locator('h1').count(), 1);
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.map((violation) => `${violation.id}: ${violation.nodes[0].html}`), [], `step ${step}`);
      if (step < steps) await next(page);
    }
    assert.ok(page.url().includes(`step=${steps}&`));
    await context.close();
  });
}

test('a newcomer takes the tour to its end, and each step sees what she did', async () => {
  // The tour itself runs without JavaScript; computer and phone are two windows of one browser, as the tour opens them.
  const guide = await browser.newContext({ locale: 'en-GB', javaScriptEnabled: false });
  const windows = await browser.newContext({ locale: 'en-GB', viewport: { width: 390, height: 844 } });
  for (const context of [guide, windows]) context.setDefaultTimeout(10_000);
  const tour = await guide.newPage();
  const computer = await windows.newPage();
  let phone = await windows.newPage();
  const press = (name) => phone.getByRole('button', { name, exact: true }).click();
  const heading = (name) => phone.getByRole('heading', { level: 1, name }).waitFor();
  const link = (name) => tour.getByRole('link', { name }).getAttribute('href');
  const seen = async (step) => {
    assert.ok(tour.url().includes(`step=${step}&`), tour.url());
    await tour.reload();
    assert.equal(await tour.getByText('not seen yet').count(), 0, `step ${step}: ${await tour.locator('main').innerText()}`);
    await next(tour);
  };

  await tour.goto(`${portal}/tour`);
  await next(tour);
  assert.ok((await tour.getByText('not seen yet').count()) > 0, 'nothing is seen before anything is done');
  await computer.goto(await link('Open the patient record'));
  await computer.locator('form[action="/login"] button[type=submit]').click();
  await computer.waitForURL(/\/auth\?/);
  await seen(1);

  await phone.goto(await link('Open the phone'));
  await phone.getByRole('heading', { level: 1 }).waitFor();
  await seen(2);

  await press('Start now');
  await press('I have both here');
  await press('I agree, set up device');
  await phone.locator('.choice-list button').first().click();
  await phone.getByLabel('PIN of your health card').fill('123456');
  await press('Continue');
  await press('Go on without app PIN');
  await heading('Done. This device is set up.');
  await seen(3);

  await computer.locator(`a[href^="${portal}/card"]`).first().click();
  const opened = windows.waitForEvent('page');
  await computer.getByRole('link', { name: 'Log in with the wallet' }).click();
  await phone.close();
  phone = await opened;
  await heading(/Patientenakte/);
  await phone.getByLabel('Do not ask again for this service').check();
  await press('Log in');
  await phone.waitForURL(/\/account$/);
  await seen(4);

  await computer.goto(await link('Look at the patient record'));
  assert.ok((await computer.locator('table.claims tbody tr').count()) > 0, 'the first window is logged in');
  await seen(5);

  await phone.goto(await link('Open the history'));
  await press('Log in');
  await phone.getByRole('article').filter({ hasText: 'Patientenakte' }).first().waitFor();
  await seen(6);

  await phone.goto(await link('Open the consents'));
  await phone.getByRole('button', { name: /Withdraw/ }).first().click();
  await press('Yes, withdraw');
  await phone.getByText('You have given no service a lasting consent.').waitFor();
  await seen(7);
  assert.ok(tour.url().includes(`step=${steps}&`), 'the last step');
  await Promise.all([guide.close(), windows.close()]);
});
