//! The certificate of the chip: found in the certificate table, read with AMD's extensions, led back to AMD's root.
//!
//! AMD publications 57230 (VCEK certificates) and 56421 (GHCB, certificate table).

use std::sync::LazyLock;

use der::Decode;
use der::asn1::{Ia5StringRef, ObjectIdentifier};
use jose::UnixTime;
use sev::certs::snp::Certificate as SevCertificate;

use crate::platform::Reader;
use crate::verify::error::EvidenceError;
use crate::verify::policy::Demand;
use crate::verify::tcb::{SnpProduct, SnpTcb};
use crate::verify::verified::CollateralDates;
use crate::verify::x509::{Certificate, RevocationList};

/// `63da758d-e664-4564-adc5-f4b93be8accd`.
pub(crate) const VCEK_GUID: [u8; 16] = [
    0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd,
];
/// Most entries of a certificate table: the five AMD names, and some.
const MAX_ENTRIES: usize = 16;
/// Longest certificate: a VCEK has about 1.4 KiB.
const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;

const PRODUCT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const BOOTLOADER_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const TEE_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SNP_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const MICROCODE_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const FMC_SPL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9");
const HARDWARE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");

const NAME: &str = "VCEK certificate";

/// AMD's two certificates of one product, the second issued by the first: the root key's (ARK) and the signing key's
/// (ASK). Made by [`AmdRoot::verify`] only, so that the two need not be verified with every report.
#[derive(Clone)]
pub(in crate::verify) struct AmdRoot {
    product: SnpProduct,
    ark: Certificate,
    ask: Certificate,
    /// The signing key's certificate as the library wants it.
    library_ask: SevCertificate,
}

impl AmdRoot {
    /// `None` when the root's certificate is not its own or did not issue the other.
    pub(in crate::verify) fn verify(product: SnpProduct, ark: &SevCertificate, ask: &SevCertificate) -> Option<Self> {
        use sev::certs::snp::Verifiable;

        (ark, ark).verify().ok()?;
        (ark, ask).verify().ok()?;
        let own_ark = Certificate::parse(&ark.to_der().ok()?, "ARK certificate").ok()?;
        let own_ask = Certificate::parse(&ask.to_der().ok()?, "ASK certificate").ok()?;
        let issued = own_ark.is_issued_by(&own_ark) && own_ask.is_issued_by(&own_ark);
        issued.then(|| Self {
            product,
            ark: own_ark,
            ask: own_ask,
            library_ask: ask.clone(),
        })
    }
}

/// AMD's roots as the library pins them. A product whose certificates do not verify is left out, and refused.
pub(in crate::verify) fn amd_roots() -> Vec<AmdRoot> {
    use sev::certs::snp::builtin::{genoa, milan, turin};

    static ROOTS: LazyLock<Vec<AmdRoot>> = LazyLock::new(|| {
        [
            (SnpProduct::Milan, milan::ark(), milan::ask()),
            (SnpProduct::Genoa, genoa::ark(), genoa::ask()),
            (SnpProduct::Turin, turin::ark(), turin::ask()),
        ]
        .into_iter()
        .filter_map(|(product, ark, ask)| AmdRoot::verify(product, &ark.ok()?, &ask.ok()?))
        .collect()
    });
    ROOTS.clone()
}

/// The certificate of the chip's key for one TCB, read and not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vcek {
    certificate: Certificate,
    der: Vec<u8>,
    /// What it is made for.
    pub(crate) tcb: SnpTcb,
    /// The chip's id; shorter than in the report on Turin.
    pub(crate) hardware_id: Vec<u8>,
}

impl Vcek {
    /// Reads the one VCEK of a certificate table. Other entries are not looked at: roots are not taken from evidence.
    pub(crate) fn from_table(table: &[u8]) -> Result<Self, EvidenceError> {
        Self::parse(find_vcek(table)?)
    }

    pub(crate) fn parse(der: &[u8]) -> Result<Self, EvidenceError> {
        let certificate = Certificate::parse(der, NAME)?;
        let spl = |id| -> Result<Option<u8>, EvidenceError> {
            let content = certificate.extension(id)?;
            content
                .map(|content| u8::from_der(content).map_err(|_| EvidenceError::Malformed(NAME)))
                .transpose()
        };
        let required = |id| spl(id)?.ok_or(EvidenceError::Malformed(NAME));
        let tcb = SnpTcb {
            fmc: spl(&FMC_SPL)?.unwrap_or(0),
            bootloader: required(&BOOTLOADER_SPL)?,
            tee: required(&TEE_SPL)?,
            snp: required(&SNP_SPL)?,
            microcode: required(&MICROCODE_SPL)?,
        };
        let hardware_id = certificate
            .extension(&HARDWARE_ID)?
            .ok_or(EvidenceError::Malformed(NAME))?
            .to_vec();
        Ok(Self {
            der: der.to_vec(),
            tcb,
            hardware_id,
            certificate,
        })
    }

    /// An uncompressed point on P-384.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.certificate.public_key()
    }

    /// The product it says it is for: the part before the dash of `Milan-B0`.
    fn product(&self) -> Result<SnpProduct, EvidenceError> {
        let content = self
            .certificate
            .extension(&PRODUCT_NAME)?
            .ok_or(EvidenceError::Malformed(NAME))?;
        let name = Ia5StringRef::from_der(content).map_err(|_| EvidenceError::Malformed(NAME))?;
        let family = name.as_str().split('-').next().unwrap_or_default();
        SnpProduct::ALL
            .into_iter()
            .find(|product| product.name() == family)
            .ok_or(EvidenceError::Product)
    }

    /// Leads the certificate back to AMD's root of its product, at `now`, with the revocation list where there is one.
    pub(in crate::verify) fn verify(
        &self,
        roots: &[AmdRoot],
        list: &[u8],
        demand: Demand,
        now: UnixTime,
    ) -> Result<(SnpProduct, SevCertificate, CollateralDates), EvidenceError> {
        use sev::certs::snp::Verifiable;

        let product = self.product()?;
        let root = roots
            .iter()
            .find(|root| root.product == product)
            .ok_or(EvidenceError::Chain)?;
        let library = SevCertificate::from_der(&self.der).map_err(|_| EvidenceError::Malformed(NAME))?;
        // The library looks at signatures only; names and dates are ours to check.
        if (&root.library_ask, &library).verify().is_err() || !self.certificate.is_issued_by(&root.ask) {
            return Err(EvidenceError::Chain);
        }
        let certificates = [self.certificate.clone(), root.ask.clone(), root.ark.clone()];
        certificates
            .iter()
            .try_for_each(|certificate| certificate.check_dates(now))?;
        let mut dates = CollateralDates {
            earliest_issue: now,
            latest_issue: UnixTime(0),
            earliest_expiration: UnixTime(u64::MAX),
        };
        for certificate in &certificates {
            include(&mut dates, certificate.not_before(), certificate.not_after());
        }
        if let Some(list) = check_revocation(&certificates, list, demand, now)? {
            include(&mut dates, list.this_update(), list.next_update());
        }
        Ok((product, library, dates))
    }
}

/// AMD's list is issued by the root key. AMD gives every VCEK the serial number 0, so that a list can name the signing
/// key or all chips at once; what it names is refused.
fn check_revocation(
    certificates: &[Certificate; 3],
    list: &[u8],
    demand: Demand,
    now: UnixTime,
) -> Result<Option<RevocationList>, EvidenceError> {
    let [_, _, ark] = certificates;
    if list.is_empty() {
        return match demand {
            Demand::Required => Err(EvidenceError::RevocationListMissing),
            Demand::Optional => Ok(None),
        };
    }
    let list = RevocationList::parse(list, "AMD's revocation list")?;
    if !list.is_issued_by(ark) {
        return Err(EvidenceError::Signature("revocation list"));
    }
    list.check_dates(now)?;
    if certificates.iter().any(|certificate| list.lists(certificate)) {
        return Err(EvidenceError::Revoked);
    }
    Ok(Some(list))
}

fn include(dates: &mut CollateralDates, issued: UnixTime, ends: UnixTime) {
    dates.earliest_issue = dates.earliest_issue.min(issued);
    dates.latest_issue = dates.latest_issue.max(issued);
    dates.earliest_expiration = dates.earliest_expiration.min(ends);
}

/// Entries of GUID, offset and length (little-endian), ended by one of zeros; the certificates behind them.
fn find_vcek(table: &[u8]) -> Result<&[u8], EvidenceError> {
    const MALFORMED: EvidenceError = EvidenceError::Malformed("certificate table");
    let mut reader = Reader::new(table);
    let mut found = None;
    for _ in 0..MAX_ENTRIES {
        let mut entry = || Some((reader.array::<16>()?, reader.u32_le()?, reader.u32_le()?));
        let (guid, offset, length) = entry().ok_or(MALFORMED)?;
        if guid == [0; 16] {
            return found.ok_or(MALFORMED);
        }
        if guid == VCEK_GUID {
            let range = || {
                let start = usize::try_from(offset).ok()?;
                let length = usize::try_from(length).ok()?;
                (length <= MAX_CERTIFICATE_BYTES).then_some(())?;
                table.get(start..start.checked_add(length)?)
            };
            if found.is_some() {
                return Err(MALFORMED);
            }
            found = Some(range().ok_or(MALFORMED)?);
        }
    }
    Err(MALFORMED)
}

/// A certificate table with the one entry a verifier needs: for a producer whose host gives it none.
#[must_use]
pub fn certificate_table(vcek_der: &[u8]) -> Vec<u8> {
    const ENTRY_BYTES: u8 = 24;
    let mut table = VCEK_GUID.to_vec();
    table.extend_from_slice(&u32::from(2 * ENTRY_BYTES).to_le_bytes());
    table.extend_from_slice(&u32::try_from(vcek_der.len()).unwrap_or(u32::MAX).to_le_bytes());
    table.extend_from_slice(&[0; ENTRY_BYTES as usize]);
    table.extend_from_slice(vcek_der);
    table
}
