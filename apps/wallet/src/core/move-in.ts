/** The new phone's half of a move (`wallet::flow::MoveIn` in Rust). */

import { findings } from './answers.ts';
import * as base64url from './base64url.ts';
import { ATTESTATION_DOMAIN, publicKey, type BindingWish, type Key } from './binding.ts';
import { post } from './login.ts';
import { outOfOrder, read, stateAnswer, type MoveTold, type MoveWant } from './move.ts';
import { text, whole, type Members } from './shape.ts';
import * as signing from './signing.ts';
import { FlowError, type Attestation, type Finding } from './types.ts';

/** Sets the identifier of an offer apart from every other hash. */
const OFFER_DOMAIN = 'healthid/device-move/v1\0';
const ID_BYTES = 16;

type Shown = { ticket: string; number: string; expires_at: number };
type State =
  | { at: 'key' | 'sent' | 'over' }
  | { at: 'proof'; key: Key; attestation: Attestation | undefined; message: string }
  | { at: 'shown' | 'looked'; shown: Shown };

const sha256 = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

export class MoveIn {
  #state: State = { at: 'key' };
  #findings: Finding[] = [];

  private constructor(
    private readonly issuer: string,
    private readonly body: object,
    private readonly name: string,
    private readonly id: Uint8Array<ArrayBuffer>,
  ) {}

  /** With an offer, from the link's member `move`. */
  static async begin(issuer: string, offer: string, wish: BindingWish): Promise<[MoveIn, MoveWant]> {
    const id = (await sha256(new TextEncoder().encode(OFFER_DOMAIN + offer))).slice(0, ID_BYTES);
    const machine = new MoveIn(issuer.replace(/\/+$/, ''), { offer, ...wish }, wish.name, id);
    const challenge = base64url.encode(await sha256(new Uint8Array([...ATTESTATION_DOMAIN, ...id])));
    return [machine, { want: 'make-key', challenge }];
  }

  /** Tells what came of the last want, and gets the next. Throws a {@link FlowError}. */
  async tell(told: MoveTold): Promise<MoveWant> {
    const before = this.#state;
    this.#state = { at: 'over' };
    try {
      const [state, want] = await this.#next(before, told);
      this.#state = state;
      return want;
    } catch (error) {
      if (error instanceof FlowError && !error.ends) {
        this.#state = before.at === 'looked' && error.code !== 'out-of-order' ? { at: 'shown', shown: before.shown } : before;
      }
      throw error;
    }
  }

  async #next(state: State, told: MoveTold): Promise<[State, MoveWant]> {
    switch (state.at) {
      case 'key': {
        if (told.told !== 'key-made') throw outOfOrder(told);
        const message = signing.message('healthid-device-binding+jwt', { challenge_id: base64url.encode(this.id) });
        const key = await publicKey(told.x, told.y);
        return [{ at: 'proof', key, attestation: told.attestation, message }, { want: 'sign-with-new-key', message }];
      }
      case 'proof': {
        if (told.told !== 'signed') throw outOfOrder(told);
        const attested = state.attestation && { attestation: state.attestation };
        const proof = signing.token(state.message, told.signature);
        return [{ at: 'sent' }, post(this.issuer, 'devices/move/accept', { ...this.body, public_key: state.key, ...attested, proof })];
      }
      case 'sent': {
        const { found, ...shown } = read(told, 'devices/move/accept', acceptAnswer);
        this.#findings = found;
        return show(shown);
      }
      case 'shown':
        if (told.told !== 'look') throw outOfOrder(told);
        return [{ at: 'looked', shown: state.shown }, post(this.issuer, 'devices/move/state', { ticket: state.shown.ticket })];
      case 'looked': {
        const answer = read(told, 'devices/move/state', stateAnswer);
        if (answer.state === 'waiting') return show(state.shown);
        if (answer.state !== 'bound') throw new FlowError('answer', 'devices/move/state: the answer has another form than expected');
        const { device, valid_until, class: name } = answer;
        const record = { issuer: this.issuer, device, name: this.name, valid_until, counter: 0 };
        return [{ at: 'over' }, { want: 'keep', ...record, class: name, findings: this.#findings }];
      }
      case 'over':
        throw outOfOrder(told);
    }
  }
}

function show(shown: Shown): [State, MoveWant] {
  return [{ at: 'shown', shown }, { want: 'show-number', number: shown.number, expires_at: shown.expires_at }];
}

function acceptAnswer(said: Members): (Shown & { found: Finding[] }) | undefined {
  const [ticket, number, expires_at, found] = [text(said['ticket']), text(said['number']), whole(said['expires_at']), findings(said['findings'])];
  if (ticket === undefined || number === undefined || expires_at === undefined || !found) return undefined;
  return { ticket, number, expires_at, found };
}
