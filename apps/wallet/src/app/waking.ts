/**
 * Being told when a login waits for this device, also while the wallet is closed (ADR 0020): off until she asks for it. The browser subscribes at its
 * push service, and the device's key signs the address for the provider. Whatever becomes of it, the wallet asks as before when it is opened.
 *
 * What she wants and what the provider was told are kept apart: what is missing is told when the key is at hand. That is when the wallet is
 * opened; with the app's PIN, when it was typed.
 */

import { members, text, whole } from '../core/shape.ts';
import { FlowError } from '../core/types.ts';
import * as core from '../core/waking.ts';
import type { KeptDevice } from '../storage/device.ts';
import { account } from './answer.ts';
import type { Problem, Reason, Wake } from './model.ts';
import type { PinSteps } from './pin-step.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Push } from './push.ts';
import type { Tools } from './tools.ts';

/** The provider forgets an address after 90 days (`SUBSCRIPTION_SECONDS`): it is named again when fewer than these are left. */
export const RENEWED_BEFORE_SECONDS = 60 * 86_400;

/** `until` 0: it was sent, and no answer came. */
type Told = { device: string; endpoint: string; until: number };
type Kept = { wanted: boolean; told: Told | null };

/** After these nobody knows whether the provider keeps what was sent. */
const UNANSWERED: ReadonlySet<Reason> = new Set<Reason>(['offline', 'timeout', 'unavailable', 'internal']);
/** Said when it comes out without her, too: it does not work until she does something. */
const LASTING: ReadonlySet<Reason> = new Set<Reason>(['notifications-denied', 'push-service-unknown']);

export class Waking {
  constructor(
    private readonly tools: Tools,
    private readonly pins: PinSteps,
    private readonly push: Push,
  ) {}

  /** The wallet was opened or seen again, or `unlocked`: the app's PIN was typed. */
  async check(unlocked?: CryptoKey): Promise<void> {
    await this.push.clear();
    try {
      await this.#settle(unlocked);
    } catch (error) {
      if (!(error instanceof FlowError || error instanceof Trouble)) throw error;
      const problem = problemOf(error, this.tools.provider.refused);
      await this.#show(LASTING.has(problem.reason) ? problem : undefined);
    }
  }

  /** She turns it on or off. */
  async turn(on: boolean): Promise<void> {
    const { key, store, alone } = this.tools;
    const { push_key } = store.state.config;
    if (push_key === null) return;
    try {
      // At once: browsers ask her in answer to her press only.
      if (on && !(await this.push.ask())) throw new Trouble('notifications-denied');
      // What runs in the background would else subscribe again what is being ended.
      const told = await alone('wake', async () => {
        const told = (await this.#kept())?.told ?? null;
        await this.#keep({ wanted: on, told });
        if (on) await this.push.subscribed(push_key);
        else await this.push.end();
        return told;
      });
      const isLocked = (await key.kept())?.wrapped !== null;
      if (isLocked && (on || told)) this.#withPin(on);
      else await this.#done(on);
    } catch (error) {
      await this.#failed(on, problemOf(error, this.tools.provider.refused));
    }
  }

  /** Everything here is forgotten. */
  end(): Promise<void> {
    return this.push.end();
  }

  #withPin(on: boolean): void {
    let isDone = false;
    this.pins.ask('wake', {
      use: async (unlocked) => {
        isDone = true;
        await this.#done(on, unlocked).catch((error: unknown) => this.#failed(on, problemOf(error, this.tools.provider.refused)));
        // A login's signature gives the try back.
        await account(this.tools, unlocked);
      },
      failed: async (problem) => {
        if (!isDone) await this.#failed(on, problem);
        return true;
      },
      cancelled: () => void this.#failed(on, null),
    });
  }

  async #done(on: boolean, unlocked?: CryptoKey): Promise<void> {
    await this.#settle(unlocked);
    await this.#show(null);
    const { wake } = this.tools.store.state;
    if (wake?.is === 'on' || wake?.is === 'off') this.tools.store.set({ done: on ? 'wake-on' : 'wake-off' });
  }

  /** It stays off. Turned off it is, whoever was not told. `null`: she typed no PIN. */
  async #failed(on: boolean, problem: Problem | null): Promise<void> {
    if (on) await this.tools.alone('wake', () => this.#unwanted());
    await this.#show(on ? problem : null);
  }

  /** What the provider knows becomes what she wants, as far as the key is at hand. */
  async #settle(unlocked?: CryptoKey): Promise<void> {
    await this.tools.alone('wake', () => this.#settled(unlocked));
    await this.#show();
  }

  async #settled(unlocked?: CryptoKey): Promise<void> {
    const { key, store } = this.tools;
    const { push_key } = store.state.config;
    const [device, kept] = [await key.kept(), await this.#kept()];
    if (!kept) return;
    if (push_key === null || device?.kind !== 'device-key') {
      // Its address went with the device, and nobody sends.
      await this.push.end();
      return this.tools.kept.dropWake();
    }
    const isForbidden = kept.wanted && this.push.permission() !== 'granted';
    if (isForbidden) await this.#unwanted();
    if (kept.wanted && !isForbidden) await this.#tell(device, kept, push_key, unlocked);
    else await this.#takeBack(device, kept, unlocked);
    if (isForbidden) throw new Trouble('notifications-denied');
  }

  async #tell(device: KeptDevice, { told }: Kept, pushKey: string, unlocked?: CryptoKey): Promise<void> {
    const { key, provider, now } = this.tools;
    const endpoint = await this.push.subscribed(pushKey);
    const isTold = told?.device === device.device && told.endpoint === endpoint;
    if (isTold && told.until > now() + RENEWED_BEFORE_SECONDS) return;
    const wish = core.Waking.at(provider.issuer, device, endpoint, now());
    const signature = await key.signLook(device, wish.message, unlocked);
    if (signature === undefined) return;
    const sent = { device: device.device, endpoint, until: isTold ? told.until : 0 };
    // Before it is sent: where no answer comes, it may have to be taken back.
    await this.#keep({ wanted: true, told: sent });
    try {
      const until = wish.kept(await provider.send(wish.signed(signature))) ?? 0;
      await this.#keep({ wanted: true, told: { ...sent, until } });
    } catch (error) {
      const { reason } = problemOf(error, provider.refused);
      if (!UNANSWERED.has(reason)) await this.#keep({ wanted: true, told });
      if (reason === 'push-service-unknown') await this.#unwanted();
      throw error;
    }
  }

  async #takeBack(device: KeptDevice, { told }: Kept, unlocked?: CryptoKey): Promise<void> {
    const { key, provider, now, kept } = this.tools;
    // Another device's address went with it.
    if (told?.device !== device.device) return kept.dropWake();
    const wish = core.Waking.nowhere(provider.issuer, device, now());
    const signature = await key.signLook(device, wish.message, unlocked);
    if (signature === undefined) return;
    wish.kept(await provider.send(wish.signed(signature)));
    await kept.dropWake();
  }

  async #unwanted(): Promise<void> {
    await this.push.end();
    const told = (await this.#kept())?.told ?? null;
    if (told) await this.#keep({ wanted: false, told });
    else await this.tools.kept.dropWake();
  }

  /** As it stands. `problem` left out: what was said of it stays, unless it was turned since. */
  async #show(problem?: Problem | null): Promise<void> {
    const { store, key, now } = this.tools;
    const [device, kept] = [await key.kept(), await this.#kept()];
    if (store.state.config.push_key === null || device?.kind !== 'device-key') return store.set({ wake: null });
    const told = kept?.told?.device === device.device ? kept.told : null;
    const isOn = kept?.wanted === true && told !== null && told.until > now();
    const is: Wake['is'] = isOn ? 'on' : kept?.wanted ? 'pending' : told ? 'untold' : 'off';
    const before = store.state.wake;
    const isAsBefore = before !== null && isWanted(before) === isWanted({ is });
    store.set({ wake: { is, until: isOn ? told.until : null, problem: problem === undefined ? (isAsBefore ? before.problem : null) : problem } });
  }

  #keep(kept: Kept): Promise<void> {
    return this.tools.kept.keepWake(kept);
  }

  async #kept(): Promise<Kept | undefined> {
    const found = members(await this.tools.kept.wake());
    return found && { wanted: found['wanted'] === true, told: told(found['told']) };
  }
}

function isWanted({ is }: Pick<Wake, 'is'>): boolean {
  return is === 'on' || is === 'pending';
}

function told(value: unknown): Told | null {
  const found = members(value);
  const [device, endpoint, until] = [text(found?.['device']), text(found?.['endpoint']), whole(found?.['until'])];
  return device === undefined || endpoint === undefined || until === undefined ? null : { device, endpoint, until };
}
