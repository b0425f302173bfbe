//! Parsers of this room that are private, for the fuzz targets (`fuzz/targets/vault_*`). Built with `--cfg fuzzing` only: in no product.

use evidence::manifest::RoleSet;

use crate::ceremony::{AttestedSetup, SetupOffer, Transcript, verify_transcript};
use crate::shares::{SHARE_BYTES, Share};
use crate::succession::read_entries;
use crate::tenant_bundle::{MAX_BUNDLE_BYTES, TenantBundle};

/// A tenant's bundle: what is accepted is written back as the same bytes, within the limit.
///
/// # Panics
/// If it is not.
pub fn tenant_bundle(bytes: &[u8]) {
    if let Ok(bundle) = TenantBundle::parse(bytes) {
        assert!(bytes.len() <= MAX_BUNDLE_BYTES, "a bundle above the limit");
        assert_eq!(&bundle.to_bytes()[..], bytes, "a second encoding is accepted");
    }
}

/// What stands inside a succession, once it was opened. The number of roots and keys in it.
#[must_use]
pub fn succession(content: &[u8]) -> Option<usize> {
    read_entries(content).map(|(older, carried)| older.len() + carried.len())
}

/// A holder's share in clear: one accepted encoding.
///
/// # Panics
/// If there is a second one.
pub fn share(bytes: &[u8]) {
    let Ok(bytes): Result<&[u8; SHARE_BYTES], _> = bytes.try_into() else {
        return;
    };
    if let Ok(share) = Share::parse(bytes) {
        assert_eq!(&share.to_bytes()[..], bytes, "a second encoding is accepted");
    }
}

/// A transcript under a setup that nobody has attested: evidence and admission are fuzzed by themselves.
///
/// # Panics
/// If an accepted transcript breaks a rule of its own.
pub fn transcript(transcript: &Transcript, offer: SetupOffer, share_set: RoleSet) {
    let Ok(verified) = verify_transcript(transcript, &AttestedSetup::unattested(offer, share_set)) else {
        return;
    };
    let names: Vec<&str> = verified.holders().iter().map(|card| &*card.name).collect();
    let acknowledged = verified.acknowledged();
    assert!(
        acknowledged.iter().all(|name| names.contains(&&**name)),
        "a stranger acknowledged"
    );
    assert!(acknowledged.len() <= names.len(), "a holder acknowledged twice");
}
