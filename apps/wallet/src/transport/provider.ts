/**
 * Requests to the insurer's provider. The core speaks of the issuer, an https address; a page reaches the same provider at its own base
 * (`…/wallet/` without `wallet/`), and that base only.
 *
 * Every request ends: in an answer, or in `offline` or `timeout`. None is repeated by itself, none follows a redirect, none is cached.
 */

import { Trouble, refusal } from '../app/problem.ts';
import type { Problem } from '../app/model.ts';
import { members, parse, type Members } from '../core/shape.ts';
import type { Send, Told } from '../core/types.ts';

/** The provider answers within a second, or its own limit ends the request. */
const LIMIT_MILLISECONDS = 15_000;
/** Longer than any answer. */
const MAX_ANSWER_CHARACTERS = 4 * 1024 * 1024;

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export type Answer = Told & { told: 'answer' };

export class Provider {
  /** The last refusal: what a machine's error `refused` stands for. */
  refused: Problem | undefined;

  constructor(
    /** The insurer's issuer. */
    readonly issuer: string,
    /** Where the same provider is reached from this page; no trailing slash. */
    private readonly base: string,
    private readonly fetch: Fetch,
    private readonly limit: number = LIMIT_MILLISECONDS,
  ) {}

  /** Performs a want of a machine. */
  send(want: Send): Promise<Answer> {
    if (!want.url.startsWith(`${this.issuer}/`)) throw new Trouble('foreign-insurer');
    return this.#exchange(want.method, want.url.slice(this.issuer.length), want.body);
  }

  /** A request of the account. The answer, where the provider does what it is asked. */
  async post(path: string, body: object): Promise<Members> {
    const answer = await this.#exchange('POST', `/${path}`, body);
    if (answer.status < 200 || answer.status >= 300) throw Trouble.of(refusal(answer.status, answer.body));
    const said = members(parse(answer.body));
    if (!said) throw new Trouble('answer-not-genuine');
    return said;
  }

  async #exchange(method: 'GET' | 'POST', path: string, body: unknown): Promise<Answer> {
    const answer = await exchange(this.fetch, this.limit, `${this.base}${path}`, {
      method,
      ...(method === 'POST' ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
      // The cookie says which browser began a login.
      credentials: 'same-origin',
    });
    if (answer.status < 200 || answer.status >= 300) this.refused = refusal(answer.status, answer.body);
    return { told: 'answer', ...answer };
  }
}

/** One request that ends. */
export async function exchange(
  fetch: Fetch,
  limit: number,
  url: string,
  init: RequestInit,
): Promise<{ status: number; body: string }> {
  const signal = AbortSignal.timeout(limit);
  try {
    const response = await fetch(url, { ...init, signal, cache: 'no-store', redirect: 'error', referrerPolicy: 'no-referrer' });
    const body = await response.text();
    if (body.length > MAX_ANSWER_CHARACTERS) throw new Trouble('answer-not-genuine');
    return { status: response.status, body };
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble(signal.aborted ? 'timeout' : 'offline');
  }
}
