//! The vendor's statements about its platforms: TCB info, identity of the quoting enclave, revocation lists.

use dcap_qvl::QuoteCollateralV3;
use jose::UnixTime;
use serde_json::{Value, json};

use super::der::rfc3339;
use super::vendor::{SimulatedVendor, list_revoked, pem};
use super::{SimulationError, platform::QUOTING_SIGNER};
use crate::verify::TcbStatus;

/// How long statements are valid: as Intel's.
const LIFETIME_SECONDS: u64 = 30 * 86_400;

/// What the vendor says.
#[derive(Clone)]
pub(crate) struct CollateralShape {
    /// For domains (`true`) or enclaves.
    pub(crate) domain: bool,
    pub(crate) fmspc: [u8; 6],
    pub(crate) issued: UnixTime,
    pub(crate) lifetime_seconds: u64,
    pub(crate) list_lifetime_seconds: u64,
    /// What it says about platforms at SVN 2, and which advisories apply to them.
    pub(crate) status: TcbStatus,
    pub(crate) advisories: Vec<String>,
    pub(crate) evaluation_number: u32,
    pub(crate) quoting_security_version: u16,
    /// Serial numbers on the root's list, and on the platform authority's.
    pub(crate) revoked_by_root: Vec<Vec<u8>>,
    pub(crate) revoked_by_authority: Vec<Vec<u8>>,
}

impl CollateralShape {
    /// Fresh statements: everything up to date, nothing revoked.
    pub(crate) fn fresh(domain: bool, fmspc: [u8; 6], now: UnixTime) -> Self {
        Self {
            domain,
            fmspc,
            issued: now.minus_seconds(3600),
            lifetime_seconds: LIFETIME_SECONDS,
            list_lifetime_seconds: LIFETIME_SECONDS,
            status: TcbStatus::UpToDate,
            advisories: Vec::new(),
            evaluation_number: 20,
            quoting_security_version: 1,
            revoked_by_root: Vec::new(),
            revoked_by_authority: Vec::new(),
        }
    }
}

impl SimulatedVendor {
    /// The statements as the library reads them.
    pub(crate) fn state(&self, shape: &CollateralShape) -> Result<QuoteCollateralV3, SimulationError> {
        let next = shape.issued.plus_seconds(shape.lifetime_seconds);
        let next_list = shape.issued.plus_seconds(shape.list_lifetime_seconds);
        let signers = pem(&self.signer.certificate) + &pem(&self.root.certificate);
        let tcb_info = tcb_info(shape, next).to_string();
        let qe_identity = quoting_identity(shape, next).to_string();
        Ok(QuoteCollateralV3 {
            pck_crl_issuer_chain: pem(&self.authority.certificate) + &pem(&self.root.certificate),
            root_ca_crl: list_revoked(&self.root, &shape.revoked_by_root, shape.issued, next_list)?,
            pck_crl: list_revoked(&self.authority, &shape.revoked_by_authority, shape.issued, next_list)?,
            tcb_info_issuer_chain: signers.clone(),
            tcb_info_signature: self.signer.key.sign_fixed(tcb_info.as_bytes())?,
            tcb_info,
            qe_identity_issuer_chain: signers,
            qe_identity_signature: self.signer.key.sign_fixed(qe_identity.as_bytes())?,
            qe_identity,
            pck_certificate_chain: None,
        })
    }
}

fn tcb_info(shape: &CollateralShape, next: UnixTime) -> Value {
    let components = |svn: u8| vec![json!({"svn": svn}); 16];
    let level = |svn: u8, status: &str, advisories: &[String]| {
        let mut tcb = json!({"sgxtcbcomponents": components(svn), "pcesvn": 1});
        if shape.domain {
            // Module version and its ISVSVN are judged by the module's identity; without one, by these.
            tcb["tdxtcbcomponents"] = json!(components(0));
        }
        json!({
            "tcb": tcb,
            "tcbDate": "2024-03-13T00:00:00Z",
            "tcbStatus": status,
            "advisoryIDs": advisories,
        })
    };
    let fmspc: String = shape.fmspc.iter().map(|byte| format!("{byte:02X}")).collect();
    let mut info = json!({
        "id": if shape.domain { "TDX" } else { "SGX" },
        "version": 3,
        "issueDate": rfc3339(shape.issued),
        "nextUpdate": rfc3339(next),
        "fmspc": fmspc,
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": shape.evaluation_number,
        "tcbLevels": [
            level(2, shape.status.name(), &shape.advisories),
            level(1, "OutOfDate", &["INTEL-SA-00000".to_owned()]),
        ],
    });
    if shape.domain {
        info["tdxModule"] = json!({
            "mrsigner": "00".repeat(48),
            "attributes": "00".repeat(8),
            "attributesMask": "FF".repeat(8),
        });
    }
    info
}

fn quoting_identity(shape: &CollateralShape, next: UnixTime) -> Value {
    let signer: String = QUOTING_SIGNER.iter().map(|byte| format!("{byte:02X}")).collect();
    json!({
        "id": if shape.domain { "TD_QE" } else { "QE" },
        "version": 2,
        "issueDate": rfc3339(shape.issued),
        "nextUpdate": rfc3339(next),
        "tcbEvaluationDataNumber": shape.evaluation_number,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": signer,
        "isvprodid": 1,
        "tcbLevels": [{
            "tcb": {"isvsvn": shape.quoting_security_version},
            "tcbDate": "2024-03-13T00:00:00Z",
            "tcbStatus": "UpToDate",
        }],
    })
}
