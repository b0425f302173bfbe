//! What a new instance puts into the evidence it asks for keys with.

use crate::encoding::{Framed, sha512};
use crate::manifest::InstanceRole;

const DOMAIN: &str = "healthid-join/v1";

/// The report data of a join request: SHA-512 over domain, namespace, HPKE public key, the donor's nonce, the manifest's
/// hash and the role asked for, each framed by its length.
///
/// The donor computes it from what it knows and compares: a seal to another key, a replay of an old request, another
/// manifest or another role has other report data.
#[must_use]
pub fn join_report_data(
    namespace: &str,
    hpke_key: &[u8],
    donor_nonce: &[u8; 32],
    manifest_hash: &[u8; 32],
    role: InstanceRole,
) -> [u8; 64] {
    sha512(
        &Framed::new(DOMAIN)
            .field(namespace.as_bytes())
            .field(hpke_key)
            .field(donor_nonce)
            .field(manifest_hash)
            .field(role.as_str().as_bytes())
            .bytes(),
    )
}
