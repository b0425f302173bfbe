/** From whatever failed to a {@link Problem}: nothing is ever shown as it was thrown. */

import { members, parse, text, whole } from '../core/shape.ts';
import { REASONS } from '../core/reasons.ts';
import { FlowError } from '../core/types.ts';
import type { OwnReason, Problem, ProviderReason, Reason } from './model.ts';

/** Thrown inside the shell; caught by every action. */
export class Trouble extends Error {
  override readonly name = 'Trouble';
  readonly problem: Problem;

  constructor(reason: Reason, more: Partial<Omit<Problem, 'reason'>> = {}) {
    super(reason);
    this.problem = { supportCode: null, retryAfter: null, triesLeft: null, ...more, reason };
  }

  static of(problem: Problem): Trouble {
    return new Trouble(problem.reason, problem);
  }
}

/** A refusal of the provider: `{error, error_description, reason, support_code, retry_after?}`. */
export function refusal(status: number, body: string): Problem {
  const said = members(parse(body));
  const named = text(said?.['reason']);
  const reason = REASONS.find((known) => known === named) ?? ofStatus(status);
  return {
    reason,
    supportCode: text(said?.['support_code']) ?? null,
    retryAfter: whole(said?.['retry_after']) ?? null,
    triesLeft: whole(said?.['tries_left']) ?? null,
  };
}

/** A router in front of the provider, or a provider that is too young to name reasons. */
function ofStatus(status: number): ProviderReason {
  if (status === 429) return 'too-many-tries';
  if (status === 404) return 'not-found';
  if (status === 502 || status === 503 || status === 504) return 'unavailable';
  return status >= 500 ? 'internal' : 'malformed';
}

const OWN: Partial<Record<FlowError['code'], OwnReason>> = {
  address: 'link-broken',
  answer: 'answer-not-genuine',
  challenge: 'answer-not-genuine',
  'foreign-challenge': 'answer-not-genuine',
  'foreign-device': 'storage-lost',
  'card-signature': 'card-gone',
  'device-key': 'storage-lost',
};

/** What to say about something thrown. `refused`: the provider's last refusal, for errors of the machines that stand for one. */
export function problemOf(error: unknown, refused?: Problem): Problem {
  if (error instanceof Trouble) return error.problem;
  if (error instanceof FlowError) {
    if (error.code === 'refused' && refused) return refused;
    return new Trouble(OWN[error.code] ?? 'unexpected').problem;
  }
  if (error instanceof DOMException && error.name === 'QuotaExceededError') return new Trouble('storage-unavailable').problem;
  return new Trouble('unexpected').problem;
}
