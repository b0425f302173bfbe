/** A state for every screen. Everybody here is invented, and the times stand still. */

import { closedAccount, initial } from '../src/app/initial.ts';
import type { Account, AskedRequest, CardStep, Enrolment, HistoryEntry, PinStep, Problem, ReadableCard, Reason, State, Wake } from '../src/app/model.ts';
import { de } from '../src/texts/de.ts';

const DAY = 86_400;
/** 1 March 2027, 10:00 UTC. */
const NOW = 1_803_895_200;

const config: State['config'] = {
  issuer: 'https://idp.beispiel-kasse.example',
  insurer: 'Beispiel-Krankenkasse Musterland',
  logo: './icon.svg',
  invented: true,
  card_terminal: 'https://portal.example',
  device_classes: [{ name: 'software', level: 'gematik-ehealth-loa-substantial', reconfirm_after_seconds: 30 * DAY, evidence: 'claimed' }],
  support: { phone: '0800 000 00 00', mail: 'hilfe@beispiel-kasse.example', url: 'https://beispiel-kasse.example/hilfe' },
  languages: ['de', 'de-simple', 'en'],
  moves: true,
  push_key: 'BKey',
};

const before: State = { ...initial(), phase: 'ready', busy: null, config, now: NOW, reader: 'terminal' };

const device: NonNullable<State['device']> = {
  device: 'd1',
  name: 'Mein Handy',
  kind: 'device-key',
  class: 'software',
  validUntil: NOW + 29 * DAY + 3_600,
  boundAt: NOW - 60 * DAY,
  pin: null,
};
const at: State = { ...before, device: { ...device, validUntil: NOW + 90 * DAY } };

const problem = (reason: Reason, more: Partial<Problem> = {}): Problem => ({ reason, supportCode: null, retryAfter: null, triesLeft: null, ...more });

const enrolment = (step: Enrolment['step'], more: Partial<Enrolment> = {}): State => ({
  ...before,
  route: 'enrol',
  enrolment: { step, name: 'Chrome, Android', kind: 'device-key', consentToSubstantial: false, startedAt: NOW - 600, resumed: false, problem: null, ...more },
});

const card = (id: string, name: string, more: Partial<ReadableCard> = {}): ReadableCard => ({
  id,
  name,
  insurer: 'Beispiel-Krankenkasse Musterland',
  issuedByText: null,
  special: null,
  pinHint: '123456',
  triesLeft: 3,
  ...more,
});
const cards = [
  card('1', 'Mika Musterfrau-Beispielhausen'),
  card('2', 'Konrad Klarname', { special: 'Diese Karte ist abgelaufen.', triesLeft: 2 }),
  card('3', 'Frida Frei', { triesLeft: 1 }),
];
const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
const cardStep = (more: Partial<CardStep>, state: State = enrolment('card')): State => ({
  ...state,
  card: { purpose: 'enrol', cards, chosen: null, problem: null, ...more },
});

const settings = (wake: Partial<Wake>): State => ({ ...at, route: 'settings', wake: { is: 'off', until: null, problem: null, ...wake } });
const pinStep = (more: Partial<PinStep>, triesLeft: number | null = null, state: State = request({})): State => ({
  ...state,
  device: { ...device, pin: { triesLeft } },
  pin: { step: 'ask', purpose: 'request', refused: null, problem: null, ...more },
});
const newPin = (more: Partial<PinStep>): State => pinStep({ step: 'choose', purpose: 'enrol', ...more }, null, enrolment('pin'));

const asked: AskedRequest = {
  id: 'r1',
  step: 'ask',
  service: { name: 'Patientenakte Musterland', logo_uri: null },
  clientId: 'https://akte.example',
  acr: 'gematik-ehealth-loa-substantial',
  claims: {
    essential: ['urn:telematik:claims:id', 'urn:telematik:claims:organization', 'urn:telematik:claims:display_name'],
    voluntary: ['urn:telematik:claims:email', 'birthdate'],
  },
  remembered: false,
  method: null,
  deviceAnswers: 'yes',
  expiresAt: NOW + 300,
  endsAt: NOW + 800,
  extendable: true,
  otherDevice: null,
  outcome: null,
  back: null,
  choice: { voluntary: [], remember: false },
  agreed: false,
  problem: null,
};
const request = (more: Partial<AskedRequest>, state: State = at): State => ({ ...state, route: 'request', request: { ...asked, ...more } });
const otherDevice: NonNullable<AskedRequest['otherDevice']> = { browser: 'Firefox', system: 'Windows', network: 'other', askedAt: NOW - 60 };

const devices: Account['devices'] = [
  {
    id: 'd1',
    name: 'Mein Handy',
    class: 'software',
    kind: 'device-key',
    level: 'gematik-ehealth-loa-substantial',
    boundAt: NOW - 60 * DAY,
    confirmedAt: NOW - 10 * DAY,
    validUntil: NOW + 90 * DAY,
    lastUsed: NOW - 3_600,
    locked: false,
    isThis: true,
  },
  {
    id: 'd2',
    name: 'Tablet in der Küche',
    class: 'hardware-keystore',
    kind: 'device-key',
    level: 'gematik-ehealth-loa-substantial',
    boundAt: NOW - 300 * DAY,
    confirmedAt: null,
    validUntil: NOW - DAY,
    lastUsed: null,
    locked: true,
    isThis: false,
  },
  {
    id: 'd3',
    name: 'Laptop',
    class: 'passkey-own-pages',
    kind: 'passkey',
    level: null,
    boundAt: NOW - 3 * DAY,
    confirmedAt: null,
    validUntil: null,
    lastUsed: NOW - 2 * DAY,
    locked: false,
    isThis: false,
  },
];

const entry = (id: string, event: string, more: Partial<HistoryEntry> = {}): HistoryEntry => ({
  id,
  at: NOW - Number(id) * 7_000,
  event,
  service: null,
  shared: [],
  method: null,
  level: null,
  device: null,
  by: 'you',
  ...more,
});
const service = { clientId: 'https://akte.example', name: 'Patientenakte Musterland' };
const shared = ['urn:telematik:claims:id', 'urn:telematik:claims:organization', 'urn:telematik:claims:display_name'];
const history: HistoryEntry[] = [
  entry('1', 'login', { service, shared, method: 'device-key', device: 'd1' }),
  entry('2', 'refused', { service: { clientId: 'https://rezept.example', name: 'E-Rezept' }, shared, method: 'device-key', device: 'd2' }),
  entry('3', 'declined', { service: { clientId: 'https://schlaf.example', name: 'Schlaf gut' }, shared: ['birthdate'], method: 'health-card' }),
  entry('4', 'broken-off', { service, shared, method: 'health-card' }),
  entry('5', 'phone-call', { service }),
  entry('6', 'device-bound', { device: 'd1' }),
  entry('7', 'device-removed', { device: 'gone' }),
  entry('8', 'data-changed', { by: 'insurer' }),
  entry('9', 'something-new', { by: 'provider' }),
];

const open: Account = {
  ...closedAccount(),
  state: 'open',
  by: 'device',
  consents: [
    { id: 'c1', clientId: 'https://akte.example', service: 'Patientenakte Musterland', shared, decidedAt: NOW - 20 * DAY },
    { id: 'c2', clientId: 'https://rezept.example', service: 'E-Rezept', shared: ['urn:telematik:claims:id'], decidedAt: NOW - 2 * DAY },
  ],
  devices,
  cards: [
    { kind: 'health-card', insurer: config.insurer, ik: '109900019', kvnr: 'X110000000', name: 'Mika Musterfrau-Beispielhausen', birthdate: '1951-07-02', validUntil: '2031-03-31' },
  ],
  blockCode: { setAt: NOW - 60 * DAY },
  history,
  historyHasMore: true,
  historyIsWhole: true,
};
const empty: Account = { ...closedAccount(), state: 'open', by: 'device', history: [], historyIsWhole: true };
const account = (route: State['route'], more: Partial<Account> = {}): State => ({ ...at, route, account: { ...open, ...more } });

const reasons = Object.fromEntries(
  (Object.keys(de.reasons) as Reason[]).map((reason): [string, State] => [
    `reason-${reason}`,
    { ...at, route: 'devices', problem: problem(reason, { supportCode: 'BCDF-GHJK', retryAfter: reason === 'too-many-tries' ? 900 : null }) },
  ]),
);

/** Name to state. */
/** Dark modules of no code in particular. */
const pattern = Array.from({ length: 25 }, (_, row) => Array.from({ length: 12 }, (_, at) => `M${4 + 2 * at + ((row * 7 + at * 3) % 2)} ${4 + row}h1v1h-1z`).join('')).join('');

const moving = (more: Partial<NonNullable<State['move']>>, state: State = at): State => ({
  ...state,
  route: 'move',
  move: { side: 'old', step: 'warn', name: 'Chrome, Android', code: null, link: null, asking: null, number: null, expiresAt: NOW + 240, problem: null, ...more },
});
const offered = { step: 'code' as const, code: { size: 33, path: pattern }, link: 'https://idp.beispiel-kasse.example/wallet/?issuer=x&move=y' };
const asking = { name: 'Neues Handy von Mika Musterfrau', class: 'software', level: 'gematik-ehealth-loa-substantial', browser: 'Chrome', system: 'Android', network: 'same' as const, askedAt: NOW - 20 };

export const SCREENS: Record<string, State> = {
  starting: { ...before, phase: 'starting', busy: 'starting' },
  stopped: { ...before, phase: 'stopped', problem: problem('browser-too-old') },
  start: before,
  'start-resume': { ...enrolment('name'), route: 'start' },
  'start-offline': { ...before, online: false },
  'enrol-prepare': enrolment('prepare', { resumed: true }),
  'enrol-name': enrolment('name'),
  'enrol-name-problem': enrolment('name', { problem: problem('too-many-devices', { supportCode: 'BCDF-GHJK' }) }),
  'enrol-name-passkey': { ...enrolment('name'), passkeys: { available: true, offered: true } },
  'enrol-name-passkey-exists': { ...enrolment('name', { problem: problem('passkey-exists') }), passkeys: { available: true, offered: true } },
  'enrol-card-left': enrolment('card', { resumed: true }),
  'enrol-binding': { ...enrolment('binding'), busy: 'enrolling' },
  'enrol-unanswered': enrolment('binding', { problem: problem('offline') }),
  'enrol-unanswered-later': enrolment('binding', { resumed: true }),
  'enrol-bound': { ...enrolment('bound'), device, account: { ...open, blockCode: null } },
  'enrol-bound-code': { ...enrolment('bound'), device, account: { ...open, newBlockCode: 'BCDF-GHJK-LMNP' } },
  'enrol-bound-own-pages': { ...enrolment('bound'), device: { ...device, kind: 'passkey', class: 'passkey-own-pages' }, account: open },
  'card-choice': cardStep({}),
  'card-none': cardStep({ cards: [], problem: problem('reader-unreachable') }),
  'card-pin': cardStep({ chosen: '1' }),
  'card-pin-real': { ...cardStep({ chosen: '1', cards: [card('1', 'Mika Musterfrau', { pinHint: null, triesLeft: null })] }), config: { ...config, invented: false } },
  'card-pin-wrong': cardStep({ chosen: '2', problem: problem('pin-wrong', { triesLeft: 2 }) }),
  'card-pin-last': cardStep({ chosen: '3', problem: problem('pin-wrong', { triesLeft: 1 }) }),
  'card-refused': cardStep({ chosen: '2', problem: problem('card-expired', { supportCode: 'BCDF-GHJK' }) }),
  'card-puk': cardStep({ chosen: '3', problem: problem('pin-blocked', { triesLeft: 0 }) }),
  'card-hold': { ...cardStep({ chosen: '1' }), reader: 'shell', busy: 'card' },
  'card-reading': { ...cardStep({ chosen: '1' }), busy: 'card' },
  'card-no-reader': { ...cardStep({}), reader: 'none' },
  'card-erase': cardStep({ chosen: '1', purpose: 'erase' }, { ...at, route: 'data' }),
  'pin-choose': newPin({}),
  'pin-repeat': newPin({ step: 'repeat' }),
  'pin-different': newPin({ refused: 'different' }),
  'pin-short': newPin({ refused: 'short' }),
  'pin-same-digit': newPin({ refused: 'same-digit' }),
  'pin-row': newPin({ refused: 'row' }),
  'pin-repeats': newPin({ refused: 'repeats' }),
  'pin-date': newPin({ refused: 'date' }),
  'pin-not-saved': newPin({ step: 'repeat', problem: problem('offline') }),
  'pin-saving': { ...newPin({ step: 'repeat' }), busy: 'enrolling' },
  'pin-ask': pinStep({}),
  'pin-ask-again': pinStep({}, 7),
  'pin-wrong': pinStep({ refused: 'wrong' }, 9),
  'pin-last': pinStep({ refused: 'wrong' }, 1),
  'pin-offline': pinStep({ problem: problem('offline') }, 9),
  'pin-unlocking': { ...pinStep({}), busy: 'deciding' },
  'pin-locked': pinStep({ step: 'locked' }, 0),
  'pin-locked-account': pinStep({ step: 'locked', purpose: 'account' }, 0, { ...at, route: 'devices' }),
  'pin-new': pinStep({ step: 'choose', purpose: 'new' }, 0, { ...at, route: 'settings' }),
  'pin-change': pinStep({ purpose: 'change' }, null, { ...at, route: 'settings' }),
  'pin-changed': { ...at, route: 'settings', device: { ...device, pin: { triesLeft: null } }, done: 'pin-changed' },
  'card-new-pin': cardStep({ chosen: '1', purpose: 'new-pin' }, { ...at, route: 'settings' }),
  'request-loading': { ...request({ step: 'loading', service: null, claims: null }), busy: 'loading-request' },
  'request-device': request({}),
  'request-passkey': request({}, { ...at, device: { ...device, kind: 'passkey' } }),
  'request-card': request({ deviceAnswers: 'not-enrolled', acr: 'gematik-ehealth-loa-high' }, before),
  'request-card-needed': request({ deviceAnswers: 'card-needed', acr: 'gematik-ehealth-loa-high', problem: problem('level-too-low') }),
  'request-due': request({ deviceAnswers: 'due' }),
  'request-nothing': request({ claims: { essential: [], voluntary: [] }, service: { name: 'Schlaf gut', logo_uri: null } }),
  'request-long-name': request({ service: { name: 'Landesvereinigungskrankenhausverwaltungsgesellschaft <b>Nord</b>', logo_uri: null } }),
  'request-signing': { ...request({ step: 'signing' }), busy: 'device' },
  'request-agreed': { ...request({ step: 'decide', agreed: true }), busy: 'deciding' },
  'request-decide': request({ step: 'decide', remembered: true }),
  'request-decide-more': request({
    step: 'decide',
    choice: { voluntary: ['urn:telematik:claims:email'], remember: false },
    claims: { essential: [...(asked.claims?.essential ?? []), 'urn:telematik:claims:geschlecht'], voluntary: asked.claims?.voluntary ?? [] },
  }),
  'request-decide-busy': { ...request({ step: 'decide' }), busy: 'device' },
  'request-soon': request({ endsAt: NOW + 120 }),
  'request-soon-last': request({ step: 'decide', endsAt: NOW + 120, extendable: false }),
  'request-soon-elsewhere': request({ otherDevice, endsAt: NOW + 120 }),
  'request-soon-number': request({ step: 'decide', otherDevice, endsAt: NOW + 120 }),
  'request-elsewhere': request({ otherDevice }),
  'request-elsewhere-unknown': request({ otherDevice: { ...otherDevice, browser: '', system: '', network: 'same' }, deviceAnswers: 'not-enrolled' }, before),
  'request-number': request({ step: 'decide', otherDevice }),
  'request-number-wrong': request({ step: 'decide', otherDevice, problem: problem('number-wrong') }),
  'request-over': request({ step: 'over', problem: problem('login-over', { supportCode: 'BCDF-GHJK' }) }),
  'move-warn': moving({}),
  'move-refused': moving({ problem: problem('cooling-off', { retryAfter: 1_800 }) }),
  'move-code': moving(offered),
  'move-code-offline': moving({ ...offered, problem: problem('offline') }),
  'move-code-old': moving({ ...offered, expiresAt: NOW - 1 }),
  'move-compare': moving({ step: 'compare', asking }),
  'move-compare-elsewhere': moving({ step: 'compare', asking: { ...asking, browser: '', system: '', network: 'other' }, problem: problem('device-clock') }),
  'move-moved': moving({ step: 'moved' }),
  'move-over': moving({ step: 'over', problem: problem('number-wrong', { supportCode: 'BCDF-GHJK' }) }),
  'move-name': moving({ side: 'new', step: 'name' }, before),
  'move-name-refused': moving({ side: 'new', step: 'name', problem: problem('unavailable') }, before),
  'move-number': moving({ side: 'new', step: 'number', number: '42' }, before),
  'move-bound': moving({ side: 'new', step: 'bound' }),
  'move-too-late': moving({ side: 'new', step: 'over', problem: problem('move-over', { supportCode: 'BCDF-GHJK' }) }, before),
  'request-cooling-off': request({ step: 'over', problem: problem('cooling-off', { retryAfter: 1_800 }) }),
  'result-approved': request({ step: 'done', outcome: 'approved', back: 'https://akte.example/back' }),
  'result-elsewhere': request({ step: 'done', outcome: 'approved', otherDevice }),
  'result-declined': request({ step: 'done', outcome: 'declined', back: 'https://akte.example/back' }),
  'result-aborted': request({ step: 'done', outcome: 'aborted', otherDevice }),
  home: { ...at, device },
  'home-waiting': {
    ...at,
    device: { ...device, validUntil: NOW - 60 },
    update: true,
    waiting: [{ id: 'w1', service: 'E-Rezept', startedAt: NOW - 900 }, { id: 'w2', service: null, startedAt: NOW - 800 }],
  },
  'account-closed': { ...at, route: 'devices' },
  'account-loading': { ...at, route: 'devices', busy: 'loading-account' },
  'account-problem': { ...at, route: 'devices', account: { ...closedAccount(), problem: problem('device-locked', { supportCode: 'BCDF-GHJK' }) } },
  cards: account('cards'),
  'cards-soon': account('cards', { cards: open.cards.map((card) => ({ ...card, validUntil: day(NOW + 20 * DAY) })) }),
  'cards-over': account('cards', { cards: open.cards.map((card) => ({ ...card, validUntil: day(NOW - 20 * DAY) })) }),
  'cards-unknown': account('cards', { cards: open.cards.map((card) => ({ ...card, validUntil: null })) }),
  'cards-empty': account('cards', empty),
  'cards-offline': { ...at, route: 'cards', online: false, snapshot: { at: NOW - 5 * DAY, cards: open.cards, blockCodeSetAt: null } },
  history: account('history'),
  'history-empty': account('history', empty),
  'history-broken': account('history', { historyIsWhole: false }),
  devices: { ...account('devices'), done: 'device-renamed' },
  'devices-empty': { ...before, route: 'devices', account: empty },
  consents: account('consents'),
  'consents-empty': account('consents', empty),
  timers: { ...at, route: 'timers' },
  'timers-over': { ...at, route: 'timers', device: { ...device, validUntil: NOW - 60 } },
  'timers-none': { ...before, route: 'timers' },
  block: { ...before, route: 'block' },
  'block-wrong': { ...at, route: 'block', problem: problem('not-found') },
  'block-done': { ...at, route: 'block', done: 'blocked' },
  'block-account': account('block'),
  'block-new-code': account('block', { newBlockCode: 'BCDF-GHJK-LMNP' }),
  data: account('data'),
  'data-erased': {
    ...before,
    route: 'data',
    done: 'erased',
    account: { ...closedAccount(), erased: { erasedAt: NOW, kept: [
            { what: 'erasure-mark', why: 'in the provider’s words', until: null },
            { what: 'waiting-entries', why: 'in the provider’s words', until: NOW + 3_600 },
            { what: 'backups', why: 'in the provider’s words', until: null },
            { what: 'insurer-register', why: 'in the provider’s words', until: null },
            { what: 'services', why: 'in the provider’s words', until: null },
          ] } },
  },
  settings: { ...at, route: 'settings', install: 'available' },
  'settings-installed': { ...at, route: 'settings', install: 'installed', persisted: true },
  'settings-wake-off': settings({ is: 'off' }),
  'settings-wake-on': settings({ is: 'on', until: NOW + 90 * DAY }),
  'settings-wake-on-pin': { ...settings({ is: 'on', until: NOW + 90 * DAY }), device: { ...device, pin: { triesLeft: null } }, done: 'wake-on' },
  'settings-wake-pending': settings({ is: 'pending' }),
  'settings-wake-pending-pin': { ...settings({ is: 'pending' }), device: { ...device, pin: { triesLeft: null } } },
  'settings-wake-untold': { ...settings({ is: 'untold' }), done: 'wake-off' },
  'settings-wake-denied': settings({ problem: problem('notifications-denied') }),
  'settings-wake-failed': settings({ problem: problem('push-failed') }),
  'settings-wake-foreign': settings({ problem: problem('push-service-unknown', { supportCode: 'BCDF-GHJK' }) }),
  'pin-wake': pinStep({ purpose: 'wake' }, null, { ...at, route: 'settings' }),
  help: { ...at, route: 'help', request: { ...asked, step: 'over', problem: problem('internal', { supportCode: 'BCDF-GHJK' }) } },
  'help-no-contact': { ...before, route: 'help', config: { ...config, support: null } },
  'not-found': { ...at, route: 'not-found' },
  ...reasons,
};
