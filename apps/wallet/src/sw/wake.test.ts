/** What a message does in the worker: one notification without content, and the way to the wallet's first page. */

import { expect, test } from 'vitest';
import { complaints } from '../texts/reading.ts';
import { WORDS, changed, pressed, pushed, type Scope, type Window } from './wake.ts';

const SCOPE = 'https://idp.example/a/wallet/';

function worker(languages: string[] = ['de'], windows: string[] = []) {
  const did: unknown[] = [];
  const open = windows.map((url): Window => ({ url, focus: async () => did.push(`focus ${url}`), postMessage: (message) => did.push(`${message} ${url}`) }));
  const scope: Scope = {
    registration: {
      scope: SCOPE,
      showNotification: async (title, options) => void did.push({ title, ...options }),
      pushManager: { subscribe: async (options) => did.push({ subscribe: options }) },
    },
    navigator: { languages },
    clients: { matchAll: async () => open, openWindow: async (address) => did.push(`open ${address}`) },
  };
  return { scope, did };
}

test('the same is shown each time, in the browser’s language, and only that', async () => {
  for (const [languages, lang] of [[['de-AT'], 'de'], [['en-GB', 'de'], 'en'], [['fr', 'EN'], 'en'], [['fr', 'de', 'en'], 'de'], [['tr'], 'de'], [[], 'de']] as const) {
    const { scope, did } = worker([...languages]);
    await pushed(scope);
    await pushed(scope);
    const expected = { ...WORDS[lang], icon: `${SCOPE}icon-192.png`, tag: SCOPE, renotify: true };
    expect(expected.lang).toBe(lang);
    expect(did, languages.join()).toEqual([expected, expected]);
  }
});

test('its words are plain', () => {
  const level = { longestSentence: 12, longestWord: 14, lix: 22, banned: ['browser', 'server', 'http', 'push'] };
  for (const { body } of Object.values(WORDS)) expect(complaints(body, level)).toEqual([]);
});

test('pressed, it goes away and the wallet comes: a window of this wallet that is open, or a new one', async () => {
  for (const [windows, expected] of [
    [[], [`open ${SCOPE}#/start`]],
    [[`${SCOPE}#/settings`], [`look ${SCOPE}#/settings`, `focus ${SCOPE}#/settings`]],
    [[SCOPE, `${SCOPE}#/help`], [`look ${SCOPE}`, `focus ${SCOPE}`]],
    // Another insurer's wallet, the provider's own pages, and what only looks like it.
    [['https://idp.example/b/wallet/', 'https://idp.example/a/account', 'https://idp.example/a/wallet-x/'], [`open ${SCOPE}#/start`]],
    [[`https://evil.example/?${SCOPE}`], [`open ${SCOPE}#/start`]],
  ] as const) {
    const { scope, did } = worker(['de'], [...windows]);
    let closed = 0;
    await pressed(scope, { close: () => void (closed += 1) });
    expect(did).toEqual(expected);
    expect(closed).toBe(1);
  }
});

test('a subscription the browser ended is made again with its key, and only an open wallet tells the insurer', async () => {
  const { scope, did } = worker(['de'], [SCOPE, 'https://idp.example/b/wallet/']);
  await changed(scope, { userVisibleOnly: true });
  expect(did).toEqual([{ subscribe: { userVisibleOnly: true } }, `subscribed ${SCOPE}`]);
  const closed = worker();
  await changed(closed.scope, { userVisibleOnly: true });
  expect(closed.did).toEqual([{ subscribe: { userVisibleOnly: true } }]);
});

test('where it cannot, or nobody says with which key, the wallet is left to do it', async () => {
  const { scope, did } = worker(['de'], [SCOPE]);
  await changed(scope, undefined);
  scope.registration.pushManager.subscribe = () => Promise.reject(new Error('denied'));
  await changed(scope, { userVisibleOnly: true });
  expect(did).toEqual([`subscribed ${SCOPE}`, `subscribed ${SCOPE}`]);
});
