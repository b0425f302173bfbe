//! What a TPM says about a key: public area and certificate information.

#![no_main]

use authenticator::passkey::tpm::{CertInfo, MAX_STRUCTURE_BYTES, PublicArea, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(area) = PublicArea::parse(data) {
        assert!(data.len() <= MAX_STRUCTURE_BYTES);
        // Algorithm and hash.
        assert!([34, 50, 66].contains(&area.name().len()));
        let _ = area.is_kept();
        match area.key {
            PublicKey::Rsa { modulus, exponent } => assert!(modulus.len() < data.len() && exponent != 0),
            PublicKey::P256 { x, y } => assert!(x.len() + y.len() < data.len()),
        }
        assert_eq!(format!("{area:?}"), "PublicArea");
        assert!(CertInfo::parse(data).is_err());
    }
    if let Ok(said) = CertInfo::parse(data) {
        assert!(said.extra_data.len() + said.name.len() < data.len());
    }
});
