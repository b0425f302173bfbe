/** What a passkey signs instead of a random challenge (`authenticator::passkey` in Rust): a hash of what is signed or sealed already. */

import * as base64url from './base64url.ts';

const LOGIN_DOMAIN = 'healthid/passkey-login/v1\0';
const REGISTRATION_DOMAIN = 'healthid/passkey-registration/v1\0';

const encoder = new TextEncoder();

async function hash(domain: string, ...parts: Uint8Array[]): Promise<string> {
  const bytes = [encoder.encode(domain), ...parts].flatMap((part) => [...part]);
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))));
}

/** The challenge of a login: of the token of the provider's signed challenge. */
export function loginChallenge(token: string): Promise<string> {
  return hash(LOGIN_DOMAIN, encoder.encode(token));
}

/** The challenge of a registration: of the login's identifier and the device's handle. */
export function registrationChallenge(loginId: Uint8Array, handle: Uint8Array): Promise<string> {
  return hash(REGISTRATION_DOMAIN, loginId, handle);
}
