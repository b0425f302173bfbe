/** Makes a passkey: `navigator.credentials.create()` with the provider's options. */

import * as base64url from '../core/base64url.ts';
import { members, text } from '../core/shape.ts';
import type { MadePasskey, PasskeyOptions } from '../core/types.ts';
import { ask, thisBrowser, TIMEOUT_MILLISECONDS, type Browser } from './authenticator.ts';
import { malformed } from './failure.ts';
import { hasPrf, prfQuestion } from './prf.ts';

export type Created = {
  /** For the provider (`passkey-made`). */
  made: MadePasskey;
  /** Whether it can wrap what is kept here ({@link file://./prf.ts}). The key itself comes with the next answer. */
  prf: boolean;
};

/**
 * `label`: what she sees in her list of passkeys, beside the insurer's name. It stays with the authenticator, and may be copied to her
 * cloud. The options name the passkeys she has, so that she gets no second one on the same authenticator: that fails with `exists`. Throws a
 * `PasskeyFailure`.
 */
export async function create(
  options: PasskeyOptions,
  { label, browser = thisBrowser }: { label?: string; browser?: Browser } = {},
): Promise<Created> {
  const publicKey = creationOptions(options, label);
  const credential = await ask<AuthenticatorAttestationResponse>(browser, publicKey.timeout ?? TIMEOUT_MILLISECONDS, (credentials) =>
    credentials.create({ publicKey }),
  );
  const { clientDataJSON, attestationObject } = credential.response;
  return {
    made: {
      credential_id: base64url.encode(new Uint8Array(credential.rawId)),
      client_data: base64url.encode(new Uint8Array(clientDataJSON)),
      attestation_object: base64url.encode(new Uint8Array(attestationObject)),
    },
    prf: hasPrf(credential),
  };
}

/** The browser's form of the provider's options. Not every browser has `parseCreationOptionsFromJSON` yet. */
function creationOptions(options: PasskeyOptions, label: string | undefined): PublicKeyCredentialCreationOptions {
  const bytes = (text: string) => {
    const decoded = base64url.decode(text);
    if (!decoded) throw malformed();
    return decoded;
  };
  const { challenge, user, excludeCredentials, extensions: _, ...rest } = options;
  const named = user as PublicKeyCredentialUserEntityJSON;
  return {
    ...(rest as unknown as PublicKeyCredentialCreationOptions),
    challenge: bytes(challenge),
    user: {
      id: bytes(named.id),
      name: label ?? named.name,
      displayName: label ?? named.displayName,
    },
    excludeCredentials: known(excludeCredentials).map((id) => ({ type: 'public-key', id: bytes(id) })),
    extensions: prfQuestion(),
  };
}

/** Identifiers of the passkeys she has. A provider from before it named them sends none. */
function known(descriptors: unknown): string[] {
  if (descriptors === undefined) return [];
  if (!Array.isArray(descriptors)) throw malformed();
  return descriptors.map((descriptor) => {
    const id = text(members(descriptor)?.['id']);
    if (id === undefined) throw malformed();
    return id;
  });
}
