/** What a machine of the wallet's protocol wants and is told. The same JSON as `wallet::flow` in Rust; `docs/wallet-core.md` explains it. */

import { ENDING, type Reason } from './reasons.ts';

export type Service = { name: string; logo_uri: string | null };
export type ClaimNames = { essential: string[]; voluntary: string[] };
export type Requested = { acr: string; claims: ClaimNames };
export type Request = { client_id: string; service: Service; requested: Requested; expires_at: number; other_device: OtherDevice | null } & Time;
export type Consent = ClaimNames & { service: Service; remembered: boolean; other_device: OtherDevice | null } & Time;

/** Last second of the login; null where the provider does not say. `extendable`: whether `more-time` gives her more. */
export type Time = { ends_at: number | null; extendable: boolean };

/** Where a login was begun that is to be answered here. Browser and system are empty where nobody knows; `network`: null where nobody can tell. */
export type OtherDevice = { browser: string; system: string; network: 'same' | 'other' | null; asked_at: number };

/** Why a person ends a login for everybody. */
export type AbortWhy = 'not-me' | 'phone-call';

/** What is kept of a bound device, beside its key. */
export type DeviceRecord = { issuer: string; device: string; name: string; valid_until: number; counter: number };

/** What the phone's maker says about a key: Android's certificate chain (DER in base64url, leaf first), or Apple's attestation object (base64url). */
export type Attestation = { format: 'android-key'; chain: string[] } | { format: 'apple-app-attest'; object: string };

/** A check of the phone that failed, and the device class it was asked for; none where the attestation itself failed. */
export type Finding = { check: string; outcome: string; class: string | null };

/** A device that was bound: to be kept, and what it is good for. The class may be less than was wished for; the findings say why. */
export type Bound = DeviceRecord & { class: string; findings: Finding[] };

/** A passkey that was made, each member in base64url. */
export type MadePasskey = { credential_id: string; client_data: string; attestation_object: string };

/** A passkey's answer, each member in base64url. */
export type PasskeyAnswer = {
  credential_id: string;
  client_data: string;
  authenticator_data: string;
  signature: string;
  user_handle: string;
};

/** `PublicKeyCredentialCreationOptionsJSON`, as far as it is looked at here; the rest is for the browser. */
export type PasskeyOptions = { challenge: string; user: { id: string } } & Record<string, unknown>;

export type Send = { want: 'send'; method: 'GET' | 'POST'; url: string; body: unknown };

export type Want =
  | Send
  | ({ want: 'choose' } & Request)
  | { want: 'sign-with-card'; challenge: string }
  | { want: 'sign-with-device'; device: string; counter: number; message: string }
  | { want: 'sign-with-passkey'; challenge: string }
  | { want: 'make-passkey'; options: PasskeyOptions }
  | { want: 'make-key'; challenge: string }
  | { want: 'sign-with-new-key'; message: string }
  | ({ want: 'decide' } & Consent)
  | { want: 'go-back'; address: string }
  | { want: 'done' }
  | ({ want: 'keep' } & Bound);

export type Told =
  | { told: 'answer'; status: number; body: string }
  | { told: 'with-card' }
  | ({ told: 'with-device' } & DeviceRecord)
  | { told: 'with-passkey' }
  | { told: 'card-answered'; response: string }
  | ({ told: 'passkey-answered' } & PasskeyAnswer)
  | ({ told: 'passkey-made' } & MadePasskey)
  | { told: 'signed'; signature: string }
  | { told: 'key-made'; x: string; y: string; attestation?: Attestation }
  /** `number`: the two digits on the other device; only where the login was begun there. */
  | { told: 'approve'; voluntary: string[]; remember: boolean; number?: string }
  /** She needs longer than the login lives. */
  | { told: 'more-time' }
  | { told: 'decline' }
  | { told: 'abort'; why: AbortWhy };

export type FlowErrorCode =
  | 'address'
  | 'refused'
  | 'answer'
  | 'challenge'
  | 'foreign-challenge'
  | 'foreign-device'
  | 'number'
  | 'card-signature'
  | 'device-key'
  | 'endpoint'
  | 'out-of-order';

/** Why a flow does not go on. */
export class FlowError extends Error {
  override readonly name = 'FlowError';

  constructor(
    readonly code: FlowErrorCode,
    /** For a log, never for a screen. */
    detail: string,
    refusal: { status?: number; reason?: Reason; supportCode?: string } = {},
  ) {
    super(detail);
    this.status = refusal.status;
    this.reason = refusal.reason;
    this.supportCode = refusal.supportCode;
  }

  /** HTTP status, where the provider refused. */
  readonly status: number | undefined;
  /** The provider's word for it, where it refused in one this version knows. */
  readonly reason: Reason | undefined;
  /** What the person reads out to support, where the provider gave one. */
  readonly supportCode: string | undefined;

  /** Whether the flow is over. Where it is not, the machine waits for the same again: another card, another decision. */
  get ends(): boolean {
    switch (this.code) {
      case 'refused':
        if (this.reason) return ENDING.has(this.reason);
        // Nobody said why. Too many tries, or a provider in trouble: later, the same answer may do.
        return !(this.status === 403 || this.status === 429 || (this.status ?? 0) >= 500);
      case 'foreign-device':
      case 'number':
      case 'card-signature':
      case 'device-key':
      case 'endpoint':
      case 'out-of-order':
        return false;
      case 'address':
      case 'answer':
      case 'challenge':
      case 'foreign-challenge':
        return true;
    }
  }
}
