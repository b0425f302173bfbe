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

const steps = 4;
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

/** Silent reading of adults, non-fiction (M. Brysbaert, How many words do we read per minute?, 2019). */
const WORDS_A_MINUTE = 238;
/** For finding a button and pressing it, or a field and filling it in. Assumed, not measured with people. */
const SECONDS_FOR_ONE_ACT = 3;
const LIMIT_SECONDS = 180;
const visible = (part) => [...part.querySelectorAll(':scope nav, :scope .visually-hidden')].reduce((text, left) => text.replace(left.innerText, ' '), part.innerText);

for (const [locale, words] of [
  ['de-DE', { record: 'Patientenakte öffnen', account: 'Patientenakte ansehen', yes: 'Ja, das war ich', pin: 'PIN Ihrer Gesundheitskarte', next: 'Weiter', number: 'Zahl mit zwei Ziffern', accept: 'Dort anmelden', unseen: 'noch nicht' }],
  ['en-GB', { record: 'Open the patient record', account: 'Look at the patient record', yes: 'Yes, that was me', pin: 'PIN of your health card', next: 'Continue', number: 'Number with two digits', accept: 'Log in there', unseen: 'not yet' }],
]) {
  test(`a newcomer takes the tour in three minutes, and each step sees what she did (${locale})`, async () => {
    // The tour itself runs without JavaScript; computer and phone are two windows of one browser, as the tour opens them.
    const guide = await browser.newContext({ locale, javaScriptEnabled: false });
    const windows = await browser.newContext({ locale, viewport: { width: 390, height: 844 } });
    for (const context of [guide, windows]) context.setDefaultTimeout(10_000);
    const tour = await guide.newPage();
    const computer = await windows.newPage();
    const began = Date.now();
    let read = 0;
    let acts = 0;
    /** What stands on a screen she has to read: without folded parts, and without the list of all steps. */
    const reads = async (...parts) => {
      for (const part of parts) read += (await part.evaluate(visible)).split(/\s+/).filter((word) => /\p{L}|\d/u.test(word)).length;
    };
    const act = async (done) => {
      acts += 1;
      await done;
    };
    const main = (page) => page.locator('main');
    const link = (name) => tour.getByRole('link', { name }).getAttribute('href');
    const on = () => act(next(tour));
    const seen = async (step) => {
      assert.ok(tour.url().includes(`step=${step}&`), tour.url());
      await act(tour.reload());
      assert.equal(await tour.locator('.tag').getByText(words.unseen).count(), 0, `step ${step}: ${await main(tour).innerText()}`);
      await on();
    };

    await tour.goto(`${portal}/tour`);
    await reads(main(tour));
    await on();
    assert.ok((await tour.locator('.tag').getByText(words.unseen).count()) > 0, 'nothing is seen before anything is done');
    await reads(main(tour));
    await act(computer.goto(await link(words.record)));
    await act(computer.locator('form[action="/login"] button[type=submit]').click());
    await computer.waitForURL(/\/auth\?/);
    await seen(1);

    await reads(main(tour));
    const waiting = computer.frameLocator('iframe.waiting');
    const digits = await waiting.locator('.number strong').innerText();
    // Of the computer's page she needs the part that waits for the phone.
    await reads(waiting.locator('main'));
    const opened = windows.waitForEvent('page');
    await act(waiting.locator('.code a').click());
    const phone = await opened;
    await phone.getByRole('button', { name: words.yes, exact: true }).waitFor();
    await reads(main(phone));
    await act(phone.getByRole('button', { name: words.yes, exact: true }).click());
    const card = phone.locator('.choice-list button').filter({ hasText: 'Lena Beispiel' });
    await card.waitFor();
    // Of all the cards she looks for the one that the tour names.
    await act(card.click());
    await act(phone.getByLabel(words.pin).fill('123456'));
    await act(phone.getByRole('button', { name: words.next, exact: true }).click());
    await phone.getByLabel(words.number).waitFor();
    await reads(main(phone));
    await act(phone.getByLabel(words.number).fill(digits));
    await act(phone.getByRole('button', { name: words.accept, exact: true }).click());
    await computer.waitForURL(/\/account$/);
    await seen(2);

    await reads(main(tour));
    assert.ok((await computer.locator('table.claims tbody tr').count()) > 0, 'the first window is logged in');
    await act(computer.goto(await link(words.account)));
    await seen(3);
    // She is logged in. What can be done now stands on the last page, and is no part of the tour's way.
    assert.ok(tour.url().includes(`step=${steps}&`), 'the last step');

    const reading = Math.round((read / WORDS_A_MINUTE) * 60);
    const acting = acts * SECONDS_FOR_ONE_ACT;
    console.log(`tour (${locale}): ${read} words to read, ${reading} s; ${acts} acts, ${acting} s; played in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    assert.ok(reading + acting <= LIMIT_SECONDS, `${reading + acting} s`);
    await Promise.all([guide.close(), windows.close()]);
  });
}
