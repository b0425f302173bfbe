/** Starts the wallet in a browser's page. */

import { create, get, isSupported } from '../passkey/index.ts';
import { readerOf } from '../card/reader.ts';
import { open, type Database } from '../storage/database.ts';
import { OwnKey } from '../storage/device.ts';
import { alone, type Alone } from '../storage/locks.ts';
import { Records } from '../storage/sealed.ts';
import { load, type Translate } from '../texts/index.ts';
import { Provider, exchange } from '../transport/provider.ts';
import { preferred, readConfig } from './config.ts';
import { initial } from './initial.ts';
import { Kept } from './kept.ts';
import type { Actions, Config, Language, Route, State } from './model.ts';
import { Trouble, problemOf } from './problem.ts';
import { hashOf, linkOf, moveLinkOf, routeOf } from './route.ts';
import { Store } from './store.ts';
import { Surroundings } from './surroundings.ts';
import type { Tools } from './tools.ts';
import { recall, wallet, type Surface, type Wallet } from './wallet.ts';

export type Shown = { state: State; act: Actions; t: Translate };

const CONFIG_LIMIT_MILLISECONDS = 10_000;
const LOOK_MILLISECONDS = 2_500;
const MINUTE_MILLISECONDS = 60_000;
const ASK_MILLISECONDS = 4_000;

const now = () => Math.floor(Date.now() / 1000);
const fetched = (input: string, init: RequestInit) => fetch(input, init);

/** Shows the wallet, and goes on showing it. */
export async function begin(show: (shown: Shown) => void): Promise<void> {
  const store = new Store({ ...initial(), language: preferred(navigator.languages, ['de', 'en']), route: routeOf(location.hash), now: now() });
  const surroundings = new Surroundings(store);
  // Network and disk work while words are loaded.
  const ready = Promise.all([fetchConfig(), openStorage()]);
  ready.catch(() => undefined);
  let t = await load(store.state.language);
  let act = {} as Actions;
  const render = () => show({ state: store.state, act, t });
  const speak = async (language: Language) => {
    t = await load(language);
    store.set({ language });
  };
  store.listen(render);
  colourFrame();
  surroundings.begin();
  const started = await start(store, surroundings, ready, speak).catch((error: unknown) => {
    store.set({ phase: 'stopped', busy: null, problem: problemOf(error) });
  });
  if (!started) return render();
  act = started.act;
  store.set({ phase: 'ready', busy: null });
  follow(store);
  await enter(store, started);
  ask(store, started);
  await surroundings.offline();
}

/** What the browser draws around the page is of the insurer's colour, too. */
function colourFrame(): void {
  const colour = getComputedStyle(document.documentElement).getPropertyValue('--brand').trim();
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', colour);
}

async function fetchConfig(): Promise<Config> {
  const config = readConfig((await exchange(fetched, CONFIG_LIMIT_MILLISECONDS, new URL('config.json', here()).href, {})).body);
  if (!config) throw new Trouble('unavailable');
  return config;
}

/** The wallet's folder. */
function here(): URL {
  return new URL('./', location.href);
}

type Storage = { database: Database; records: Records; oneTab: Alone };

async function openStorage(): Promise<Storage> {
  if (!globalThis.crypto?.subtle || !navigator.locks || !globalThis.indexedDB) throw new Trouble('browser-too-old');
  const name = `healthid-wallet ${here().pathname}`;
  const oneTab = alone(name, navigator.locks);
  const database = await open(name);
  return { database, oneTab, records: await Records.open(database, (work) => oneTab('sealing', work)) };
}

async function start(
  store: Store,
  surroundings: Surroundings,
  ready: Promise<[Config, Storage]>,
  speak: (language: Language) => Promise<void>,
): Promise<Wallet> {
  const [config, { database, records, oneTab }] = await ready;
  const kept = new Kept(records, now);
  const reader = readerOf(window.healthidCardReader, config.card_terminal, fetched);
  const tools: Tools = {
    store,
    provider: new Provider(config.issuer, new URL('..', here()).href.replace(/\/$/, ''), fetched),
    key: new OwnKey(database, records, oneTab),
    kept,
    alone: oneTab,
    reader,
    passkeys: { isSupported, create, get },
    opened: { key: undefined },
    push: 'PushManager' in globalThis && 'Notification' in globalThis && 'serviceWorker' in navigator ? async () => (await import('./push.ts')).push : undefined,
    now,
    pause: () => new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS)),
    leave: (address) => location.assign(address),
    tab: tab(here().pathname),
  };
  const offered = config.device_classes.some(({ evidence }) => evidence === 'passkey' || evidence === 'attested-passkey');
  store.set({ config, reader: reader?.kind ?? 'none', passkeys: { available: isSupported(), offered } });
  const language = kept.language().then((chosen) => speak(chosen ?? preferred(navigator.languages, config.languages)));
  // What does not open any more is said; everything else goes on.
  await Promise.all([language, recall(tools)]).catch((error: unknown) => store.set({ problem: problemOf(error) }));
  const surface: Surface = {
    go: (route) => void (location.hash = hashOf(route)),
    setLanguage: (language) => void speak(language).then(() => kept.setLanguage(language)),
    install: () => void surroundings.install(),
    update: () => surroundings.update(),
    persist: () => void surroundings.persist(),
    save,
    forget: () => records.forget(),
    deviceName: deviceName(navigator.userAgent),
  };
  return wallet(tools, surface);
}

/** A link of the provider's page; else what this tab showed before. */
async function enter(store: Store, { requests, moves }: Wallet): Promise<void> {
  const move = moveLinkOf(location.search);
  if (move !== undefined) {
    history.replaceState(null, '', `${location.pathname}${hashOf('move')}`);
    store.set({ route: 'move' });
    return moves.arrive(move, deviceName(navigator.userAgent));
  }
  const link = linkOf(location.search);
  if (link === undefined) return requests.resume();
  // The address holds the login no longer than needed: not in the history, not in a bookmark.
  history.replaceState(null, '', `${location.pathname}${hashOf('request')}`);
  store.set({ route: 'request' });
  await requests.open(link);
}

/** Address, clock. */
function follow(store: Store): void {
  // A problem belongs to the screen it happened on.
  addEventListener('hashchange', () =>
    store.set({ route: routeOf(location.hash) as Route, problem: null, done: null, account: { ...store.state.account, problem: null } }),
  );
  const tick = () => store.set({ now: now() });
  setInterval(tick, MINUTE_MILLISECONDS);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && tick());
}

/** What was sent to this device: now, when she comes back, and again and again while she looks at the first page. */
function ask(store: Store, { inbox, wakes, act }: Wallet): void {
  const isSeen = () => document.visibilityState === 'visible';
  const look = () => {
    if (store.state.device && isSeen()) void inbox.look();
  };
  const seen = () => {
    look();
    if (isSeen()) void wakes.check();
  };
  seen();
  document.addEventListener('visibilitychange', seen);
  // She pressed the message that a login waits (`sw/wake.ts`); or the browser subscribed anew.
  navigator.serviceWorker?.addEventListener('message', ({ data }) => {
    if (data === 'look') act.go('start');
    seen();
  });
  addEventListener('hashchange', () => store.state.route === 'start' && look());
  setInterval(() => store.state.route === 'start' && look(), ASK_MILLISECONDS);
}

/** Which request this tab shows. Without session storage a reload begins at the start page, where it can be taken up. */
function tab(scope: string): Tools['tab'] {
  const name = `healthid-wallet ${scope} request`;
  return {
    get: () => {
      try {
        return sessionStorage.getItem(name);
      } catch {
        return null;
      }
    },
    set: (id) => {
      try {
        if (id === null) sessionStorage.removeItem(name);
        else sessionStorage.setItem(name, id);
      } catch {
        // As above.
      }
    },
  };
}

function save(name: string, json: object): void {
  const address = URL.createObjectURL(new Blob([JSON.stringify(json, null, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), MINUTE_MILLISECONDS);
}

/** "Firefox, Android": she may give it a better one. */
function deviceName(agent: string): string {
  const first = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = first([
    [/Edg\//, 'Edge'],
    [/Firefox\/|FxiOS/, 'Firefox'],
    [/SamsungBrowser/, 'Samsung Internet'],
    [/Chrome\/|CriOS/, 'Chrome'],
    [/Safari\//, 'Safari'],
  ]);
  const system = first([
    [/Android/, 'Android'],
    [/iPhone/, 'iPhone'],
    [/iPad/, 'iPad'],
    [/Windows/, 'Windows'],
    [/Mac OS/, 'Mac'],
    [/Linux/, 'Linux'],
  ]);
  return [browser ?? 'Browser', system].filter(Boolean).join(', ');
}
