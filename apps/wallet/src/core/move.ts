/** What a move to a new phone wants and is told (`wallet::flow::moving` in Rust); the halves are `move-out.ts` and `move-in.ts`. */

import { answer, type BindingAnswer } from './answers.ts';
import { members, text, whole, type Members } from './shape.ts';
import { FlowError, type Attestation, type Bound, type PasskeyAnswer, type Send, type Told } from './types.ts';

/** A QR code: dark modules as one path. */
export type DrawnCode = { size: number; path: string };
export type OfferShown = { offer: string; link: string | null; code: DrawnCode | null; expires_at: number };

/** A phone that asks to be bound. Name, browser and system are text from outside. */
export type Asking = {
  name: string;
  class: string;
  level: string;
  browser: string;
  system: string;
  network: 'same' | 'other' | null;
  asked_at: number;
};

export type EndWhy = 'declined' | 'not-me' | 'phone-call';

export type MoveWant =
  | Send
  | ({ want: 'show-offer' } & OfferShown)
  | { want: 'compare'; asking: Asking; expires_at: number }
  | { want: 'sign-with-device'; device: string; counter: number; message: string }
  | { want: 'sign-with-passkey'; challenge: string }
  | { want: 'make-key'; challenge: string }
  | { want: 'sign-with-new-key'; message: string }
  | { want: 'show-number'; number: string; expires_at: number }
  | ({ want: 'keep' } & Bound)
  | { want: 'moved'; device: string; name: string }
  | { want: 'ended' };

export type MoveTold =
  | { told: 'answer'; status: number; body: string }
  | { told: 'look' }
  /** `counter`: the old phone's, as it is kept now; any for a passkey. */
  | { told: 'number'; number: string; counter: number }
  | { told: 'signed'; signature: string }
  | ({ told: 'passkey-answered' } & PasskeyAnswer)
  | { told: 'decline' }
  | { told: 'key-made'; x: string; y: string; attestation?: Attestation }
  | { told: 'end'; why: EndWhy };

export function outOfOrder(told: MoveTold): FlowError {
  return new FlowError('out-of-order', `${told.told}: not what was wanted here`);
}

/** A successful answer of a shape. */
export function read<T>(told: MoveTold, path: string, shape: (found: Members) => T | undefined): T {
  if (told.told !== 'answer') throw outOfOrder(told);
  return answer(told as Told, path, shape);
}

export type StateAnswer =
  | { state: 'open' }
  | { state: 'waiting' }
  | { state: 'asked'; asking: Asking; challenge: string; expires_at: number }
  | ({ state: 'bound'; name: string } & Omit<BindingAnswer, 'findings'>);

export function stateAnswer(found: Members): StateAnswer | undefined {
  const state = found['state'];
  if (state === 'open' || state === 'waiting') return { state };
  const [device, name, className, challenge] = ['device', 'name', 'class', 'challenge'].map((member) => text(found[member]));
  if (state === 'asked') {
    const [who, expires_at] = [asking(found['asking']), whole(found['expires_at'])];
    if (!who || challenge === undefined || expires_at === undefined) return undefined;
    return { state, asking: who, challenge, expires_at };
  }
  const valid_until = whole(found['valid_until']);
  if (state !== 'bound' || device === undefined || name === undefined || className === undefined || valid_until === undefined) return undefined;
  return { state, device, name, class: className, valid_until };
}

function asking(value: unknown): Asking | undefined {
  const found = members(value);
  const [name, className, level, browser, system] = ['name', 'class', 'level', 'browser', 'system'].map((member) => text(found?.[member]));
  const [asked_at, network] = [whole(found?.['asked_at']), found?.['network'] ?? null];
  if (name === undefined || className === undefined || level === undefined || browser === undefined || system === undefined) return undefined;
  if (asked_at === undefined || (network !== null && network !== 'same' && network !== 'other')) return undefined;
  return { name, class: className, level, browser, system, network, asked_at };
}
