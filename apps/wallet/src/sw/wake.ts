/**
 * A message of the push service arrived: it has no content (ADR 0020), and what is shown says nothing of anybody, the same each time. The worker knows
 * no person and keeps nothing: it speaks the browser's language, in words plain enough for everybody, and looks at nothing but open windows.
 */

type Said = { lang: string; title: string; body: string };

const GERMAN: Said = { lang: 'de', title: 'GesundheitsID', body: 'Eine Anmeldung wartet auf Sie. Waren Sie das? Dann tippen Sie hier.' };
const ENGLISH: Said = { lang: 'en', title: 'GesundheitsID', body: 'A login waits for you. Was that you? Then tap here.' };

export const WORDS = { de: GERMAN, en: ENGLISH };

export type Shown = { close(): void };
export type Window = { url: string; focus(): Promise<unknown>; postMessage(message: string): void };
/** What is needed of the worker's surroundings. */
export type Scope = {
  registration: {
    scope: string;
    showNotification(title: string, options: object): Promise<void>;
    pushManager: { subscribe(options: object): Promise<unknown> };
  };
  navigator: { languages: readonly string[] };
  clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly Window[]>;
    openWindow(address: string): Promise<unknown>;
  };
};

/** As `app/config.ts` prefers it on a first visit. What she chose in the wallet is not told to the worker. */
function words(languages: readonly string[]): Said {
  const first = languages.map((tag) => tag.toLowerCase().slice(0, 2)).find((tag) => tag === 'de' || tag === 'en');
  return first === 'en' ? ENGLISH : GERMAN;
}

/**
 * One at most: a second takes the first one's place, and is heard again. Another insurer's wallet at the same origin has its own. Whatever the
 * message holds is not read.
 */
export function pushed({ registration, navigator }: Scope): Promise<void> {
  const { lang, title, body } = words(navigator.languages);
  const icon = new URL('icon-192.png', registration.scope).href;
  return registration.showNotification(title, { lang, body, icon, tag: registration.scope, renotify: true });
}

/** To the wallet's first page, where it is listed: in a window that is open, or a new one. */
export async function pressed({ registration: { scope }, clients }: Scope, shown: Shown): Promise<void> {
  shown.close();
  const open = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  const wallet = open.find(({ url }) => url.startsWith(scope));
  if (!wallet) return void (await clients.openWindow(`${scope}#/start`));
  wallet.postMessage('look');
  await wallet.focus();
}

/**
 * The browser ended its subscription. A new one with the same key is all that can be done here: its address is signed by the device's key, which is
 * the wallet's and not the worker's. A window that is open does it now; else it waits until the wallet is opened, and nobody is woken until then.
 */
export async function changed({ registration, clients }: Scope, options: object | undefined): Promise<void> {
  if (options) await registration.pushManager.subscribe(options).catch(() => undefined);
  const open = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  for (const window of open) if (window.url.startsWith(registration.scope)) window.postMessage('subscribed');
}
