// What `browser-tests/interactive` measures: see there.

import { chromium } from 'playwright-core';

const [wallet, slowdown] = [process.argv[2], Number(process.argv[3])];
const RUNS = 11;

/** In the page: when the first screen's first button is there, and when a press on it has an effect. */
function watch() {
  window.seen = {};
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.seen.longest = Math.max(window.seen.longest ?? 0, duration);
  }).observe({ type: 'longtask', buffered: true });
  const before = () => document.querySelector('main h1')?.textContent;
  new MutationObserver(() => {
    const button = document.querySelector('main button');
    if (!button || window.seen.stood) return;
    window.seen.stood = performance.now();
    const title = before();
    // After what is under way: as a finger would meet it.
    setTimeout(function press() {
      document.querySelector('main button')?.click();
      setTimeout(() => {
        if (before() === title) return press();
        window.seen.answered = performance.now();
      });
    });
  }).observe(document, { childList: true, subtree: true });
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] });
const runs = [];
for (let run = 0; run < RUNS; run += 1) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'de-DE' });
  const page = await context.newPage();
  await page.addInitScript(watch);
  const door = await context.newCDPSession(page);
  await door.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  await page.goto(wallet);
  await page.waitForFunction(() => window.seen.answered, null, { timeout: 30_000 });
  runs.push(await page.evaluate(() => window.seen));
  await context.close();
}
await browser.close();

const middle = (name) => {
  const sorted = runs.map((run) => run[name] ?? 0).sort((one, other) => one - other);
  const [least, median, greatest] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map(Math.round);
  return `${median} [${least} to ${greatest}]`;
};
console.log(`processor slowed down ${slowdown} times, ${RUNS} loads with nothing cached, milliseconds`);
console.log(`first screen stood: ${middle('stood')}`);
console.log(`first button answered: ${middle('answered')}`);
console.log(`longest task: ${middle('longest')}`);
