//! DCAP quotes, and evidence in its frame: whatever our reader takes the library's reads too, and nothing made here is
//! ever accepted in a vendor's name.

#![no_main]

use std::sync::LazyLock;

use evidence::platform::{Evidence, Platform};
use evidence::verify::{self, PlatformPolicy, Roots, VerificationTime};
use healthid_fuzz::NOW;
use libfuzzer_sys::fuzz_target;

static ROOTS: LazyLock<Roots> = LazyLock::new(Roots::vendors);
static POLICY: LazyLock<PlatformPolicy> = LazyLock::new(PlatformPolicy::default);

fn judge(evidence: &Evidence) {
    if let Ok(name) = verify::digest(evidence) {
        if matches!(evidence.platform, Platform::Sgx | Platform::Tdx) {
            let theirs = dcap_qvl::quote::Quote::parse(&evidence.report).expect("the library reads what we read");
            assert!(theirs.signed_length() <= evidence.report.len());
        }
        // Padding has no name of its own.
        let mut padded = evidence.clone();
        padded.report.push(0);
        if let Ok(same) = verify::digest(&padded) {
            assert_eq!(same, name);
        }
    }
    assert!(verify::verify(evidence, &ROOTS, &POLICY, VerificationTime::at(NOW)).is_err());
}

fuzz_target!(|data: &[u8]| {
    if let Ok(evidence) = Evidence::parse(data) {
        assert_eq!(evidence.to_bytes(), data);
        judge(&evidence);
    }
    for platform in [Platform::Sgx, Platform::Tdx] {
        judge(&Evidence {
            platform,
            report: data.to_vec(),
            auxiliary: Vec::new(),
            collateral: Vec::new(),
        });
    }
});
