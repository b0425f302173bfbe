//! A maker of processors that does not exist: keys, certificates, lists and reports in AMD's shape.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA384, RsaKeyPair};
use jose::UnixTime;
use sev::certs::snp::Certificate as SevCertificate;

use crate::simulated::der::{
    OCTET_STRING, bit_string, common_name, constructed, extension, oid, sequence, tlv, unsigned, utc_time,
};
use crate::verify::snp::AmdRoot;
use crate::verify::tcb::{SnpProduct, SnpTcb};

pub(super) const ASK_SERIAL: u8 = 2;
/// AMD gives every chip's certificate this one.
pub(super) const VCEK_SERIAL: u8 = 0;
const IA5_STRING: u8 = 0x16;
/// 1 January 2024 to 1 January 2049.
const NOT_BEFORE: UnixTime = UnixTime(1_704_067_200);
const NOT_AFTER: UnixTime = UnixTime(2_493_072_000);

/// Made once: RSA keys take their time.
pub(super) static AMD: LazyLock<Amd> = LazyLock::new(Amd::new);

pub(super) struct Amd {
    root: RsaKeyPair,
    signing: RsaKeyPair,
    chip: EcdsaKeyPair,
}

#[derive(Clone)]
pub(super) struct CertificateShape {
    pub(super) product_name: String,
    pub(super) hardware_id: Vec<u8>,
    pub(super) tcb: SnpTcb,
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    /// By the root's key in the signing key's name.
    pub(super) signed_by_root: bool,
}

impl CertificateShape {
    /// What AMD would certify about the chip of this report.
    pub(super) fn of(report: &ReportShape) -> Self {
        let turin = report.product == SnpProduct::Turin;
        Self {
            product_name: if turin {
                "Turin".to_owned()
            } else {
                format!("{}-B1", report.product)
            },
            hardware_id: report.chip_id[..if turin { 8 } else { 64 }].to_vec(),
            tcb: report.reported,
            not_before: NOT_BEFORE,
            not_after: NOT_AFTER,
            signed_by_root: false,
        }
    }
}

#[derive(Clone)]
pub(super) struct ReportShape {
    pub(super) product: SnpProduct,
    pub(super) version: u32,
    pub(super) policy: u64,
    pub(super) vmpl: u32,
    pub(super) algorithm: u32,
    pub(super) platform_info: u64,
    pub(super) key_info: u32,
    pub(super) cpu: (u8, u8),
    pub(super) chip_id: [u8; 64],
    pub(super) current: SnpTcb,
    pub(super) reported: SnpTcb,
    pub(super) committed: SnpTcb,
    pub(super) launch: SnpTcb,
}

impl ReportShape {
    pub(super) fn new(product: SnpProduct, tcb: SnpTcb) -> Self {
        let mut chip_id = [0; 64];
        let length = if product == SnpProduct::Turin { 8 } else { 64 };
        chip_id[..length].fill(0x5a);
        Self {
            product,
            version: 5,
            // ABI 1.55, the bit that must be set, no threads, no debugger, no migration.
            policy: 1 << 17 | 1 << 8 | 55,
            vmpl: 0,
            algorithm: 1,
            // Memory was checked for aliases.
            platform_info: 1 << 5,
            key_info: 0,
            cpu: match product {
                SnpProduct::Milan => (0x19, 0x01),
                SnpProduct::Genoa => (0x19, 0x11),
                SnpProduct::Turin => (0x1a, 0x02),
            },
            chip_id,
            current: tcb,
            reported: tcb,
            committed: tcb,
            launch: tcb,
        }
    }
}

impl Amd {
    fn new() -> Self {
        Self {
            root: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            signing: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            chip: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
        }
    }

    /// One root and signing key for all products.
    pub(super) fn roots(&self) -> Vec<AmdRoot> {
        let certify = |serial, name: &str, key: &RsaKeyPair| {
            let body = unsigned_certificate(serial, ["ARK", name], &rsa_spki(key), &[], (NOT_BEFORE, NOT_AFTER));
            SevCertificate::from_der(&seal(&self.root, &body)).unwrap()
        };
        let (ark, ask) = (certify(1, "ARK", &self.root), certify(ASK_SERIAL, "ASK", &self.signing));
        SnpProduct::ALL
            .map(|product| AmdRoot::verify(product, &ark, &ask).unwrap())
            .into()
    }

    pub(super) fn vcek(&self, shape: &CertificateShape) -> Vec<u8> {
        const AMD: [u32; 8] = [1, 3, 6, 1, 4, 1, 3704, 1];
        let entry = |rest: &[u32], content: &[u8]| extension(&[&AMD, rest].concat(), false, content);
        let svn = |number, value: u8| entry(&[3, number], &unsigned(&[value]));
        let extensions = [
            entry(&[1], &unsigned(&[1])),
            entry(&[2], &tlv(IA5_STRING, shape.product_name.as_bytes())),
            svn(1, shape.tcb.bootloader),
            svn(2, shape.tcb.tee),
            svn(3, shape.tcb.snp),
            svn(8, shape.tcb.microcode),
            svn(9, shape.tcb.fmc),
            // The identity stands in the extension as it is, without a string of its own.
            entry(&[4], &shape.hardware_id),
        ]
        .concat();
        let algorithm = sequence(&[&oid(&[1, 2, 840, 10045, 2, 1]), &oid(&[1, 3, 132, 0, 34])]);
        let spki = sequence(&[&algorithm, &bit_string(self.chip.public_key().as_ref())]);
        let dates = (shape.not_before, shape.not_after);
        let body = unsigned_certificate(VCEK_SERIAL, ["ASK", "SEV-VCEK"], &spki, &extensions, dates);
        let key = if shape.signed_by_root {
            &self.root
        } else {
            &self.signing
        };
        seal(key, &body)
    }

    /// A list by the root key, in its name.
    pub(super) fn list(&self, serials: &[u8], issued: UnixTime, next: UnixTime) -> Vec<u8> {
        seal(&self.root, &unsigned_list(serials, issued, next))
    }

    /// A list in the root's name, signed by another key.
    pub(super) fn list_by_signing_key(&self, issued: UnixTime, next: UnixTime) -> Vec<u8> {
        seal(&self.signing, &unsigned_list(&[], issued, next))
    }

    pub(super) fn report(&self, shape: &ReportShape) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1184);
        let tcb = |tcb: &SnpTcb| match shape.product {
            SnpProduct::Turin => [tcb.fmc, tcb.bootloader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode],
            _ => [tcb.bootloader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode],
        };
        bytes.extend(shape.version.to_le_bytes());
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(shape.policy.to_le_bytes());
        bytes.extend([0; 32]);
        bytes.extend(shape.vmpl.to_le_bytes());
        bytes.extend(shape.algorithm.to_le_bytes());
        bytes.extend(tcb(&shape.current));
        bytes.extend(shape.platform_info.to_le_bytes());
        bytes.extend(shape.key_info.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend([0xcd; 64]);
        bytes.extend([0x33; 48]);
        bytes.extend([0xee; 32]);
        bytes.extend([0; 48 + 48]);
        bytes.extend([0x11; 32 + 32]);
        bytes.extend(tcb(&shape.reported));
        let cpu = if shape.version >= 3 {
            [shape.cpu.0, shape.cpu.1, 1]
        } else {
            [0; 3]
        };
        bytes.extend(cpu);
        bytes.extend([0; 21]);
        bytes.extend(shape.chip_id);
        bytes.extend(tcb(&shape.committed));
        bytes.extend([4, 55, 1, 0, 4, 55, 1, 0]);
        bytes.extend(tcb(&shape.launch));
        if shape.version >= 5 {
            bytes.extend([3; 16]);
        }
        bytes.resize(672, 0);
        let signature = self.chip.sign(&SystemRandom::new(), &bytes).unwrap();
        for half in signature.as_ref().chunks_exact(48) {
            bytes.extend(half.iter().rev());
            bytes.extend([0; 24]);
        }
        bytes.resize(1184, 0);
        bytes
    }
}

/// A certificate without its signature; names are the issuer's and the subject's.
fn unsigned_certificate(
    serial: u8,
    [issuer, subject]: [&str; 2],
    spki: &[u8],
    extensions: &[u8],
    (not_before, not_after): (UnixTime, UnixTime),
) -> Vec<u8> {
    let extensions = match extensions {
        [] => Vec::new(),
        some => constructed(0xa3, &[&sequence(&[some])]),
    };
    sequence(&[
        &constructed(0xa0, &[&unsigned(&[2])]),
        &unsigned(&[serial]),
        &pss(),
        &common_name(issuer),
        &sequence(&[&utc_time(not_before), &utc_time(not_after)]),
        &common_name(subject),
        spki,
        &extensions,
    ])
}

fn unsigned_list(serials: &[u8], issued: UnixTime, next: UnixTime) -> Vec<u8> {
    let revoked: Vec<u8> = serials
        .iter()
        .flat_map(|serial| sequence(&[&unsigned(&[*serial]), &utc_time(issued)]))
        .collect();
    let revoked = if revoked.is_empty() {
        Vec::new()
    } else {
        sequence(&[&revoked])
    };
    sequence(&[
        &unsigned(&[1]),
        &pss(),
        &common_name("ARK"),
        &utc_time(issued),
        &utc_time(next),
        &revoked,
    ])
}

/// AlgorithmIdentifier of RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes.
fn pss() -> Vec<u8> {
    let sha384 = sequence(&[&oid(&[2, 16, 840, 1, 101, 3, 4, 2, 2]), &tlv(5, &[])]);
    let mgf1 = sequence(&[&oid(&[1, 2, 840, 113_549, 1, 1, 8]), &sha384]);
    let parameters = sequence(&[
        &constructed(0xa0, &[&sha384]),
        &constructed(0xa1, &[&mgf1]),
        &constructed(0xa2, &[&unsigned(&[48])]),
    ]);
    sequence(&[&oid(&[1, 2, 840, 113_549, 1, 1, 10]), &parameters])
}

fn rsa_spki(key: &RsaKeyPair) -> Vec<u8> {
    let algorithm = sequence(&[&oid(&[1, 2, 840, 113_549, 1, 1, 1]), &tlv(5, &[])]);
    sequence(&[&algorithm, &bit_string(key.public_key().as_ref())])
}

fn seal(key: &RsaKeyPair, to_be_signed: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA384, &SystemRandom::new(), to_be_signed, &mut signature)
        .unwrap();
    sequence(&[to_be_signed, &pss(), &bit_string(&signature)])
}

/// Kept beside the writer so that a change of AMD's extension is found here.
#[test]
fn the_identity_is_written_without_a_string_of_its_own() {
    let written = extension(&[1, 2], false, &[7; 8]);
    assert!(written.ends_with(&[&[OCTET_STRING, 8][..], &[7; 8]].concat()));
}
