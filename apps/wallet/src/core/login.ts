/** One login, from the address a service sent the person to until the address she goes back to (`wallet::flow::Login` in Rust). */

import * as answers from './answers.ts';
import { outOfOrder, type ChallengeAnswer, type LoginAnswer } from './answers.ts';
import * as challenges from './challenge.ts';
import type { Challenge } from './challenge.ts';
import * as passkeys from './passkey-challenge.ts';
import * as signing from './signing.ts';
import { FlowError, type AbortWhy, type Consent, type DeviceRecord, type OtherDevice, type Request, type Send, type Told, type Want } from './types.ts';

/** Longest address that is opened, in characters. */
export const MAX_ADDRESS_CHARACTERS = 8192;

type Opened = { login: string; challenge: Challenge; request: Request };
type Answered = { login: string; loginId: Uint8Array<ArrayBuffer>; consent: Consent };

type State =
  | { at: 'challenge' }
  | { at: 'keys'; answer: ChallengeAnswer }
  | { at: 'choice'; opened: Opened }
  | { at: 'card'; opened: Opened }
  | { at: 'passkey'; opened: Opened }
  | { at: 'device'; opened: Opened; device: string; message: string }
  | { at: 'answered'; opened: Opened }
  | { at: 'consent'; answered: Answered }
  | { at: 'decided'; answered: Answered | undefined }
  | { at: 'aborted'; before: State }
  | { at: 'extended-choice'; opened: Opened }
  | { at: 'extended-consent'; answered: Answered }
  | { at: 'over' };

export function post(issuer: string, path: string, body: unknown): Send {
  return { want: 'send', method: 'POST', url: `${issuer}/${path}`, body };
}

function withoutSlashes(issuer: string): string {
  return issuer.replace(/\/+$/, '');
}

export class Login {
  #state: State = { at: 'challenge' };
  #isBegunElsewhere = false;
  readonly issuer: string;

  private constructor(
    issuer: string,
    readonly clientId: string,
  ) {
    this.issuer = withoutSlashes(issuer);
  }

  /** From the address a service sent the person to. */
  static open(issuer: string, authorizationUrl: string): [Login, Want] {
    const { client_id, request_uri } = parseAddress(authorizationUrl);
    return Login.#begin(issuer, client_id, { client_id, request_uri });
  }

  /** Goes on with a login that the provider's page already holds. */
  static resume(issuer: string, clientId: string, login: string): [Login, Want] {
    return Login.#begin(issuer, clientId, { client_id: clientId, login });
  }

  /** To the person's own account: what binding a device begins with. */
  static account(issuer: string): [Login, Want] {
    const own = withoutSlashes(issuer);
    return Login.#begin(own, own, { client_id: own });
  }

  static #begin(issuer: string, clientId: string, body: unknown): [Login, Want] {
    const login = new Login(issuer, clientId);
    return [login, post(login.issuer, 'auth/challenge', body)];
  }

  /** The sealed login as it stands before she has said who she is: with the latest end there is. */
  get held(): string | undefined {
    return this.#state.at === 'choice' ? this.#state.opened.login : undefined;
  }

  /** The sealed login and its identifier, once the provider knows who she is. */
  get answered(): Answered | undefined {
    const state = this.#state;
    return state.at === 'consent' || state.at === 'decided' ? state.answered : undefined;
  }

  /**
   * Tells what came of the last want, and gets the next. `now`: seconds since 1970. Throws a {@link FlowError}; unless it ends the login, the
   * machine waits for another answer to the same question.
   */
  async tell(told: Told, now: number): Promise<Want> {
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

  async #next(state: State, told: Told, now: number): Promise<[State, Want]> {
    switch (state.at) {
      case 'challenge':
        return this.#asked(answers.answer(told, 'auth/challenge', answers.challengeAnswer));
      case 'extended-choice':
        return this.#asked(answers.answer(told, 'auth/extend', answers.challengeAnswer));
      case 'extended-consent':
        return known(answers.answer(told, 'auth/extend', answers.loginAnswer), state.answered.loginId, state.answered.consent.other_device);
      case 'keys':
        return this.#opened(state.answer, await challenges.verify(state.answer.challenge, answers.keys(told), now));
      case 'choice':
        return this.#chosen(state.opened, told, now);
      case 'card':
        if (told.told === 'decline') return choose(state.opened);
        if (told.told === 'abort') return this.#abort({ at: 'choice', opened: state.opened }, state.opened.login, told.why);
        if (told.told !== 'card-answered') throw outOfOrder(told);
        return this.#answer(state.opened, 'auth/card', { response: told.response });
      case 'passkey': {
        if (told.told === 'decline') return choose(state.opened);
        if (told.told === 'abort') return this.#abort({ at: 'choice', opened: state.opened }, state.opened.login, told.why);
        if (told.told !== 'passkey-answered') throw outOfOrder(told);
        const { told: _, ...passkey } = told;
        return this.#answer(state.opened, 'auth/device', { challenge: state.opened.challenge.token, passkey });
      }
      case 'device': {
        if (told.told === 'decline') return choose(state.opened);
        if (told.told === 'abort') return this.#abort({ at: 'choice', opened: state.opened }, state.opened.login, told.why);
        if (told.told !== 'signed') throw outOfOrder(told);
        const response = signing.token(state.message, told.signature);
        return this.#answer(state.opened, 'auth/device', { device: state.device, response });
      }
      case 'answered': {
        const answer = answers.answer(told, 'auth/card or auth/device', answers.loginAnswer);
        return known(answer, state.opened.challenge.loginId, state.opened.request.other_device);
      }
      case 'consent': {
        if (told.told === 'abort') return this.#abort(state, state.answered.login, told.why);
        if (told.told === 'more-time') return [{ at: 'extended-consent', answered: state.answered }, this.#moreTime(state.answered.login)];
        if (told.told !== 'approve' && told.told !== 'decline') throw outOfOrder(told);
        return [{ at: 'decided', answered: state.answered }, this.#decision(state.answered.login, told)];
      }
      case 'decided': {
        const { redirect } = answers.answer(told, 'auth/consent', answers.decisionAnswer);
        if (redirect !== null) return [{ at: 'over' }, { want: 'go-back', address: redirect }];
        if (!this.#isBegunElsewhere) throw new FlowError('answer', 'auth/consent: the answer has another form than expected');
        return [{ at: 'over' }, { want: 'done' }];
      }
      case 'aborted':
        answers.answer(told, 'auth/abort', answers.abortAnswer);
        return [{ at: 'over' }, { want: 'done' }];
      case 'over':
        throw outOfOrder(told);
    }
  }

  #asked(answer: ChallengeAnswer): [State, Want] {
    return [{ at: 'keys', answer }, { want: 'send', method: 'GET', url: `${this.issuer}/auth/jwks`, body: null }];
  }

  #moreTime(login: string): Send {
    return post(this.issuer, 'auth/extend', { client_id: this.clientId, login });
  }

  #opened(answer: ChallengeAnswer, challenge: Challenge | undefined): [State, Want] {
    if (!challenge) throw new FlowError('challenge', 'challenge: not genuine, or not fresh');
    const purpose = this.clientId === this.issuer ? 'account' : 'login';
    const isOurs = challenge.iss === this.issuer && challenge.client_id === this.clientId && challenge.purpose === purpose;
    // The name in the signed challenge is the one to show; the answer beside it only adds the logo.
    if (!isOurs || challenge.client_name !== answer.service.name) {
      throw new FlowError('foreign-challenge', 'challenge: not issued by this insurer for the service the address names');
    }
    const { service, requested, other_device, time } = answer;
    this.#isBegunElsewhere = other_device !== null;
    const request = { client_id: this.clientId, service, requested, expires_at: challenge.exp, ...time, other_device };
    return choose({ login: answer.login, challenge, request });
  }

  async #chosen(opened: Opened, told: Told, now: number): Promise<[State, Want]> {
    switch (told.told) {
      case 'with-card':
        return [{ at: 'card', opened }, { want: 'sign-with-card', challenge: opened.challenge.token }];
      case 'with-passkey': {
        const challenge = await passkeys.loginChallenge(opened.challenge.token);
        return [{ at: 'passkey', opened }, { want: 'sign-with-passkey', challenge }];
      }
      case 'with-device':
        return this.#signWith(opened, told, now);
      case 'decline':
        return [{ at: 'decided', answered: undefined }, this.#decision(opened.login, told)];
      case 'abort':
        return this.#abort({ at: 'choice', opened }, opened.login, told.why);
      case 'more-time':
        return [{ at: 'extended-choice', opened }, this.#moreTime(opened.login)];
      default:
        throw outOfOrder(told);
    }
  }

  #signWith(opened: Opened, record: DeviceRecord, now: number): [State, Want] {
    if (record.issuer !== this.issuer) throw new FlowError('foreign-device', 'device: bound at another insurer');
    const counter = record.counter + 1;
    const message = signing.message('healthid-device-assertion+jwt', {
      challenge: opened.challenge.token,
      decision: 'approve',
      time: now,
      counter,
    });
    const { device } = record;
    return [
      { at: 'device', opened, device, message },
      { want: 'sign-with-device', device, counter, message },
    ];
  }

  #answer(opened: Opened, path: string, more: object): [State, Want] {
    const body = { client_id: this.clientId, login: opened.login, ...more };
    return [{ at: 'answered', opened }, post(this.issuer, path, body)];
  }

  #decision(login: string, told: Told & { told: 'approve' | 'decline' }): Send {
    const [decision, claims, remember] =
      told.told === 'approve' ? ['approve', told.voluntary, told.remember] : ['decline', [], false];
    const body = { client_id: this.clientId, login, decision, claims, remember };
    if (told.told === 'decline' || !this.#isBegunElsewhere) return post(this.issuer, 'auth/consent', body);
    const number = told.number ?? '';
    if (!/^[0-9]{2}$/.test(number)) throw new FlowError('number', 'number: expected the two digits that the other device shows');
    return post(this.issuer, 'auth/consent', { ...body, number });
  }

  /** Asks to end the login for everybody; `before` is where it goes on if that fails. */
  #abort(before: State, login: string, why: AbortWhy): [State, Want] {
    return [{ at: 'aborted', before }, post(this.issuer, 'auth/abort', { client_id: this.clientId, login, why })];
  }
}

function known({ login, consent: asked }: LoginAnswer, loginId: Uint8Array<ArrayBuffer>, other_device: OtherDevice | null): [State, Want] {
  const consent = { ...asked, other_device };
  return [{ at: 'consent', answered: { login, consent, loginId } }, { want: 'decide', ...consent }];
}

function choose(opened: Opened): [State, Want] {
  return [{ at: 'choice', opened }, { want: 'choose', ...opened.request }];
}

/** The state to wait in after an error that does not end the login. */
function waiting(before: State, error: FlowError): State {
  switch (before.at) {
    // Another card, or the card instead of the device.
    case 'answered':
      return { at: 'choice', opened: before.opened };
    case 'device':
      return error.code === 'device-key' ? { at: 'choice', opened: before.opened } : before;
    case 'decided':
      return before.answered ? { at: 'consent', answered: before.answered } : { at: 'over' };
    case 'aborted':
      return before.before;
    case 'extended-choice':
      return { at: 'choice', opened: before.opened };
    case 'extended-consent':
      return { at: 'consent', answered: before.answered };
    default:
      return before;
  }
}

function parseAddress(authorizationUrl: string): { client_id: string; request_uri: string } {
  const refused = () =>
    new FlowError('address', 'address: expected an authorization address with one client_id and one request_uri each (RFC 9126 section 4)');
  if (authorizationUrl.length > MAX_ADDRESS_CHARACTERS || !URL.canParse(authorizationUrl)) throw refused();
  const query = new URL(authorizationUrl).searchParams;
  const one = (name: string): string => {
    const [value, ...more] = query.getAll(name);
    if (!value || more.length > 0) throw refused();
    return value;
  };
  return { client_id: one('client_id'), request_uri: one('request_uri') };
}
