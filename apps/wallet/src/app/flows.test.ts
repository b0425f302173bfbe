/** What a person meets: every path ends in a state with a reason, nothing is lost by closing, and no tap counts twice. */

import { expect, test } from 'vitest';
import { PasskeyFailure } from '../passkey/index.ts';
import type { Tab } from './testing.ts';
import { BASE, FakeInsurer, FakeReader, ISSUER, KVNR, MemoryDatabase, NUMBER, PIN, SERVICE, authenticator, browser, settled, tab } from './testing.ts';

const LINK = { issuer: ISSUER, clientId: SERVICE, login: 'login-1' };

/** A world with a clock. */
function world() {
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  return { clock, now, insurer: new FakeInsurer(now), reader: new FakeReader(), browser: browser(), passkeys: authenticator() };
}
type World = ReturnType<typeof world>;

const opened = ({ browser, insurer, reader, now }: World, session?: { id: string | null }) => tab(browser, insurer, reader, now, session);

async function typed(wallet: Tab, pin: string): Promise<void> {
  wallet.act.chooseCard('card');
  wallet.act.answerCard(pin);
  await settled(wallet);
}

/** Set up without the app's PIN; `pin.test.ts` is about the one. */
async function plain(wallet: Tab): Promise<void> {
  await typed(wallet, PIN);
  wallet.act.withoutPin();
  await settled(wallet);
}

async function toCard(wallet: Tab): Promise<void> {
  wallet.act.beginEnrolment();
  wallet.act.continueEnrolment();
  wallet.act.setEnrolment({ name: 'Phone', consentToSubstantial: true });
  wallet.act.continueEnrolment();
  await settled(wallet);
}

async function enrolled(wallet: Tab): Promise<void> {
  await toCard(wallet);
  await plain(wallet);
  expect(wallet.store.state.enrolment?.step).toBe('bound');
}

async function asked(wallet: Tab, login = 'login-1'): Promise<void> {
  await wallet.requests.open({ ...LINK, login });
  await settled(wallet);
}

test('a person enrols with her card and answers a request with this browser', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  expect(wallet.store.state.account.state).toBe('open');
  await asked(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', deviceAnswers: 'yes', service: { name: 'Service' } });
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
  wallet.act.approve(['b'], true);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'approved', back: `${SERVICE}/back?code=1` });
  expect(wallet.left).toEqual([`${SERVICE}/back?code=1`]);
  expect(all.insurer.decisions).toMatchObject([{ decision: 'approve', claims: ['b'], remember: true }]);
  expect(await wallet.kept.requests()).toEqual([]);
});

test('declining before anybody is known leads back, too', async () => {
  const wallet = await opened(world());
  await asked(wallet);
  wallet.act.decline();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'declined', back: `${SERVICE}/back?error=access_denied` });
});

test.each(['javascript:alert(1)', 'data:text/html,x', 'intent://x', 'nowhere'])('nobody is sent to %s', async (back) => {
  const all = world();
  const wallet = await opened(all);
  await asked(wallet);
  all.insurer.back = back;
  wallet.act.decline();
  await settled(wallet);
  expect(wallet.left).toEqual([]);
  expect(wallet.store.state.request).toMatchObject({ step: 'over', back: null, problem: { reason: 'answer-not-genuine' } });
});

test('a second tap while the first works does nothing', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  const before = all.insurer.asked.length;
  wallet.act.answerWithDevice();
  wallet.act.answerWithDevice();
  wallet.act.decline();
  await settled(wallet);
  expect(all.insurer.asked.slice(before)).toEqual(['auth/device']);
  wallet.act.approve([], false);
  wallet.act.approve([], false);
  await settled(wallet);
  expect(all.insurer.decisions).toHaveLength(1);
});

test('no tap after the answer does anything', async () => {
  const all = world();
  const wallet = await opened(all);
  await asked(wallet);
  wallet.act.decline();
  await settled(wallet);
  const before = all.insurer.asked.length;
  for (const act of [wallet.act.decline, wallet.act.answerWithDevice, wallet.act.answerWithCard, () => wallet.act.approve([], false), () => wallet.act.abort('not-me')]) {
    act();
    await settled(wallet);
  }
  expect(all.insurer.asked.length).toBe(before);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'declined', problem: null });
});

test.each([
  ['lost', 'offline'],
  ['unanswered', 'offline'],
  [{ status: 503, body: {} }, 'unavailable'],
  [{ status: 500, body: { reason: 'internal', support_code: 'ABCD-EFGH' } }, 'internal'],
] as const)('a decision that was %j is asked for again, and she may decide otherwise', async (fault, reason) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  all.insurer.fault('auth/consent', fault);
  wallet.act.approve([], false);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'decide', problem: { reason } });
  wallet.act.decline();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'declined', problem: null });
});

test.each(['auth/challenge', 'auth/jwks', 'auth/device'])('a network that fails at %s is said, and trying again goes on', async (path) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.insurer.fault(path, 'unanswered');
  await asked(wallet);
  if (path === 'auth/device') {
    wallet.act.answerWithDevice();
    await settled(wallet);
  }
  expect(wallet.store.state.request).toMatchObject({ step: path === 'auth/device' ? 'ask' : 'loading', problem: { reason: 'offline' } });
  wallet.act.retry();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: path === 'auth/device' ? 'decide' : 'ask', problem: null });
});

test('every signature has its own counter, whatever became of the one before', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  all.insurer.fault('auth/device', 'lost', 'unanswered');
  for (const counter of [1, 2]) {
    wallet.act.answerWithDevice();
    await settled(wallet);
    expect((await wallet.tools.key.kept())?.counter).toBe(counter);
  }
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
  expect(all.insurer.devices[0]?.counter).toBe(3);
});

test('two tabs that sign at once use two counters, and both are answered', async () => {
  const all = world();
  const first = await opened(all);
  await enrolled(first);
  const second = await opened(all);
  await asked(first);
  await asked(second, 'login-2');
  first.act.answerWithDevice();
  second.act.answerWithDevice();
  await Promise.all([settled(first), settled(second)]);
  expect([first, second].map((wallet) => wallet.store.state.request?.step)).toEqual(['decide', 'decide']);
  expect(all.insurer.devices[0]?.counter).toBe(2);
});

const YES = { voluntary: ['b'], remember: false };

test.each(['device', 'card'] as const)('what she agreed to is shared after the %s without a second question', async (by) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  if (by === 'device') {
    wallet.act.answerWithDevice(YES);
    await settled(wallet);
  } else {
    wallet.act.answerWithCard(YES);
    await settled(wallet);
    await typed(wallet, '000000');
    expect(wallet.store.state.request?.step).toBe('card');
    await typed(wallet, PIN);
  }
  expect(wallet.store.state).toMatchObject({ card: null, request: { step: 'done', outcome: 'approved' } });
  expect(all.insurer.decisions).toMatchObject([{ decision: 'approve', claims: ['b'], remember: false }]);
});

test.each([{ voluntary: ['b', 'c'] }, { essential: ['a', 'c'] }, { service: { name: 'Another', logo_uri: null } }])(
  'where the provider asks for something else than she agreed to (%j) she is asked, and her choice is there',
  async (more) => {
    const all = world();
    const wallet = await opened(all);
    await enrolled(wallet);
    await asked(wallet);
    all.insurer.consent = more;
    wallet.act.answerWithCard(YES);
    await settled(wallet);
    await typed(wallet, PIN);
    expect(wallet.store.state.request).toMatchObject({ step: 'decide', agreed: false, choice: YES });
    expect(all.insurer.decisions).toEqual([]);
  },
);

test('what she agreed to is no answer to a request from another device', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.insurer.elsewhere = true;
  await asked(wallet);
  wallet.act.answerWithDevice(YES);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'decide', agreed: false });
  expect(all.insurer.decisions).toEqual([]);
});

test('an approval whose answer is lost is asked for again, and her choice is there', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  all.insurer.fault('auth/consent', 'lost');
  wallet.act.answerWithCard(YES);
  await settled(wallet);
  await typed(wallet, PIN);
  expect(wallet.store.state).toMatchObject({ card: null, request: { step: 'decide', agreed: false, choice: YES, problem: { reason: 'offline' } } });
  wallet.act.approve(YES.voluntary, YES.remember);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'approved' });
});

test('a card step that is left keeps what she chose', async () => {
  const all = world();
  const wallet = await opened(all);
  await asked(wallet);
  wallet.act.answerWithCard(YES);
  await settled(wallet);
  wallet.act.cancelCard();
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', agreed: false, choice: YES });
  await asked(wallet, 'login-2');
  expect(wallet.store.state.request?.choice).toEqual({ voluntary: [], remember: false });
});

test('a tab closed in the middle of a request shows it again', async () => {
  const all = world();
  const session = { id: null };
  const wallet = await opened(all, session);
  await enrolled(wallet);
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  const again = await opened(all, session);
  await again.requests.resume();
  await settled(again);
  expect(again.store.state.request).toMatchObject({ step: 'ask', service: { name: 'Service' }, deviceAnswers: 'yes' });
});

test('another tab offers what waits, and not what it shows itself', async () => {
  const all = world();
  const wallet = await opened(all);
  await asked(wallet);
  expect(wallet.store.state.waiting).toEqual([]);
  const other = await opened(all);
  await other.requests.resume();
  expect(other.store.state.waiting).toMatchObject([{ service: 'Service' }]);
  other.act.takeUp(other.store.state.waiting[0]?.id ?? '');
  await settled(other);
  expect(other.store.state.request?.step).toBe('ask');
});

test('a request older than its login is not offered any more, and taking it up says so', async () => {
  const all = world();
  const wallet = await opened(all);
  await asked(wallet);
  const id = wallet.store.state.request?.id ?? '';
  all.clock.now += 901;
  const other = await opened(all);
  await other.requests.resume();
  expect(other.store.state.waiting).toEqual([]);
  other.act.takeUp(id);
  await settled(other);
  expect(other.store.state.request).toMatchObject({ step: 'over', problem: { reason: 'login-expired' } });
});

test('a question that grew old while she thought is asked anew before anything signs', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  all.clock.now += 175;
  const before = all.insurer.asked.length;
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(all.insurer.asked.slice(before)).toEqual(['auth/challenge', 'auth/jwks', 'auth/device']);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test.each([
  ['login-over', 400],
  ['login-expired', 400],
  ['other-browser', 403],
  ['aborted', 403],
])('a login that is %s is over, with its support code', async (reason, status) => {
  const all = world();
  const wallet = await opened(all);
  all.insurer.fault('auth/challenge', { status, body: { reason, support_code: 'ABCD-EFGH' } });
  await asked(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'over', problem: { reason, supportCode: 'ABCD-EFGH' } });
  await settled(wallet);
  expect(await wallet.kept.requests()).toEqual([]);
});

test('a challenge that the provider finds too old costs one more tap, not the login', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  all.insurer.fault('auth/device', { status: 400, body: { reason: 'challenge-expired' } });
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', problem: { reason: 'challenge-expired' } });
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test('a link of another insurer, or half a link, sends nothing', async () => {
  const all = world();
  const wallet = await opened(all);
  await wallet.requests.open({ ...LINK, issuer: 'https://other.example' });
  expect(wallet.store.state.request).toMatchObject({ step: 'over', problem: { reason: 'foreign-insurer' } });
  await wallet.requests.open(null);
  expect(wallet.store.state.request).toMatchObject({ step: 'over', problem: { reason: 'link-broken' } });
  expect(all.insurer.asked).toEqual([]);
});

test('a question somebody else signed is not shown', async () => {
  const all = world();
  const wallet = await opened(all);
  const other = new FakeInsurer(all.now);
  const keys = await (await other.fetch(`${BASE}/auth/jwks`, {})).json();
  all.insurer.fault('auth/jwks', { status: 200, body: keys });
  await asked(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'over', service: null, problem: { reason: 'answer-not-genuine' } });
});

test('a wrong PIN leaves the card step and tells the tries left; the third blocks; the PUK frees', async () => {
  const all = world();
  const wallet = await opened(all);
  await toCard(wallet);
  const cards = () => wallet.store.state.card;
  await typed(wallet, '000000');
  expect(cards()).toMatchObject({ problem: { reason: 'pin-wrong', triesLeft: 2 }, cards: [{ triesLeft: 2 }] });
  await typed(wallet, '12');
  expect(cards()?.problem?.reason).toBe('pin-malformed');
  expect(all.reader.triesLeft).toBe(2);
  await typed(wallet, '000000');
  await typed(wallet, '000000');
  expect(cards()).toMatchObject({ problem: { reason: 'pin-blocked', triesLeft: 0 } });
  wallet.act.unblockCard('12345678');
  await settled(wallet);
  await plain(wallet);
  expect(cards()).toBeNull();
  expect(wallet.store.state.enrolment?.step).toBe('bound');
});

test('nothing types a PIN again but a person', async () => {
  const all = world();
  const wallet = await opened(all);
  await toCard(wallet);
  await typed(wallet, '000000');
  wallet.act.retry();
  await settled(wallet);
  expect(all.reader.triesLeft).toBe(2);
});

test('a card the insurer refuses stays in the card step: another may be tried', async () => {
  const all = world();
  const wallet = await opened(all);
  await toCard(wallet);
  all.insurer.fault('auth/card', { status: 403, body: { reason: 'card-expired', support_code: 'ABCD-EFGH' } });
  await typed(wallet, PIN);
  expect(wallet.store.state.card?.problem).toMatchObject({ reason: 'card-expired', supportCode: 'ABCD-EFGH' });
  await plain(wallet);
  expect(wallet.store.state.enrolment?.step).toBe('bound');
});

test('without a reader the card step says so', async () => {
  const all = world();
  const wallet = await tab(all.browser, all.insurer, undefined, all.now);
  await toCard(wallet);
  expect(wallet.store.state.card?.problem?.reason).toBe('no-card-reader');
});

test('a reader that is gone is said, and can be asked again', async () => {
  const all = world();
  const wallet = await opened(all);
  all.reader.gone = true;
  await toCard(wallet);
  expect(wallet.store.state.card?.problem?.reason).toBe('reader-unreachable');
  all.reader.gone = false;
  wallet.act.refreshCards();
  await settled(wallet);
  expect(wallet.store.state.card).toMatchObject({ problem: null, cards: [{ id: 'card' }], chosen: 'card' });
});

test('an enrolment is taken up where it was, weeks later, without the card step', async () => {
  const all = world();
  const wallet = await opened(all);
  await toCard(wallet);
  all.clock.now += 40 * 86_400;
  const later = await opened(all);
  expect(later.store.state.enrolment).toMatchObject({ step: 'name', name: 'Phone', consentToSubstantial: true, resumed: true });
  later.act.continueEnrolment();
  await settled(later);
  await plain(later);
  expect(later.store.state.device).toMatchObject({ name: 'Phone', class: 'software' });
  all.clock.now += 61 * 86_400;
  const other = await opened(all);
  expect(other.store.state.enrolment).toBeNull();
  expect(other.store.state.device).not.toBeNull();
});

test('an enrolment whose last answer is lost keeps what was typed, and one more tap repeats it without the card', async () => {
  const all = world();
  const wallet = await opened(all);
  await toCard(wallet);
  all.insurer.fault('devices', 'unanswered');
  await plain(wallet);
  expect(wallet.store.state).toMatchObject({ device: null, card: null, enrolment: { step: 'pin', name: 'Phone' }, pin: { problem: { reason: 'offline' } } });
  wallet.act.withoutPin();
  await settled(wallet);
  expect(wallet.store.state).toMatchObject({ device: { device: 'device-2', pin: null }, pin: null });
  expect(all.insurer.devices).toHaveLength(1);
});

/** Up to the request that binds a passkey, which nobody answers. */
async function unanswered(all: World, ...faults: Parameters<FakeInsurer['fault']>[1][]): Promise<Tab> {
  const wallet = await tab(all.browser, all.insurer, all.reader, all.now, undefined, all.passkeys);
  wallet.act.beginEnrolment();
  wallet.act.continueEnrolment();
  wallet.act.setEnrolment({ name: 'Phone', kind: 'passkey', consentToSubstantial: true });
  wallet.act.continueEnrolment();
  await settled(wallet);
  all.insurer.fault('devices', ...faults);
  await typed(wallet, PIN);
  expect(wallet.store.state).toMatchObject({ device: null, card: null, enrolment: { step: 'binding', name: 'Phone', problem: {} } });
  return wallet;
}

test.each(['lost', 'unanswered'] as const)('a passkey whose binding is %s is bound without the card, once', async (fault) => {
  const all = world();
  const wallet = await unanswered(all, fault, 'lost', { status: 503, body: {} });
  for (const reason of ['offline', 'unavailable']) {
    wallet.act.continueEnrolment();
    await settled(wallet);
    expect(wallet.store.state.enrolment).toMatchObject({ step: 'binding', problem: { reason } });
  }
  wallet.act.continueEnrolment();
  await settled(wallet);
  expect(wallet.store.state).toMatchObject({ enrolment: { step: 'bound' }, device: { name: 'Phone', kind: 'passkey' }, account: { state: 'open' } });
  expect([all.insurer.asked.filter((path) => path === 'auth/card').length, all.insurer.devices.length]).toEqual([1, 1]);
  await asked(wallet);
  wallet.act.answerWithDevice(YES);
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('done');
});

test('a passkey whose binding was not answered is bound after the tab was closed, too, for ten minutes', async () => {
  const all = world();
  await unanswered(all, 'unanswered');
  all.clock.now += 599;
  const later = await opened(all);
  expect(later.store.state.enrolment).toMatchObject({ step: 'binding', resumed: true, problem: null });
  later.act.continueEnrolment();
  await settled(later);
  expect(later.store.state).toMatchObject({ enrolment: { step: 'bound' }, device: { device: all.insurer.devices[0]?.handle, kind: 'passkey' } });
  expect([...(all.browser.database as MemoryDatabase).shelves.sealed.keys()]).not.toContain('sent');
});

test('after ten minutes the card is asked for again, and nothing of its login is kept', async () => {
  const all = world();
  const wallet = await unanswered(all, 'unanswered');
  all.clock.now += 600;
  wallet.act.continueEnrolment();
  await settled(wallet);
  expect(wallet.store.state.enrolment).toMatchObject({ step: 'name', problem: { reason: 'card-login-needed' } });
  const { sealed } = (all.browser.database as MemoryDatabase).shelves;
  expect([...sealed.keys()]).not.toContain('sent');

  const other = world();
  await unanswered(other, 'unanswered');
  other.clock.now += 600;
  expect((await opened(other)).store.state.enrolment).toMatchObject({ step: 'name' });
  expect([...(other.browser.database as MemoryDatabase).shelves.sealed.keys()]).not.toContain('sent');
});

test.each([
  ['too-many-devices', 'too-many-devices'],
  ['login-expired', 'card-login-needed'],
])('a binding that is refused (%s) is over, and what was typed is there', async (said, reason) => {
  const all = world();
  const wallet = await unanswered(all, 'unanswered', { status: 400, body: { reason: said } });
  wallet.act.continueEnrolment();
  await settled(wallet);
  expect(wallet.store.state.enrolment).toMatchObject({ step: 'name', name: 'Phone', problem: { reason } });
  expect(await wallet.kept.sent()).toBeUndefined();
  wallet.act.continueEnrolment();
  await settled(wallet);
  await typed(wallet, PIN);
  expect(wallet.store.state.device).toMatchObject({ kind: 'passkey', name: 'Phone' });
});

test.each(['back', 'drop'] as const)('an enrolment that was not answered and is left (%s) keeps nothing of the card', async (how) => {
  const all = world();
  const wallet = await unanswered(all, 'unanswered');
  if (how === 'back') wallet.act.backInEnrolment();
  else wallet.act.dropEnrolment();
  await settled(wallet);
  expect(wallet.store.state.enrolment?.step).toBe(how === 'back' ? 'name' : undefined);
  expect(await wallet.kept.sent()).toBeUndefined();
});

test('enrolment does not go on without a name and her consent to the level', async () => {
  const wallet = await opened(world());
  wallet.act.beginEnrolment();
  wallet.act.continueEnrolment();
  wallet.act.setEnrolment({ name: '  ', consentToSubstantial: true });
  wallet.act.continueEnrolment();
  expect(wallet.store.state.enrolment?.step).toBe('name');
  wallet.act.setEnrolment({ name: 'Phone', consentToSubstantial: false });
  wallet.act.continueEnrolment();
  expect(wallet.store.state.enrolment?.step).toBe('name');
});

test('a device the insurer no longer knows is dropped here, and the card stays possible', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.insurer.devices = [];
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  await settled(wallet);
  expect(wallet.store.state).toMatchObject({ device: null, request: { step: 'ask', deviceAnswers: 'not-enrolled', problem: { reason: 'device-unknown' } } });
  wallet.act.answerWithCard();
  await settled(wallet);
  await typed(wallet, PIN);
  expect(wallet.store.state.request).toMatchObject({ step: 'decide', method: 'card' });
});

const withPasskey = async (all: World, passkeys: ReturnType<typeof authenticator>) => {
  const wallet = await tab(all.browser, all.insurer, all.reader, all.now, undefined, passkeys);
  wallet.act.beginEnrolment();
  wallet.act.continueEnrolment();
  wallet.act.setEnrolment({ kind: 'passkey', consentToSubstantial: true });
  wallet.act.continueEnrolment();
  await settled(wallet);
  await typed(wallet, PIN);
  return wallet;
};

test('a passkey is bound and answers, without a counter or key of this browser', async () => {
  const all = world();
  const wallet = await withPasskey(all, authenticator());
  expect(wallet.store.state).toMatchObject({ enrolment: { step: 'bound' }, device: { kind: 'passkey', class: 'passkey' } });
  expect([...(all.browser.database as MemoryDatabase).shelves.keys.keys()]).toEqual(['sealing']);
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'decide', method: 'passkey' });
});

test('a passkey prompt that she cancels can be tried again, or the card instead', async () => {
  const all = world();
  const passkeys = authenticator();
  const wallet = await withPasskey(all, passkeys);
  await asked(wallet);
  const { get } = passkeys;
  passkeys.get = () => Promise.reject(new PasskeyFailure('cancelled'));
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', problem: { reason: 'passkey-cancelled' } });
  passkeys.get = get;
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test.each([
  ['cancelled', 'passkey-cancelled'],
  ['timeout', 'passkey-cancelled'],
  ['not-supported', 'passkey-unavailable'],
  ['wrong-site', 'passkey-unavailable'],
  ['exists', 'passkey-exists'],
] as const)('a passkey that is not made (%s) binds nothing, and what was typed is there', async (said, reason) => {
  const all = world();
  const wallet = await withPasskey(all, authenticator([new PasskeyFailure(said)]));
  expect(wallet.store.state).toMatchObject({ device: null, card: null, enrolment: { step: 'name', kind: 'passkey', problem: { reason } } });
  expect(all.insurer.devices).toEqual([]);
});

test('what is kept of her account opens offline: by itself for a key of this browser, by her passkey where it wraps', async () => {
  const all = world();
  await enrolled(await opened(all));
  expect((await opened(all)).store.state.snapshot?.cards).toMatchObject([{ kvnr: KVNR, validUntil: '2031-03-31' }]);

  const other = world();
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const passkeys = authenticator([], key);
  const first = await withPasskey(other, passkeys);
  expect(await first.kept.snapshot()).toBeNull();
  first.act.openAccount('device');
  await settled(first);
  const later = await tab(other.browser, other.insurer, other.reader, other.now, undefined, passkeys);
  expect(later.store.state.snapshot).toBeNull();
  other.insurer.fault('auth/challenge', 'lost');
  const before = other.insurer.asked.length;
  later.act.openAccount('device');
  await settled(later);
  expect(later.store.state.snapshot?.cards).toMatchObject([{ kvnr: KVNR }]);
  expect(other.insurer.asked.length).toBe(before);

  const stranger = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  expect(await later.kept.unlocked(stranger)).toBeNull();
});

test('a passkey that may be copied opens her account, and services are answered with the card', async () => {
  const all = world();
  all.insurer.passkeyClass = 'passkey-own-pages';
  const wallet = await withPasskey(all, authenticator());
  await asked(wallet);
  expect(wallet.store.state.request?.deviceAnswers).toBe('card-needed');
  wallet.act.closeAccount();
  wallet.act.openAccount('device');
  await settled(wallet);
  expect(wallet.store.state.account).toMatchObject({ state: 'open', by: 'device' });
});

test('a device whose time is over is not offered', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.clock.now += 86_400;
  await asked(wallet);
  expect(wallet.store.state.request?.deviceAnswers).toBe('due');
});

test('an account login that is too old is done again with the device, once', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  wallet.act.closeAccount();
  wallet.act.openAccount('device');
  await settled(wallet);
  expect(wallet.store.state.account).toMatchObject({ state: 'open', by: 'device', devices: [{ isThis: true }] });
  const expired = { status: 400, body: { reason: 'login-expired' } };
  all.insurer.fault('account/revoke', expired);
  wallet.act.revokeConsent('x');
  await settled(wallet);
  expect(all.insurer.asked.filter((path) => path === 'account/revoke')).toHaveLength(2);
  expect(wallet.store.state.account.problem).toMatchObject({ reason: 'not-found' });
  all.insurer.fault('account/overview', expired, expired);
  wallet.act.openAccount('device');
  await settled(wallet);
  expect(wallet.store.state.account.problem?.reason).toBe('login-expired');
});

test('an account opened with the card that is too old says that it has closed, and is opened with the card again', async () => {
  const all = world();
  const wallet = await opened(all);
  wallet.act.openAccount('card');
  await settled(wallet);
  await typed(wallet, PIN);
  expect(wallet.store.state.account).toMatchObject({ state: 'open', by: 'card' });
  for (const reason of ['login-expired', 'login-unknown']) {
    all.insurer.fault('account/revoke', { status: 400, body: { reason } });
    wallet.act.revokeConsent('x');
    await settled(wallet);
    expect(wallet.store.state.account).toMatchObject({ state: 'closed', by: null, problem: { reason: 'account-timeout' } });
    expect(all.insurer.asked.filter((path) => path === 'account/revoke')).toHaveLength(reason === 'login-expired' ? 1 : 2);
    wallet.act.openAccount('card');
    await settled(wallet);
    await typed(wallet, PIN);
    expect(wallet.store.state.account).toMatchObject({ state: 'open', by: 'card', problem: null });
  }
});

test('a login of another device says so, wants its number, and goes on there', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.insurer.elsewhere = true;
  await asked(wallet);
  expect(wallet.store.state.request?.otherDevice).toEqual({ browser: 'Firefox', system: 'Windows', network: 'other', askedAt: all.now() });
  wallet.act.answerWithDevice();
  await settled(wallet);
  wallet.act.approve([], false, NUMBER);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'approved', back: null });
  expect(wallet.left).toEqual([]);
});

test.each([['41', 'over'], [undefined, 'decide'], ['4', 'decide']])('the number %s approves nothing: %s', async (number, step) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.insurer.elsewhere = true;
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  wallet.act.approve([], false, number);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step, outcome: null, problem: {} });
  expect(all.insurer.decisions).toEqual([]);
});

test.each(['ask', 'decide'])('somebody on the phone, said at "%s": the request is over on both sides', async (step) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  if (step === 'decide') wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe(step);
  wallet.act.abort('phone-call');
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'aborted', back: null });
  await asked(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'over', problem: { reason: 'login-over' } });
});

const MINUTE = 60;

test('more time moves the end, the question is asked anew, and a closed tab keeps the later end', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  expect(wallet.store.state.request).toMatchObject({ endsAt: all.now() + 15 * MINUTE, extendable: true });
  all.clock.now += 14 * MINUTE;
  wallet.act.moreTime();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', endsAt: all.now() + 15 * MINUTE, problem: null });
  expect(await wallet.kept.requests()).toMatchObject([{ login: expect.stringContaining('.later') }]);
  all.clock.now += 14 * MINUTE;
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test('more time to decide: she is asked nothing again', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  wallet.act.answerWithDevice();
  await settled(wallet);
  const before = all.insurer.asked.length;
  all.clock.now += 14 * MINUTE;
  wallet.act.moreTime();
  await settled(wallet);
  expect(all.insurer.asked.slice(before)).toEqual(['auth/extend']);
  expect(wallet.store.state.request).toMatchObject({ step: 'decide', endsAt: all.now() + 15 * MINUTE });
  wallet.act.approve([], false);
  await settled(wallet);
  expect(all.insurer.decisions).toMatchObject([{ decision: 'approve', login: expect.stringContaining('.later') }]);
});

test('what was scanned is asked about anew by the device that opened it, and not from its code', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  all.insurer.elsewhere = true;
  await asked(wallet);
  const before = all.insurer.asked.length;
  // The question is good for three minutes.
  all.clock.now += 4 * MINUTE;
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(all.insurer.asked.slice(before)).toEqual(['auth/extend', 'auth/jwks', 'auth/device']);
  expect(wallet.store.state.request).toMatchObject({ step: 'decide', otherDevice: { browser: 'Firefox' } });
  expect(await wallet.kept.requests()).toMatchObject([{ login: 'login-1' }]);
});

test.each(['ask', 'decide'])('there is no more time at "%s": she is told, and the request goes on', async (step) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  if (step === 'decide') wallet.act.answerWithDevice();
  await settled(wallet);
  all.insurer.extensions = 0;
  wallet.act.moreTime();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step, extendable: false, problem: { reason: 'no-more-time' } });
  if (step === 'ask') wallet.act.answerWithDevice();
  await settled(wallet);
  wallet.act.approve([], false);
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'done', outcome: 'approved' });
});

test.each([
  ['ask', 'lost'],
  ['ask', 'unanswered'],
  ['decide', 'lost'],
  ['decide', 'unanswered'],
] as const)('more time at "%s", and the network was %s: she asks again', async (step, fault) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  if (step === 'decide') wallet.act.answerWithDevice();
  await settled(wallet);
  all.insurer.fault('auth/extend', fault);
  wallet.act.moreTime();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step, problem: { reason: 'offline' } });
  all.clock.now += MINUTE;
  wallet.act.moreTime();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step, endsAt: all.now() + 15 * MINUTE, problem: null });
});

test('more time, and the keys do not come: the question is asked anew', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  all.insurer.fault('auth/jwks', { status: 503, body: {} });
  wallet.act.moreTime();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'ask', problem: { reason: 'unavailable' } });
  wallet.act.answerWithDevice();
  await settled(wallet);
  expect(wallet.store.state.request?.step).toBe('decide');
});

test.each(['ask', 'decide'])('no more time at "%s" for what was ended elsewhere', async (step) => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  if (step === 'decide') wallet.act.answerWithDevice();
  await settled(wallet);
  all.insurer.over.add('login-1');
  wallet.act.moreTime();
  await settled(wallet);
  expect(wallet.store.state.request).toMatchObject({ step: 'over', problem: { reason: 'login-over' } });
  expect(await wallet.kept.requests()).toEqual([]);
});

test('a record moved to another place or changed does not open', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  const { sealed } = (all.browser.database as MemoryDatabase).shelves;
  sealed.set('device', sealed.get('language') ?? sealed.get('requests') ?? sealed.get('enrolment') ?? { iv: new Uint8Array(12), bytes: new ArrayBuffer(40) });
  await expect(opened(all)).rejects.toMatchObject({ problem: { reason: 'storage-lost' } });
});

test('no record can be read without its key, and neither key can be taken out', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  await asked(wallet);
  const { sealed, keys } = (all.browser.database as MemoryDatabase).shelves;
  for (const record of sealed.values()) {
    const bytes = new TextDecoder('latin1').decode((record as { bytes: ArrayBuffer }).bytes);
    expect(bytes).not.toMatch(/Phone|device|login|service/i);
  }
  for (const key of keys.values()) expect((key as CryptoKey).extractable).toBe(false);
  expect([...keys.keys()].sort()).toEqual(['device', 'sealing']);
});

test('forgetting everything leaves nothing, and a new beginning works', async () => {
  const all = world();
  const wallet = await opened(all);
  await enrolled(wallet);
  wallet.act.forgetEverything();
  await settled(wallet);
  expect(wallet.store.state).toMatchObject({ device: null, enrolment: null, done: 'forgotten' });
  expect([...(all.browser.database as MemoryDatabase).shelves.sealed.keys()]).toEqual([]);
  await enrolled(wallet);
  expect((await opened(all)).store.state.device?.device).toBe('device-2');
});
