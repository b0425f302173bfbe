//! Objects and assertions of App Attest.

#![no_main]

use std::sync::LazyLock;

use authenticator::attestation::Roots;
use authenticator::attestation::apple::assertion::{AttestedApp, verify_assertion};
use authenticator::attestation::apple::{AppleFacts, verify_object};
use healthid_fuzz::NOW;
use libfuzzer_sys::fuzz_target;

/// An invented device, in the seeds too.
const OBJECT: &[u8] = include_bytes!("../seeds/attestation_apple/object");
const ROOT: &[u8] = include_bytes!("../seeds/attestation_apple/root.der");
const CLIENT_DATA: &[u8] = b"seed";

static ROOTS: LazyLock<Roots> = LazyLock::new(|| Roots::of(&[ROOT]).expect("the seed is a certificate"));
static FACTS: LazyLock<AppleFacts> =
    LazyLock::new(|| verify_object(OBJECT, CLIENT_DATA, &ROOTS, NOW).expect("the seed verifies"));

fuzz_target!(|data: &[u8]| {
    // Nobody here can sign: what verifies says what the invented device says.
    if let Ok(facts) = verify_object(data, CLIENT_DATA, &ROOTS, NOW) {
        assert_eq!(facts, *FACTS);
    }
    let app = AttestedApp {
        key: FACTS.app_attest_key.clone(),
        rp_id_hash: FACTS.rp_id_hash,
        counter: 0,
    };
    if let Ok(counter) = verify_assertion(data, CLIENT_DATA, &app) {
        assert_eq!(counter, 4);
    }
});
