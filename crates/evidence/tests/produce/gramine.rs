//! Gramine's `/dev/attestation` (attack 15).

use std::sync::{Arc, Mutex};

use evidence::{
    platform::Platform,
    produce::{GramineProducer, MAX_QUOTE_BYTES, ProduceError, Producer},
};
use fuser::Errno;

use crate::mount::{Attributes, Mounted, mount, plain};

const QUOTE_BYTES: usize = 4000;

/// A quote's frame with these report data in place; the rest is not looked at here.
fn quote(report_data: [u8; 64], length: usize) -> Vec<u8> {
    let mut quote = vec![0xA5; length];
    quote[368..432].copy_from_slice(&report_data);
    quote
}

/// Gramine's file semantics: report data padded or cut to 64, quote made when read, of whatever stands there then.
struct Enclave {
    report_data: Mutex<[u8; 64]>,
    takes_report_data: bool,
    attestation_type: &'static [u8],
    writes: Arc<Mutex<Vec<usize>>>,
}

impl Enclave {
    fn new() -> Self {
        Self {
            report_data: Mutex::new([0; 64]),
            takes_report_data: true,
            attestation_type: b"dcap",
            writes: Arc::default(),
        }
    }
}

impl Attributes for Enclave {
    fn has_directory(&self, directory: &str) -> bool {
        directory == "keys"
    }

    fn has_file(&self, directory: &str, file: &str) -> bool {
        directory.is_empty() && ["attestation_type", "user_report_data", "quote"].contains(&file)
    }

    fn read(&self, _: &str, file: &str) -> Result<Vec<u8>, Errno> {
        match file {
            "attestation_type" => Ok(self.attestation_type.to_vec()),
            "user_report_data" => Ok(self.report_data.lock().unwrap().to_vec()),
            _ => Ok(quote(*self.report_data.lock().unwrap(), QUOTE_BYTES)),
        }
    }

    fn write(&self, _: &str, file: &str, bytes: &[u8]) {
        if file != "user_report_data" {
            return;
        }
        self.writes.lock().unwrap().push(bytes.len());
        if self.takes_report_data {
            let mut padded = [0; 64];
            let length = bytes.len().min(64);
            padded[..length].copy_from_slice(&bytes[..length]);
            *self.report_data.lock().unwrap() = padded;
        }
    }

    fn make(&self, _: &str) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    fn remove(&self, _: &str) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
}

fn open(mounted: &Mounted) -> GramineProducer {
    GramineProducer::open(mounted.path()).unwrap()
}

#[test]
fn a_quote_is_handed_out_for_the_report_data_asked_for() {
    let writes = Arc::default();
    let Some(mounted) = mount(Enclave {
        writes: Arc::clone(&writes),
        ..Enclave::new()
    }) else {
        return;
    };
    let producer = open(&mounted);
    for byte in [1, 2, 0] {
        let evidence = producer.produce(&[byte; 64]).unwrap();
        assert_eq!(evidence.platform, Platform::Sgx);
        assert_eq!(evidence.report, quote([byte; 64], QUOTE_BYTES));
        assert!(evidence.auxiliary.is_empty() && evidence.collateral.is_empty());
    }
    assert_eq!(
        *writes.lock().unwrap(),
        [64, 64, 64],
        "always exactly 64 bytes, in one write"
    );
}

#[test]
fn racing_threads_and_producers_never_get_a_quote_of_anothers_report_data() {
    let Some(mounted) = mount(Enclave::new()) else { return };
    std::thread::scope(|scope| {
        for thread in 0..6u8 {
            // Each its own producer: the files are one per process, so the lock has to be, too.
            let producer = open(&mounted);
            scope.spawn(move || {
                for round in 0..40u8 {
                    let mut report_data = [thread; 64];
                    report_data[63] = round;
                    let evidence = producer.produce(&report_data).unwrap();
                    assert_eq!(evidence.report, quote(report_data, QUOTE_BYTES));
                }
            });
        }
    });
}

#[test]
fn report_data_that_were_not_taken_are_noticed_before_the_quote_is_read() {
    let Some(mounted) = mount(Enclave {
        takes_report_data: false,
        ..Enclave::new()
    }) else {
        return;
    };
    let error = open(&mounted).produce(&[7; 64]).unwrap_err();
    assert!(matches!(error, ProduceError::ReportDataNotTaken), "{error:?}");
}

#[test]
fn start_is_refused_without_an_attestation_type_or_with_one_that_is_none_or_unknown() {
    // gramine-direct: just `keys`.
    let direct = tempfile::tempdir().unwrap();
    std::fs::create_dir(direct.path().join("keys")).unwrap();
    let error = GramineProducer::open(direct.path()).unwrap_err();
    assert_eq!(error.code(), "produce.no_attestation_type");

    for (kind, code) in [
        (&b"none"[..], "produce.attestation_off"),
        (b"none\n", "produce.attestation_off"),
        (b"", "produce.unknown_attestation_type"),
        (b"epid", "produce.unknown_attestation_type"),
        (b"DCAP", "produce.unknown_attestation_type"),
        (b"dcap2", "produce.unknown_attestation_type"),
        (b"\xff\xfe", "produce.unknown_attestation_type"),
        (&[b'd'; 33], "produce.too_long"),
    ] {
        let directory = plain(&[("attestation_type", kind)]);
        assert_eq!(
            GramineProducer::open(directory.path()).unwrap_err().code(),
            code,
            "{kind:?}"
        );
    }
    GramineProducer::open(plain(&[("attestation_type", b"dcap\n")]).path()).unwrap();
}

#[test]
fn a_stale_short_or_overlong_quote_is_refused() {
    // In a plain directory the quote does not follow the report data: exactly the staleness to be noticed.
    let stale = quote([9; 64], QUOTE_BYTES);
    let overlong = quote([1; 64], MAX_QUOTE_BYTES + 1);
    let longest = quote([1; 64], MAX_QUOTE_BYTES);
    for (content, expected) in [
        (&stale[..], Err("produce.foreign_report_data")),
        (&[], Err("produce.too_short")),
        (&longest[..431], Err("produce.too_short")),
        (&overlong, Err("produce.too_long")),
        (&longest, Ok(())),
    ] {
        let directory = plain(&[
            ("attestation_type", b"dcap"),
            ("user_report_data", &[0; 64]),
            ("quote", content),
        ]);
        let produced = GramineProducer::open(directory.path()).unwrap().produce(&[1; 64]);
        assert_eq!(produced.map(drop).map_err(|error| error.code()), expected);
    }
}

#[test]
fn missing_files_are_system_errors_and_not_empty_evidence() {
    for files in [
        &[("attestation_type", &b"dcap"[..])][..],
        &[("attestation_type", b"dcap"), ("user_report_data", &[0; 64])],
    ] {
        let directory = plain(files);
        let error = GramineProducer::open(directory.path())
            .unwrap()
            .produce(&[1; 64])
            .unwrap_err();
        assert_eq!(error.code(), "produce.system");
    }
}
