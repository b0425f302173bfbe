/**
 * Logins that a browser sent to this device. Asked for when the wallet is opened or seen again, and every few seconds while its first page is shown.
 * What waits is kept as if its link had been opened here; what does not wait any more is forgotten.
 */

import { Look, type Found } from '../core/inbox.ts';
import { FlowError } from '../core/types.ts';
import type { KeptDevice } from '../storage/device.ts';
import { Trouble } from './problem.ts';
import type { Tools } from './tools.ts';

export class Inbox {
  #asks = false;

  constructor(
    private readonly tools: Tools,
    /** Shows what is kept. */
    private readonly shown: () => Promise<void>,
  ) {}

  /** Where it cannot be asked, nothing is said: what was sent waits, and the code to scan is there. `unlocked`: by the app's PIN, just now. */
  async look(unlocked?: CryptoKey): Promise<void> {
    const { store } = this.tools;
    if (this.#asks || !store.state.online || (store.state.busy !== null && !unlocked)) return;
    this.#asks = true;
    try {
      await this.#look(unlocked);
    } catch (error) {
      if (!(error instanceof FlowError || error instanceof Trouble)) throw error;
    } finally {
      this.#asks = false;
    }
  }

  async #look(unlocked?: CryptoKey): Promise<void> {
    const { key, kept, alone } = this.tools;
    const device = await key.kept();
    // A passkey signs only when its person is asked.
    if (device?.kind !== 'device-key') return;
    const found = await this.#found(device, unlocked);
    if (!found) return;
    const { ticket } = found;
    if (ticket !== null) await kept.keepTicket({ device: device.device, ticket });
    await alone('requests', () => kept.keepWaiting(found.requests));
    await this.shown();
  }

  /** With what an earlier answer gave; else with the key, where it is at hand. */
  async #found(device: KeptDevice, unlocked?: CryptoKey): Promise<Found | undefined> {
    const { key, kept, provider, now } = this.tools;
    const ticket = unlocked ? undefined : await kept.ticket(device.device);
    if (ticket !== undefined) {
      try {
        return Look.found(await provider.send(Look.again(provider.issuer, ticket)));
      } catch (error) {
        if (!(error instanceof FlowError) || error.reason !== 'login-unknown') throw error;
      }
    }
    const look = Look.begin(provider.issuer, device, now());
    const signature = await key.signLook(device, look.message, unlocked);
    return signature === undefined ? undefined : Look.found(await provider.send(look.signed(signature)));
  }
}
