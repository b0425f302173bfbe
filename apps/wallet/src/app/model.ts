/**
 * What the wallet knows and what can be done with it: the border between the shell (`src/app`) and the screens (`src/screens`).
 *
 * A screen is a pure function of `{ state, act, t }`. It keeps nothing that matters, asks nobody, and every button is one action. Actions
 * never throw and always end: in another state, or in a {@link Problem} with a reason. While one runs, `state.busy` names it, and a
 * second tap on anything is ignored.
 *
 * Times are seconds since 1970. Nothing here leaves the browser except through `src/transport`.
 */

import type * as provider from '../core/reasons.ts';
import type { DrawnCode } from '../core/move.ts';
import type { ClaimNames, Service } from '../core/types.ts';

/** German, plain-language German, English. */
export type Language = 'de' | 'de-simple' | 'en';

/** `config.json` of the insurer this wallet belongs to. */
export type Config = {
  /** The insurer's issuer, as it stands in signed statements. */
  issuer: string;
  /** Name of the insurer. */
  insurer: string;
  /** Its logo: an address at the wallet's own origin. */
  logo: string;
  /** Whether everybody here is invented (a sandbox). Said on every screen. */
  invented: boolean;
  /** Base of a virtual card terminal; `null`: a card needs a reader that the surrounding app brings. */
  card_terminal: string | null;
  /** Classes of devices that can be bound, as the insurer's policy has them. */
  device_classes: DeviceClass[];
  support: Support | null;
  /** Languages offered. */
  languages: Language[];
  /** Whether a bound phone may vouch for a new one. */
  moves: boolean;
  /** The key browsers subscribe with at their push services; `null`: this insurer wakes nobody. */
  push_key: string | null;
};

export type DeviceClass = { name: string; level: string; reconfirm_after_seconds: number; evidence: string };
export type Support = { phone: string | null; mail: string | null; url: string | null };

/** Where the person is. In the address as `#/word`. */
export type Route =
  | 'start'
  | 'enrol'
  | 'request'
  | 'cards'
  | 'history'
  | 'devices'
  | 'move'
  | 'consents'
  | 'timers'
  | 'block'
  | 'data'
  | 'settings'
  | 'help'
  | 'not-found';

/** Everything a screen may show. */
export type State = {
  /** `starting`: storage and configuration are being read. `stopped`: {@link State.problem} says why the wallet cannot run at all. */
  phase: 'starting' | 'ready' | 'stopped';
  route: Route;
  language: Language;
  config: Config;
  online: boolean;
  /** Clock of this device, for "valid until" and the like; moves once a minute. */
  now: number;
  /** The action that runs. */
  busy: Doing | null;
  /** What went wrong last, outside a request, an enrolment or a card step (those have a place of their own). */
  problem: Problem | null;
  /** What was just done, said once (`role="status"`). */
  done: Done | null;
  /** This browser's own entry at the insurer; `null` until it is enrolled. */
  device: OwnDevice | null;
  enrolment: Enrolment | null;
  /** The request in this tab. */
  request: AskedRequest | null;
  /** Requests that were begun and neither answered nor over, oldest first; the one in this tab left out. */
  waiting: WaitingRequest[];
  /** A card step: part of an enrolment, a request, or an action that needs the card. `null`: no card is asked for. */
  card: CardStep | null;
  /** The app's PIN is asked for, or chosen. Never with what was typed in it. */
  pin: PinStep | null;
  /** Being told when a login waits. `null`: not offered here, or not known yet. */
  wake: Wake | null;
  /** A move to a new phone that is under way, on this side or that. */
  move: Move | null;
  account: Account;
  /** What was seen of the account last, for when there is no network. `null`: nothing yet. */
  snapshot: Snapshot | null;
  /** How a card is read here. `none`: neither a terminal nor a surrounding app; enrolment says what to do instead. */
  reader: 'terminal' | 'shell' | 'none';
  passkeys: PasskeySupport;
  /** `available`: {@link Actions.install} asks the browser. `installed`: runs as an app. */
  install: 'no' | 'available' | 'installed';
  /** A newer wallet lies ready; {@link Actions.update} changes over. */
  update: boolean;
  /** Whether the browser promised not to throw the storage away by itself. */
  persisted: boolean;
};

export type Doing =
  | 'starting'
  | 'loading-request'
  | 'card'
  | 'device'
  | 'deciding'
  | 'declining'
  | 'extending'
  | 'enrolling'
  | 'loading-account'
  | 'changing'
  | 'blocking'
  | 'exporting'
  | 'erasing'
  | 'unblocking-card';

/** What was done, for one sentence. */
export type Done =
  | 'device-renamed'
  | 'device-locked'
  | 'device-unlocked'
  | 'device-removed'
  | 'device-renewed'
  | 'consent-revoked'
  | 'exported'
  | 'erased'
  | 'blocked'
  | 'reported'
  | 'forgotten'
  | 'card-unblocked'
  | 'pin-set'
  | 'pin-changed'
  | 'move-stopped'
  | 'wake-on'
  | 'wake-off';

/** Reasons the provider gives. One this wallet does not know is shown as `internal`. */
export type ProviderReason = provider.Reason;

/** Reasons this side gives. */
export type OwnReason =
  /** The network failed, or nothing came back in time. The same again means the same a second time. */
  | 'offline'
  | 'timeout'
  /** An answer, a signature or an address that is not what the protocol says. Nothing was signed for it. */
  | 'answer-not-genuine'
  | 'link-broken'
  /** The link is of another insurer. */
  | 'foreign-insurer'
  | 'pin-wrong'
  | 'pin-blocked'
  | 'pin-malformed'
  | 'puk-wrong'
  | 'puk-used-up'
  | 'card-gone'
  | 'no-card-reader'
  | 'reader-unreachable'
  /** A device is bound here already, and only one can be. */
  | 'already-set-up'
  /** Nothing is enrolled here, and this needs it. */
  | 'not-enrolled'
  | 'passkey-cancelled'
  | 'passkey-unavailable'
  /** Her authenticator, or the cloud it copies to, holds a passkey of hers for this insurer. */
  | 'passkey-exists'
  /** Another tab of this wallet is signing; nothing was lost. */
  | 'other-tab'
  /** The browser keeps nothing (private window, storage full or switched off). */
  | 'storage-unavailable'
  /** The kept key or record is gone or does not open any more: enrol again. */
  | 'storage-lost'
  | 'account-timeout'
  | 'browser-too-old'
  /** She, or her device, forbids this page to show messages. */
  | 'notifications-denied'
  /** The browser could not subscribe at its push service. */
  | 'push-failed'
  | 'unexpected';

export type Reason = ProviderReason | OwnReason;

/** Why something does not go on. The screens turn it into what happened and what to do. */
export type Problem = {
  reason: Reason;
  /** Stands in the provider's log, too; to be read out to the insurer's support. */
  supportCode: string | null;
  /** In so many seconds the same may do. */
  retryAfter: number | null;
  /** Tries left with a PIN. */
  triesLeft: number | null;
};

export type OwnDevice = {
  /** Handle at the provider. */
  device: string;
  name: string;
  kind: 'device-key' | 'passkey';
  class: string;
  /** Until then it logs in without the card. */
  validUntil: number;
  boundAt: number;
  /** It answers after the app's PIN only. `null`: it has none. */
  pin: OwnPin | null;
};

/** `triesLeft`: as the provider said after the last wrong one, to be shown; `null`: none was wrong since it was right. */
export type OwnPin = { triesLeft: number | null };

/**
 * Enrolment, step by step. Everything but PIN and card answer is kept on this device and survives closing for weeks.
 *
 * `prepare`: which card, which PIN, how long it takes. `name`: a name for this device, how it unlocks, and the consent to the level.
 * `card`: the card step ({@link State.card}). `pin`: the app's PIN ({@link State.pin}), where there is to be a key. `binding`: key and proof
 * go out; with a problem, or resumed, no answer came back, and {@link Actions.continueEnrolment} sends the same again without the card.
 * `bound`: done.
 */
export type Enrolment = {
  step: 'prepare' | 'name' | 'card' | 'pin' | 'binding' | 'bound';
  name: string;
  kind: 'device-key' | 'passkey';
  /** She agrees that this device reaches the level "substantial" only. */
  consentToSubstantial: boolean;
  startedAt: number;
  /** It was interrupted and taken up again: say so in a sentence. */
  resumed: boolean;
  problem: Problem | null;
};

/** A card step. */
export type CardStep = {
  /** What it is for: said above it. */
  purpose: 'enrol' | 'request' | 'unlock-device' | 'renew-device' | 'new-pin' | 'erase' | 'account';
  /** The cards the reader offers. A shell's reader may offer one: "the card you will hold". */
  cards: ReadableCard[];
  /** The chosen one. */
  chosen: string | null;
  /** PIN wrong, card gone, ...; the step stays. */
  problem: Problem | null;
};

/**
 * Being told when a login waits. `pending`: she wants it, the provider does not know yet; `untold`: she does not, and the provider still thinks so.
 * `until`: named again before then.
 */
export type Wake = { is: 'off' | 'on' | 'pending' | 'untold'; until: number | null; problem: Problem | null };

/**
 * A move to a new phone. On the old one: `warn`, `code` to be scanned, `compare` with what asks, `moved`. On the new one: `name`, `number` to be
 * typed on the old one, `bound`. `over`: {@link Move.problem} says why.
 */
export type Move = {
  side: 'old' | 'new';
  step: 'warn' | 'code' | 'compare' | 'moved' | 'name' | 'number' | 'bound' | 'over';
  /** What she calls the new phone. */
  name: string;
  code: DrawnCode | null;
  /** What stands in the code. */
  link: string | null;
  asking: AskingPhone | null;
  number: string | null;
  expiresAt: number | null;
  problem: Problem | null;
};

export type AskingPhone = OtherDevice & { name: string; class: string; level: string };

/** The app's PIN, as it stands. What is typed goes to {@link Actions.typePin} and is kept nowhere. */
export type PinStep = {
  /** `ask`: the one there is. `choose`, `repeat`: a new one, typed twice. `locked`: no try is left, only the card helps. */
  step: 'ask' | 'choose' | 'repeat' | 'locked';
  /** `request`, `account`: unlocks an answer. `enrol`, `new`: after the card. `change`: the old one, then a new one. `wake`: signs where it is woken. */
  purpose: 'request' | 'account' | 'enrol' | 'new' | 'change' | 'wake';
  /** What was wrong with what was typed last. */
  refused: PinRefusal | null;
  /** Network and the like; the step stays. */
  problem: Problem | null;
};

export type PinRefusal =
  /** Not the PIN; a try is lost. */
  | 'wrong'
  | 'short'
  /** Not what was typed first: begin again. */
  | 'different'
  | TooSimple;

/** Why a new PIN is refused. */
export type TooSimple = 'same-digit' | 'row' | 'repeats' | 'date';

export type ReadableCard = {
  id: string;
  /** Name printed on it. */
  name: string;
  /** `null`: unknown before it is read. */
  insurer: string | null;
  issuedByText: string | null;
  /** What is special about a card of the sandbox ("expired", ...), in words. */
  special: string | null;
  /** The PIN, as it would never stand on a real card: only where everybody is invented. */
  pinHint: string | null;
  /** `null`: the reader cannot tell before it is tried. */
  triesLeft: number | null;
};

/** A request of a service. */
export type AskedRequest = {
  id: string;
  /**
   * `loading`: being verified. `ask`: shown; answer with device, card or decline. `card`: card step. `signing`: on its way. `decide`: what
   * to share. `done`: answered. `over`: {@link AskedRequest.problem} says why it cannot be answered any more.
   */
  step: 'loading' | 'ask' | 'card' | 'signing' | 'decide' | 'done' | 'over';
  /** As the provider signed it. `null` while loading. The logo is not shown: it lies at a foreign address, which would learn of the visit. */
  service: Service | null;
  clientId: string;
  /** What is asked for and at which level. */
  acr: string | null;
  claims: ClaimNames | null;
  /** From the provider, once she is known; what is remembered from earlier. */
  remembered: boolean;
  method: 'card' | 'device' | 'passkey' | null;
  /** Whether the device of this wallet can answer; where not, why. */
  deviceAnswers: 'yes' | 'not-enrolled' | 'card-needed' | 'due';
  /** The question is signed until then; after that it is asked for anew by itself. */
  expiresAt: number | null;
  /** The login itself lives until then; `null` where the insurer does not say. */
  endsAt: number | null;
  /** Whether {@link Actions.moreTime} gives her more. */
  extendable: boolean;
  /** Where it was opened: another device shows a number to be typed here. */
  otherDevice: OtherDevice | null;
  outcome: 'approved' | 'declined' | 'aborted' | null;
  /** Way back to the service; `null`: goes on in the browser that asked. */
  back: string | null;
  /** What she chose last, also before a card step. Nothing voluntary to begin with. */
  choice: Choice;
  /** She has said yes to what is asked: it goes on by itself. */
  agreed: boolean;
  /** A problem that leaves the step as it is (wrong number, network), or ended it (`over`). */
  problem: Problem | null;
};

/** What is shared of her own will (names of claims), and whether the next time is not to ask. */
export type Choice = { voluntary: string[]; remember: boolean };

/** Browser and system are empty where nobody knows; `network`: `null` where nobody can tell. */
export type OtherDevice = { browser: string; system: string; network: 'same' | 'other' | null; askedAt: number };

export type WaitingRequest = { id: string; service: string | null; startedAt: number };

/** The person's account at the insurer, in memory only. */
export type Account = {
  /** `closed`: not logged in; the screens offer {@link Actions.openAccount}. */
  state: 'closed' | 'open';
  by: 'device' | 'card' | null;
  consents: ConsentEntry[];
  devices: DeviceEntry[];
  cards: CardEntry[];
  blockCode: { setAt: number } | null;
  /** The code just made; shown once. */
  newBlockCode: string | null;
  history: HistoryEntry[] | null;
  historyHasMore: boolean;
  /** Whether the chain of entries is unbroken, as the provider says. */
  historyIsWhole: boolean | null;
  erased: Erased | null;
  problem: Problem | null;
};

/** Kept on this device, sealed: her cards, as the insurer has them. */
export type Snapshot = { at: number; cards: CardEntry[]; blockCodeSetAt: number | null };

export type ConsentEntry = { id: string; clientId: string; service: string; shared: string[]; decidedAt: number };

export type DeviceEntry = {
  id: string;
  name: string;
  class: string;
  kind: 'device-key' | 'passkey';
  level: string | null;
  boundAt: number;
  confirmedAt: number | null;
  validUntil: number | null;
  lastUsed: number | null;
  locked: boolean;
  /** The one this wallet holds the key of. */
  isThis: boolean;
};

export type CardEntry = {
  kind: string;
  insurer: string;
  ik: string;
  kvnr: string;
  name: string;
  birthdate: string;
  /** Its last day, `YYYY-MM-DD`; `null` where the insurer did not say, absent in what an older wallet kept. */
  validUntil?: string | null;
};

export type HistoryEntry = {
  id: string;
  at: number;
  /** `login`, `declined`, `broken-off`, `refused`, `device-bound`, ... An unknown one is shown as such. */
  event: string;
  service: { clientId: string; name: string } | null;
  /** Names of what was shared, never values. */
  shared: string[];
  method: string | null;
  level: string | null;
  device: string | null;
  by: 'you' | 'insurer' | 'provider';
};

export type Erased = { erasedAt: number; kept: { what: string; why: string; until: number | null }[] };

export type PasskeySupport = { available: boolean; /** The insurer accepts them for logging in. */ offered: boolean };

/** Everything a person can do. */
export type Actions = {
  go(route: Route): void;
  setLanguage(language: Language): void;
  /** Takes the last problem or notice away. */
  dismiss(): void;
  /** Does what failed last again. */
  retry(): void;

  /** Enrolment. */
  beginEnrolment(): void;
  setEnrolment(wish: Partial<Pick<Enrolment, 'name' | 'kind' | 'consentToSubstantial'>>): void;
  /** To the next step: from `prepare` to `name`, from `name` to `card`; from `binding` the same again. */
  continueEnrolment(): void;
  /** One step back; from the first, out. */
  backInEnrolment(): void;
  /** Forgets what was typed. */
  dropEnrolment(): void;

  /** The card step. */
  chooseCard(id: string): void;
  answerCard(pin: string): void;
  unblockCard(puk: string): void;
  refreshCards(): void;
  cancelCard(): void;

  /** The app's PIN. */
  typePin(pin: string): void;
  /** Sets the device up without one. */
  withoutPin(): void;
  cancelPin(): void;
  /** Another one, the old one known. */
  changePin(): void;
  /** A new one by card: forgotten, locked, or none so far. The device is bound anew. */
  newPin(): void;

  /** A move to a new phone: on the old one, */
  beginMove(): void;
  /** the warning read, or the code grown old: a code; */
  offerMove(): void;
  approveMove(number: string): void;
  endMove(why: 'declined' | 'not-me' | 'phone-call'): void;
  /** and on the new one. */
  acceptMove(name: string): void;
  dropMove(): void;

  /** A request. */
  takeUp(id: string): void;
  /** `agreed`: she has seen what is asked and chosen. It holds as long as the provider, once it knows her, asks for nothing else. */
  answerWithDevice(agreed?: Choice): void;
  answerWithCard(agreed?: Choice): void;
  /** A later end of the request. What she has chosen stays. */
  moreTime(): void;
  approve(voluntary: string[], remember: boolean, number?: string): void;
  decline(): void;
  abort(why: 'not-me' | 'phone-call'): void;
  /** Back to the service. */
  goBack(): void;

  /** The account. */
  openAccount(by: 'device' | 'card'): void;
  closeAccount(): void;
  loadHistory(more?: boolean): void;
  revokeConsent(id: string): void;
  renameDevice(id: string, name: string): void;
  lockDevice(id: string): void;
  unlockDevice(id: string): void;
  removeDevice(id: string): void;
  renewDevice(): void;
  makeBlockCode(): void;
  forgetBlockCode(): void;
  block(code: string): void;
  exportData(): void;
  erase(): void;

  /** This browser. */
  setWake(on: boolean): void;
  install(): void;
  update(): void;
  /** Removes everything the wallet keeps here; the entry at the insurer stays until it is removed there. */
  forgetEverything(): void;
};
