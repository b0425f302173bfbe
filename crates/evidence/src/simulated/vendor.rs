//! The maker of simulated platforms: a root, an authority for platforms, a signer of statements.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jose::UnixTime;

use super::der::{
    BIT_STRING, BOOLEAN, OCTET_STRING, common_name, constructed, extension, sequence, tlv, unsigned, utc_time,
};
use super::key::{Key, ecdsa_sha256};
use super::platform::{PlatformShape, SimulatedPlatform};
use super::{MARKER, SimulationError};

/// 1 January 2024 to 1 January 2049: collateral is fresh, certificates are not what is tried.
const NOT_BEFORE: UnixTime = UnixTime(1_704_067_200);
const NOT_AFTER: UnixTime = UnixTime(2_493_072_000);

pub(super) const ROOT_SERIAL: u8 = 1;
pub(super) const AUTHORITY_SERIAL: u8 = 2;
pub(super) const SIGNER_SERIAL: u8 = 3;

/// A simulated vendor of hardware. Two made from one seed are the same vendor: their roots have one key and one name.
pub struct SimulatedVendor {
    pub(super) seed: [u8; 32],
    pub(super) root: Issuer,
    pub(super) authority: Issuer,
    pub(super) signer: Issuer,
}

/// A key with its certificate.
pub(super) struct Issuer {
    pub(super) key: Key,
    pub(super) name: Vec<u8>,
    pub(super) certificate: Vec<u8>,
}

/// What a certificate says besides its key.
pub(super) struct Subject<'a> {
    pub(super) serial: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) key: &'a Key,
    pub(super) authority: bool,
    /// Extensions besides the basic ones, DER.
    pub(super) extensions: &'a [Vec<u8>],
}

impl SimulatedVendor {
    /// The vendor of that seed. Whoever knows the seed is the vendor.
    ///
    /// # Errors
    /// [`SimulationError`] when the seed gives no key, which a seed does once in 2^32 times.
    pub fn new(seed: &[u8; 32]) -> Result<Self, SimulationError> {
        let key = Key::derive(seed, "root")?;
        let name = common_name(&format!("{MARKER}: Root CA"));
        let subject = Subject {
            serial: &[ROOT_SERIAL],
            name: &name,
            key: &key,
            authority: true,
            extensions: &[],
        };
        let certificate = certify(&subject, &key, &name)?;
        let root = Issuer { key, name, certificate };
        let under_root = |label: &str, serial: u8, authority: bool| {
            let key = Key::derive(seed, label)?;
            let name = common_name(&format!("{MARKER}: {label}"));
            let subject = Subject {
                serial: &[serial],
                name: &name,
                key: &key,
                authority,
                extensions: &[],
            };
            let certificate = certify(&subject, &root.key, &root.name)?;
            Ok(Issuer { key, name, certificate })
        };
        let authority = under_root("PCK Platform CA", AUTHORITY_SERIAL, true)?;
        let signer = under_root("TCB Signing", SIGNER_SERIAL, false)?;
        Ok(Self {
            seed: *seed,
            root,
            authority,
            signer,
        })
    }

    /// The root's certificate, for [`crate::verify::Roots::simulated`]. DER.
    #[must_use]
    pub fn root_der(&self) -> Vec<u8> {
        self.root.certificate.clone()
    }

    /// A machine of this vendor. The same name gives the same machine.
    ///
    /// # Errors
    /// [`SimulationError`]: see [`SimulatedVendor::new`].
    pub fn platform(&self, name: &str) -> Result<SimulatedPlatform<'_>, SimulationError> {
        SimulatedPlatform::new(self, name, PlatformShape::default())
    }
}

/// A certificate of version 3.
pub(super) fn certify(subject: &Subject<'_>, issuer: &Key, issuer_name: &[u8]) -> Result<Vec<u8>, SimulationError> {
    let is_authority = if subject.authority {
        tlv(BOOLEAN, &[0xff])
    } else {
        Vec::new()
    };
    let constraints = extension(&[2, 5, 29, 19], true, &sequence(&[&is_authority]));
    // keyCertSign and cRLSign, or digitalSignature.
    let usage = if subject.authority {
        [1, 0b0000_0110]
    } else {
        [7, 0b1000_0000]
    };
    let usage = extension(&[2, 5, 29, 15], true, &tlv(BIT_STRING, &usage));
    let mut extensions = [constraints, usage].concat();
    extensions.extend(subject.extensions.iter().flatten());
    let to_be_signed = sequence(&[
        &constructed(0xa0, &[&unsigned(&[2])]),
        &unsigned(subject.serial),
        &ecdsa_sha256(),
        issuer_name,
        &sequence(&[&utc_time(NOT_BEFORE), &utc_time(NOT_AFTER)]),
        subject.name,
        &subject.key.spki(),
        &constructed(0xa3, &[&sequence(&[&extensions])]),
    ]);
    issuer.seal(&to_be_signed)
}

/// A revocation list of version 2.
pub(super) fn list_revoked(
    issuer: &Issuer,
    serials: &[Vec<u8>],
    issued: UnixTime,
    next: UnixTime,
) -> Result<Vec<u8>, SimulationError> {
    let revoked: Vec<u8> = serials
        .iter()
        .flat_map(|serial| sequence(&[&unsigned(serial), &utc_time(issued)]))
        .collect();
    let revoked = if revoked.is_empty() {
        Vec::new()
    } else {
        sequence(&[&revoked])
    };
    let number = extension(&[2, 5, 29, 20], false, &unsigned(&[1]));
    // The library wants to see who issued it; the identifier is the hash of the key.
    let identifier = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, issuer.key.public());
    let identifier = identifier.as_ref().get(..20).unwrap_or_default().to_vec();
    let identifier = extension(&[2, 5, 29, 35], false, &sequence(&[&tlv(0x80, &identifier)]));
    let to_be_signed = sequence(&[
        &unsigned(&[1]),
        &ecdsa_sha256(),
        &issuer.name,
        &utc_time(issued),
        &utc_time(next),
        &revoked,
        &constructed(0xa0, &[&sequence(&[&identifier, &number])]),
    ]);
    issuer.key.seal(&to_be_signed)
}

/// PEM, as Intel's chains are written.
pub(super) fn pem(der: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// Intel's extension of a platform's certificate: OID 1.2.840.113741.1.13.1.
pub(super) fn pck_extension(shape: &PlatformShape) -> Vec<u8> {
    const SGX: [u32; 7] = [1, 2, 840, 113_741, 1, 13, 1];
    let id = |rest: &[u32]| super::der::oid(&[&SGX, rest].concat());
    let entry = |rest: &[u32], value: &[u8]| sequence(&[&id(rest), value]);
    let octets = |bytes: &[u8]| tlv(OCTET_STRING, bytes);
    let flag = |value: bool| tlv(BOOLEAN, &[if value { 0xff } else { 0 }]);
    let mut tcb = Vec::new();
    for (number, svn) in (1..).zip(shape.cpu_svn) {
        tcb.extend(entry(&[2, number], &unsigned(&[svn])));
    }
    tcb.extend(entry(&[2, 17], &unsigned(&shape.pce_svn.to_be_bytes())));
    tcb.extend(entry(&[2, 18], &octets(&shape.cpu_svn)));
    let configuration = [
        entry(&[7, 1], &flag(shape.dynamic_platform)),
        entry(&[7, 2], &flag(shape.cached_keys)),
        entry(&[7, 3], &flag(shape.smt)),
    ]
    .concat();
    let content = sequence(&[
        &entry(&[1], &octets(&shape.ppid)),
        &entry(&[2], &sequence(&[&tcb])),
        &entry(&[3], &octets(&[0, 0])),
        &entry(&[4], &octets(&shape.fmspc)),
        &entry(&[5], &tlv(super::der::ENUMERATED, &[1])),
        &entry(&[6], &octets(&shape.instance_id)),
        &entry(&[7], &sequence(&[&configuration])),
    ]);
    extension(&SGX, false, &content)
}
