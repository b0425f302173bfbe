//! Which producer is chosen.

use evidence::{
    platform::Platform,
    produce::{PlatformPaths, detect},
};

use crate::mount::{nothing, plain};

#[test]
fn nothing_there_is_an_error_and_never_simulated_evidence() {
    let empty = plain(&[]);
    let paths = PlatformPaths {
        attestation: nothing(&empty),
        tsm: nothing(&empty),
        tpm: nothing(&empty),
        event_log: nothing(&empty),
    };
    assert_eq!(detect(&paths, Vec::new()).unwrap_err().code(), "produce.nothing_found");
}

#[test]
fn an_enclave_comes_before_everything_else() {
    let enclave = plain(&[("attestation_type", b"dcap")]);
    let other = plain(&[("tpm", b"")]);
    let paths = PlatformPaths {
        attestation: enclave.path().to_owned(),
        tsm: other.path().to_owned(),
        tpm: other.path().join("tpm"),
        event_log: nothing(&other),
    };
    assert_eq!(detect(&paths, Vec::new()).unwrap().platform(), Platform::Sgx);
}

#[test]
fn an_enclave_started_in_the_wrong_mode_does_not_fall_back_to_weaker_evidence() {
    let direct = plain(&[]);
    let other = plain(&[("tpm", b"")]);
    let paths = PlatformPaths {
        attestation: direct.path().to_owned(),
        tsm: other.path().to_owned(),
        tpm: other.path().join("tpm"),
        event_log: nothing(&other),
    };
    assert_eq!(
        detect(&paths, Vec::new()).unwrap_err().code(),
        "produce.no_attestation_type"
    );
}
