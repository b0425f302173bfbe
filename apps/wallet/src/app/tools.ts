/** What every flow works with. One of each a tab; tests bring their own. */

import type { create, get, isSupported } from '../passkey/index.ts';
import type { CardReader } from '../card/reader.ts';
import type { OwnKey } from '../storage/device.ts';
import type { Alone } from '../storage/locks.ts';
import type { Provider } from '../transport/provider.ts';
import type { Kept } from './kept.ts';
import type { Push } from './push.ts';
import type { Store } from './store.ts';

/** The browser's passkeys. */
export type Passkeys = { isSupported: typeof isSupported; create: typeof create; get: typeof get };

export type Tools = {
  store: Store;
  provider: Provider;
  key: OwnKey;
  kept: Kept;
  alone: Alone;
  reader: CardReader | undefined;
  passkeys: Passkeys;
  /** What her passkey opens the storage with; in memory, since it last answered. */
  opened: { key: CryptoKey | undefined };
  /** The browser's push subscription; absent where it has none. */
  push?: (() => Promise<Push>) | undefined;
  /** The device's key is at hand, by the app's PIN: asks what waits for it, and says where it is woken. */
  look?: (unlocked: CryptoKey) => void;
  /** Seconds since 1970. */
  now: () => number;
  /** Between two looks at something another device does. */
  pause: () => Promise<void>;
  /** Leaves the wallet for an address of a service. */
  leave: (address: string) => void;
  /** Which request this tab shows, so that a reload shows it again. */
  tab: { get(): string | null; set(id: string | null): void };
};
