/**
 * Reading a health card. A browser reads none by itself: either the app around this page does (NFC), or, in a sandbox, a virtual terminal.
 *
 * A PIN is passed on and forgotten; nothing here keeps or logs it.
 */

import { exchange, type Fetch } from '../transport/provider.ts';
import { Trouble } from '../app/problem.ts';
import type { OwnReason, ReadableCard, Reason } from '../app/model.ts';
import { members, parse, text, whole, type Members } from '../core/shape.ts';

export interface CardReader {
  readonly kind: 'terminal' | 'shell';
  /** Cards that can be used; a shell may name one, "the card you will hold". */
  cards(language: string): Promise<ReadableCard[]>;
  /** Lets a card sign the challenge, after its PIN. What `card-answered` wants. */
  sign(card: string, pin: string, challenge: string): Promise<string>;
  /** Takes the block off a card. Tries the PIN has then. */
  unblock(card: string, puk: string | null): Promise<number | null>;
}

/** What an app around this page puts at `window.healthidCardReader`: the same three, speaking JSON values. It rejects with `{ reason, tries_left? }`. */
export type ShellReader = {
  cards(): Promise<unknown>;
  sign(request: { card: string; pin: string; challenge: string }): Promise<unknown>;
  unblock(request: { card: string; puk: string | null }): Promise<unknown>;
};

declare global {
  interface Window {
    healthidCardReader?: ShellReader;
  }
}

/** The reader of this page, if there is one. The app around it comes first. */
export function readerOf(shell: ShellReader | undefined, terminal: string | null, fetch: Fetch): CardReader | undefined {
  if (shell) return shellReader(shell);
  return terminal === null ? undefined : terminalReader(terminal, fetch);
}

/** A card session with a person who types digits: longer than a request to a provider. */
const LIMIT_MILLISECONDS = 20_000;

function terminalReader(base: string, fetch: Fetch): CardReader {
  const ask = async (path: string, body?: object): Promise<Members> => {
    const answer = await exchange(fetch, LIMIT_MILLISECONDS, `${base}/terminal/${path}`, {
      method: body ? 'POST' : 'GET',
      ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
      credentials: 'omit',
    }).catch(() => {
      throw new Trouble('reader-unreachable');
    });
    const said = members(parse(answer.body));
    if (answer.status >= 200 && answer.status < 300 && said) return said;
    throw refused(said);
  };
  return {
    kind: 'terminal',
    cards: async (language) => cards(await ask(`cards?lang=${language.slice(0, 2)}`)),
    sign: async (card, pin, challenge) => response(await ask('sign', { card, pin, challenge })),
    unblock: async (card, puk) => tries(await ask('unblock', puk === null ? { card } : { card, puk })),
  };
}

function shellReader(shell: ShellReader): CardReader {
  const ask = async (answer: Promise<unknown>): Promise<Members> => {
    try {
      return members(await Promise.race([answer, tooLong()])) ?? {};
    } catch (error) {
      throw refused(members(error));
    }
  };
  return {
    kind: 'shell',
    cards: async () => cards(await ask(shell.cards())),
    sign: async (card, pin, challenge) => response(await ask(shell.sign({ card, pin, challenge }))),
    unblock: async (card, puk) => tries(await ask(shell.unblock({ card, puk }))),
  };
}

/** Longer than anybody holds a card; a reader that says nothing for so long is gone. */
const SHELL_LIMIT_MILLISECONDS = 120_000;

function tooLong(): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Trouble('reader-unreachable')), SHELL_LIMIT_MILLISECONDS));
}

/** What a reader says, in the wallet's words. */
const REASONS: Record<string, Reason> = {
  'pin-wrong': 'pin-wrong',
  'pin-blocked': 'pin-blocked',
  'pin-malformed': 'pin-malformed',
  'puk-wrong': 'puk-wrong',
  'puk-malformed': 'puk-wrong',
  'puk-used-up': 'puk-used-up',
  'card-gone': 'card-gone',
  'card-unknown': 'card-gone',
} satisfies Record<string, OwnReason>;

function refused(said: Members | undefined): Trouble {
  const word = text(said?.['reason']) ?? '';
  const reason = (Object.hasOwn(REASONS, word) && REASONS[word]) || 'reader-unreachable';
  return new Trouble(reason, { triesLeft: whole(said?.['tries_left']) ?? whole(said?.['uses_left']) ?? null });
}

function cards(said: Members): ReadableCard[] {
  const list = Array.isArray(said['cards']) ? said['cards'] : [];
  return list.flatMap((entry): ReadableCard[] => {
    const card = members(entry);
    const [id, name] = [text(card?.['id']), text(card?.['name'])];
    if (!card || id === undefined || name === undefined) return [];
    return [
      {
        id,
        name,
        insurer: text(card['insurer']) ?? null,
        issuedByText: text(card['issued_by_text']) || null,
        special: text(card['special']) || null,
        pinHint: text(card['pin_hint']) || null,
        triesLeft: whole(card['tries_left']) ?? null,
      },
    ];
  });
}

function response(said: Members): string {
  const found = text(said['response']);
  if (found === undefined) throw new Trouble('card-gone');
  return found;
}

function tries(said: Members): number | null {
  return whole(said['tries_left']) ?? null;
}
