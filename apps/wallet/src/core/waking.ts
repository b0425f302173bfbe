/** Where this device is woken when a login waits for it. The same as `wallet::flow::Waking` in Rust: `waking.json` holds both. */

import { answer } from './answers.ts';
import { post } from './login.ts';
import { whole } from './shape.ts';
import * as signing from './signing.ts';
import { FlowError, type DeviceRecord, type Send, type Told } from './types.ts';

const PATH = 'devices/push';
/** Longest address of a push service that is signed, in bytes (`authenticator::device::MAX_ENDPOINT_BYTES`). */
const MAX_ENDPOINT_BYTES = 1_024;

/** A wish to be signed by the device's key, each time. It has no counter and moves nothing: where it fails, the device asks as before. */
export class Waking {
  readonly message: string;

  private constructor(
    private readonly issuer: string,
    record: DeviceRecord,
    private readonly endpoint: string | undefined,
    time: number,
  ) {
    if (record.issuer !== issuer) throw new FlowError('foreign-device', 'device: bound at another insurer');
    const wanted = endpoint === undefined ? {} : { endpoint };
    this.message = signing.message('healthid-device-look+jwt', { aud: issuer, device: record.device, purpose: 'push', ...wanted, time });
  }

  /** To be woken at this address of a push service. Which hosts are called is for the provider to say: `push-service-unknown`. */
  static at(issuer: string, record: DeviceRecord, endpoint: string, now: number): Waking {
    const isWhole = endpoint.startsWith('https://') && new TextEncoder().encode(endpoint).length <= MAX_ENDPOINT_BYTES;
    if (!isWhole) throw new FlowError('endpoint', `endpoint: expected an https address of at most ${MAX_ENDPOINT_BYTES} bytes`);
    return new Waking(issuer, record, endpoint, now);
  }

  /** Not to be woken any more. Said again it means the same. */
  static nowhere(issuer: string, record: DeviceRecord, now: number): Waking {
    return new Waking(issuer, record, undefined, now);
  }

  /** With the signature, r and s, 64 bytes in base64url. */
  signed(signature: string): Send {
    return post(this.issuer, PATH, { look: signing.token(this.message, signature) });
  }

  /** Takes the answer: until when it is woken, `null` where it is not to be any more. Throws a `FlowError`. */
  kept(told: Told): number | null {
    return answer(told, PATH, (found): { until: number | null } | undefined => {
      const said = found['until'] ?? null;
      const until = said === null ? null : whole(said);
      if (until === undefined || (until !== null) !== (this.endpoint !== undefined)) return undefined;
      return { until };
    }).until;
  }
}
