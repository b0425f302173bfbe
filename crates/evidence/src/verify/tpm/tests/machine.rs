//! A key that plays the TPM and a log that plays the firmware.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jose::UnixTime;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::platform::{Evidence, Platform, TpmAuxiliary, TpmReport};
use crate::verify::policy::PlatformPolicy;
use crate::verify::{EvidenceError, Roots, VerificationTime, VerifiedEvidence, verify};

/// 21 November 2026.
pub(super) const NOW: UnixTime = UnixTime(1_795_219_200);
pub(super) const REPORT_DATA: [u8; 64] = [0x77; 64];
pub(super) const SEPARATOR: u32 = 4;
pub(super) const EVENT_TAG: u32 = 6;
pub(super) const IPL: u32 = 0xd;
pub(super) const FIRMWARE: u32 = 0x8000_0008;
pub(super) const BOOT_APPLICATION: u32 = 0x8000_0003;

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

/// One event: register, type, what is measured, data of the log.
pub(super) type Event = (u8, u32, Vec<u8>, Vec<u8>);

fn tagged(id: u32, words: &[u8]) -> Vec<u8> {
    let length = u32::try_from(words.len()).unwrap();
    [&id.to_le_bytes()[..], &length.to_le_bytes(), words].concat()
}

pub(super) fn boot(initramfs: &[u8], command_line: &str) -> Vec<Event> {
    let utf16: Vec<u8> = command_line
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut events = vec![
        (0, FIRMWARE, b"firmware volume".to_vec(), vec![0; 16]),
        (4, BOOT_APPLICATION, b"kernel image".to_vec(), vec![1; 40]),
        (5, IPL, b"menu".to_vec(), b"grub_cmd: linux /vmlinuz\0".to_vec()),
        (9, EVENT_TAG, utf16, tagged(0x8f3b_22ed, b"LOADED_IMAGE::LoadOptions\0")),
        (9, EVENT_TAG, initramfs.to_vec(), tagged(0x8f3b_22ec, b"Linux initrd\0")),
    ];
    for register in 0..8 {
        events.insert(1, (register, SEPARATOR, vec![0; 4], vec![0; 4]));
    }
    events
}

pub(super) fn header() -> Vec<u8> {
    let mut specification = b"Spec ID Event03\0".to_vec();
    specification.extend([0, 0, 0, 0, 0, 2, 105, 2]);
    specification.extend(2_u32.to_le_bytes());
    for (algorithm, length) in [(4_u16, 20_u16), (0x0b, 32)] {
        specification.extend(algorithm.to_le_bytes());
        specification.extend(length.to_le_bytes());
    }
    specification.push(0);
    let mut log = vec![0, 0, 0, 0, 3, 0, 0, 0];
    log.extend([0; 20]);
    log.extend(u32::try_from(specification.len()).unwrap().to_le_bytes());
    log.extend(specification);
    log
}

pub(super) fn written(register: u8, kind: u32, digest: [u8; 32], data: &[u8]) -> Vec<u8> {
    let mut event = u32::from(register).to_le_bytes().to_vec();
    event.extend(kind.to_le_bytes());
    event.extend(2_u32.to_le_bytes());
    event.extend(4_u16.to_le_bytes());
    event.extend([5; 20]);
    event.extend(0x0b_u16.to_le_bytes());
    event.extend(digest);
    event.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    event.extend(data);
    event
}

pub(super) fn log(events: &[Event]) -> Vec<u8> {
    let mut log = header();
    for (register, kind, measured, data) in events {
        log.extend(written(*register, *kind, sha256(measured), data));
    }
    log
}

/// What a TPM would hold after these events.
pub(super) fn registers(events: &[Event]) -> BTreeMap<u8, [u8; 32]> {
    let mut registers: BTreeMap<u8, [u8; 32]> = (0..=9).map(|number| (number, [0; 32])).collect();
    for (register, _, measured, _) in events {
        let value = registers.entry(*register).or_default();
        *value = sha256(&[*value, sha256(measured)].concat());
    }
    registers
}

/// A TPM with its certificates.
pub(super) struct Machine {
    key: EcdsaKeyPair,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) root: Vec<u8>,
}

pub(super) fn parameters(name: &str, authority: bool, last_year: i32) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2024, 1, 1);
    parameters.not_after = date_time_ymd(last_year, 1, 1);
    if authority {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    parameters
}

impl Machine {
    pub(super) fn new() -> Self {
        Self::with(true, 2040)
    }

    /// The intermediate being an authority or not, and the end of the key's certificate.
    pub(super) fn with(authority: bool, last_year: i32) -> Self {
        Self::certified(
            &parameters("middle", authority, 2040),
            &parameters("attestation key", false, last_year),
        )
    }

    /// With these certificates of the intermediate and of the key.
    pub(super) fn certified(middle: &CertificateParams, leaf: &CertificateParams) -> Self {
        let root = CertifiedIssuer::self_signed(parameters("root", true, 2040), KeyPair::generate().unwrap()).unwrap();
        let middle = CertifiedIssuer::signed_by(middle.clone(), KeyPair::generate().unwrap(), &root).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.clone().signed_by(&key, &middle).unwrap();
        Self {
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap(),
            certificates: vec![leaf.der().to_vec(), middle.der().to_vec()],
            root: root.der().to_vec(),
        }
    }

    fn sign(&self, attest: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), attest).unwrap();
        let mut bytes = vec![0, 0x18, 0, 0x0b];
        for half in signature.as_ref().chunks_exact(32) {
            bytes.extend([0, 32]);
            bytes.extend(half);
        }
        bytes
    }

    pub(super) fn evidence(&self, events: &[Event]) -> Evidence {
        let registers = registers(events);
        let attest = attest(&sha256(&REPORT_DATA), &registers);
        self.signed(attest, log(events), registers)
    }

    pub(super) fn signed(&self, attest: Vec<u8>, event_log: Vec<u8>, registers: BTreeMap<u8, [u8; 32]>) -> Evidence {
        let report = TpmReport {
            report_data: REPORT_DATA,
            signature: self.sign(&attest),
            attest,
        };
        let auxiliary = TpmAuxiliary {
            certificates: self.certificates.clone(),
            event_log,
            registers,
        };
        Evidence {
            platform: Platform::VtpmDev,
            report: report.to_bytes(),
            auxiliary: auxiliary.to_bytes(),
            collateral: Vec::new(),
        }
    }

    pub(super) fn judge(&self, evidence: &Evidence) -> Result<VerifiedEvidence, EvidenceError> {
        let roots = Roots::vendors().with_tpm_root(self.root.clone());
        verify(evidence, &roots, &PlatformPolicy::default(), VerificationTime::at(NOW))
    }
}

pub(super) fn attest(extra: &[u8], registers: &BTreeMap<u8, [u8; 32]>) -> Vec<u8> {
    let mut bytes = 0xff54_4347_u32.to_be_bytes().to_vec();
    bytes.extend([0x80, 0x18]);
    bytes.extend([0, 34, 0, 0x0b]);
    bytes.extend([0x42; 32]); // the signer's name
    bytes.extend(u16::try_from(extra.len()).unwrap().to_be_bytes());
    bytes.extend(extra);
    bytes.extend([0; 8 + 4 + 4 + 1 + 8]);
    bytes.extend(1_u32.to_be_bytes());
    bytes.extend([0, 0x0b, 3]);
    let mut selection = [0_u8; 3];
    for number in registers.keys() {
        selection[usize::from(number / 8)] |= 1 << (number % 8);
    }
    bytes.extend(selection);
    let values: Vec<u8> = registers.values().flatten().copied().collect();
    bytes.extend([0, 32]);
    bytes.extend(sha256(&values));
    bytes
}

pub(super) fn auxiliary(evidence: &Evidence, change: impl FnOnce(&mut TpmAuxiliary)) -> Evidence {
    let mut auxiliary = TpmAuxiliary::parse(&evidence.auxiliary).unwrap();
    change(&mut auxiliary);
    Evidence {
        auxiliary: auxiliary.to_bytes(),
        ..evidence.clone()
    }
}
