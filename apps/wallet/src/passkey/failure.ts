/** Why a passkey was not made or did not answer: what a browser may say, as a closed set of reasons. */

export const PASSKEY_REASONS = [
  /** The person cancelled, or there is no passkey here: browsers do not say which, on purpose. */
  'cancelled',
  /** Nobody answered in time. */
  'timeout',
  /** This browser or device has no passkeys, or none that verify the person. */
  'not-supported',
  /** This authenticator has a passkey for her here already. */
  'exists',
  /** The page's address is none that passkeys are for. */
  'wrong-site',
  /** Anything else the browser says, or an answer that is not what the standard says. */
  'failed',
] as const;

export type PasskeyReason = (typeof PASSKEY_REASONS)[number];

export class PasskeyFailure extends Error {
  override readonly name = 'PasskeyFailure';

  constructor(readonly reason: PasskeyReason) {
    super(`passkey: ${reason}`);
  }
}

/** An answer that is not what the standard says. */
export function malformed(): PasskeyFailure {
  return new PasskeyFailure('failed');
}

/**
 * What the browser threw. `NotAllowedError` is both "no" and "too late" (level 3, section 14.5.2); whether the time was up, the clock says:
 * `elapsed` and `timeout` in milliseconds.
 */
export function failure(error: unknown, elapsed: number, timeout: number): PasskeyFailure {
  if (error instanceof PasskeyFailure) return error;
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'AbortError':
      return new PasskeyFailure(elapsed >= timeout ? 'timeout' : 'cancelled');
    case 'TimeoutError':
      return new PasskeyFailure('timeout');
    case 'NotSupportedError':
    case 'ConstraintError':
      return new PasskeyFailure('not-supported');
    case 'InvalidStateError':
      return new PasskeyFailure('exists');
    case 'SecurityError':
      return new PasskeyFailure('wrong-site');
    default:
      return new PasskeyFailure('failed');
  }
}
