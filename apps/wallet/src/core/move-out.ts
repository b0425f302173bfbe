/** The old phone's half of a move (`wallet::flow::MoveOut` in Rust). */

import { keys } from './answers.ts';
import * as challenges from './challenge.ts';
import { post } from './login.ts';
import { outOfOrder, read, stateAnswer, type Asking, type MoveTold, type MoveWant, type OfferShown } from './move.ts';
import * as passkeys from './passkey-challenge.ts';
import { members, text, whole, type Members } from './shape.ts';
import * as signing from './signing.ts';
import { FlowError, type DeviceRecord, type Send, type Told } from './types.ts';

type Asked = { asking: Asking; challenge: string; expires_at: number };

type State =
  | { at: 'offer' | 'shown' | 'looked' | 'ending' | 'over' }
  | { at: 'keys' | 'comparing' | 'approved'; asked: Asked }
  | { at: 'signing'; asked: Asked; number: string; message: string };

export class MoveOut {
  #state: State = { at: 'offer' };
  #shown: OfferShown | undefined;
  #held = '';

  private constructor(
    private readonly record: DeviceRecord,
    private readonly isPasskey: boolean,
  ) {}

  /** With an account login that this device answered just now. */
  static begin(login: string, record: DeviceRecord, isPasskey: boolean): [MoveOut, MoveWant] {
    return [new MoveOut(record, isPasskey), post(record.issuer, 'devices/move', { login })];
  }

  /** Tells what came of the last want, and gets the next. `now`: seconds since 1970. Throws a {@link FlowError}. */
  async tell(told: MoveTold, now: number): Promise<MoveWant> {
    const before = this.#state;
    this.#state = { at: 'over' };
    try {
      const [state, want] = await this.#next(before, told, now);
      this.#state = state;
      return want;
    } catch (error) {
      if (error instanceof FlowError && !error.ends) this.#state = waiting(before, error);
      throw error;
    }
  }

  async #next(state: State, told: MoveTold, now: number): Promise<[State, MoveWant]> {
    if (told.told === 'end' && (state.at === 'shown' || state.at === 'comparing' || state.at === 'signing')) {
      return [{ at: 'ending' }, this.#post('end', { move: this.#held, why: told.why })];
    }
    switch (state.at) {
      case 'offer': {
        const { held, ...shown } = read(told, 'devices/move', offerAnswer);
        this.#held = held;
        this.#shown = shown;
        return [{ at: 'shown' }, { want: 'show-offer', ...shown }];
      }
      case 'shown':
        if (told.told !== 'look') throw outOfOrder(told);
        return this.#look();
      case 'looked':
        return this.#looked(told);
      case 'keys':
        return this.#check(state.asked, told, now);
      case 'comparing':
        if (told.told === 'look') return this.#look();
        if (told.told !== 'number') throw outOfOrder(told);
        return this.#sign(state.asked, told.number, told.counter + 1, now);
      case 'signing':
        return this.#signed(state, told);
      case 'approved': {
        const answer = read(told, 'devices/move/approve', stateAnswer);
        if (answer.state !== 'bound') throw unexpected('devices/move/approve');
        return [{ at: 'over' }, { want: 'moved', device: answer.device, name: answer.name }];
      }
      case 'ending':
        read(told, 'devices/move/end', () => true);
        return [{ at: 'over' }, { want: 'ended' }];
      case 'over':
        throw outOfOrder(told);
    }
  }

  #look(): [State, MoveWant] {
    return [{ at: 'looked' }, this.#post('state', { move: this.#held })];
  }

  #looked(told: MoveTold): [State, MoveWant] {
    const answer = read(told, 'devices/move/state', stateAnswer);
    switch (answer.state) {
      case 'open':
        if (!this.#shown) throw unexpected('devices/move/state');
        return [{ at: 'shown' }, { want: 'show-offer', ...this.#shown }];
      case 'asked': {
        const { asking, challenge, expires_at } = answer;
        const asked = { asking, challenge, expires_at };
        return [{ at: 'keys', asked }, { want: 'send', method: 'GET', url: `${this.record.issuer}/auth/jwks`, body: null }];
      }
      case 'bound':
        return [{ at: 'over' }, { want: 'moved', device: answer.device, name: answer.name }];
      case 'waiting':
        throw unexpected('devices/move/state');
    }
  }

  /** Nothing is shown, and nothing will be signed, that her insurer did not ask for this purpose. */
  async #check(asked: Asked, told: MoveTold, now: number): Promise<[State, MoveWant]> {
    if (told.told !== 'answer') throw outOfOrder(told);
    const challenge = await challenges.verify(asked.challenge, keys(told as Told), now);
    if (!challenge) throw new FlowError('challenge', 'challenge: not genuine, or not fresh');
    const { issuer } = this.record;
    if (challenge.iss !== issuer || challenge.client_id !== issuer || challenge.purpose !== 'move') {
      throw new FlowError('foreign-challenge', 'challenge: not issued by this insurer for a move');
    }
    return compare(asked);
  }

  async #sign(asked: Asked, number: string, counter: number, now: number): Promise<[State, MoveWant]> {
    if (!/^[0-9]{2}$/.test(number)) throw new FlowError('number', 'number: expected the two digits that the new phone shows');
    if (this.isPasskey) {
      const challenge = await passkeys.loginChallenge(asked.challenge);
      return [{ at: 'signing', asked, number, message: '' }, { want: 'sign-with-passkey', challenge }];
    }
    const claims = { challenge: asked.challenge, decision: 'approve', time: now, counter };
    const message = signing.message('healthid-device-assertion+jwt', claims);
    return [
      { at: 'signing', asked, number, message },
      { want: 'sign-with-device', device: this.record.device, counter, message },
    ];
  }

  #signed({ asked, number, message }: State & { at: 'signing' }, told: MoveTold): [State, MoveWant] {
    if (told.told === 'decline') return compare(asked);
    const approved = (more: object): [State, MoveWant] => [{ at: 'approved', asked }, this.#post('approve', { move: this.#held, number, ...more })];
    if (told.told === 'signed' && !this.isPasskey) {
      return approved({ device: this.record.device, response: signing.token(message, told.signature) });
    }
    if (told.told !== 'passkey-answered' || !this.isPasskey) throw outOfOrder(told);
    const { told: _, ...passkey } = told;
    return approved({ challenge: asked.challenge, passkey });
  }

  #post(step: string, body: object): Send {
    return post(this.record.issuer, `devices/move/${step}`, body);
  }
}

function compare(asked: Asked): [State, MoveWant] {
  return [{ at: 'comparing', asked }, { want: 'compare', asking: asked.asking, expires_at: asked.expires_at }];
}

/** Where it waits after an error that ends nothing. */
function waiting(before: State, error: FlowError): State {
  if (error.code === 'out-of-order') return before;
  // A refused approval: she looks again, which brings a new challenge.
  if (before.at === 'approved' || before.at === 'signing') return { at: 'comparing', asked: before.asked };
  return before.at === 'looked' || before.at === 'keys' ? { at: 'shown' } : before;
}

function unexpected(path: string): FlowError {
  return new FlowError('answer', `${path}: the answer has another form than expected`);
}

function offerAnswer(found: Members): (OfferShown & { held: string }) | undefined {
  const [offer, held, link] = [text(found['offer']), text(found['move']), found['link'] ?? null];
  const [drawn, expires_at] = [found['code'] ?? null, whole(found['expires_at'])];
  const [size, path] = [whole(members(drawn)?.['size']), text(members(drawn)?.['path'])];
  if (offer === undefined || held === undefined || expires_at === undefined || (link !== null && typeof link !== 'string')) return undefined;
  if (drawn === null) return { offer, held, link, code: null, expires_at };
  return size === undefined || path === undefined ? undefined : { offer, held, link, code: { size, path }, expires_at };
}
