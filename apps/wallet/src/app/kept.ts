/** What the wallet keeps between visits, beside the device: an enrolment begun, requests not yet answered, what was seen of the account. */

import * as base64url from '../core/base64url.ts';
import { members, parse, text, whole, type Members } from '../core/shape.ts';
import type { Send } from '../core/types.ts';
import { unwrap, wrap } from '../passkey/index.ts';
import type { KeptDevice } from '../storage/device.ts';
import type { Records } from '../storage/sealed.ts';
import type { CardEntry, Enrolment, Language, Snapshot } from './model.ts';

/** After so long an enrolment that was begun is begun anew. */
export const ENROLMENT_KEPT_SECONDS = 60 * 86_400;
/** A sealed login cannot be gone on with after that (`oidc::login_state::PENDING_LIFETIME_SECONDS`). */
export const REQUEST_KEPT_SECONDS = 900;

/** A card's login is good for so long (`oidc::login_state::AUTHENTICATED_LIFETIME_SECONDS`): what was sent with it can be sent again until then. */
export const SENT_KEPT_SECONDS = 600;

/** A passkey that went out to be bound: kept from before it is sent until it is answered. `at`: when. */
export type Sent = { at: number; send: Send; name: string } & Pick<KeptDevice, 'credential' | 'wraps'>;

/** `sent`: it came to this device by itself. */
export type KeptRequest = { id: string; clientId: string; login: string; service: string | null; startedAt: number; sent?: boolean };

/** What asks for requests without a signature, and for which device. */
type KeptTicket = { device: string; ticket: string };

export class Kept {
  constructor(
    private readonly records: Records,
    private readonly now: () => number,
  ) {}

  async language(): Promise<Language | undefined> {
    const found = await this.records.read('language');
    return found === 'de' || found === 'de-simple' || found === 'en' ? found : undefined;
  }

  setLanguage(language: Language): Promise<void> {
    return this.records.write('language', language);
  }

  async enrolment(): Promise<Enrolment | undefined> {
    const found = members(await this.records.read('enrolment'));
    const [name, startedAt, kind, step] = [text(found?.['name']), whole(found?.['startedAt']), found?.['kind'], found?.['step']];
    if (!found || name === undefined || startedAt === undefined || startedAt + ENROLMENT_KEPT_SECONDS < this.now()) return undefined;
    return {
      // Where nothing went out yet the card is asked for again: neither its answer nor the PIN is kept.
      step: (await this.sent()) ? 'binding' : step === 'prepare' ? 'prepare' : 'name',
      name,
      kind: kind === 'passkey' ? 'passkey' : 'device-key',
      consentToSubstantial: found['consentToSubstantial'] === true,
      startedAt,
      resumed: true,
      problem: null,
    };
  }

  keepEnrolment({ step, name, kind, consentToSubstantial, startedAt }: Enrolment): Promise<void> {
    return this.records.write('enrolment', { step, name, kind, consentToSubstantial, startedAt });
  }

  async dropEnrolment(): Promise<void> {
    await this.dropSent();
    await this.records.remove('enrolment');
  }

  keepSent(sent: Sent): Promise<void> {
    return this.records.write('sent', sent);
  }

  dropSent(): Promise<void> {
    return this.records.remove('sent');
  }

  /** What went out and can still be sent again. The card's login in it opens her account: it is not kept longer than it is good. */
  async sent(): Promise<Sent | undefined> {
    const found = members(await this.records.read('sent'));
    if (!found) return undefined;
    const read = sent(found);
    if (read && read.at + SENT_KEPT_SECONDS > this.now()) return read;
    await this.dropSent();
    return undefined;
  }

  /** Requests that can still be answered, oldest first. */
  async requests(): Promise<KeptRequest[]> {
    const found = await this.records.read('requests');
    const list = Array.isArray(found) ? found.map(members).map(request) : [];
    return list.filter((kept) => kept !== undefined).filter((kept) => kept.startedAt + REQUEST_KEPT_SECONDS > this.now());
  }

  /** Only while no other tab does: callers hold the lock `requests`. */
  async keepRequest(kept: KeptRequest): Promise<void> {
    const others = (await this.requests()).filter((other) => other.id !== kept.id);
    await this.records.write('requests', [...others, kept].slice(-MAX_REQUESTS));
  }

  async dropRequest(id: string): Promise<void> {
    await this.records.write(
      'requests',
      (await this.requests()).filter((other) => other.id !== id),
    );
  }

  /** What waits at the provider takes the place of what waited there before. Only while no other tab does. */
  async keepWaiting(waiting: Waiting[]): Promise<void> {
    const before = await this.requests();
    const logins = new Set(waiting.map(({ login }) => login));
    const stays = before.filter((kept) => !kept.sent || logins.has(kept.login));
    const known = new Set(before.map(({ login }) => login));
    const fresh = waiting.filter(({ login }) => !known.has(login)).map((sent) => ({ id: crypto.randomUUID(), ...kept(sent) }));
    if (stays.length === before.length && fresh.length === 0) return;
    await this.records.write('requests', [...stays, ...fresh].slice(-MAX_REQUESTS));
  }

  async ticket(device: string): Promise<string | undefined> {
    const found = members(await this.records.read('ticket'));
    return text(found?.['device']) === device ? text(found?.['ticket']) : undefined;
  }

  keepTicket(ticket: KeptTicket): Promise<void> {
    return this.records.write('ticket', ticket);
  }

  /** Whether she wants to be woken, and where the provider was told (`waking.ts`). */
  wake(): Promise<unknown> {
    return this.records.read('wake');
  }

  keepWake(wake: object): Promise<void> {
    return this.records.write('wake', wake);
  }

  dropWake(): Promise<void> {
    return this.records.remove('wake');
  }

  /** What was seen of her account; `null` where there is nothing, or it opens with her passkey only. */
  async snapshot(): Promise<Snapshot | null> {
    return snapshot(await this.records.read('snapshot'));
  }

  /** The same, with the passkey's key. */
  async unlocked(key: CryptoKey): Promise<Snapshot | null> {
    const wrapped = text(members(await this.records.read('snapshot'))?.['wrapped']);
    const bytes = wrapped === undefined ? undefined : base64url.decode(wrapped);
    const opened = bytes && (await unwrap(key, 'snapshot', bytes));
    return opened ? snapshot(parse(new TextDecoder().decode(opened))) : null;
  }

  /** `key`: the passkey's; without it the record is sealed by this browser alone. */
  async keepSnapshot(seen: Snapshot, key: CryptoKey | undefined): Promise<void> {
    if (!key) return this.records.write('snapshot', seen);
    const wrapped = await wrap(key, 'snapshot', new TextEncoder().encode(JSON.stringify(seen)));
    await this.records.write('snapshot', { wrapped: base64url.encode(wrapped) });
  }

  dropSnapshot(): Promise<void> {
    return this.records.remove('snapshot');
  }

  /** The app's own mark of this browser: a device bound again replaces its older entry instead of standing beside it. */
  async mark(): Promise<Uint8Array<ArrayBuffer>> {
    const kept = await this.records.read('mark');
    if (Array.isArray(kept) && kept.length === 32) return Uint8Array.from(kept as number[]);
    const made = crypto.getRandomValues(new Uint8Array(32));
    await this.records.write('mark', [...made]);
    return made;
  }
}

const MAX_REQUESTS = 16;

type Waiting = { client_id: string; login: string; asked_at: number; service: { name: string } | null };

function kept({ client_id, login, asked_at, service }: Waiting): Omit<KeptRequest, 'id'> {
  return { clientId: client_id, login, service: service?.name ?? null, startedAt: asked_at, sent: true };
}

function snapshot(value: unknown): Snapshot | null {
  const found = members(value);
  const at = whole(found?.['at']);
  if (!found || at === undefined || !Array.isArray(found['cards'])) return null;
  return { at, cards: found['cards'] as CardEntry[], blockCodeSetAt: whole(found['blockCodeSetAt']) ?? null };
}

function sent(found: Members): Sent | undefined {
  const [at, name, send, credential] = [whole(found['at']), text(found['name']), members(found['send']), text(found['credential']) ?? null];
  const url = text(send?.['url']);
  if (at === undefined || name === undefined || url === undefined) return undefined;
  return { at, name, credential, wraps: found['wraps'] === true, send: { want: 'send', method: 'POST', url, body: send?.['body'] } };
}

function request(found: Members | undefined): KeptRequest | undefined {
  const [id, clientId, login] = [text(found?.['id']), text(found?.['clientId']), text(found?.['login'])];
  const startedAt = whole(found?.['startedAt']);
  if (!found || id === undefined || clientId === undefined || login === undefined || startedAt === undefined) return undefined;
  return { id, clientId, login, startedAt, service: text(found['service']) ?? null, ...(found['sent'] === true && { sent: true }) };
}

