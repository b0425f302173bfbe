// What holds for every page that a server has made.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screenshots = process.env.SCREENSHOTS;
const widths = [320, 390, 768, 1280];

/** What every page must be: in its language, one heading, no sideways scrolling at any width, no violation. */
export async function check(page, name, lang) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} scrolls sideways by ${overflow} px at ${width} px`);
    await page.screenshot({ path: `${screenshots}/${name}.${lang}.${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.getAttribute('html', 'lang'), lang, `${name}: language`);
  assert.equal(await page.locator('h1').count(), 1, `${name}: one h1`);
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html).join('\n  ')}`).join('\n');
  assert.equal(found, '', `${name} (${lang})`);
}
