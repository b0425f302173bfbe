/** Drives one login of the core up to the next question for a person: sends what is to be sent, and knows what is asked after a refusal. */

import { Login } from '../core/login.ts';
import { FlowError, type Send, type Told, type Want } from '../core/types.ts';
import type { Provider } from '../transport/provider.ts';
import { Trouble, problemOf } from './problem.ts';

type Asked = Extract<Want, { want: 'choose' | 'decide' }>;

export class Run {
  readonly login: Login;
  #want: Want;
  /** What was asked last: after a refusal that does not end the login, it is asked again. */
  #asked: Asked | undefined;
  /** Whether the login is over: begin a new one. */
  over = false;

  constructor(
    private readonly provider: Provider,
    private readonly now: () => number,
    [login, want]: [Login, Want],
  ) {
    this.login = login;
    this.#want = want;
  }

  get want(): Want {
    return this.#want;
  }

  /** Sends until something else is wanted. */
  async advance(): Promise<Want> {
    while (this.#want.want === 'send') {
      this.provider.refused = undefined;
      await this.#told(await this.#sent(this.#want));
    }
    return this.#want;
  }

  async #sent(send: Send): Promise<Told> {
    try {
      return await this.provider.send(send);
    } catch (error) {
      // Nobody knows whether the decision arrived: she is asked again, and may decide otherwise. To the machine it is a provider in trouble.
      if (this.#asked?.want === 'decide' || send.url.endsWith('/auth/extend')) await this.#told({ told: 'answer', status: 503, body: '' }).catch(() => undefined);
      throw error;
    }
  }

  /** Tells what came of the want, and sends what follows. */
  async tell(told: Told): Promise<Want> {
    await this.#told(told);
    return this.advance();
  }

  /** The want, where it is this one. */
  expect<W extends Want['want']>(want: W): Extract<Want, { want: W }> {
    if (this.#want.want !== want) throw new Trouble('unexpected');
    return this.#want as Extract<Want, { want: W }>;
  }

  async #told(told: Told): Promise<void> {
    try {
      this.#want = await this.login.tell(told, this.now());
      if (this.#want.want === 'choose' || this.#want.want === 'decide') this.#asked = this.#want;
    } catch (error) {
      if (!(error instanceof FlowError)) throw error;
      this.over = error.ends;
      const isSent = told.told === 'answer' && this.#want.want === 'send' && !/\/auth\/(challenge|jwks)$/.test(this.#want.url);
      if (!error.ends && isSent && this.#asked) this.#want = this.#asked;
      throw Trouble.of(problemOf(error, this.provider.refused));
    }
  }
}
