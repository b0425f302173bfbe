/** What a browser's push interface does, and what the wallet makes of it. */

import { afterEach, expect, test, vi } from 'vitest';
import * as base64url from '../core/base64url.ts';
import { push } from './push.ts';

const KEY = base64url.encode(Uint8Array.from([4, 1, 2, 3]));
const OTHER = base64url.encode(Uint8Array.from([4, 9, 9, 9]));

type Subscription = { endpoint: string; options: { applicationServerKey: ArrayBuffer | null }; unsubscribe: () => Promise<boolean> };

/** A browser that holds this subscription, and answers a new one so. */
function browser(held: string | null | undefined, subscribes: () => string = () => 'https://push.example/new') {
  const did: unknown[] = [];
  const made = (endpoint: string, key: string | null): Subscription => ({
    endpoint,
    options: { applicationServerKey: key === null ? null : ((base64url.decode(key) ?? new Uint8Array()).buffer as ArrayBuffer) },
    unsubscribe: async () => (did.push('unsubscribe'), true),
  });
  const registration = {
    pushManager: {
      getSubscription: async () => (held === undefined ? null : made('https://push.example/held', held)),
      subscribe: async (options: { userVisibleOnly: boolean; applicationServerKey: Uint8Array }) => {
        did.push({ ...options, applicationServerKey: base64url.encode(options.applicationServerKey) });
        return made(subscribes(), KEY);
      },
    },
    getNotifications: async () => [{ close: () => did.push('close') }, { close: () => did.push('close') }],
  };
  const serviceWorker = { ready: Promise.resolve(registration), getRegistration: async (): Promise<typeof registration | undefined> => registration };
  vi.stubGlobal('navigator', { serviceWorker });
  return { did, registration, serviceWorker };
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const throwing = (name: string) => () => {
  throw new DOMException('', name);
};
const refused = (work: Promise<unknown>) => work.then(() => 'taken', (error: { problem: { reason: string } }) => error.problem.reason);

test('a subscription with this key is kept, one with another is ended first, and a new one always shows what arrives', async () => {
  const fresh = { userVisibleOnly: true, applicationServerKey: KEY };
  for (const [held, endpoint, expected] of [
    [undefined, 'https://push.example/new', [fresh]],
    [KEY, 'https://push.example/held', []],
    [OTHER, 'https://push.example/new', ['unsubscribe', fresh]],
    // A browser that does not say with which key: the provider's refusal would tell.
    [null, 'https://push.example/held', []],
  ] as const) {
    const { did } = browser(held);
    expect(await push.subscribed(KEY)).toBe(endpoint);
    expect(did).toEqual(expected);
  }
});

test('whatever a browser throws is one of two things she can do something about', async () => {
  for (const [name, reason] of [
    ['NotAllowedError', 'notifications-denied'],
    ['AbortError', 'push-failed'],
    ['InvalidStateError', 'push-failed'],
    ['NotSupportedError', 'push-failed'],
    ['InvalidAccessError', 'push-failed'],
  ] as const) {
    browser(undefined, throwing(name));
    expect(await refused(push.subscribed(KEY)), name).toBe(reason);
  }
});

test('a worker that is never ready is not waited for for ever', async () => {
  vi.useFakeTimers();
  browser(undefined).serviceWorker.ready = new Promise(() => undefined);
  const waiting = refused(push.subscribed(KEY));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await waiting).toBe('push-failed');
});

test('ending and clearing do nothing where there is nothing, and do not fail where the browser does', async () => {
  const { did, registration, serviceWorker } = browser(KEY);
  await push.end();
  await push.clear();
  expect(did).toEqual(['unsubscribe', 'close', 'close']);
  registration.pushManager.getSubscription = async () => ({
    endpoint: '',
    options: { applicationServerKey: null },
    unsubscribe: () => Promise.reject(new DOMException('', 'AbortError')),
  });
  await push.end();
  const refusing = () => Promise.reject(new DOMException('', 'SecurityError'));
  registration.pushManager.getSubscription = refusing;
  registration.getNotifications = refusing;
  await push.end();
  await push.clear();
  for (const registered of [async () => undefined, refusing]) {
    serviceWorker.getRegistration = registered;
    await push.end();
    await push.clear();
  }
  browser(undefined);
  await push.end();
});

test('she is asked, and only a yes is one', async () => {
  for (const [answer, expected] of [['granted', true], ['denied', false], ['default', false]] as const) {
    vi.stubGlobal('Notification', { permission: answer, requestPermission: async () => answer });
    expect(await push.ask()).toBe(expected);
    expect(push.permission()).toBe(answer);
  }
});
