/** Passkeys in this browser. The protocol around them is `core/login.ts` and `core/passkey-binding.ts`. */

export { isSupported } from './authenticator.ts';
export { create, type Created } from './create.ts';
export { PASSKEY_REASONS, PasskeyFailure, type PasskeyReason } from './failure.ts';
export { forget, get, type Got } from './get.ts';
export { unwrap, wrap } from './prf.ts';
