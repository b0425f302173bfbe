//! The sandbox's own public key infrastructure, openly fake: an authority for health cards, one for components, one
//! for TLS. Every authority's name carries `TEST-ONLY`, as gematik's test PKI does.
//!
//! Keys follow from a seed, so that a sandbox started again with the same seed trusts its own cards. Bytes in, bytes
//! out; `now` is a parameter; nothing is stored.

mod component;
mod egk;
mod tls;
mod x509;

pub use component::{ComponentAuthority, TOKEN_CERTIFICATE_DAYS};
pub use egk::{CARD_DAYS, CardHolder, EgkAuthority};
pub use tls::{
    CLIENT_CERTIFICATE_MAX_DAYS, KeyAndCertificate, SERVER_CERTIFICATE_DAYS, TlsAuthority, client_certificate,
};
pub use x509::PkiError;

use sha2::{Digest, Sha256};

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;
/// Validity of every authority, in days: ten years.
const AUTHORITY_DAYS: u64 = 3650;

/// A private scalar that follows from `seed` and `label`; valid on P-256 and on brainpoolP256r1.
///
/// Both groups have orders above 2^255 and the result is below that, so neither has to be asked.
#[must_use]
pub fn derive_scalar(seed: &[u8; 32], label: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"healthid sandbox pki 1\0");
    hash.update(seed);
    hash.update(label.as_bytes());
    let mut scalar: [u8; 32] = hash.finalize().into();
    scalar[0] &= 0x7f;
    // Zero has a probability of 2^-255; one is as good.
    if scalar == [0; 32] {
        scalar[31] = 1;
    }
    scalar
}

/// A self-signed authority certificate.
fn authority_certificate(
    name: &[u8],
    key: &x509::IssuerKey,
    not_before: jose::UnixTime,
    policies: &[&str],
    further: Option<Vec<u8>>,
) -> Result<Vec<u8>, PkiError> {
    let spki = key.spki();
    let mut extensions = vec![
        x509::subject_key_identifier(&spki),
        x509::basic_constraints(true),
        x509::key_usage(x509::CERTIFICATE_AND_LIST_SIGN),
    ];
    if !policies.is_empty() {
        extensions.push(x509::policies(policies));
    }
    extensions.extend(further);
    let template = x509::Template {
        serial: serial(&spki, not_before),
        issuer: name.to_vec(),
        not_before,
        not_after: not_before.plus_seconds(AUTHORITY_DAYS * DAY_SECONDS),
        subject: name.to_vec(),
        spki,
        extensions,
    };
    x509::certificate(&template, key)
}

/// A serial number of 16 bytes that differs with key and moment (RFC 5280 §4.1.2.2).
fn serial(spki: &[u8], moment: jose::UnixTime) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(spki);
    hash.update(moment.0.to_be_bytes());
    let mut serial: Vec<u8> = hash.finalize().iter().copied().take(16).collect();
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    serial
}

/// At most 64 bytes of a name, cut at a character (RFC 5280 appendix A.1: ub-organization-name, ub-common-name; the
/// other upper bounds are larger).
fn shortened(name: &str) -> &str {
    let end = name
        .char_indices()
        .map(|(index, c)| index + c.len_utf8())
        .take_while(|end| *end <= 64)
        .last();
    name.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
