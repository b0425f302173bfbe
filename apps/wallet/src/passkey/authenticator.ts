/** The browser's half, so that tests can stand in for it. */

import { failure, malformed, PasskeyFailure } from './failure.ts';

/** How long the person has where nobody says otherwise: as long as the provider's challenge is good. */
export const TIMEOUT_MILLISECONDS = 180_000;

/** What of the browser is used. */
export type Browser = {
  readonly credentials: Pick<CredentialsContainer, 'create' | 'get'> | undefined;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
};

export const thisBrowser: Browser = {
  get credentials() {
    return typeof PublicKeyCredential === 'undefined' ? undefined : navigator.credentials;
  },
  now: () => performance.now(),
};

/** Whether passkeys that verify the person can be tried here at all. */
export function isSupported(browser: Browser = thisBrowser): boolean {
  return browser.credentials !== undefined;
}

/** Asks the browser, and gives a credential of this shape or a {@link PasskeyFailure}. */
export async function ask<Response extends AuthenticatorResponse>(
  browser: Browser,
  timeout: number,
  question: (credentials: Pick<CredentialsContainer, 'create' | 'get'>) => Promise<Credential | null>,
): Promise<PublicKeyCredential & { response: Response }> {
  const { credentials } = browser;
  if (!credentials) throw new PasskeyFailure('not-supported');
  const begun = browser.now();
  let credential: Credential | null;
  try {
    credential = await question(credentials);
  } catch (error) {
    throw failure(error, browser.now() - begun, timeout);
  }
  if (credential?.type !== 'public-key') throw malformed();
  return credential as PublicKeyCredential & { response: Response };
}
