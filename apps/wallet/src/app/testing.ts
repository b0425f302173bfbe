/** For tests: an insurer in memory that speaks the protocol, a card reader, a browser's storage. Faults are switched on by path. */

import { expect } from 'vitest';
import { p256_oprf } from '@noble/curves/nist.js';
import * as base64url from '../core/base64url.ts';
import { registrationChallenge } from '../core/passkey-challenge.ts';
import { members, parse, text } from '../core/shape.ts';
import type { CardReader } from '../card/reader.ts';
import type { Database } from '../storage/database.ts';
import { OwnKey } from '../storage/device.ts';
import type { Alone } from '../storage/locks.ts';
import { Records } from '../storage/sealed.ts';
import { Provider } from '../transport/provider.ts';
import { initial } from './initial.ts';
import { Kept } from './kept.ts';
import type { ReadableCard } from './model.ts';
import type { Push } from './push.ts';
import { Trouble } from './problem.ts';
import { Store } from './store.ts';
import { PasskeyFailure } from '../passkey/index.ts';
import type { Passkeys, Tools } from './tools.ts';
import { recall, wallet, type Wallet } from './wallet.ts';

export const ISSUER = 'https://idp.insurer.example/a';
export const BASE = 'http://localhost:1/a';
export const SERVICE = 'https://service.example';
/** Of the card. */
export const PIN = '123456';
/** Of the app. */
export const APP_PIN = '407193';
export const NUMBER = '42';
/** The push service the insurer calls. */
export const PUSH = 'https://push.example/';
export const PUSH_SECONDS = 90 * 86_400;
export const KVNR = 'X110000000';

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGN = { name: 'ECDSA', hash: 'SHA-256' };

/** What happens to the next requests of a path: `lost` never arrives, `unanswered` arrives and the answer is lost. */
export type Fault = 'lost' | 'unanswered' | { status: number; body: object };

type Bound = { handle: string; counter: number; name: string; mark: unknown; pin?: { share: Uint8Array; triesLeft: number } };

export const MAX_TRIES = 10;

export class FakeInsurer {
  readonly asked: string[] = [];
  readonly decisions: Record<string, unknown>[] = [];
  devices: Bound[] = [];
  /** Answers of bindings, by what was asked: the same again means the same. */
  #bindings = new Map<string, object>();
  /** Whether logins are begun on another device, which shows {@link NUMBER}. */
  elsewhere = false;
  /** What the provider asks once it knows her, where that is something else than before. */
  consent: Record<string, unknown> = {};
  /** An address other than the service's own. */
  back: string | undefined;
  /** What browsers sent to the device. */
  waiting: { client_id: string; login: string; asked_at: number; service: { name: string } | null }[] = [];
  /** What may be asked with, instead of a signature. */
  tickets = new Set<string>();
  /** The key browsers subscribe with; `null`: nobody is woken. */
  pushKey: string | null = null;
  /** Where devices are woken. */
  woken = new Map<unknown, string>();
  /** How long a login lives. */
  lives = 900;
  /** How often it is extended. */
  extensions = 10;
  /** Logins that are over. */
  over = new Set<string>();
  #faults = new Map<string, Fault[]>();
  #keys: Promise<CryptoKeyPair> = crypto.subtle.generateKey(ES256, true, ['sign', 'verify']);
  #logins = 0;
  #bound = 0;
  #loginId = new Uint8Array(16);
  /** The class a passkey reaches. */
  passkeyClass = 'passkey';

  constructor(private readonly now: () => number) {}

  fault(path: string, ...faults: Fault[]): void {
    this.#faults.set(path, faults);
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!url.startsWith(`${BASE}/`)) throw new TypeError(`foreign: ${url}`);
    const path = url.slice(BASE.length + 1);
    const fault = this.#faults.get(path)?.shift();
    if (fault === 'lost') throw new TypeError('network');
    this.asked.push(path);
    if (typeof fault === 'object') return Response.json(fault.body, { status: fault.status });
    const answer = await this.#answer(path, members(parse(String(init.body ?? '{}'))) ?? {});
    if (fault === 'unanswered') throw new TypeError('network');
    return answer;
  };

  async #answer(path: string, body: Record<string, unknown>): Promise<Response> {
    switch (path) {
      case 'auth/jwks': {
        const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', (await this.#keys).publicKey);
        return Response.json({ keys: [{ kty, crv, x, y, kid: '1' }] });
      }
      case 'auth/challenge':
        return this.#challenge(text(body['client_id']) ?? '', text(body['login']) ?? 'account');
      case 'auth/card':
        return this.#known(body);
      case 'auth/device': {
        const passkey = members(body['passkey']);
        const device = this.devices.find(({ handle }) => handle === (passkey?.['user_handle'] ?? body['device']));
        if (!device) return refusal(403, 'device-unknown');
        if (passkey) return this.#known(body);
        const claims = members(parse(decoded(text(body['response'])?.split('.')[1] ?? '')));
        const counter = Number(claims?.['counter']);
        if (!(counter > device.counter)) return refusal(403, 'device-cloned');
        device.counter = counter;
        if (device.pin) device.pin.triesLeft = MAX_TRIES;
        return this.#known(body);
      }
      case 'devices/passkey': {
        const handle = crypto.getRandomValues(new Uint8Array(32));
        const challenge = await registrationChallenge(this.#loginId, handle);
        return Response.json({ options: { challenge, user: { id: base64url.encode(handle), name: 'n', displayName: 'n' } } });
      }
      case 'devices/pin': {
        const device = this.devices.find(({ handle }) => handle === body['device']);
        if (!device) return refusal(403, 'device-unknown');
        const share = crypto.getRandomValues(new Uint8Array(32));
        share[0] = 1;
        device.pin = { share, triesLeft: MAX_TRIES };
        return evaluated(device.pin, body);
      }
      case 'devices/pin/evaluate': {
        const pin = this.devices.find(({ handle }) => handle === body['device'])?.pin;
        if (!pin) return refusal(403, 'device-unknown');
        if (pin.triesLeft === 0) return refusal(403, 'pin-locked');
        pin.triesLeft -= 1;
        return evaluated(pin, body);
      }
      case 'devices': {
        const before = this.#bindings.get(JSON.stringify(body));
        if (before) return Response.json(before, { status: 201 });
        const passkey = text(members(body['passkey'])?.['device']);
        this.#bound += 1;
        const device = { handle: passkey ?? `device-${this.#bound}`, counter: 0, name: String(body['name']), mark: body['hardware'] };
        // What had the same mark is replaced.
        this.devices = [...this.devices.filter(({ mark }) => mark === undefined || mark !== device.mark), device];
        const reached = passkey === undefined ? 'software' : this.passkeyClass;
        const bound = { device: device.handle, valid_until: this.now() + 86_400, class: reached, findings: [] };
        this.#bindings.set(JSON.stringify(body), bound);
        return Response.json(bound, { status: 201 });
      }
      case 'auth/consent':
        if (this.elsewhere && body['decision'] === 'approve' && body['number'] !== NUMBER) return refusal(403, 'number-wrong');
        this.decisions.push(body);
        if (this.elsewhere) return Response.json({ redirect: null });
        return Response.json({ redirect: this.back ?? `${SERVICE}/back?${body['decision'] === 'approve' ? 'code=1' : 'error=access_denied'}` });
      case 'auth/extend': {
        const login = text(body['login']) ?? '';
        if (this.over.has(login.split('.')[0] ?? '')) return refusal(400, 'login-over');
        if (this.extensions === 0) return refusal(400, 'no-more-time');
        this.extensions -= 1;
        return login.includes('.known') ? this.#known({ login: `${login}.later` }) : this.#challenge(text(body['client_id']) ?? '', `${login}.later`);
      }
      case 'auth/abort':
        this.over.add(text(body['login'])?.split('.')[0] ?? '');
        return Response.json({});
      case 'devices/requests': {
        const ticket = text(body['ticket']);
        if (ticket !== undefined) return this.tickets.has(ticket) ? Response.json({ requests: this.waiting }) : refusal(400, 'login-unknown');
        const claims = members(parse(decoded(text(body['look'])?.split('.')[1] ?? '')));
        if (!this.devices.some(({ handle }) => handle === claims?.['device'])) return refusal(403, 'device-unknown');
        const made = `ticket-${this.tickets.size + 1}`;
        this.tickets.add(made);
        return Response.json({ requests: this.waiting, ticket: made });
      }
      case 'devices/push': {
        const claims = members(parse(decoded(text(body['look'])?.split('.')[1] ?? '')));
        const device = claims?.['device'];
        if (claims?.['purpose'] !== 'push' || Object.keys(body).length !== 1) return refusal(400, 'malformed');
        if (!this.devices.some(({ handle }) => handle === device)) return refusal(403, 'device-unknown');
        const endpoint = text(claims['endpoint']);
        if (endpoint === undefined) {
          this.woken.delete(device);
          return Response.json({});
        }
        if (this.pushKey === null || !endpoint.startsWith(PUSH)) return refusal(400, 'push-service-unknown');
        this.woken.set(device, endpoint);
        return Response.json({ until: this.now() + PUSH_SECONDS });
      }
      case 'account/overview':
        return Response.json({
          consents: [],
          cards: [{ kind: 'health-card', insurer: 'Insurer', ik: '1', kvnr: KVNR, name: 'Erika', birthdate: '1950-01-01', valid_until: '2031-03-31' }],
          devices: this.devices.map(({ handle, name }) => ({ id: handle, name, class: 'software', bound_at: 1, valid_until: this.now() + 86_400 })),
        });
      default:
        return refusal(404, 'not-found');
    }
  }

  async #challenge(client_id: string, login: string): Promise<Response> {
    if (this.over.has(login.split('.')[0] ?? '')) return refusal(400, 'login-over');
    const name = client_id === ISSUER ? 'Insurer' : 'Service';
    this.#loginId = crypto.getRandomValues(new Uint8Array(16));
    const [iat, jti] = [this.now(), base64url.encode(this.#loginId)];
    const claims = {
      iss: ISSUER,
      jti,
      client_id,
      client_name: name,
      request_hash: 'h',
      purpose: client_id === ISSUER ? 'account' : 'login',
      iat,
      exp: iat + 180,
    };
    const message = [{ alg: 'ES256', typ: 'healthid-challenge+jwt', kid: '1' }, claims].map((part) => base64url.encodeText(JSON.stringify(part))).join('.');
    const signature = await crypto.subtle.sign(SIGN, (await this.#keys).privateKey, new TextEncoder().encode(message));
    return Response.json({
      login: `${login}.challenged`,
      expires_at: iat + this.lives,
      extendable: this.extensions > 0,
      challenge: `${message}.${base64url.encode(new Uint8Array(signature))}`,
      service: { name, logo_uri: null },
      other_device: this.elsewhere && client_id !== ISSUER ? { browser: 'Firefox', system: 'Windows', network: 'other', asked_at: iat } : null,
      requested: { acr: 'gematik-ehealth-loa-substantial', claims: { essential: ['a'], voluntary: ['b'] } },
    });
  }

  #known(body: Record<string, unknown>): Response {
    this.#logins += 1;
    return Response.json({
      login: `${String(body['login'])}.known.${this.#logins}`,
      expires_at: this.now() + this.lives,
      extendable: this.extensions > 0,
      consent: { service: { name: 'Service', logo_uri: null }, essential: ['a'], voluntary: ['b'], ...this.consent },
    });
  }
}

function evaluated({ share, triesLeft }: { share: Uint8Array; triesLeft: number }, body: Record<string, unknown>): Response {
  const point = p256_oprf.oprf.blindEvaluate(share, base64url.decode(text(body['blinded']) ?? '') ?? new Uint8Array());
  return Response.json({ evaluated: base64url.encode(point), tries_left: triesLeft });
}

export function refusal(status: number, reason: string): Response {
  return Response.json({ error: 'invalid_request', error_description: 'd', reason, support_code: 'ABCD-EFGH' }, { status });
}

function decoded(part: string): string {
  return new TextDecoder().decode(base64url.decode(part) ?? new Uint8Array());
}

/** One card, whose PIN is {@link PIN}. */
export class FakeReader implements CardReader {
  readonly kind = 'terminal';
  triesLeft = 3;
  gone = false;

  async cards(): Promise<ReadableCard[]> {
    if (this.gone) throw new Trouble('reader-unreachable');
    const { triesLeft } = this;
    return [{ id: 'card', name: 'Erika', insurer: 'Insurer', issuedByText: null, special: null, pinHint: null, triesLeft }];
  }

  async sign(_card: string, pin: string): Promise<string> {
    if (this.gone) throw new Trouble('reader-unreachable');
    if (this.triesLeft === 0) throw new Trouble('pin-blocked', { triesLeft: 0 });
    if (pin !== PIN) {
      this.triesLeft -= 1;
      throw new Trouble(this.triesLeft === 0 ? 'pin-blocked' : 'pin-wrong', { triesLeft: this.triesLeft });
    }
    return 'signed';
  }

  async unblock(): Promise<number> {
    this.triesLeft = 3;
    return 3;
  }
}

export class MemoryDatabase implements Database {
  readonly shelves = { keys: new Map<string, unknown>(), sealed: new Map<string, unknown>() };

  async read(shelf: 'keys' | 'sealed', name: string): Promise<unknown> {
    return this.shelves[shelf].get(name);
  }
  async write(shelf: 'keys' | 'sealed', name: string, value: unknown): Promise<void> {
    this.shelves[shelf].set(name, value);
  }
  async remove(shelf: 'keys' | 'sealed', name: string): Promise<void> {
    this.shelves[shelf].delete(name);
  }
  async clear(): Promise<void> {
    this.shelves.keys.clear();
    this.shelves.sealed.clear();
  }
}

/** One after the other, as tabs of one browser. */
export function turns(): Alone {
  const queues = new Map<string, Promise<unknown>>();
  return <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const turn = (queues.get(what) ?? Promise.resolve()).then(work, work);
    queues.set(
      what,
      turn.catch(() => undefined),
    );
    return turn;
  };
}

/** A browser's push subscription. */
export class FakePush implements Push {
  allowed: NotificationPermission = 'default';
  /** What she answers when she is asked. */
  answers: NotificationPermission = 'granted';
  service = PUSH;
  fails = false;
  subscription: { endpoint: string; key: string } | undefined;
  asked = 0;
  cleared = 0;
  #made = 0;

  permission(): NotificationPermission {
    return this.allowed;
  }
  async ask(): Promise<boolean> {
    this.asked += 1;
    if (this.allowed === 'default') this.allowed = this.answers;
    return this.allowed === 'granted';
  }
  async subscribed(key: string): Promise<string> {
    if (this.allowed !== 'granted') throw new Trouble('notifications-denied');
    if (this.fails) throw new Trouble('push-failed');
    if (this.subscription?.key !== key) this.subscription = { endpoint: `${this.service}${(this.#made += 1)}`, key };
    return this.subscription.endpoint;
  }
  async end(): Promise<void> {
    this.subscription = undefined;
  }
  async clear(): Promise<void> {
    this.cleared += 1;
  }
}

/** `push`: where it has one. */
export type Browser = { database: MemoryDatabase; alone: Alone; push?: FakePush };

export type Tab = Wallet & { store: Store; left: string[]; tools: Tools; kept: Kept; records: Records };

const noPasskeys: Passkeys = {
  isSupported: () => false,
  create: () => Promise.reject(new PasskeyFailure('not-supported')),
  get: () => Promise.reject(new PasskeyFailure('not-supported')),
};

/** An authenticator with one passkey; `says` is what the browser throws instead, once each. */
export function authenticator(says: PasskeyFailure[] = [], key?: CryptoKey): Passkeys {
  const [credential_id, rest] = ['aWQ', 'AA'];
  let user_handle = '';
  const next = () => {
    const failure = says.shift();
    if (failure) throw failure;
  };
  return {
    isSupported: () => true,
    create: async (options) => {
      next();
      user_handle = options.user.id;
      return { made: { credential_id, client_data: rest, attestation_object: rest }, prf: key !== undefined };
    },
    get: async (_challenge, { credentialIds = [] } = {}) => {
      next();
      if (!credentialIds.includes(credential_id)) throw new PasskeyFailure('cancelled');
      return { answer: { credential_id, client_data: rest, authenticator_data: rest, signature: rest, user_handle }, key };
    },
  };
}

/** A browser with nothing in it. */
export function browser(): Browser {
  return { database: new MemoryDatabase(), alone: turns() };
}

/** A tab of this browser. `id`: what its session storage holds. */
export async function tab(browser: Browser, insurer: FakeInsurer, reader: CardReader | undefined, now: () => number, session: { id: string | null } = { id: null }, passkeys: Passkeys = noPasskeys): Promise<Tab> {
  const store = new Store({ ...initial(), phase: 'ready', busy: null, now: now() });
  store.set({
    config: {
      ...store.state.config,
      issuer: ISSUER,
      push_key: insurer.pushKey,
      device_classes: [
        { name: 'software', evidence: 'claimed' },
        { name: 'passkey', evidence: 'attested-passkey' },
        { name: 'passkey-own-pages', evidence: 'passkey' },
      ].map((one) => ({ ...one, level: 'gematik-ehealth-loa-substantial', reconfirm_after_seconds: 86_400 })),
    },
  });
  const records = await Records.open(browser.database, (work) => browser.alone('sealing', work));
  const kept = new Kept(records, now);
  const left: string[] = [];
  const tools: Tools = {
    store,
    provider: new Provider(ISSUER, BASE, insurer.fetch),
    key: new OwnKey(browser.database, records, browser.alone),
    kept,
    alone: browser.alone,
    reader,
    passkeys,
    opened: { key: undefined },
    push: browser.push && (async () => browser.push as FakePush),
    now,
    pause: () => new Promise((resolve) => setTimeout(resolve, 1)),
    leave: (address) => void left.push(address),
    tab: { get: () => session.id, set: (id) => void (session.id = id) },
  };
  await recall(tools);
  const surface = {
    go: () => undefined,
    setLanguage: () => undefined,
    install: () => undefined,
    update: () => undefined,
    persist: () => undefined,
    save: () => undefined,
    forget: () => records.forget(),
    deviceName: 'Browser',
  };
  return { ...wallet(tools, surface), store, left, tools, kept, records };
}

/** Waits until nothing runs. */
export async function settled({ store, records }: Tab): Promise<void> {
  for (let turn = 0; turn < 4_000; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (!store.state.busy) return records.settled();
  }
  throw new Error(`still busy: ${store.state.busy}`);
}

/** With the card, from the first screen to a device that is bound. */
export async function enrol(wallet: Tab, pin?: string): Promise<void> {
  wallet.act.beginEnrolment();
  wallet.act.continueEnrolment();
  wallet.act.setEnrolment({ name: 'Phone', consentToSubstantial: true });
  wallet.act.continueEnrolment();
  await settled(wallet);
  wallet.act.chooseCard('card');
  wallet.act.answerCard(PIN);
  await settled(wallet);
  if (pin === undefined) wallet.act.withoutPin();
  for (const typed of pin === undefined ? [] : [pin, pin]) {
    await settled(wallet);
    wallet.act.typePin(typed);
  }
  await settled(wallet);
  expect(wallet.store.state.enrolment?.step).toBe('bound');
}
