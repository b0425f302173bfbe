// Builds again, beside, and fails where `dist` is not what the sources say, or where the first load is too heavy.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** HTML, style, script and words in one language, compressed, in bytes. */
const FIRST_LOAD_LIMIT = 60_000;
/**
 * What is fetched later, with limits of their own: screens that hardly anybody sees first, with their words in all
 * languages (one is fetched), when the browser has nothing else to do; the arithmetic of
 * the app's PIN and of a move to a new phone when it is needed first. `wallet-pin.test.js` and `wallet-move.test.js` see that it is not before.
 */
const LATER = [
  { what: 'after the first screen', name: /^assets\/more-/, limit: 16_000 },
  { what: 'with the first PIN', name: /^assets\/pin-/, limit: 20_000 },
  { what: 'where phones are woken', name: /^assets\/(waking|push)-/, limit: 4_000 },
  { what: 'with the first move', name: /^assets\/moving-/, limit: 6_000 },
];

const committed = 'dist';
const built = mkdtempSync(join(tmpdir(), 'wallet-'));

const files = (dir) =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(dir, name)).isFile())
    .sort();

/** Compressors differ between machines, what they compress does not. */
const content = (dir, name) => (name.endsWith('.gz') ? gunzipSync(readFileSync(join(dir, name))) : readFileSync(join(dir, name)));

function differences() {
  const [here, there] = [files(committed), files(built)];
  const odd = [
    ...here.filter((name) => !there.includes(name)).map((name) => `${name}: nobody builds it`),
    ...there.filter((name) => !here.includes(name)).map((name) => `${name}: not committed`),
  ];
  const both = here.filter((name) => there.includes(name));
  return [...odd, ...both.filter((name) => !content(committed, name).equals(content(built, name))).map((name) => `${name}: differs`)];
}

/** What a first visit fetches before it can be used: what the page names, and the heaviest language. And what comes later. */
function loads() {
  const page = readFileSync(join(built, 'index.html'), 'utf8');
  const named = [...page.matchAll(/"\.\/(assets\/[^"]+\.(?:js|css))"/g)].map(([, name]) => name);
  const size = (name) => statSync(join(built, `${name}.gz`)).size;
  const others = files(built).filter((name) => /^assets\/.+\.js$/.test(name) && !named.includes(name));
  const languages = others.filter((name) => /^assets\/(de|de-simple|en)-/.test(name));
  const heaviest = languages.sort((a, b) => size(b) - size(a))[0];
  const isLater = (name) => LATER.some((one) => one.name.test(name));
  // Any other chunk that is no language is fetched by something: counted, so that nobody splits the limit away.
  const rest = others.filter((name) => !languages.includes(name) && !isLater(name));
  const sized = (names) => names.map((name) => [name, size(name)]);
  return { first: sized(['index.html', ...named, ...(heaviest ? [heaviest] : []), ...rest]), later: LATER.map(({ what, name, limit }) => [what, sized(others.filter((one) => name.test(one))), limit]) };
}

let failed = false;
try {
  execFileSync('npx', ['vite', 'build', '--outDir', built, '--emptyOutDir', '--logLevel', 'error'], { stdio: 'inherit' });
  for (const difference of differences()) {
    console.error(`dist/${difference}`);
    failed = true;
  }
  if (failed) console.error('dist is not what src builds: npm run build, and commit it');
  const { first, later } = loads();
  for (const [what, files, limit] of [
    ['first load', first, FIRST_LOAD_LIMIT],
    ...later,
  ]) {
    const total = files.reduce((sum, [, size]) => sum + size, 0);
    console.log(`${what}: ${total} bytes compressed (${files.map(([name, size]) => `${name} ${size}`).join(', ')})`);
    if (total > limit) {
      console.error(`${what}: more than ${limit} bytes`);
      failed = true;
    }
  }
} finally {
  rmSync(built, { recursive: true });
}
process.exit(failed ? 1 : 0);
