//! JSON Object Signing and Encryption, exactly as much as GesundheitsID uses.
//!
//! Signatures are ES256 (and, parsed only, the health card's BP256R1), encryption is ECDH-ES with A256GCM, keys
//! are P-256. Every other algorithm, and every header member that would let a message choose its own key, is
//! refused by name (gemSpec_Krypt; RFC 8725 §3.1, §3.10).
//!
//! **Trusted for:** bytes are well formed before anybody looks at them; a [`jws::VerifiedPayload`] was signed by the
//! key it was verified with; a decrypted plaintext was authenticated; a [`jwk::P256PublicKey`] is a point on the curve.
//!
//! **Does not:** read the clock (time is [`UnixTime`], a parameter), fetch keys, decide which key is to be trusted
//! for whom, look at claims, write logs. The ephemeral key and nonce of a JWE and the nonce of a signature are drawn
//! inside the cryptography library, which keeps them from being chosen twice.

pub mod base64url;
pub mod json;
pub mod jwe;
pub mod jwk;
pub mod jws;

mod header;
mod kdf;
mod keys;
mod p256;
mod time;

pub use header::{CertificatesError, HeaderError, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_HEADER_BYTES};
pub use keys::{AgreementError, KeyAgreement, KeyError, SharedSecret, SignError, Signer, SoftwareKey};
pub use time::UnixTime;
