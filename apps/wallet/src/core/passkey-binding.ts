/** Binding a passkey to the person of a card login (`wallet::flow::PasskeyBinding` in Rust). */

import * as answers from './answers.ts';
import { outOfOrder } from './answers.ts';
import * as base64url from './base64url.ts';
import { keep } from './binding.ts';
import { post, type Login } from './login.ts';
import { registrationChallenge } from './passkey-challenge.ts';
import { members, text, type Members } from './shape.ts';
import { FlowError, type PasskeyOptions, type Told, type Want } from './types.ts';

const HANDLE_BYTES = 32;

export type PasskeyWish = { name: string; consent_to_substantial: boolean };

type State = { at: 'options' } | { at: 'passkey'; device: string } | { at: 'sent' } | { at: 'over' };

export class PasskeyBinding {
  #state: State = { at: 'options' };

  private constructor(
    private readonly issuer: string,
    private readonly body: object,
    private readonly name: string,
    private readonly loginId: Uint8Array,
  ) {}

  /** In a login that her card answered. */
  static begin(login: Login, wish: PasskeyWish): [PasskeyBinding, Want] {
    const answered = login.answered;
    if (!answered) throw new FlowError('out-of-order', 'bind: not what was wanted here');
    const request = { client_id: login.clientId, login: answered.login };
    const binding = new PasskeyBinding(login.issuer, { ...request, ...wish }, wish.name, answered.loginId);
    return [binding, post(login.issuer, 'devices/passkey', request)];
  }

  /** Tells what came of the last want, and gets the next. Throws a {@link FlowError}. */
  async tell(told: Told): Promise<Want> {
    const state = this.#state;
    if (state.at === 'options') {
      this.#state = { at: 'over' };
      const options = answers.answer(told, 'devices/passkey', (found) => passkeyOptions(found['options']));
      const device = await this.#deviceOf(options);
      if (device === undefined) throw new FlowError('answer', 'devices/passkey: the answer has another form than expected');
      this.#state = { at: 'passkey', device };
      return { want: 'make-passkey', options };
    }
    if (state.at === 'passkey' && told.told === 'passkey-made') {
      const { told: _, ...made } = told;
      this.#state = { at: 'sent' };
      return post(this.issuer, 'devices', { ...this.body, passkey: { ...made, device: state.device } });
    }
    if (state.at === 'sent') {
      this.#state = { at: 'over' };
      return keep(told, this.issuer, this.name);
    }
    throw outOfOrder(told);
  }

  /** The device these options are for, if their challenge is that of this login and device: nothing else is signed. */
  async #deviceOf(options: PasskeyOptions): Promise<string | undefined> {
    const handle = base64url.decodeArray(options.user.id, HANDLE_BYTES);
    if (!handle) return undefined;
    return (await registrationChallenge(this.loginId, handle)) === options.challenge ? options.user.id : undefined;
  }
}

function passkeyOptions(value: unknown): PasskeyOptions | undefined {
  const options: Members | undefined = members(value);
  const [challenge, id] = [text(options?.['challenge']), text(members(options?.['user'])?.['id'])];
  return challenge === undefined || id === undefined ? undefined : (options as PasskeyOptions);
}
