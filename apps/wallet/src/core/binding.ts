/** Binding a device's key to the person of a card login (`wallet::flow::Binding` in Rust). */

import * as answers from './answers.ts';
import { outOfOrder } from './answers.ts';
import * as base64url from './base64url.ts';
import { post, type Login } from './login.ts';
import * as signing from './signing.ts';
import { FlowError, type Attestation, type Told, type Want } from './types.ts';

/** Sets this use of a login's identifier apart from every other. */
export const ATTESTATION_DOMAIN = new TextEncoder().encode('healthid/device-attestation/v1\0');

export type BindingWish = {
  name: string;
  class: string;
  consent_to_substantial: boolean;
  /** The app's own mark of this phone, 32 bytes in base64url, kept where it survives a new installation. A device bound with it before is replaced. */
  hardware?: string;
};

type State =
  | { at: 'key' }
  | { at: 'proof'; key: Key; attestation: Attestation | undefined; message: string }
  | { at: 'sent' }
  | { at: 'over' };
export type Key = { kty: 'EC'; crv: 'P-256'; use: 'sig'; alg: 'ES256'; x: string; y: string };

export class Binding {
  #state: State = { at: 'key' };

  private constructor(
    private readonly issuer: string,
    private readonly body: object,
    private readonly name: string,
    private readonly challengeId: string,
  ) {}

  /** In a login that her card answered. */
  static async begin(login: Login, wish: BindingWish): Promise<[Binding, Want]> {
    const answered = login.answered;
    if (!answered) throw new FlowError('out-of-order', 'bind: not what was wanted here');
    const body = { client_id: login.clientId, login: answered.login, ...wish };
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array([...ATTESTATION_DOMAIN, ...answered.loginId]));
    const binding = new Binding(login.issuer, body, wish.name, base64url.encode(answered.loginId));
    return [binding, { want: 'make-key', challenge: base64url.encode(new Uint8Array(digest)) }];
  }

  /** Tells what came of the last want, and gets the next. Throws a {@link FlowError}. */
  async tell(told: Told): Promise<Want> {
    const state = this.#state;
    if (state.at === 'key' && told.told === 'key-made') {
      this.#state = { at: 'over' };
      const key = await publicKey(told.x, told.y);
      const message = signing.message('healthid-device-binding+jwt', { challenge_id: this.challengeId });
      this.#state = { at: 'proof', key, attestation: told.attestation, message };
      return { want: 'sign-with-new-key', message };
    }
    if (state.at === 'proof' && told.told === 'signed') {
      this.#state = { at: 'over' };
      const proof = signing.token(state.message, told.signature);
      this.#state = { at: 'sent' };
      const attested = state.attestation && { attestation: state.attestation };
      return post(this.issuer, 'devices', { ...this.body, public_key: state.key, ...attested, proof });
    }
    if (state.at === 'sent') {
      this.#state = { at: 'over' };
      return keep(told, this.issuer, this.name);
    }
    throw outOfOrder(told);
  }
}

/** What is to be kept once the provider has bound a device, whatever its key is. */
export function keep(told: Told, issuer: string, name: string): Want {
  const bound = answers.answer(told, 'devices', answers.bindingAnswer);
  return { want: 'keep', issuer, name, counter: 0, ...bound };
}

/** The key has no name outside this device; the provider knows it by the device's handle. */
export async function publicKey(x: string, y: string): Promise<Key> {
  const key: Key = { kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256', x, y };
  const refused = new FlowError('device-key', 'device: its key did not sign');
  if (!base64url.decodeArray(x, 32) || !base64url.decodeArray(y, 32)) throw refused;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  try {
    // Refuses what is no point of the curve.
    await crypto.subtle.importKey('jwk', { kty: key.kty, crv: key.crv, x, y }, algorithm, false, ['verify']);
  } catch {
    throw refused;
  }
  return key;
}
