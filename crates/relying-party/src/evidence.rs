//! Asks an identity provider for its evidence, over a connection whose TLS session is known.
//!
//! **Trusted for:** the [`Answer`]'s session is the one the bundle came over, and its nonce was drawn for this question
//! alone. **Does not:** judge; hand both to `evidence::verdict::judge`.

use evidence::binding::Session;
use evidence::bundle::{Bundle, BundleError, EVIDENCE_PATH};
use jose::base64url;
use transport::{AddressRule, BoundConnection, CertificateError, FetchError, HttpResponse, Roots};

use crate::client::RandomnessError;
use crate::client::random_nonce;

/// What was answered, and over which session.
#[derive(Debug)]
pub struct Answer {
    /// The bundle. Nothing in it is verified.
    pub bundle: Bundle,
    /// This side's view of the session.
    pub session: Session,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection, or no complete answer.
    #[error("evidence: {0}")]
    Fetch(#[from] FetchError),
    /// The server's certificate could not be read.
    #[error("evidence: {0}")]
    Certificate(#[from] CertificateError),
    /// Another status than 200: the server shows no evidence, or none now.
    #[error("evidence: status {status}, expected 200: {reason}")]
    Status {
        /// The status.
        status: u16,
        /// What it says about it.
        reason: String,
    },
    /// The answer is no bundle.
    #[error("evidence: {0}")]
    Bundle(#[from] BundleError),
    /// No nonce could be drawn.
    #[error("evidence: {0}")]
    Randomness(#[from] RandomnessError),
}

/// Asks the host of `url`, whatever its path.
///
/// `loopback_names`: further host names of this machine, for rules that admit loopback.
pub async fn ask(url: &str, roots: &Roots, rule: AddressRule, loopback_names: &[String]) -> Result<Answer, AskError> {
    let nonce = random_nonce()?;
    let mut connection = BoundConnection::open(url, roots, rule, loopback_names).await?;
    let path = format!("{EVIDENCE_PATH}?nonce={}", base64url::encode(&nonce));
    let response = connection.get(&path).await?;
    if response.status != 200 {
        return Err(AskError::Status {
            status: response.status,
            reason: reason(&response),
        });
    }
    let tls = connection.session();
    Ok(Answer {
        bundle: Bundle::parse(&response.body)?,
        session: Session {
            nonce,
            signer_spki_sha256: tls.server_spki_sha256()?,
            exporter: *tls.exporter(),
        },
    })
}

/// Longest reason that is passed on, in characters.
const MAX_REASON_CHARACTERS: usize = 300;

/// The server's `error_description`, without what could move a terminal's cursor.
fn reason(response: &HttpResponse) -> String {
    let description = response
        .json::<serde_json::Value>()
        .ok()
        .and_then(|body| Some(body.get("error_description")?.as_str()?.to_owned()));
    description.map_or_else(
        || "the server says nothing about it".to_owned(),
        |text| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_REASON_CHARACTERS)
                .collect()
        },
    )
}
