//! A TPM: an emulated one where `swtpm` is installed, and a fake one that answers nonsense.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aws_lc_rs::{digest, signature};
use evidence::{
    platform::{Platform, TpmAuxiliary, TpmReport},
    produce::{ProduceError, Producer, TpmEndpoint, TpmProducer},
};

use crate::mount::{nothing, plain, skip};

/// A running emulator with a fresh state; killed when it goes.
struct Emulator {
    process: Child,
    directory: tempfile::TempDir,
}

impl Emulator {
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let state = format!("dir={}", directory.path().display());
        let server = format!("type=unixio,path={}", directory.path().join("tpm").display());
        let spawned = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate", &state, "--server", &server])
            .args(["--flags", "not-need-init,startup-clear"])
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = spawned else {
            skip("swtpm is not installed");
            return None;
        };
        let emulator = Self { process, directory };
        for _ in 0..250 {
            if emulator.socket().exists() {
                return Some(emulator);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("swtpm did not open its socket");
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("tpm")
    }

    fn open(&self, event_log: &Path) -> TpmProducer {
        TpmProducer::open(TpmEndpoint::Socket(self.socket()), event_log).unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_signed_by(report: &TpmReport, key: &[u8]) -> bool {
    let mut rest = report.signature.as_slice();
    let mut take = |length: usize| {
        let (front, after) = rest.split_at(length);
        rest = after;
        front
    };
    assert_eq!(take(4), [0, 0x18, 0, 0x0B], "ECDSA with SHA-256");
    let mut fixed = [0; 64];
    for end in [32, 64] {
        let length = usize::from(u16::from_be_bytes(take(2).try_into().unwrap()));
        fixed[end - length..end].copy_from_slice(take(length));
    }
    let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key);
    key.verify(&report.attest, &fixed).is_ok()
}

#[test]
fn a_quote_of_an_emulated_tpm_is_signed_by_its_key_over_the_report_data() {
    let Some(emulator) = Emulator::start() else { return };
    let files = plain(&[("log", b"an event log")]);
    let producer = emulator
        .open(&files.path().join("log"))
        .with_certificates(vec![vec![1, 2, 3]]);
    let key = producer.attestation_key().unwrap();

    let evidence = producer.produce(&[8; 64]).unwrap();
    assert_eq!(evidence.platform, Platform::VtpmDev);
    let report = TpmReport::parse(&evidence.report).unwrap();
    assert_eq!(report.report_data, [8; 64]);
    let qualifying = digest::digest(&digest::SHA256, &[8; 64]);
    assert!(report.attest.windows(32).any(|window| window == qualifying.as_ref()));
    assert!(is_signed_by(&report, &key));
    let mut other = report.clone();
    other.attest[20] ^= 1;
    assert!(!is_signed_by(&other, &key));

    let auxiliary = TpmAuxiliary::parse(&evidence.auxiliary).unwrap();
    assert_eq!(auxiliary.event_log, b"an event log");
    assert_eq!(auxiliary.certificates, [[1, 2, 3]]);
    // Nothing was booted: ten registers of zeros, and the quote's digest is over them.
    assert_eq!(auxiliary.registers, (0..10).map(|number| (number, [0; 32])).collect());
    let digest = digest::digest(&digest::SHA256, &[0; 320]);
    assert!(report.attest.ends_with(digest.as_ref()));
}

#[test]
fn the_attestation_key_is_the_tpms_and_stays_the_same() {
    let (Some(first), Some(second)) = (Emulator::start(), Emulator::start()) else {
        return;
    };
    let nowhere = plain(&[]);
    let open = |emulator: &Emulator| emulator.open(&nothing(&nowhere)).attestation_key().unwrap();
    assert_eq!(open(&first), open(&first));
    assert_ne!(open(&first), open(&second));
}

#[test]
fn many_quotes_leave_no_key_behind_in_the_tpm() {
    let Some(emulator) = Emulator::start() else { return };
    let nowhere = plain(&[]);
    let producer = emulator.open(&nothing(&nowhere));
    // A TPM holds three transient objects; the emulator's plain socket has no resource manager that would flush them.
    for byte in 0..12 {
        producer.produce(&[byte; 64]).unwrap();
    }
}

/// A TPM that gives these answers, one a command, each connection from the start.
fn fake(answers: Vec<Vec<u8>>) -> (tempfile::TempDir, TpmEndpoint) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tpm");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            for answer in &answers {
                let mut command = [0; 4096];
                if stream.read(&mut command).unwrap_or(0) == 0 || stream.write_all(answer).is_err() {
                    break;
                }
            }
        }
    });
    (directory, TpmEndpoint::Socket(path))
}

fn answer(code: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 0x01];
    bytes.extend(u32::try_from(10 + body.len()).unwrap().to_be_bytes());
    bytes.extend(code.to_be_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn refusals_and_nonsense_of_a_tpm_are_told_apart() {
    let nowhere = plain(&[]);
    let mut longer_than_announced = answer(0, &[0; 40]);
    longer_than_announced[5] = 10;
    let mut endless = answer(0, &[]);
    endless[2..6].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut shorter_than_a_header = answer(0, &[]);
    shorter_than_a_header[5] = 9;
    for (first, code) in [
        (answer(0x0000_0101, &[]), "produce.tpm_refused"),
        (answer(0x0000_0902, &[]), "produce.tpm_refused"),
        (answer(0, &[]), "produce.tpm_answer"),
        (answer(0, &[0xFF; 60]), "produce.tpm_answer"),
        (longer_than_announced, "produce.tpm_answer"),
        (endless, "produce.system"),
        (shorter_than_a_header, "produce.system"),
        (Vec::new(), "produce.system"),
        (vec![0x80], "produce.system"),
    ] {
        // Whatever is cut short ends with the connection.
        let (_directory, endpoint) = fake(vec![first.clone()]);
        let error = TpmProducer::open(endpoint, &nothing(&nowhere)).unwrap_err();
        assert_eq!(error.code(), code, "{first:?}");
    }
}

#[test]
fn a_key_that_is_not_the_one_asked_for_is_refused() {
    // A handle, parameters, then a public area: P-256, but one that signs whatever it is given (not restricted).
    let public = [
        &[
            0, 0x23, 0, 0x0B, 0, 0x04, 0x04, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0B, 0, 3, 0, 0x10, 0, 32,
        ][..],
        &[1; 32],
        &[0, 32],
        &[2; 32],
    ]
    .concat();
    let created = |public: &[u8]| {
        let length = u16::try_from(public.len()).unwrap().to_be_bytes();
        answer(0, &[&[0x80, 0, 0, 1, 0, 0, 0, 200][..], &length, public].concat())
    };
    let nowhere = plain(&[]);
    let (_directory, endpoint) = fake(vec![created(&public)]);
    let error = TpmProducer::open(endpoint, &nothing(&nowhere)).unwrap_err();
    assert!(
        matches!(
            error,
            ProduceError::TpmAnswer {
                command: "TPM2_CreatePrimary"
            }
        ),
        "{error:?}"
    );
    // The same with the attributes asked for is taken: it was the attributes.
    let mut restricted = public;
    restricted[5] = 0x05;
    let (_directory, endpoint) = fake(vec![created(&restricted), answer(0, &[])]);
    TpmProducer::open(endpoint, &nothing(&nowhere)).unwrap();
}

#[test]
fn a_quote_over_other_report_data_is_refused() {
    let public = [
        &[
            0, 0x23, 0, 0x0B, 0, 0x05, 0x04, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0B, 0, 3, 0, 0x10, 0, 32,
        ][..],
        &[1; 32],
        &[0, 32],
        &[2; 32],
    ]
    .concat();
    let length = u16::try_from(public.len()).unwrap().to_be_bytes();
    let created = answer(0, &[&[0x80, 0, 0, 1, 0, 0, 0, 200][..], &length, &public].concat());
    let attest = [[0, 100].as_slice(), &[7; 100]].concat();
    let signature = [0x18; 72];
    let parameters = u32::try_from(attest.len() + signature.len()).unwrap().to_be_bytes();
    let quoted = answer(0, &[&parameters[..], &attest, &signature].concat());
    let nowhere = plain(&[]);
    let registers = |bitmap: [u8; 2], count: u8| {
        let head = [
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0x0B, 3, bitmap[0], bitmap[1], 0, 0, 0, 0, count,
        ];
        let values = [&[0, 32][..], &[0; 32]].concat().repeat(usize::from(count));
        answer(0, &[&head[..], &values].concat())
    };
    let (first, second) = (registers([0xFF, 0], 8), registers([0, 3], 2));
    let (_directory, endpoint) = fake(vec![created, quoted, first, second, answer(0, &[])]);
    let producer = TpmProducer::open(endpoint, &nothing(&nowhere));
    // Opening makes and flushes the key: the fake's second answer is then for the flush, which is not looked into.
    let error = producer.unwrap().produce(&[1; 64]).unwrap_err();
    assert_eq!(error.code(), "produce.foreign_report_data");
}
