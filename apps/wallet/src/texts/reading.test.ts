import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { simple } from './de-simple.ts';
import { de, type Texts } from './de.ts';
import { en } from './en.ts';
import { more as moreSimple } from './more-de-simple.ts';
import { more as moreDe, type MoreTexts } from './more-de.ts';
import { more as moreEn } from './more-en.ts';
import { complaints, lix, schoolYear, sentences, type Level } from './reading.ts';

const GERMAN_TRADE = [
  'authenti', 'token', 'server', 'session', 'sitzung', 'login', 'client', 'provider', 'issuer', 'attest', 'krypt', 'zertifi', 'signatur', 'signier',
  'schlüssel', 'browser', 'url', 'api', 'http', 'json', 'cookie', 'cache', 'parameter', 'konfigur', 'endgerät', 'identifizier', 'verifizier', 'autoris',
  'einwillig', 'fachdienst', 'kvnr', 'claim', 'redirect', 'request', 'timeout', 'backend', 'scan', 'validier', 'initial',
];
const ENGLISH_TRADE = [
  'authent', 'token', 'server', 'session', 'client', 'provider', 'issuer', 'attest', 'crypt', 'certif', 'signature', 'key', 'browser', 'url', 'api', 'http',
  'json', 'cookie', 'cache', 'parameter', 'config', 'credential', 'verif', 'authori', 'claim', 'redirect', 'timeout', 'backend', 'scan', 'valida', 'revoke',
];

/**
 * B1: main clauses with at most one other beside them; newspapers have a LIX of 50 and are read at B2, so 30 leaves no doubt. Plain language: about
 * one thought a sentence, long words taken apart. The texts of November 2026 have 23, 17 and 15: a page of officialese added would be noticed.
 */
const LEVELS: { name: string; texts: Texts & MoreTexts; level: Level; schoolYear?: number }[] = [
  { name: 'German', texts: { ...de, ...moreDe }, level: { longestSentence: 16, longestWord: 18, lix: 30, banned: GERMAN_TRADE }, schoolYear: 4 },
  { name: 'plain German', texts: { ...simple, ...moreSimple }, level: { longestSentence: 12, longestWord: 14, lix: 22, banned: GERMAN_TRADE }, schoolYear: 2 },
  { name: 'English', texts: { ...en, ...moreEn }, level: { longestSentence: 16, longestWord: 14, lix: 22, banned: ENGLISH_TRADE } },
];

/** Every text, with where it stands; those with values get short ones, so that a sentence is judged by our words. */
function all(node: unknown, path: string): [string, string][] {
  if (typeof node === 'string') return [[path, node]];
  if (typeof node === 'function') return all((node as (...values: unknown[]) => unknown)('2', '2'), path);
  if (Array.isArray(node)) return node.flatMap((item, at) => all(item, `${path}.${at}`));
  return Object.entries(node as object).flatMap(([key, value]) => all(value, path === '' ? key : `${path}.${key}`));
}

/** Running text: what ends as a sentence does. Headings, labels and buttons would make any average look good. */
const running = (texts: [string, string][]) => texts.map(([, text]) => text).filter((text) => /[.?!]["“”]?$/.test(text));

describe.each(LEVELS)('$name', ({ texts, level, schoolYear: year }) => {
  const found = all(texts, '');

  it('has no sentence and no word that is too long, and no word of the trade', () => {
    expect(found.flatMap(([path, text]) => complaints(text, level).map((said) => `${path}: ${said}`))).toEqual([]);
  });

  it('reads at its level', () => {
    const text = running(found);
    expect(text.length).toBeGreaterThan(150);
    expect(lix(text)).toBeLessThanOrEqual(level.lix);
    if (year !== undefined) expect(schoolYear(text)).toBeLessThanOrEqual(year);
  });

  it('has no empty text', () => {
    expect(found.filter(([, text]) => text.trim() === '')).toEqual([]);
  });
});

it('a text as offices write it does not pass', () => {
  const text =
    'Die Authentifizierung mittels des kryptographischen Geräteschlüssels konnte aufgrund einer zwischenzeitlich eingetretenen Ungültigkeit der Versichertenstammdatenzuordnung seitens des Identitätsproviders nicht erfolgreich abgeschlossen werden.';
  for (const { level } of LEVELS) expect(complaints(text, level).length).toBeGreaterThan(3);
  expect(lix([text])).toBeGreaterThan(60);
  expect(schoolYear([text])).toBeGreaterThan(14);
});

it('sentences end where a reader ends them', () => {
  expect(sentences('Das ist eins. Das ist zwei? Ja: Drei.')).toHaveLength(4);
  expect(sentences('„Mein Handy“. Oder „Tablet“?')).toHaveLength(2);
  expect(sentences('Weiter')).toEqual(['Weiter']);
});

it('every text is shown somewhere', () => {
  const folder = new URL('../screens/', import.meta.url);
  const sources = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const source = sources.join('\n');
  // Looked up by a name of the model: complete by their types.
  const byName = ['reasons', 'claims', 'events', 'done', 'doing', 'purposes', 'kept', 'steps', 'nav', 'navHelp'];
  const unused = Object.entries({ ...de, ...moreDe })
    .filter(([group, texts]) => typeof texts === 'object' && !byName.includes(group))
    .flatMap(([group, texts]) => Object.keys(texts).map((key) => `t.${group}.${key}`))
    .filter((name) => !new RegExp(`\\b${name.replaceAll('.', '\\.')}\\b`).test(source));
  expect(unused).toEqual([]);
});
