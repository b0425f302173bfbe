/** Answers with a passkey: `navigator.credentials.get()`. No name is typed; the person chooses what the browser offers. */

import * as base64url from '../core/base64url.ts';
import type { PasskeyAnswer } from '../core/types.ts';
import { ask, thisBrowser, TIMEOUT_MILLISECONDS, type Browser } from './authenticator.ts';
import { malformed } from './failure.ts';
import { prfQuestion, storageKey } from './prf.ts';

export type Got = {
  /** For the provider (`passkey-answered`). */
  answer: PasskeyAnswer;
  /** Wraps what is kept here ({@link file://./prf.ts}); nothing where the authenticator cannot. */
  key: CryptoKey | undefined;
};

/**
 * `challenge`: of the want `sign-with-passkey`, base64url. `credentialIds`: the passkeys that may answer; none: any of this site.
 * Throws a `PasskeyFailure`.
 */
export async function get(
  challenge: string,
  { credentialIds = [], signal, browser = thisBrowser }: { credentialIds?: string[]; signal?: AbortSignal; browser?: Browser } = {},
): Promise<Got> {
  const bytes = (text: string) => {
    const decoded = base64url.decode(text);
    if (!decoded) throw malformed();
    return decoded;
  };
  const publicKey: PublicKeyCredentialRequestOptions = {
    challenge: bytes(challenge),
    timeout: TIMEOUT_MILLISECONDS,
    userVerification: 'required',
    allowCredentials: credentialIds.map((id) => ({ type: 'public-key', id: bytes(id) })),
    extensions: prfQuestion(),
  };
  const credential = await ask<AuthenticatorAssertionResponse>(browser, TIMEOUT_MILLISECONDS, (credentials) =>
    credentials.get(signal ? { publicKey, signal } : { publicKey }),
  );
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  // A passkey that knows no handle was not made for this.
  if (!userHandle) throw malformed();
  return {
    answer: {
      credential_id: base64url.encode(new Uint8Array(credential.rawId)),
      client_data: base64url.encode(new Uint8Array(clientDataJSON)),
      authenticator_data: base64url.encode(new Uint8Array(authenticatorData)),
      signature: base64url.encode(new Uint8Array(signature)),
      user_handle: base64url.encode(new Uint8Array(userHandle)),
    },
    key: await storageKey(credential),
  };
}

/**
 * Tells the browser that the provider does not know this passkey any more, so that it is not offered again. Browsers without it do nothing.
 */
export async function forget(credentialId: string, rpId: string = location.hostname): Promise<void> {
  type Signals = { signalUnknownCredential?(unknown: { rpId: string; credentialId: string }): Promise<void> };
  const signals = (typeof PublicKeyCredential === 'undefined' ? {} : PublicKeyCredential) as Signals;
  await signals.signalUnknownCredential?.({ rpId, credentialId }).catch(() => undefined);
}
