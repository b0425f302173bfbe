/** What browsers sent to this device: shown without a link, asked for without a word, and gone when it does not wait any more. */

import { expect, test } from 'vitest';
import type { Tab } from './testing.ts';
import { FakeInsurer, FakeReader, NUMBER, SERVICE, browser, enrol, settled, tab } from './testing.ts';

const NOW = 1_000_000;
const sent = (login: string) => ({ client_id: SERVICE, login, asked_at: NOW, service: { name: 'Service' } });

async function world(pin?: string) {
  const now = () => NOW;
  const all = { insurer: new FakeInsurer(now), browser: browser() };
  const open = () => tab(all.browser, all.insurer, new FakeReader(), now);
  const wallet = await open();
  await enrol(wallet, pin);
  return { ...all, wallet, open };
}

const shown = ({ store }: Tab) => store.state.waiting.map(({ service }) => service);

test('a login that was sent here is shown and answered without a link', async () => {
  const { insurer, wallet } = await world();
  await wallet.inbox.look();
  expect(shown(wallet)).toEqual([]);
  insurer.waiting = [sent('login-1')];
  insurer.elsewhere = true;
  await wallet.inbox.look();
  // Asked again, it is still the one.
  await wallet.inbox.look();
  expect(shown(wallet)).toEqual(['Service']);
  wallet.act.takeUp(wallet.store.state.waiting[0]?.id ?? '');
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', otherDevice: { browser: 'Firefox' } });
  wallet.act.answerWithDevice();
  await settled(wallet);
  wallet.act.approve([], false, NUMBER);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'approved', back: null });
  insurer.waiting = [];
  await wallet.inbox.look();
  expect(shown(wallet)).toEqual([]);
});

test('what does not wait any more is gone, and what was begun here stays', async () => {
  const { insurer, wallet, open } = await world();
  await wallet.requests.open({ issuer: wallet.tools.provider.issuer, clientId: SERVICE, login: 'own' });
  await settled(wallet);
  insurer.waiting = [sent('login-1'), sent('login-2')];
  await wallet.inbox.look();
  expect((await wallet.kept.requests()).map(({ login }) => login)).toEqual(['own', 'login-1', 'login-2']);
  insurer.waiting = [sent('login-2')];
  const other = await open();
  await other.inbox.look();
  expect((await other.kept.requests()).map(({ login }) => login)).toEqual(['own', 'login-2']);
});

test('the key signs once, then a ticket asks; one that is too old is replaced', async () => {
  const { insurer, wallet, open } = await world();
  const counter = (await wallet.tools.key.kept())?.counter;
  await wallet.inbox.look();
  await wallet.inbox.look();
  expect(insurer.tickets.size).toBe(1);
  const other = await open();
  await other.inbox.look();
  expect(insurer.tickets.size).toBe(1);
  insurer.tickets.clear();
  insurer.waiting = [sent('login-1')];
  await other.inbox.look();
  expect(shown(other)).toEqual(['Service']);
  expect(insurer.tickets.size).toBe(1);
  // Looking counts nothing.
  expect((await wallet.tools.key.kept())?.counter).toBe(counter);
});

test('nothing is said of a look that fails, and nothing is lost', async () => {
  const { insurer, wallet } = await world();
  insurer.waiting = [sent('login-1')];
  await wallet.inbox.look();
  for (const fault of ['lost', { status: 503, body: {} }, { status: 200, body: { requests: 7 } }, { status: 403, body: { error: 'x', reason: 'device-locked' } }] as const) {
    insurer.fault('devices/requests', fault);
    await wallet.inbox.look();
    expect(wallet.store.state).toMatchObject({ problem: null, busy: null });
    expect(shown(wallet)).toEqual(['Service']);
  }
});

test('without a device, without network, and while something else runs, nobody asks', async () => {
  const { insurer, wallet } = await world();
  const asked = () => insurer.asked.filter((path) => path === 'devices/requests').length;
  const before = asked();
  wallet.store.set({ online: false });
  await wallet.inbox.look();
  wallet.store.set({ online: true, busy: 'card' });
  await wallet.inbox.look();
  wallet.store.set({ busy: null });
  await wallet.tools.key.drop();
  await wallet.inbox.look();
  expect(asked()).toBe(before);
});

test('a key that lies here wrapped signs when the PIN was typed for a login, and the ticket asks afterwards', async () => {
  const { insurer, wallet, open } = await world('135790');
  insurer.waiting = [sent('login-1')];
  await wallet.inbox.look();
  expect(shown(wallet)).toEqual([]);
  await wallet.requests.open({ issuer: wallet.tools.provider.issuer, clientId: SERVICE, login: 'own' });
  await settled(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  wallet.act.typePin('135790');
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
  await expect.poll(() => insurer.tickets.size).toBe(1);
  const other = await open();
  await other.inbox.look();
  expect(shown(other)).toContain('Service');
});
