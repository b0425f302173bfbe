/** Being told when a login waits: off until she asks for it, never in the way of anything, and what fails is said with what to do. */

import { expect, test } from 'vitest';
import type { Tab } from './testing.ts';
import { APP_PIN, FakeInsurer, FakePush, FakeReader, PIN, PUSH_SECONDS, SERVICE, authenticator, browser, enrol, settled, tab } from './testing.ts';
import { RENEWED_BEFORE_SECONDS } from './waking.ts';

const DAY = 86_400;
const KEY = 'key-of-the-insurer';

async function world({ pin, pushKey = KEY, push = new FakePush() }: { pin?: string; pushKey?: string | null; push?: FakePush | undefined } = {}) {
  let at = 1_000_000;
  const now = () => at;
  const insurer = new FakeInsurer(now);
  insurer.pushKey = pushKey;
  const all = { ...browser(), push };
  const open = async () => {
    const opened = await tab(all, insurer, new FakeReader(), now);
    await opened.wakes.check();
    return opened;
  };
  const wallet = await open();
  await enrol(wallet, pin);
  await wallet.wakes.check();
  return { insurer, wallet, open, push, now, later: (seconds: number) => void (at += seconds) };
}

async function turn(wallet: Tab, on: boolean) {
  wallet.act.setWake(on);
  await settled(wallet);
}

async function type(wallet: Tab, pin: string) {
  expect(wallet.store.state.pin?.purpose).toBe('wake');
  wallet.act.typePin(pin);
  await settled(wallet);
}

const shown = ({ store }: Tab) => store.state.wake;
const asked = ({ asked }: FakeInsurer) => asked.filter((path) => path === 'devices/push').length;

test('nobody is asked before she turns it on, and then once; turned off, nobody reaches her and the insurer knows', async () => {
  const { insurer, wallet, push, open, now } = await world();
  expect(shown(wallet)).toEqual({ is: 'off', until: null, problem: null });
  expect([push.asked, push.subscription, asked(insurer)]).toEqual([0, undefined, 0]);
  await turn(wallet, true);
  expect(shown(wallet)).toEqual({ is: 'on', until: now() + PUSH_SECONDS, problem: null });
  expect(wallet.store.state.done).toBe('wake-on');
  expect([...insurer.woken.values()]).toEqual([push.subscription?.endpoint]);
  // Another visit finds it as it is, and sends nothing.
  const other = await open();
  expect(shown(other)?.is).toBe('on');
  expect(asked(insurer)).toBe(1);
  // What was shown is taken away: she is looking.
  expect(push.cleared).toBeGreaterThan(0);
  await turn(other, false);
  expect(shown(other)).toEqual({ is: 'off', until: null, problem: null });
  expect([push.subscription, insurer.woken.size]).toEqual([undefined, 0]);
  expect(await other.kept.wake()).toBeUndefined();
});

test('it is not offered where the insurer wakes nobody, the browser cannot, or no key signs', async () => {
  const { wallet: none, insurer } = await world({ pushKey: null });
  expect(shown(none)).toBeNull();
  await turn(none, true);
  expect([shown(none), asked(insurer)]).toEqual([null, 0]);
  const without = browser();
  const offering = new FakeInsurer(() => 1_000_000);
  offering.pushKey = KEY;
  const old = await tab(without, offering, new FakeReader(), () => 1_000_000);
  await enrol(old);
  await old.wakes.check();
  await turn(old, true);
  expect([shown(old), asked(offering)]).toEqual([null, 0]);
  // A passkey signs only when its person is asked.
  const insured = new FakeInsurer(() => 1_000_000);
  insured.pushKey = KEY;
  const keyless = await tab({ ...browser(), push: new FakePush() }, insured, new FakeReader(), () => 1_000_000, { id: null }, authenticator());
  keyless.act.beginEnrolment();
  keyless.act.continueEnrolment();
  keyless.act.setEnrolment({ name: 'Phone', kind: 'passkey', consentToSubstantial: true });
  keyless.act.continueEnrolment();
  await settled(keyless);
  keyless.act.chooseCard('card');
  keyless.act.answerCard(PIN);
  await settled(keyless);
  await keyless.wakes.check();
  expect([keyless.store.state.device?.kind, shown(keyless)]).toEqual(['passkey', null]);
});

test('what she forbids, what the browser cannot, and a push service the insurer does not call: each is said, and nothing stays behind', async () => {
  for (const [set, reason] of [
    [(push: FakePush) => void (push.answers = 'denied'), 'notifications-denied'],
    [(push: FakePush) => void (push.answers = 'default'), 'notifications-denied'],
    [(push: FakePush) => void (push.fails = true), 'push-failed'],
    [(push: FakePush) => void (push.service = 'https://push.example.evil.example/'), 'push-service-unknown'],
    [(push: FakePush) => void (push.service = 'http://push.example/'), 'unexpected'],
  ] as const) {
    const { insurer, wallet, push, open } = await world();
    set(push);
    await turn(wallet, true);
    expect(shown(wallet)).toMatchObject({ is: 'off', until: null, problem: { reason } });
    expect(wallet.store.state).toMatchObject({ problem: null, done: null, busy: null });
    expect([push.subscription, insurer.woken.size, await wallet.kept.wake()], reason).toEqual([undefined, 0, undefined]);
    // Asking goes on as ever, and the next visit asks for nothing.
    insurer.waiting = [{ client_id: SERVICE, login: 'login-1', asked_at: 1_000_000, service: null }];
    const next = await open();
    await next.inbox.look();
    expect(next.store.state.waiting.length).toBe(1);
    expect(shown(next)?.is).toBe('off');
  }
});

test('what the insurer refuses is off again; where no answer came, it is taken back once there is network', async () => {
  const { insurer, wallet, push, open } = await world();
  for (const [fault, reason] of [
    [{ status: 403, body: { error: 'x', reason: 'device-locked' } }, 'device-locked'],
    [{ status: 429, body: { error: 'x', reason: 'too-many-tries' } }, 'too-many-tries'],
    [{ status: 200, body: {} }, 'answer-not-genuine'],
    [{ status: 200, body: { until: 'soon' } }, 'answer-not-genuine'],
  ] as const) {
    insurer.fault('devices/push', fault);
    await turn(wallet, true);
    expect(shown(wallet), reason).toMatchObject({ is: 'off', problem: { reason } });
    expect(push.subscription).toBeUndefined();
  }
  insurer.fault('devices/push', 'unanswered');
  await turn(wallet, true);
  expect(shown(wallet)).toMatchObject({ is: 'untold', problem: { reason: 'offline' } });
  expect([push.subscription, insurer.woken.size]).toEqual([undefined, 1]);
  const next = await open();
  expect([shown(next)?.is, insurer.woken.size]).toEqual(['off', 0]);
});

test('turned off without network it is off, and the insurer is told at the next visit', async () => {
  const { insurer, wallet, push, open } = await world();
  await turn(wallet, true);
  insurer.fault('devices/push', 'lost');
  await turn(wallet, false);
  expect(shown(wallet)).toEqual({ is: 'untold', until: null, problem: null });
  expect([push.subscription, insurer.woken.size]).toEqual([undefined, 1]);
  const next = await open();
  expect([shown(next)?.is, insurer.woken.size]).toEqual(['off', 0]);
});

test('it is named again in time, where the browser has another address, and with another key; nobody presses anything', async () => {
  const { insurer, wallet, push, open, later, now } = await world();
  await turn(wallet, true);
  later(PUSH_SECONDS - RENEWED_BEFORE_SECONDS - 1);
  await open();
  expect(asked(insurer)).toBe(1);
  later(1);
  expect(shown(await open())).toEqual({ is: 'on', until: now() + PUSH_SECONDS, problem: null });
  expect(asked(insurer)).toBe(2);
  // The browser subscribed anew.
  push.subscription = { endpoint: 'https://push.example/new', key: KEY };
  await open();
  expect([...insurer.woken.values()]).toEqual(['https://push.example/new']);
  insurer.pushKey = 'another-key';
  await open();
  expect(push.subscription.key).toBe('another-key');
  expect([...insurer.woken.values()]).toEqual([push.subscription.endpoint]);
  // Nobody opened the wallet for so long that the insurer has forgotten it: it says so until it is told again.
  later(PUSH_SECONDS + DAY);
  insurer.fault('devices/push', 'lost');
  expect(shown(await open())?.is).toBe('pending');
  expect(shown(await open())?.is).toBe('on');
});

test('a lost renewal leaves it as it is', async () => {
  const { insurer, wallet, open, later, now } = await world();
  await turn(wallet, true);
  const until = now() + PUSH_SECONDS;
  later(PUSH_SECONDS - RENEWED_BEFORE_SECONDS);
  for (const fault of ['lost', { status: 503, body: {} }, { status: 429, body: { error: 'x', reason: 'too-many-tries' } }] as const) {
    insurer.fault('devices/push', fault);
    expect(shown(await open())).toEqual({ is: 'on', until, problem: null });
  }
});

test('forbidden later, or a push service that is not called any more: it is off, the insurer knows, and she is told why', async () => {
  const { insurer, wallet, push, open } = await world();
  await turn(wallet, true);
  push.allowed = 'denied';
  expect(shown(await open())).toMatchObject({ is: 'off', problem: { reason: 'notifications-denied' } });
  expect(insurer.woken.size).toBe(0);
  push.allowed = 'granted';
  await turn(wallet, true);
  push.subscription = { endpoint: 'https://taken-back.example/1', key: KEY };
  const next = await open();
  expect(shown(next)).toMatchObject({ problem: { reason: 'push-service-unknown' } });
  expect(push.subscription).toBeUndefined();
  // Seen again, it still says so.
  await next.wakes.check();
  expect(shown(next)?.problem?.reason).toBe('push-service-unknown');
});

test('the insurer wakes nobody any more: what the browser has is ended', async () => {
  const { insurer, wallet, push, open } = await world();
  await turn(wallet, true);
  insurer.pushKey = null;
  expect(shown(await open())).toBeNull();
  expect(push.subscription).toBeUndefined();
});

test('with the app PIN it is typed once, gives its try back, and renews when it is typed for a login', async () => {
  const { insurer, wallet, push, open, later, now } = await world({ pin: APP_PIN });
  await turn(wallet, true);
  expect([shown(wallet)?.is, asked(insurer)]).toEqual(['off', 0]);
  await type(wallet, '999111');
  expect(wallet.store.state.pin?.refused).toBe('wrong');
  expect(asked(insurer)).toBe(0);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, wake: { is: 'on', until: now() + PUSH_SECONDS }, done: 'wake-on' });
  expect(insurer.devices[0]?.pin?.triesLeft).toBe(10);
  // The login that gave the try back looked, too.
  await wallet.wakes.check();
  later(PUSH_SECONDS - RENEWED_BEFORE_SECONDS);
  const next = await open();
  expect(asked(insurer)).toBe(1);
  next.act.openAccount('device');
  await settled(next);
  next.act.typePin(APP_PIN);
  await settled(next);
  await expect.poll(() => shown(next)?.until).toBe(now() + PUSH_SECONDS);
  await turn(next, false);
  await type(next, APP_PIN);
  expect([shown(next)?.is, push.subscription, insurer.woken.size]).toEqual(['off', undefined, 0]);
});

test('the PIN not typed: not turned on, and turned off all the same; the insurer learns it with the next login', async () => {
  const { insurer, wallet, push } = await world({ pin: APP_PIN });
  await turn(wallet, true);
  wallet.act.cancelPin();
  await expect.poll(() => push.subscription).toBeUndefined();
  await expect.poll(() => wallet.kept.wake()).toBeUndefined();
  expect(shown(wallet)?.is).toBe('off');
  await turn(wallet, true);
  await type(wallet, APP_PIN);
  await turn(wallet, false);
  wallet.act.cancelPin();
  await expect.poll(() => shown(wallet)?.is).toBe('untold');
  expect([push.subscription, insurer.woken.size]).toEqual([undefined, 1]);
  wallet.act.openAccount('device');
  await settled(wallet);
  wallet.act.typePin(APP_PIN);
  await settled(wallet);
  await expect.poll(() => shown(wallet)?.is).toBe('off');
  expect(insurer.woken.size).toBe(0);
});

test('forgotten or removed, nobody reaches this browser; bound again, it is off', async () => {
  const { insurer, wallet, push, open } = await world();
  await turn(wallet, true);
  wallet.act.forgetEverything();
  await settled(wallet);
  expect([push.subscription, shown(wallet)]).toEqual([undefined, null]);
  await enrol(wallet);
  await wallet.wakes.check();
  expect(shown(wallet)?.is).toBe('off');
  await turn(wallet, true);
  await wallet.tools.key.drop();
  const next = await open();
  expect([push.subscription, shown(next), await next.kept.wake()]).toEqual([undefined, null, undefined]);
  expect(insurer.decisions).toEqual([]);
});

test('what is kept of it names no person and no login', async () => {
  const { wallet, push } = await world();
  await turn(wallet, true);
  const kept = await wallet.kept.wake();
  expect(kept).toEqual({ wanted: true, told: { device: 'device-1', endpoint: push.subscription?.endpoint, until: 1_000_000 + PUSH_SECONDS } });
});
