/** The browser's push subscription of this wallet (W3C Push API). Fetched when it is needed first. */

import * as base64url from '../core/base64url.ts';
import { Trouble } from './problem.ts';

/** What the wallet needs of it. */
export type Push = {
  permission(): NotificationPermission;
  /** Asks her, unless she was asked before: the browser wants it in answer to a press. */
  ask(): Promise<boolean>;
  /** The address of the subscription with this key: the one there is, or a new one. `notifications-denied`, `push-failed`. */
  subscribed(key: string): Promise<string>;
  /** Nobody reaches this browser any more. */
  end(): Promise<void>;
  /** Takes away what was shown: she is looking. */
  clear(): Promise<void>;
};

const READY_MILLISECONDS = 10_000;

/** A worker that is being installed is waited for, and not for ever. */
async function registration(): Promise<ServiceWorkerRegistration> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Trouble('push-failed')), READY_MILLISECONDS));
  return Promise.race([navigator.serviceWorker.ready, late]);
}

/** A private window of some browsers has the interface and refuses to use it. */
function held(): Promise<ServiceWorkerRegistration | undefined> {
  return navigator.serviceWorker.getRegistration().catch(() => undefined);
}

export const push: Push = {
  permission: () => Notification.permission,
  ask: async () => (await Notification.requestPermission()) === 'granted',

  async subscribed(key) {
    const { pushManager } = await registration();
    try {
      const there = await pushManager.getSubscription();
      const its = there?.options.applicationServerKey;
      if (there && (!its || base64url.encode(new Uint8Array(its)) === key)) return there.endpoint;
      // With another key nobody could send to it.
      await there?.unsubscribe();
      const applicationServerKey = base64url.decode(key) ?? new Uint8Array();
      return (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })).endpoint;
    } catch (error) {
      const isDenied = error instanceof DOMException && error.name === 'NotAllowedError';
      throw new Trouble(isDenied ? 'notifications-denied' : 'push-failed');
    }
  },

  async end() {
    const there = await (await held())?.pushManager.getSubscription().catch(() => null);
    // Where the browser cannot, the provider is still told.
    await there?.unsubscribe().catch(() => false);
  },

  async clear() {
    for (const shown of (await (await held())?.getNotifications().catch(() => [])) ?? []) shown.close();
  },
};
