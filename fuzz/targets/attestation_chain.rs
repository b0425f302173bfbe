//! Attestation chains of Android: a whole chain, each certificate behind its length in two bytes; or one certificate in
//! the place of each certificate of an invented chain.

#![no_main]

use std::sync::LazyLock;

use authenticator::attestation::Roots;
use authenticator::attestation::android::description::KeyDescription;
use authenticator::attestation::android::verify_attestation_chain;
use healthid_fuzz::NOW;
use libfuzzer_sys::fuzz_target;

/// An invented device, in the seeds too; leaf first.
const CHAIN: [&[u8]; 4] = [
    include_bytes!("../seeds/attestation_chain/leaf.der"),
    include_bytes!("../seeds/attestation_chain/attestation.der"),
    include_bytes!("../seeds/attestation_chain/intermediate.der"),
    include_bytes!("../seeds/attestation_chain/root.der"),
];

static ROOTS: LazyLock<Roots> = LazyLock::new(|| Roots::of(&[CHAIN[3]]).expect("the seed is a certificate"));
static DESCRIPTION: LazyLock<KeyDescription> = LazyLock::new(|| {
    let verified = verify_attestation_chain(&CHAIN, &ROOTS, NOW).expect("the seed verifies");
    verified.description
});

/// Nobody here can sign: what verifies says what the invented device says.
fn judge(chain: &[&[u8]]) {
    if let Ok(verified) = verify_attestation_chain(chain, &ROOTS, NOW) {
        assert_eq!(verified.description, *DESCRIPTION);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut chain = Vec::new();
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (certificate, behind) = behind.split_at(length);
        chain.push(certificate);
        rest = behind;
    }
    judge(&chain);
    for place in 0..CHAIN.len() {
        let mut chain = CHAIN.to_vec();
        chain[place] = data;
        judge(&chain);
    }
    let _ = Roots::of(&[data]);
});
