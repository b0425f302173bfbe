//! What a verifier knows beforehand. Never a measurement: those come from the manifest, so that a release of the server
//! needs no release of every app.

use jose::json::{self, JsonError, Limits};
use serde::{Deserialize, Serialize};

use crate::binding::QuoteAge;
use crate::encoding::hex_array;
use crate::manifest::{Governance, ManifestError, Seen, Trust};
use crate::transparency::LogView;
use crate::verify::Roots;

const LIMITS: Limits = Limits {
    bytes: 128 * 1024,
    depth: 8,
};

/// Whom and what a verifier believes.
#[derive(Clone, Debug)]
pub struct Pins {
    /// The vendors' roots, and those added by the file.
    pub roots: Roots,
    /// The manifest set, the log and the witnesses, for one namespace.
    pub trust: Trust,
    /// What was seen before, when the verifier remembers.
    pub seen: Option<Seen>,
    /// How old a quote may be.
    pub quote_age: QuoteAge,
}

/// Why a pin file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinsError {
    /// Not JSON of the file's shape.
    #[error("pins: {0}")]
    Json(#[from] JsonError),
    /// The governance in it breaks a rule.
    #[error("pins: {0}")]
    Governance(ManifestError),
    /// It asks to believe a simulation, which this build cannot.
    #[error("pins: `simulated_root` is given, but this build knows no simulations")]
    NoSimulation,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "healthid-pins/v1")]
    V1,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: Format,
    governance: Governance,
    #[serde(default = "default_quote_age")]
    max_quote_age_seconds: u64,
    namespace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<WireSeen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    simulated_root: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tpm_roots: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSeen {
    #[serde(with = "hex_array")]
    hash: [u8; 32],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<LogView>,
    number: u64,
}

fn default_quote_age() -> u64 {
    QuoteAge::default().max_seconds
}

impl Pins {
    /// The vendors' roots and a trust.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self {
            roots: Roots::vendors(),
            trust,
            seen: None,
            quote_age: QuoteAge::default(),
        }
    }

    /// Reads a pin file: `{"format":"healthid-pins/v1","namespace":…,"governance":{…}}`, and as wanted `seen`,
    /// `max_quote_age_seconds`, `tpm_roots` (base64url DER, for `vtpm-dev`), `simulated_root` (base64url DER, only in
    /// builds that know simulations).
    ///
    /// # Errors
    /// [`PinsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PinsError> {
        let wire: Wire = json::parse_as(bytes, &LIMITS)?;
        wire.governance.check().map_err(PinsError::Governance)?;
        let der = |text: &String| {
            jose::base64url::decode(text).map_err(|_| {
                PinsError::Json(JsonError::Shape {
                    expected: "base64url of a DER certificate".to_owned(),
                    line: 0,
                    column: 0,
                })
            })
        };
        let mut roots = match &wire.simulated_root {
            None => Roots::vendors(),
            Some(root) => simulated(der(root)?)?,
        };
        for root in &wire.tpm_roots {
            roots = roots.with_tpm_root(der(root)?);
        }
        Ok(Self {
            roots,
            trust: Trust {
                namespace: wire.namespace,
                governance: wire.governance,
            },
            seen: wire.seen.map(|seen| Seen {
                number: seen.number,
                hash: seen.hash,
                log: seen.log,
            }),
            quote_age: QuoteAge {
                max_seconds: wire.max_quote_age_seconds,
            },
        })
    }

    /// Writes a pin file. `simulated_root` and `tpm_roots` are DER.
    #[must_use]
    pub fn encode(&self, simulated_root: Option<&[u8]>, tpm_roots: &[Vec<u8>]) -> Vec<u8> {
        let wire = Wire {
            format: Format::V1,
            governance: self.trust.governance.clone(),
            max_quote_age_seconds: self.quote_age.max_seconds,
            namespace: self.trust.namespace.clone(),
            seen: self.seen.map(|seen| WireSeen {
                hash: seen.hash,
                log: seen.log,
                number: seen.number,
            }),
            simulated_root: simulated_root.map(jose::base64url::encode),
            tpm_roots: tpm_roots.iter().map(|root| jose::base64url::encode(root)).collect(),
        };
        serde_json::to_vec_pretty(&wire).unwrap_or_default()
    }
}

#[cfg(any(test, feature = "simulated"))]
#[allow(clippy::unnecessary_wraps)]
fn simulated(root: Vec<u8>) -> Result<Roots, PinsError> {
    Ok(Roots::simulated(root))
}

#[cfg(not(any(test, feature = "simulated")))]
fn simulated(_: Vec<u8>) -> Result<Roots, PinsError> {
    Err(PinsError::NoSimulation)
}
