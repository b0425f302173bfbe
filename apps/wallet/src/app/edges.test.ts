/** What comes from outside: links, configuration, answers, card readers. Whatever does not fit is refused, and every request ends. */

import { expect, test } from 'vitest';
import { readerOf, type ShellReader } from '../card/reader.ts';
import { Provider } from '../transport/provider.ts';
import * as read from './account-answers.ts';
import { preferred, readConfig } from './config.ts';
import { browserClass } from './bind.ts';
import { problemOf, refusal } from './problem.ts';
import { hashOf, linkOf, routeOf } from './route.ts';

const LINK = '?issuer=https%3A%2F%2Fidp.example&client_id=https%3A%2F%2Fa.example&login=x';

test('a link has one of each: issuer, client and login', () => {
  expect(linkOf(LINK)).toEqual({ issuer: 'https://idp.example', clientId: 'https://a.example', login: 'x' });
});

test.each(['', '?', '?lang=en', '?utm=1'])('%j is no link at all', (search) => expect(linkOf(search)).toBeUndefined());

test.each(['?login=x', '?issuer=a&client_id=b', `${LINK}&login=y`, `${LINK}&issuer=z`, '?issuer=&client_id=b&login=c', `${LINK}${'x'.repeat(8192)}`])(
  'half a link, or two in one, is broken: %.40s',
  (search) => expect(linkOf(search)).toBeNull(),
);

test('every route has an address of its own, and other addresses lead nowhere', () => {
  for (const route of ['start', 'enrol', 'request', 'block', 'help'] as const) expect(routeOf(hashOf(route))).toBe(route);
  for (const hash of ['#/nowhere', '#/toString', '#/__proto__', '#/constructor', '#x']) expect(routeOf(hash)).toBe('not-found');
  expect(routeOf('')).toBe('start');
});

const CONFIG = {
  issuer: 'https://idp.example/a/',
  insurer: 'A',
  logo: '../logo.svg',
  invented: true,
  card_terminal: null,
  device_classes: [{ name: 'software', level: 'l', reconfirm_after_seconds: 86400, evidence: 'claimed' }],
  support: { phone: '1' },
  languages: ['de', 'xx', 'en'],
};

test('a configuration is read, with what this wallet does not speak left out', () => {
  expect(readConfig(JSON.stringify(CONFIG))).toMatchObject({
    issuer: 'https://idp.example/a',
    languages: ['de', 'en'],
    support: { phone: '1', mail: null, url: null },
  });
});

test.each([
  '',
  '[]',
  '{}',
  JSON.stringify({ ...CONFIG, issuer: 7 }),
  JSON.stringify({ ...CONFIG, device_classes: null }),
  JSON.stringify({ ...CONFIG, insurer: undefined }),
])('%.30s is no configuration', (body) => expect(readConfig(body)).toBeUndefined());

test('the first language wanted that is offered is spoken', () => {
  expect(preferred(['fr', 'en-GB', 'de'], ['de', 'de-simple', 'en'])).toBe('en');
  expect(preferred(['fr'], ['de', 'en'])).toBe('de');
  expect(preferred([], ['en'])).toBe('en');
});

test('a key in a browser is of a class nothing has to be shown for, and of the weakest one', () => {
  const one = (name: string, evidence: string, reconfirm_after_seconds: number) => ({ name, level: 'l', evidence, reconfirm_after_seconds });
  expect(browserClass([one('secure-element', 'claimed', 9), one('software', 'claimed', 1)])?.name).toBe('software');
  expect(browserClass([one('strong', 'claimed', 9), one('weak', 'claimed', 1), one('other', 'attested', 0)])?.name).toBe('weak');
  expect(browserClass([one('software', 'attested', 1)])).toBeUndefined();
});

test.each([
  [429, '{}', 'too-many-tries'],
  [503, '<html>', 'unavailable'],
  [502, '', 'unavailable'],
  [500, 'null', 'internal'],
  [404, '[]', 'not-found'],
  [400, '{"reason":"constructor"}', 'malformed'],
  [403, '{"reason":"card-expired"}', 'card-expired'],
  [403, '{"reason":7}', 'malformed'],
])('a refusal %d %s is %s', (status, body, reason) => expect(refusal(status, body).reason).toBe(reason));

test('what nobody thought of is told as such, without its words', () => {
  expect(problemOf(new TypeError('secret'))).toEqual({ reason: 'unexpected', supportCode: null, retryAfter: null, triesLeft: null });
  expect(problemOf(undefined).reason).toBe('unexpected');
});

const provider = (fetch: ConstructorParameters<typeof Provider>[2], limit = 10) => new Provider('https://idp.example', 'http://here', fetch, limit);
const reasonOf = (work: Promise<unknown>) => work.then(() => 'nothing', (error: unknown) => problemOf(error).reason);

test('a request that is never answered ends, and so does one whose body never does', async () => {
  const hangs = (_url: string, { signal }: RequestInit) =>
    new Promise<never>((_resolve, reject) => signal?.addEventListener('abort', () => reject(new DOMException('x', 'AbortError'))));
  expect(await reasonOf(provider(hangs).post('x', {}))).toBe('timeout');
  const halfway = async (url: string, init: RequestInit) => ({ status: 200, text: () => hangs(url, init) }) as unknown as Response;
  expect(await reasonOf(provider(halfway).post('x', {}))).toBe('timeout');
  expect(await reasonOf(provider(() => Promise.reject(new TypeError('x'))).post('x', {}))).toBe('offline');
});

test('requests go to the own base only, without redirects, caches and foreign cookies', async () => {
  const seen: [string, RequestInit][] = [];
  const own = provider(async (url, init) => (seen.push([url, init]), Response.json({})));
  await own.send({ want: 'send', method: 'GET', url: 'https://idp.example/auth/jwks', body: null });
  expect(seen).toMatchObject([['http://here/auth/jwks', { method: 'GET', redirect: 'error', cache: 'no-store', credentials: 'same-origin' }]]);
  for (const url of ['https://idp.example.evil/x', 'https://other.example/auth', 'https://idp.example']) {
    expect(() => own.send({ want: 'send', method: 'GET', url, body: null })).toThrow('foreign-insurer');
  }
  expect(seen).toHaveLength(1);
});

test.each(['null', '[]', '"x"', '', '{'])('an answer of the account that is %j is not believed', async (body) => {
  expect(await reasonOf(provider(async () => new Response(body)).post('x', {}))).toBe('answer-not-genuine');
});

test('an overview with a line that is not understood leaves out that line', () => {
  const device = { id: 'd', name: 'n', class: 'c', bound_at: 1 };
  const overview = read.overview({ consents: [{}, 7, null], devices: [device, { ...device, id: 5 }], cards: [{}] }, 'd');
  expect(overview).toMatchObject({ consents: [], cards: [], blockCode: null, devices: [{ id: 'd', isThis: true, locked: false, kind: 'device-key' }] });
  for (const broken of [{}, { consents: {}, devices: [] }, { consents: [], devices: 'x' }]) expect(() => read.overview(broken, undefined)).toThrow('answer-not-genuine');
});

test("a card's last day is a day that exists, or not known", () => {
  const card = { kind: 'health-card', insurer: 'I', kvnr: 'K', name: 'N' };
  const shown = (valid_until: unknown) => read.overview({ consents: [], devices: [], cards: [{ ...card, valid_until }] }, undefined).cards[0]?.validUntil;
  for (const good of ['2028-02-29', '2026-12-31', '1969-12-31']) expect(shown(good)).toBe(good);
  for (const bad of [undefined, null, '', '2027', '2027-04', '2027-02-29', '2027-13-01', '2027-04-31', '2027-04-30T12:00:00Z', '30.04.2027', 1_800_000_000, {}]) expect(shown(bad)).toBeNull();
});

test('the app around the page comes before a terminal, and without either there is no reader', () => {
  const shell = {} as ShellReader;
  expect(readerOf(shell, 'http://terminal', fetch)?.kind).toBe('shell');
  expect(readerOf(undefined, 'http://terminal', fetch)?.kind).toBe('terminal');
  expect(readerOf(undefined, null, fetch)).toBeUndefined();
});

test.each([
  [{ reason: 'pin-wrong', tries_left: 2 }, 'pin-wrong'],
  [{ reason: 'card-gone' }, 'card-gone'],
  [{ reason: 'puk-used-up' }, 'puk-used-up'],
  [{ reason: 'origin-refused' }, 'reader-unreachable'],
  [{ reason: 'toString' }, 'reader-unreachable'],
  [new Error('secret'), 'reader-unreachable'],
  [undefined, 'reader-unreachable'],
])('an app that rejects with %j means %s', async (rejected, reason) => {
  const shell: ShellReader = { cards: () => Promise.reject(rejected), sign: () => Promise.reject(rejected), unblock: () => Promise.reject(rejected) };
  const reader = readerOf(shell, null, fetch);
  expect(await reasonOf(reader?.sign('c', '123456', 'x') ?? Promise.resolve())).toBe(reason);
});

test('a terminal is told card, PIN and challenge, and what it answers is handed on', async () => {
  const seen: [string, unknown][] = [];
  const terminal = readerOf(undefined, 'http://terminal', async (url, init) => {
    seen.push([url, init.body === undefined ? null : JSON.parse(String(init.body))]);
    return Response.json(url.endsWith('/sign') ? { response: 'r' } : { cards: [{ id: '1', name: 'n', tries_left: null }, { id: 2 }, 'x'] });
  });
  expect(await terminal?.cards('de-simple')).toEqual([
    { id: '1', name: 'n', insurer: null, issuedByText: null, special: null, pinHint: null, triesLeft: null },
  ]);
  expect(await terminal?.sign('1', '123456', 'a.b.c')).toBe('r');
  expect(seen).toEqual([
    ['http://terminal/terminal/cards?lang=de', null],
    ['http://terminal/terminal/sign', { card: '1', pin: '123456', challenge: 'a.b.c' }],
  ]);
});
