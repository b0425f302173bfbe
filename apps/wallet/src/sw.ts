/**
 * The service worker: the shell of the wallet works without network. It caches the files of one build, `config.json`, and the insurer's colours
 * and logo; never an answer of the provider, and nothing about a person. And it shows that a login waits, without a word about it (`sw/wake.ts`).
 */

import * as wake from './sw/wake.ts';

/** Filled in by the build. */
const SHELL: { version: string; files: string[] } = JSON.parse('__SHELL__');

export type Extendable = Event & { waitUntil(promise: Promise<unknown>): void };
type Fetching = Extendable & { request: Request; respondWith(response: Promise<Response>): void };
type ServiceWorkerScope = wake.Scope & {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
  addEventListener(type: 'push', listener: (event: Extendable) => void): void;
  addEventListener(type: 'notificationclick', listener: (event: Extendable & { notification: wake.Shown }) => void): void;
  addEventListener(type: 'pushsubscriptionchange', listener: (event: Extendable & { oldSubscription?: { options: object } | null }) => void): void;
};
const worker = globalThis as unknown as ServiceWorkerScope;

/** Other insurers' wallets may live at the same origin: each has caches of its own. */
const SCOPE = worker.registration.scope;
const CACHE = `${SCOPE}|${SHELL.version}`;
const CONFIG = new URL('config.json', SCOPE).href;
/** How the insurer looks. */
const LOOKS = new Set(['../brand.css', '../logo.svg'].map((file) => new URL(file, SCOPE).href));
const FILES = new Set(SHELL.files.map((file) => new URL(file, SCOPE).href));

worker.addEventListener('install', (event) => event.waitUntil(keepShell()));
worker.addEventListener('activate', (event) => event.waitUntil(forgetOlder()));
worker.addEventListener('message', (event) => {
  if (event.data === 'change-over') void worker.skipWaiting();
});
worker.addEventListener('push', (event) => event.waitUntil(wake.pushed(worker)));
worker.addEventListener('notificationclick', (event) => event.waitUntil(wake.pressed(worker, event.notification)));
worker.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(wake.changed(worker, event.oldSubscription?.options)));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const url = new URL(request.url);
  if (url.href === CONFIG) return event.respondWith(config());
  if (LOOKS.has(url.href)) return event.respondWith(look(event, url.href));
  if (request.mode === 'navigate' && `${url.origin}${url.pathname}` === SCOPE) return event.respondWith(kept(SCOPE, request));
  if (FILES.has(url.href)) return event.respondWith(kept(url.href, request));
});

async function keepShell(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([...FILES].map((file) => new Request(file, { cache: 'no-cache' })));
  // Whatever of these is missing is asked for when it is needed.
  await Promise.all([CONFIG, ...LOOKS].map((address) => keep(cache, address).catch(() => undefined)));
}

async function forgetOlder(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(`${SCOPE}|`) && name !== CACHE) await caches.delete(name);
  }
  await worker.clients.claim();
}

async function kept(address: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}

/** The newest, or the last one seen. */
async function config(): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    return await keep(cache, CONFIG);
  } catch (error) {
    const last = await cache.match(CONFIG);
    if (last) return last;
    throw error;
  }
}

/** The one seen last, at once, so that no page is first drawn in other colours; a newer one is for the next time. */
async function look(event: Fetching, address: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  const last = await cache.match(address);
  const next = keep(cache, address);
  if (!last) return next;
  event.waitUntil(next.catch(() => undefined));
  return last;
}

async function keep(cache: Cache, address: string): Promise<Response> {
  const answer = await fetch(address, { cache: 'no-cache' });
  if (answer.ok) await cache.put(address, answer.clone());
  return answer;
}
