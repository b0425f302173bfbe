/** What waits for this device: logins that a browser sent to it. The same as `wallet::flow::Look` in Rust: `inbox.json` holds both. */

import { answer, service } from './answers.ts';
import { post } from './login.ts';
import { members, text, whole } from './shape.ts';
import * as signing from './signing.ts';
import { FlowError, type DeviceRecord, type Send, type Service, type Told } from './types.ts';

const PATH = 'devices/requests';

/** A login that waits for this device's answer; `login` names it and goes on with `Login.resume`. The service's name is for a list: it is not signed. */
export type WaitingRequest = { client_id: string; login: string; asked_at: number; service: Service | null };

/** What waits, oldest first. `ticket`: asks again without a signature, for a month; to be kept as the device's record is. */
export type Found = { requests: WaitingRequest[]; ticket: string | null };

/** A question to be signed by the device's key. It has no counter and moves nothing. */
export class Look {
  readonly message: string;

  private constructor(
    private readonly issuer: string,
    device: string,
    now: number,
  ) {
    this.message = signing.message('healthid-device-look+jwt', { aud: issuer, device, purpose: 'requests', time: now });
  }

  /** Asks in the name of a device that is bound at this insurer. */
  static begin(issuer: string, record: DeviceRecord, now: number): Look {
    if (record.issuer !== issuer) throw new FlowError('foreign-device', 'device: bound at another insurer');
    return new Look(issuer, record.device, now);
  }

  /** With the signature, r and s, 64 bytes in base64url. */
  signed(signature: string): Send {
    return post(this.issuer, PATH, { look: signing.token(this.message, signature) });
  }

  /** Asks again with what an earlier answer gave. Refused with `login-unknown` once that is too old: then sign. */
  static again(issuer: string, ticket: string): Send {
    return post(issuer, PATH, { ticket });
  }

  /** Takes the answer. Throws a `FlowError`. */
  static found(told: Told): Found {
    return answer(told, PATH, (found) => {
      const list = found['requests'];
      const requests = Array.isArray(list) ? list.map(waiting) : [undefined];
      const ticket = found['ticket'] ?? null;
      if (ticket !== null && typeof ticket !== 'string') return undefined;
      return requests.every((request) => request !== undefined) ? { requests, ticket } : undefined;
    });
  }
}

function waiting(value: unknown): WaitingRequest | undefined {
  const found = members(value);
  const [client_id, login, asked_at] = [text(found?.['client_id']), text(found?.['login']), whole(found?.['asked_at'])];
  const named = found?.['service'] ?? null;
  const who = named === null ? null : service(named);
  if (client_id === undefined || login === undefined || asked_at === undefined || who === undefined) return undefined;
  return { client_id, login, asked_at, service: who };
}
