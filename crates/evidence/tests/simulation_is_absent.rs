//! Attack 7: without the feature `simulated` there is no simulation to believe and no code that could make one.
//!
//! A build of the whole workspace turns the feature on for everybody (the sandbox wants it); then the second half runs,
//! which shows that the search of the first would have found something.

#![allow(clippy::unwrap_used)]

/// What every certificate of the simulation says; backwards, so that this file is not what is found.
const MARKER: &str = "erawdrah on ,mroftalp detalumis dihtlaeh";

fn marker() -> String {
    MARKER.chars().rev().collect()
}

fn this_binary_says(marker: &str) -> bool {
    let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    binary.windows(marker.len()).any(|window| window == marker.as_bytes())
}

#[cfg(not(feature = "simulated"))]
mod without {
    use evidence::platform::{Evidence, Platform};
    use evidence::verify::{EvidenceError, PlatformPolicy, Roots, VerificationTime, verify};
    use jose::UnixTime;

    /// A quote made by the simulation, as the fuzzer starts from it.
    const QUOTE: &[u8] = include_bytes!("../../../fuzz/seeds/evidence_quote/sgx");

    fn judge(platform: Platform) -> EvidenceError {
        let evidence = Evidence {
            platform,
            report: QUOTE.to_vec(),
            auxiliary: Vec::new(),
            collateral: b"{}".to_vec(),
        };
        let clock = VerificationTime::at(UnixTime(1_795_000_000));
        verify(&evidence, &Roots::vendors(), &PlatformPolicy::default(), clock).unwrap_err()
    }

    #[test]
    fn a_verifier_without_the_feature_refuses_every_simulation() {
        assert_eq!(judge(Platform::Simulated), EvidenceError::Simulated);
        for platform in [Platform::Sgx, Platform::Tdx, Platform::SevSnp, Platform::VtpmDev] {
            assert_ne!(judge(platform), EvidenceError::Simulated);
        }
    }

    #[test]
    fn a_binary_without_the_feature_has_no_code_that_simulates() {
        assert!(!super::this_binary_says(&super::marker()));
        // The search finds what is there.
        assert!(super::this_binary_says("healthid-evidence-v1"));
    }
}

#[cfg(feature = "simulated")]
#[test]
fn a_binary_with_the_feature_is_recognised_by_its_marker() {
    let vendor = evidence::simulated::SimulatedVendor::new(&[1; 32]).unwrap();
    assert!(!vendor.root_der().is_empty());
    assert_eq!(marker(), evidence::simulated::MARKER);
    assert!(this_binary_says(&marker()));
}
