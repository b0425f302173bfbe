//! A simulated machine: its certificate, its quoting enclave, and quotes about what it is told to run.

use aws_lc_rs::digest::{SHA256, digest};
use jose::UnixTime;

use crate::platform::{Evidence, ParsePlatformIdError, Platform, PlatformId};

use super::collateral::CollateralShape;
use super::der::common_name;
use super::key::Key;
use super::vendor::{SimulatedVendor, Subject, certify, pck_extension, pem};
use super::{MARKER, SimulationError};

/// MRSIGNER of the simulated quoting enclave.
pub(super) const QUOTING_SIGNER: [u8; 32] = *b"simulated quoting enclave signer";
/// Intel's vendor id in the quote header: the library accepts no other.
const VENDOR_ID: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];
/// INIT and MODE64BIT; x87, SSE and AVX.
const ATTRIBUTES: u64 = 0x05;
const XFRM: u64 = 0x07;

/// A simulated machine.
pub struct SimulatedPlatform<'a> {
    vendor: &'a SimulatedVendor,
    pub(crate) shape: PlatformShape,
    key: Key,
    attestation_key: Key,
    certificate: Vec<u8>,
}

/// What a machine's certificate says about it.
#[derive(Clone)]
pub(crate) struct PlatformShape {
    pub(crate) serial: Vec<u8>,
    pub(crate) instance_id: [u8; 16],
    pub(crate) ppid: [u8; 16],
    pub(crate) fmspc: [u8; 6],
    pub(crate) cpu_svn: [u8; 16],
    pub(crate) pce_svn: u16,
    pub(crate) dynamic_platform: bool,
    pub(crate) cached_keys: bool,
    pub(crate) smt: bool,
    pub(crate) quoting_security_version: u16,
    /// Shows neither an instance id nor a PPID.
    pub(crate) hidden: bool,
}

impl Default for PlatformShape {
    fn default() -> Self {
        Self {
            serial: vec![0x10],
            instance_id: [0; 16],
            ppid: [0; 16],
            fmspc: [0x51, 0x4d, 0x55, 0x4c, 0x41, 0x54],
            cpu_svn: [2; 16],
            pce_svn: 1,
            dynamic_platform: false,
            cached_keys: false,
            smt: false,
            quoting_security_version: 1,
            hidden: false,
        }
    }
}

/// What a simulated enclave is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedEnclave {
    /// Its measurement: whatever it is told to be.
    pub measurement: [u8; 32],
    /// ISVPRODID.
    pub product_id: u16,
    /// ISVSVN.
    pub security_version: u16,
    pub(crate) attributes: u64,
    pub(crate) misc_select: u32,
    pub(crate) config_id: [u8; 64],
}

impl SimulatedEnclave {
    /// An enclave of that measurement, product 0, security version 1, without debugging.
    #[must_use]
    pub const fn new(measurement: [u8; 32]) -> Self {
        Self {
            measurement,
            product_id: 0,
            security_version: 1,
            attributes: ATTRIBUTES,
            misc_select: 0,
            config_id: [0; 64],
        }
    }
}

/// What a simulated domain is: to try the rules for domains.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct DomainShape {
    pub(crate) mr_signer_seam: [u8; 48],
    pub(crate) mr_td: [u8; 48],
    pub(crate) rtmr: [[u8; 48]; 4],
    pub(crate) attributes: u64,
    pub(crate) mr_config_id: [u8; 48],
    pub(crate) mr_owner: [u8; 48],
    pub(crate) mr_owner_config: [u8; 48],
}

impl<'a> SimulatedPlatform<'a> {
    pub(crate) fn new(
        vendor: &'a SimulatedVendor,
        name: &str,
        mut shape: PlatformShape,
    ) -> Result<Self, SimulationError> {
        let identity = digest(&SHA256, &[&vendor.seed[..], b"/machine/", name.as_bytes()].concat());
        let (instance, ppid) = identity.as_ref().split_at(16);
        if !shape.hidden {
            shape.instance_id.copy_from_slice(instance);
            shape.ppid.copy_from_slice(ppid);
        }
        let key = Key::derive(&vendor.seed, &format!("PCK {name}"))?;
        let attestation_key = Key::derive(&vendor.seed, &format!("attestation {name}"))?;
        let subject_name = common_name(&format!("{MARKER}: PCK Certificate"));
        let subject = Subject {
            serial: &shape.serial,
            name: &subject_name,
            key: &key,
            authority: false,
            extensions: &[pck_extension(&shape)],
        };
        let certificate = certify(&subject, &vendor.authority.key, &vendor.authority.name)?;
        Ok(Self {
            vendor,
            shape,
            key,
            attestation_key,
            certificate,
        })
    }

    /// Which machine a verifier will see.
    ///
    /// # Errors
    /// Never with a machine of [`SimulatedVendor::platform`]: its id is a hash.
    pub fn platform_id(&self) -> Result<PlatformId, ParsePlatformIdError> {
        PlatformId::new(self.shape.instance_id)
    }

    /// Evidence of an enclave on this machine, with collateral that was issued an hour before `now` and lasts a month.
    ///
    /// # Errors
    /// [`SimulationError`] when the library refuses to sign.
    pub fn evidence(
        &self,
        enclave: &SimulatedEnclave,
        report_data: &[u8; 64],
        now: UnixTime,
    ) -> Result<Evidence, SimulationError> {
        let collateral = CollateralShape::fresh(false, self.shape.fmspc, now);
        let mut evidence = self.evidence_with(enclave, report_data, &collateral)?;
        evidence.platform = Platform::Simulated;
        Ok(evidence)
    }

    /// The same in the name of `sgx`, with the collateral of choice.
    pub(crate) fn evidence_with(
        &self,
        enclave: &SimulatedEnclave,
        report_data: &[u8; 64],
        collateral: &CollateralShape,
    ) -> Result<Evidence, SimulationError> {
        let body = enclave_report(enclave, self.shape.cpu_svn, report_data);
        let mut report = header(3, 0);
        report.extend(body);
        self.finish(report, false, collateral, Platform::Sgx)
    }

    /// A domain in the name of `tdx`: a quote of version 4.
    #[cfg(test)]
    pub(crate) fn domain_evidence(
        &self,
        domain: &DomainShape,
        report_data: &[u8; 64],
        collateral: &CollateralShape,
    ) -> Result<Evidence, SimulationError> {
        let mut report = header(4, 0x81);
        report.extend([0; 16 + 48]); // TEE_TCB_SVN, MRSEAM
        report.extend(domain.mr_signer_seam);
        report.extend([0; 8]); // SEAMATTRIBUTES
        report.extend(domain.attributes.to_le_bytes());
        report.extend(0xe7_u64.to_le_bytes());
        for field in [
            domain.mr_td,
            domain.mr_config_id,
            domain.mr_owner,
            domain.mr_owner_config,
        ] {
            report.extend(field);
        }
        report.extend(domain.rtmr.into_iter().flatten());
        report.extend(report_data);
        self.finish(report, true, collateral, Platform::Tdx)
    }

    /// Signs header and body, and adds what vouches for the key.
    fn finish(
        &self,
        mut report: Vec<u8>,
        nested: bool,
        collateral: &CollateralShape,
        platform: Platform,
    ) -> Result<Evidence, SimulationError> {
        let authentication_data = [7; 32];
        let mut bound = [0; 64];
        let vouched = digest(
            &SHA256,
            &[self.attestation_key.coordinates(), &authentication_data].concat(),
        );
        if let Some(start) = bound.first_chunk_mut::<32>() {
            start.copy_from_slice(vouched.as_ref());
        }
        let quoting = quoting_report(&bound, self.shape.cpu_svn, self.shape.quoting_security_version);
        let chain = [
            &self.certificate,
            &self.vendor.authority.certificate,
            &self.vendor.root.certificate,
        ]
        .map(|der| pem(der))
        .concat();
        let mut inner = quoting.clone();
        inner.extend(self.key.sign_fixed(&quoting)?);
        inner.extend(32_u16.to_le_bytes());
        inner.extend(authentication_data);
        inner.extend(5_u16.to_le_bytes());
        inner.extend(sized(chain.as_bytes()));
        let mut authentication = self.attestation_key.sign_fixed(&report)?;
        authentication.extend(self.attestation_key.coordinates());
        if nested {
            authentication.extend(6_u16.to_le_bytes());
            authentication.extend(sized(&inner));
        } else {
            authentication.extend(inner);
        }
        report.extend(sized(&authentication));
        let collateral = self.vendor.state(collateral)?;
        Ok(Evidence {
            platform,
            report,
            auxiliary: Vec::new(),
            collateral: serde_json::to_vec(&collateral).map_err(|_| SimulationError)?,
        })
    }
}

/// 32-bit little-endian length and the bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], bytes].concat()
}

fn header(version: u16, tee: u32) -> Vec<u8> {
    let mut bytes = version.to_le_bytes().to_vec();
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(tee.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(VENDOR_ID);
    bytes.extend([0; 20]);
    bytes
}

fn quoting_report(bound: &[u8; 64], cpu_svn: [u8; 16], security_version: u16) -> Vec<u8> {
    let enclave = SimulatedEnclave {
        product_id: 1,
        security_version,
        attributes: 0x15,
        ..SimulatedEnclave::new([0x51; 32])
    };
    let mut report = enclave_report(&enclave, cpu_svn, bound);
    if let Some(signer) = report.get_mut(128..160) {
        signer.copy_from_slice(&QUOTING_SIGNER);
    }
    report
}

fn enclave_report(enclave: &SimulatedEnclave, cpu_svn: [u8; 16], report_data: &[u8; 64]) -> Vec<u8> {
    let mut body = cpu_svn.to_vec();
    body.extend(enclave.misc_select.to_le_bytes());
    body.extend([0; 28]);
    body.extend(enclave.attributes.to_le_bytes());
    body.extend(XFRM.to_le_bytes());
    body.extend(enclave.measurement);
    body.extend([0; 32 + 32 + 32]); // reserved, MRSIGNER, reserved
    body.extend(enclave.config_id);
    body.extend(enclave.product_id.to_le_bytes());
    body.extend(enclave.security_version.to_le_bytes());
    body.extend([0; 60]);
    body.extend(report_data);
    body
}
