/** The person's account at the insurer: logged in for ten minutes at a time, in memory only. */

import * as base64url from '../core/base64url.ts';
import type { Members } from '../core/shape.ts';
import type { KeptDevice } from '../storage/device.ts';
import { account, prompted, sealed, shown, type CardAnswer } from './answer.ts';
import * as read from './account-answers.ts';
import type { CardSteps } from './card-step.ts';
import { closedAccount } from './initial.ts';
import type { Account, CardStep, Doing, Done, Problem } from './model.ts';
import type { PinSteps } from './pin-step.ts';
import { Trouble, problemOf } from './problem.ts';
import type { Tools } from './tools.ts';

export class AccountSession {
  #login: string | undefined;

  constructor(
    private readonly tools: Tools,
    private readonly cards: CardSteps,
    private readonly pins: PinSteps,
    /** Hands a file to the person. */
    private readonly save: (name: string, json: Members) => void,
  ) {}

  open(by: 'device' | 'card'): void {
    if (by === 'card') return this.#withCard('account', async (login) => this.opened(login, 'card'));
    const { device, busy } = this.tools.store.state;
    if (device?.pin) return busy ? undefined : this.#withPin();
    void this.#do('loading-account', async () => {
      try {
        await this.opened(sealed(await account(this.tools, 'device')), 'device');
      } catch (error) {
        const { reason } = problemOf(error);
        const kept = reason === 'offline' || reason === 'timeout' ? await this.tools.key.kept() : undefined;
        if (!kept?.wraps) throw error;
        await this.#unlock(kept);
      }
    });
  }

  /** With this device, after the app's PIN. */
  #withPin(): void {
    this.pins.ask('account', {
      use: async (key) => this.opened(sealed(await account(this.tools, key)), 'device'),
      failed: async (problem) => {
        await this.failed(problem);
        return true;
      },
      cancelled: () => undefined,
    });
  }

  /** Without network: what was seen last, opened by her passkey. Its answer goes nowhere. */
  async #unlock(device: KeptDevice): Promise<void> {
    const { key } = await prompted(this.tools, base64url.encode(crypto.getRandomValues(new Uint8Array(32))), device);
    const snapshot = key ? await this.tools.kept.unlocked(key) : null;
    if (!snapshot) throw new Trouble('offline');
    this.tools.store.set({ snapshot });
    this.#change({ problem: null });
  }

  /** With the sealed login of an account that was just entered. */
  async opened(login: string, by: 'device' | 'card'): Promise<void> {
    this.#login = login;
    this.#change({ state: 'open', by, problem: null });
    await this.#overview();
  }

  close(): void {
    this.#login = undefined;
    this.tools.opened.key = undefined;
    this.tools.store.set({ account: closedAccount() });
  }

  loadHistory(more: boolean): void {
    void this.#do('loading-account', async () => {
      const before = this.tools.store.state.account.history ?? [];
      const last = more ? before.at(-1)?.id : undefined;
      const page = read.history(await this.#call('account/history', last === undefined ? {} : { before: last }));
      const history = last === undefined ? page.entries : [...before, ...page.entries];
      this.#change({ history, historyHasMore: page.more, historyIsWhole: page.isWhole, problem: null });
    });
  }

  revokeConsent(id: string): void {
    void this.#changed('consent-revoked', () => this.#call('account/revoke', { consent: id }));
  }

  renameDevice(device: string, name: string): void {
    const title = name.trim();
    if (!title) return;
    void this.#changed('device-renamed', async () => {
      await this.#call('account/devices', { device, action: 'rename', name: title });
      if (this.#isThis(device)) await this.tools.key.change({ name: title });
    });
  }

  lockDevice(device: string): void {
    void this.#changed('device-locked', async () => {
      await this.#call('account/devices', { device, action: 'lock' });
      // What this device opened closes with it.
      if (this.#isThis(device) && this.tools.store.state.account.by === 'device') this.close();
    });
  }

  removeDevice(device: string): void {
    void this.#changed('device-removed', async () => {
      await this.#call('account/devices', { device, action: 'remove' });
      if (!this.#isThis(device)) return;
      await this.tools.key.drop();
      this.tools.store.set({ device: null });
      if (this.tools.store.state.account.by === 'device') this.close();
    });
  }

  unlockDevice(device: string): void {
    this.#withCard('unlock-device', async (login) => {
      await this.tools.provider.post('account/devices', { login, device, action: 'unlock' });
      await this.opened(login, 'card');
      this.tools.store.set({ done: 'device-unlocked' });
    });
  }

  /** Before "valid until" is over: the card once, and the device lasts again. */
  renewDevice(): void {
    const { device } = this.tools.store.state;
    if (!device) return;
    this.#withCard('renew-device', async (login) => {
      const { provider, key } = this.tools;
      const answer = await provider.post('devices/confirm', { client_id: provider.issuer, login, device: device.device });
      await key.change({ valid_until: read.validUntil(answer) });
      await this.opened(login, 'card');
      this.tools.store.set({ done: 'device-renewed' });
    });
  }

  makeBlockCode(): void {
    void this.#do('changing', async () => {
      const code = read.code(await this.#call('account/block-code', {}));
      this.#change({ newBlockCode: code, blockCode: { setAt: this.tools.now() }, problem: null });
    });
  }

  forgetBlockCode(): void {
    this.#change({ newBlockCode: null });
  }

  /** Blocks every device by the code alone: nobody is logged in. */
  block(code: string): void {
    const { store, provider } = this.tools;
    void store.run('blocking', async () => {
      await provider.post('block', { code: code.trim() });
      this.close();
      store.set({ done: 'blocked' });
    });
  }

  exportData(): void {
    void this.#do('exporting', async () => {
      const data = await this.#call('account/export', {});
      this.save('gesundheitsid.json', data);
      this.tools.store.set({ done: 'exported' });
    });
  }

  erase(): void {
    this.#withCard('erase', async (login) => {
      const { provider, key, store } = this.tools;
      const erased = read.erased(await provider.post('account/erase', { login, confirm: 'erase' }));
      this.close();
      await key.drop();
      store.set({ device: null, done: 'erased', account: { ...closedAccount(), erased } });
    });
  }

  /** Her device's own entry follows what the insurer says: renamed or renewed elsewhere, it is so here, too. */
  async #overview(): Promise<void> {
    const { store, kept, now, key, opened } = this.tools;
    const overview = read.overview(await this.#call('account/overview', {}), store.state.device?.device);
    this.#change(overview);
    const mine = overview.devices.find((device) => device.isThis);
    if (mine) {
      await key.change({ name: mine.name, ...(mine.validUntil === null ? {} : { valid_until: mine.validUntil }) });
      store.set({ device: shown((await key.kept()) ?? (await gone())) });
    }
    if (overview.cards.length === 0) return;
    const snapshot = { at: now(), cards: overview.cards, blockCodeSetAt: overview.blockCode?.setAt ?? null };
    store.set({ snapshot });
    const wraps = (await key.kept())?.wraps ?? false;
    // Until her passkey answers for the first time there is nothing to wrap with, and nothing is kept.
    if (!wraps || opened.key) await kept.keepSnapshot(snapshot, wraps ? opened.key : undefined);
  }

  /** A request of the account. One whose login is too old is done again, with the device and once, unless that needs her PIN. */
  async #call(path: string, body: object): Promise<Members> {
    const { provider, store } = this.tools;
    const login = this.#login ?? sealed(await account(this.tools, 'device'));
    this.#login = login;
    try {
      return await provider.post(path, { login, ...body });
    } catch (error) {
      const reason = error instanceof Trouble ? error.problem.reason : 'unexpected';
      if (reason !== 'login-expired' && reason !== 'login-unknown') throw error;
      this.#login = undefined;
      if (store.state.account.by !== 'device' || store.state.device?.pin) {
        const { by } = store.state.account;
        this.#change({ state: 'closed', by: null });
        if (by === 'device') this.#withPin();
        // No service waits for her: only her own account has closed.
        throw by === 'card' ? new Trouble('account-timeout') : error;
      }
      this.#login = sealed(await account(this.tools, 'device'));
      return provider.post(path, { login: this.#login, ...body });
    }
  }

  async #changed(done: Done, work: () => Promise<unknown>): Promise<void> {
    await this.#do('changing', async () => {
      await work();
      if (this.tools.store.state.account.state === 'open') await this.#overview();
      this.tools.store.set({ done });
    });
  }

  #do(doing: Doing, work: () => Promise<void>): Promise<void> {
    return this.tools.store.run(doing, work, (problem) => this.failed(problem));
  }

  async failed(problem: Problem): Promise<void> {
    const { store, key } = this.tools;
    if (problem.reason === 'device-unknown') {
      await key.drop();
      store.set({ device: null });
    }
    this.#change({ problem });
  }

  /** Something that needs the card: an account login by card, and the work with it. */
  #withCard(purpose: CardStep['purpose'], work: (login: string) => Promise<void>): void {
    const { store } = this.tools;
    const open = () =>
      this.cards.open(purpose, {
        use: async (answer: CardAnswer) => work(sealed(await account(this.tools, answer))),
        failed: () => false,
        cancelled: () => undefined,
      });
    void store.run('card', open);
  }

  #isThis(device: string): boolean {
    return this.tools.store.state.device?.device === device;
  }

  #change(change: Partial<Account>): void {
    const { store } = this.tools;
    store.set({ account: { ...store.state.account, ...change } });
  }
}

function gone(): never {
  throw new Trouble('storage-lost');
}
