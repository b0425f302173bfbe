/** The app's PIN as a person meets it: chosen, asked for, wrong, locked, set anew by card. What lies in the browser signs nothing without it. */

import { expect, test } from 'vitest';
import { PIN as DIGITS, tooSimple } from './pin-rules.ts';
import type { Tab } from './testing.ts';
import { APP_PIN, FakeInsurer, FakeReader, ISSUER, MAX_TRIES, MemoryDatabase, PIN, SERVICE, browser, settled, tab } from './testing.ts';

const WRONG = '407194';
const NEW = '951407';

function world() {
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  return { clock, now, insurer: new FakeInsurer(now), reader: new FakeReader(), browser: browser() };
}
type World = ReturnType<typeof world>;

const opened = ({ browser, insurer, reader, now }: World) => tab(browser, insurer, reader, now);

async function card(wallet: Tab): Promise<void> {
  wallet.act.chooseCard('card');
  wallet.act.answerCard(PIN);
  await settled(wallet);
}

async function type(wallet: Tab, ...pins: string[]): Promise<void> {
  for (const pin of pins) {
    wallet.act.typePin(pin);
    await settled(wallet);
  }
}

async function toPin(wallet: Tab): Promise<void> {
  wallet.act.beginEnrolment();
  wallet.act.continueEnrolment();
  wallet.act.setEnrolment({ name: 'Phone', consentToSubstantial: true });
  wallet.act.continueEnrolment();
  await settled(wallet);
  await card(wallet);
}

async function asked(wallet: Tab): Promise<void> {
  await wallet.requests.open({ issuer: ISSUER, clientId: SERVICE, login: 'login-1' });
  await settled(wallet);
}

/** A browser with a device that has the PIN, and a request that waits for it. */
async function ready(all: World): Promise<Tab> {
  const wallet = await opened(all);
  await toPin(wallet);
  await type(wallet, APP_PIN, APP_PIN);
  expect(wallet.store.state.enrolment?.step).toBe('bound');
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  return wallet;
}

const shelves = (all: World) => (all.browser.database as MemoryDatabase).shelves;

test.each([
  ['111111', 'same-digit'],
  ['00000000', 'same-digit'],
  ['123456', 'row'],
  ['654321', 'row'],
  ['7890123', 'row'],
  ['121212', 'repeats'],
  ['123123', 'repeats'],
  ['12341234', 'repeats'],
  ['112233', 'repeats'],
  ['111222', 'repeats'],
  ['123321', 'repeats'],
  ['020751', 'date'],
  ['510702', 'date'],
  ['02071951', 'date'],
  ['19510702', 'date'],
  ['071951', 'date'],
  ['195107', 'date'],
] as const)('%s is too simple: %s', (pin, why) => expect(tooSimple(pin)).toBe(why));

test.each([APP_PIN, WRONG, NEW, '924680', '40719382', '320751', '021351'])('%s may be taken', (pin) => expect(tooSimple(pin)).toBeUndefined());

test('what is refused leaves more than nine of ten PINs of six digits', () => {
  let refused = 0;
  for (let pin = 0; pin < 1_000_000; pin += 71) if (tooSimple(String(pin).padStart(6, '0'))) refused += 1;
  expect(refused / (1_000_000 / 71)).toBeLessThan(0.1);
});

test.each(['', '12345', '123456789', '12345a', ' 123456', '１２３４５６'])('%j is no PIN', (pin) => expect(DIGITS.test(pin)).toBe(false));

test('a PIN is chosen, typed again, and then the device answers with it and with nothing else', async () => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  expect(wallet.store.state).toMatchObject({ card: null, enrolment: { step: 'pin' }, pin: { step: 'choose', purpose: 'enrol', refused: null } });
  await type(wallet, APP_PIN);
  expect(wallet.store.state.pin).toMatchObject({ step: 'repeat', refused: null });
  // Nothing was bound before she was sure.
  expect(all.insurer.devices).toEqual([]);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, enrolment: { step: 'bound' }, device: { pin: { triesLeft: null } } });
  await asked(wallet);
  const before = all.insurer.asked.length;
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.pin).toMatchObject({ step: 'ask', purpose: 'request' });
  expect(all.insurer.asked.slice(before)).toEqual([]);
  await type(wallet, APP_PIN);
  expect(all.insurer.asked.slice(before)).toEqual(['devices/pin/evaluate', 'auth/device']);
  expect(wallet.store.state).toMatchObject({ pin: null, request: { step: 'decide' } });
  wallet.act.approve([], false);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'approved' });
});

test.each([
  ['12345', 'short'],
  ['123456', 'row'],
  ['111111', 'same-digit'],
] as const)('%s is refused as %s, and asks nobody', async (pin, refused) => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  const before = all.insurer.asked.length;
  await type(wallet, pin);
  expect(wallet.store.state.pin).toMatchObject({ step: 'choose', refused });
  expect(all.insurer.asked.length).toBe(before);
});

test('two that differ begin again, and the first counts no more', async () => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  await type(wallet, APP_PIN, WRONG);
  expect(wallet.store.state.pin).toMatchObject({ step: 'choose', refused: 'different' });
  await type(wallet, NEW, APP_PIN);
  expect(wallet.store.state.pin).toMatchObject({ step: 'choose', refused: 'different' });
  expect(all.insurer.devices).toEqual([]);
});

test('nothing that lies in the browser signs without the PIN, and the PIN lies nowhere', async () => {
  const all = world();
  const wallet = await ready(all);
  const { keys, sealed } = shelves(all);
  expect([...keys.keys()]).toEqual(['sealing']);
  const device = await wallet.tools.key.kept();
  if (!device) throw new Error('no device');
  await expect(wallet.tools.key.sign(device, 1, 'x')).rejects.toMatchObject({ problem: { reason: 'other-tab' } });
  const records = await Promise.all([...sealed.keys()].map((name) => wallet.records.read(name)));
  expect(JSON.stringify([records, wallet.store.state])).not.toContain(APP_PIN);
  // Nor does what was wrapped open as a key by itself: it is form, salt, and AES-GCM's bytes.
  expect(device.wrapped).toMatch(/^[\w-]{150,}$/);
});

test('the state never holds what was typed, at any step', async () => {
  const all = world();
  const wallet = await opened(all);
  const seen: string[] = [];
  const set = wallet.store.set.bind(wallet.store);
  wallet.store.set = (change) => {
    set(change);
    seen.push(JSON.stringify(wallet.store.state));
  };
  await toPin(wallet);
  await type(wallet, APP_PIN, WRONG, APP_PIN, APP_PIN);
  await asked(wallet);
  wallet.act.answerWithDevice();
  await type(wallet, WRONG, APP_PIN);
  expect(seen.length).toBeGreaterThan(20);
  for (const state of seen) for (const pin of [APP_PIN, WRONG]) expect(state).not.toContain(pin);
});

test('a wrong PIN says how many tries are left, also after a reload, and the right one gives them back', async () => {
  const all = world();
  const wallet = await ready(all);
  await type(wallet, WRONG);
  expect(wallet.store.state).toMatchObject({ pin: { step: 'ask', refused: 'wrong' }, device: { pin: { triesLeft: 9 } }, request: { step: 'ask' } });
  await type(wallet, WRONG);
  expect(wallet.store.state.device?.pin).toEqual({ triesLeft: 8 });
  const later = await opened(all);
  expect(later.store.state.device?.pin).toEqual({ triesLeft: 8 });
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ request: { step: 'decide' }, device: { pin: { triesLeft: null } } });
  expect(all.insurer.devices[0]?.pin?.triesLeft).toBe(MAX_TRIES);
  expect((await opened(all)).store.state.device?.pin).toEqual({ triesLeft: null });
});

test('what has too few digits is no try', async () => {
  const all = world();
  const wallet = await ready(all);
  await type(wallet, '40719');
  expect(wallet.store.state.pin).toMatchObject({ refused: 'short' });
  expect(all.insurer.devices[0]?.pin?.triesLeft).toBe(MAX_TRIES);
});

test('after the last try it is locked, the right PIN and a copy of the old storage do not help, and the card does', async () => {
  const all = world();
  const wallet = await ready(all);
  const copy = new Map(shelves(all).sealed);
  const { pin } = all.insurer.devices[0] ?? {};
  if (!pin) throw new Error('no PIN');
  pin.triesLeft = 2;
  await type(wallet, WRONG, WRONG);
  expect(wallet.store.state).toMatchObject({ pin: { step: 'locked' }, device: { pin: { triesLeft: 0 } } });
  const before = all.insurer.asked.length;
  await type(wallet, APP_PIN);
  expect(all.insurer.asked.length).toBe(before);
  for (const [name, record] of copy) shelves(all).sealed.set(name, record);
  const restored = await opened(all);
  expect(restored.store.state.device?.pin).toEqual({ triesLeft: null });
  restored.act.openAccount('device');
  await type(restored, APP_PIN);
  expect(restored.store.state).toMatchObject({ pin: { step: 'locked' }, account: { state: 'closed' } });

  restored.act.newPin();
  await settled(restored);
  expect(restored.store.state).toMatchObject({ pin: null, card: { purpose: 'new-pin' } });
  await card(restored);
  expect(restored.store.state.pin).toMatchObject({ step: 'choose', purpose: 'new' });
  await type(restored, NEW, NEW);
  expect(restored.store.state).toMatchObject({ done: 'pin-set', pin: null, device: { name: 'Phone', pin: { triesLeft: null } }, account: { state: 'open' } });
  expect(all.insurer.devices.map(({ handle, name }) => [handle, name])).toEqual([['device-2', 'Phone']]);
  restored.act.closeAccount();
  restored.act.openAccount('device');
  await type(restored, APP_PIN);
  expect(restored.store.state.pin).toMatchObject({ refused: 'wrong' });
  await type(restored, NEW);
  expect(restored.store.state).toMatchObject({ pin: null, account: { state: 'open', by: 'device' } });
});

test.each(['lost', 'unanswered'] as const)('a try that was %s is told, nothing repeats it by itself, and the next one goes on', async (fault) => {
  const all = world();
  const wallet = await ready(all);
  all.insurer.fault('devices/pin/evaluate', fault);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: { step: 'ask', refused: null, problem: { reason: 'offline' } }, request: { step: 'ask' } });
  wallet.act.retry();
  await settled(wallet);
  // One that arrived has counted, whoever knows of it.
  expect(all.insurer.devices[0]?.pin?.triesLeft).toBe(fault === 'lost' ? MAX_TRIES : MAX_TRIES - 1);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, request: { step: 'decide' } });
  expect(all.insurer.devices[0]?.pin?.triesLeft).toBe(MAX_TRIES);
});

test.each(['lost', 'unanswered'] as const)('a login whose signature was %s after the right PIN asks for the PIN again', async (fault) => {
  const all = world();
  const wallet = await ready(all);
  all.insurer.fault('auth/device', fault);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, request: { step: 'ask', problem: { reason: 'offline' } } });
  wallet.act.answerWithDevice();
  await settled(wallet);
  await type(wallet, APP_PIN);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test.each(['devices', 'devices/pin'])('a PIN whose setting got no answer at %s is set by typing it once more', async (path) => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  all.insurer.fault(path, 'unanswered');
  await type(wallet, APP_PIN, APP_PIN);
  expect(wallet.store.state).toMatchObject({ device: null, pin: { step: 'repeat', problem: { reason: 'offline' } } });
  // Between the two the key was in memory only.
  expect([...shelves(all).keys.keys()]).toEqual(['sealing']);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ device: { device: 'device-2' }, pin: null, enrolment: { step: 'bound' } });
  expect(all.insurer.devices).toHaveLength(1);
});

test('who thinks longer than the card’s login lives shows the card again, and loses nothing but that', async () => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  all.insurer.fault('devices', { status: 400, body: { reason: 'login-expired' } });
  await type(wallet, APP_PIN, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, enrolment: { step: 'name', name: 'Phone', problem: { reason: 'card-login-needed' } } });
  wallet.act.continueEnrolment();
  await settled(wallet);
  await card(wallet);
  await type(wallet, APP_PIN, APP_PIN);
  expect(wallet.store.state.device?.pin).not.toBeNull();
});

test('an enrolment closed at its PIN is taken up at the name, and no PIN was kept', async () => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  await type(wallet, APP_PIN);
  const later = await opened(all);
  expect(later.store.state).toMatchObject({ pin: null, device: null, enrolment: { step: 'name', resumed: true } });
  for (const name of shelves(all).sealed.keys()) expect(JSON.stringify(await later.records.read(name))).not.toContain(APP_PIN);
});

test('without a PIN, and with a device from before there were any, nothing is asked', async () => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  wallet.act.withoutPin();
  await settled(wallet);
  expect(wallet.store.state.device?.pin).toBeNull();
  // As records were written before.
  const { wrapped: _wrapped, tries_left: _left, ...older } = (await wallet.records.read('device')) as Record<string, unknown>;
  await wallet.records.write('device', older);
  const later = await opened(all);
  await asked(later);
  later.act.answerWithDevice();
  await settled(later);
  expect(later.store.state.request?.step).toBe('decide');
  // It may get one, by card.
  later.act.changePin();
  expect(later.store.state.pin).toBeNull();
  later.act.newPin();
  await settled(later);
  await card(later);
  later.act.withoutPin();
  expect(later.store.state.pin).toMatchObject({ step: 'choose' });
  await type(later, APP_PIN, APP_PIN);
  expect(later.store.state.device?.pin).not.toBeNull();
  expect([...shelves(all).keys.keys()]).toEqual(['sealing']);
});

test('the PIN is changed by whoever knows it: the old one, then a new one twice', async () => {
  const all = world();
  const wallet = await ready(all);
  wallet.act.cancelPin();
  wallet.act.changePin();
  await type(wallet, WRONG);
  expect(wallet.store.state.pin).toMatchObject({ step: 'ask', purpose: 'change', refused: 'wrong' });
  await type(wallet, APP_PIN);
  expect(wallet.store.state.pin).toMatchObject({ step: 'choose', purpose: 'change' });
  await type(wallet, '123456');
  expect(wallet.store.state.pin).toMatchObject({ step: 'choose', refused: 'row' });
  await type(wallet, NEW, NEW);
  expect(wallet.store.state).toMatchObject({ pin: null, done: 'pin-changed' });
  for (const [pin, step] of [[APP_PIN, 'ask'], [NEW, 'decide']] as const) {
    wallet.act.answerWithDevice();
    await type(wallet, pin);
    expect(wallet.store.state.request?.step).toBe(step);
  }
});

test('a change whose answer is lost leaves the old PIN good', async () => {
  const all = world();
  const wallet = await ready(all);
  wallet.act.cancelPin();
  wallet.act.changePin();
  await type(wallet, APP_PIN);
  all.insurer.fault('devices/pin/evaluate', 'unanswered');
  await type(wallet, NEW, NEW);
  expect(wallet.store.state.pin).toMatchObject({ step: 'repeat', problem: { reason: 'offline' } });
  wallet.act.cancelPin();
  wallet.act.answerWithDevice();
  await type(wallet, APP_PIN);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test('who knows the PIN changes it with the last try, too: her login in between gives all of them back', async () => {
  const all = world();
  const wallet = await ready(all);
  wallet.act.cancelPin();
  const device = all.insurer.devices[0];
  if (!device?.pin) throw new Error('no PIN');
  device.pin.triesLeft = 1;
  wallet.act.changePin();
  await type(wallet, APP_PIN, NEW, NEW);
  expect(wallet.store.state.done).toBe('pin-changed');
  expect(device.pin.triesLeft).toBe(MAX_TRIES - 1);
});

test('a device the insurer removed says so, and not that the PIN was wrong', async () => {
  const all = world();
  const wallet = await ready(all);
  all.insurer.devices = [];
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, device: null, request: { step: 'ask', problem: { reason: 'device-unknown' } } });
});

test('an account whose login is too old asks for the PIN, not for the card', async () => {
  const all = world();
  const wallet = await ready(all);
  wallet.act.cancelPin();
  wallet.act.closeAccount();
  wallet.act.openAccount('device');
  await type(wallet, APP_PIN);
  expect(wallet.store.state.account).toMatchObject({ state: 'open', by: 'device' });
  all.insurer.fault('account/revoke', { status: 400, body: { reason: 'login-expired' } });
  wallet.act.revokeConsent('x');
  await settled(wallet);
  expect(wallet.store.state).toMatchObject({ pin: { step: 'ask', purpose: 'account' }, account: { state: 'closed' } });
  await type(wallet, APP_PIN);
  expect(wallet.store.state.account).toMatchObject({ state: 'open', problem: null });
});

test('another tab that was open before the PIN was set signs nothing', async () => {
  const all = world();
  const wallet = await opened(all);
  await toPin(wallet);
  wallet.act.withoutPin();
  await settled(wallet);
  const other = await opened(all);
  wallet.act.newPin();
  await settled(wallet);
  await card(wallet);
  await type(wallet, APP_PIN, APP_PIN);
  await asked(other);
  other.act.answerWithDevice();
  await settled(other);
  expect(other.store.state.request).toMatchObject({ step: 'ask', problem: { reason: 'other-tab' } });
});

test('declining and the card need no PIN, and take the question for it away', async () => {
  for (const act of ['decline', 'answerWithCard'] as const) {
    const wallet = await ready(world());
    expect(wallet.store.state.pin?.step).toBe('ask');
    wallet.act[act]();
    await settled(wallet);
    expect(wallet.store.state.pin).toBeNull();
    expect(wallet.store.state.request?.step).toBe(act === 'decline' ? 'done' : 'card');
  }
});

test('another request taken up does not take over the question for the PIN', async () => {
  const all = world();
  const wallet = await ready(all);
  const other = await opened(all);
  await other.requests.open({ issuer: ISSUER, clientId: SERVICE, login: 'login-2' });
  await settled(other);
  const waiting = (await wallet.kept.requests()).find(({ login }) => login === 'login-2');
  wallet.act.takeUp(waiting?.id ?? '');
  await settled(wallet);
  expect(wallet.store.state).toMatchObject({ pin: null, request: { id: waiting?.id, step: 'ask' } });
  const before = all.insurer.asked.length;
  await type(wallet, APP_PIN);
  expect(all.insurer.asked.length).toBe(before);
});

test('forgetting everything forgets the question, and the key', async () => {
  const all = world();
  const wallet = await ready(all);
  wallet.act.forgetEverything();
  await settled(wallet);
  await type(wallet, APP_PIN);
  expect(wallet.store.state).toMatchObject({ pin: null, device: null });
  expect([...shelves(all).sealed.keys()]).toEqual([]);
});
