/** Answers of the account's pages, read. A part that is not understood is left out of a list, never guessed. */

import { members, text, texts, whole, type Members } from '../core/shape.ts';
import type { Account, CardEntry, ConsentEntry, DeviceEntry, Erased, HistoryEntry } from './model.ts';
import { Trouble } from './problem.ts';

type Overview = Pick<Account, 'consents' | 'devices' | 'cards' | 'blockCode'>;

export function overview(said: Members, own: string | undefined): Overview {
  const set_at = whole(members(said['block_code'])?.['set_at']);
  return {
    consents: list(said['consents'], consent),
    devices: list(said['devices'], (found) => device(found, own)),
    cards: list(said['cards'] ?? [], card),
    blockCode: set_at === undefined ? null : { setAt: set_at },
  };
}

export function history(said: Members): { entries: HistoryEntry[]; more: boolean; isWhole: boolean | null } {
  const ok = members(said['chain'])?.['ok'];
  return { entries: list(said['entries'], entry), more: said['more'] === true, isWhole: typeof ok === 'boolean' ? ok : null };
}

export function validUntil(said: Members): number {
  return needed(whole(said['valid_until']));
}

export function code(said: Members): string {
  return needed(text(said['code']));
}

export function erased(said: Members): Erased {
  const kept = list(said['kept'] ?? [], (found) => {
    const [what, why] = [text(found['what']), text(found['why'])];
    return what === undefined || why === undefined ? undefined : { what, why, until: whole(found['until']) ?? null };
  });
  return { erasedAt: needed(whole(said['erased_at'])), kept };
}

function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new Trouble('answer-not-genuine');
  return value;
}

function list<T>(value: unknown, read: (found: Members) => T | undefined): T[] {
  if (!Array.isArray(value)) throw new Trouble('answer-not-genuine');
  return value.flatMap((item) => {
    const found = members(item);
    const one = found && read(found);
    return one === undefined ? [] : [one];
  });
}

function consent(found: Members): ConsentEntry | undefined {
  const [id, clientId, service] = [text(found['id']), text(found['client_id']), text(found['service'])];
  const [shared, decidedAt] = [texts(found['shared']), whole(found['decided_at'])];
  if (id === undefined || clientId === undefined || service === undefined || !shared || decidedAt === undefined) return undefined;
  return { id, clientId, service, shared, decidedAt };
}

function device(found: Members, own: string | undefined): DeviceEntry | undefined {
  const [id, name, className, boundAt] = [text(found['id']), text(found['name']), text(found['class']), whole(found['bound_at'])];
  if (id === undefined || name === undefined || className === undefined || boundAt === undefined) return undefined;
  return {
    id,
    name,
    class: className,
    kind: found['kind'] === 'passkey' ? 'passkey' : 'device-key',
    level: text(found['level']) ?? null,
    boundAt,
    confirmedAt: whole(found['confirmed_at']) ?? null,
    validUntil: whole(found['valid_until']) ?? null,
    lastUsed: whole(found['last_used']) ?? null,
    locked: found['locked'] === true,
    isThis: id === own,
  };
}

function card(found: Members): CardEntry | undefined {
  const [kind, insurer, ik, kvnr, name, birthdate] = ['kind', 'insurer', 'ik', 'kvnr', 'name', 'birthdate'].map((member) => text(found[member]));
  if (kind === undefined || insurer === undefined || kvnr === undefined || name === undefined) return undefined;
  return { kind, insurer, ik: ik ?? '', kvnr, name, birthdate: birthdate ?? '', validUntil: day(text(found['valid_until'])) };
}

/** `YYYY-MM-DD`, a day that exists. */
function day(said = ''): string | null {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(said) ? Date.parse(said) : NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(said) ? said : null;
}

function entry(found: Members): HistoryEntry | undefined {
  const [at, event] = [whole(found['at']), text(found['event'])];
  const id = text(found['id']) ?? whole(found['id'])?.toString();
  if (id === undefined || at === undefined || event === undefined) return undefined;
  const service = members(found['service']);
  const [clientId, name] = [text(service?.['client_id']), text(service?.['name'])];
  const by = found['by'];
  return {
    id,
    at,
    event,
    service: clientId === undefined ? null : { clientId, name: name ?? clientId },
    shared: texts(found['shared']) ?? [],
    method: text(found['method']) ?? null,
    level: text(found['level']) ?? null,
    device: text(found['device']) ?? null,
    by: by === 'insurer' || by === 'provider' ? by : 'you',
  };
}
