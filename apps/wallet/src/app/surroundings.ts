/** What the browser around the wallet offers: installing, working offline, newer versions, lasting storage. */

import type { Store } from './store.ts';

type InstallPrompt = Event & { prompt(): Promise<unknown> };
type Policies = { createPolicy(name: string, rules: { createScriptURL(address: string): string }): { createScriptURL(address: string): string } };

export class Surroundings {
  #prompt: InstallPrompt | undefined;
  #next: ServiceWorker | undefined;

  constructor(private readonly store: Store) {}

  begin(): void {
    const { store } = this;
    const online = () => store.set({ online: navigator.onLine });
    addEventListener('online', online);
    addEventListener('offline', online);
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#prompt = event as InstallPrompt;
      store.set({ install: 'available' });
    });
    addEventListener('appinstalled', () => store.set({ install: 'installed' }));
    if (matchMedia('(display-mode: standalone)').matches) store.set({ install: 'installed' });
    online();
    void navigator.storage?.persisted?.().then((persisted) => store.set({ persisted }));
  }

  async install(): Promise<void> {
    const prompt = this.#prompt;
    this.#prompt = undefined;
    this.store.set({ install: 'no' });
    await prompt?.prompt();
  }

  /** Asks the browser to keep the storage. Asked when there is something to keep: some browsers ask the person. */
  async persist(): Promise<void> {
    const persisted = (await navigator.storage?.persist?.().catch(() => false)) ?? false;
    this.store.set({ persisted });
  }

  /** The service worker. A newer one waits until she changes over, so that no page changes under her hands. */
  async offline(): Promise<void> {
    if (!('serviceWorker' in navigator)) return;
    const found = await navigator.serviceWorker.register(trusted('./sw.js')).catch(() => undefined);
    if (!found) return;
    const ready = (worker: ServiceWorker | null) => {
      if (!worker || !navigator.serviceWorker.controller) return;
      this.#next = worker;
      this.store.set({ update: true });
    };
    ready(found.waiting);
    found.addEventListener('updatefound', () => {
      const worker = found.installing;
      worker?.addEventListener('statechange', () => worker.state === 'installed' && ready(worker));
    });
  }

  update(): void {
    if (!this.#next) return;
    navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
    this.#next.postMessage('change-over');
  }
}

/** The page's policy lets no text become the address of a script, but this one. */
function trusted(address: string): string {
  const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
  return policies ? policies.createPolicy('healthid', { createScriptURL: () => './sw.js' }).createScriptURL(address) : address;
}
