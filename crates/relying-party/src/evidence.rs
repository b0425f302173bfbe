//! Asks an identity provider for its evidence, over a connection whose TLS session is known.
//!
//! **Trusted for:** the [`Answer`]'s session is the one the bundle came over, and its nonce was drawn for this question
//! alone. **Does not:** judge; hand both to `evidence::verdict::judge`.

use evidence::bundle::{Answer, AnswerError, Question};
use transport::{AddressRule, BoundConnection, CertificateError, FetchError, Roots};

use crate::client::RandomnessError;
use crate::client::random_nonce;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection, or no complete answer.
    #[error("evidence: {0}")]
    Fetch(#[from] FetchError),
    /// The server's certificate could not be read.
    #[error("evidence: {0}")]
    Certificate(#[from] CertificateError),
    /// A refusal, or no bundle.
    #[error("evidence: {0}")]
    Answer(#[from] AnswerError),
    /// No nonce could be drawn.
    #[error("evidence: {0}")]
    Randomness(#[from] RandomnessError),
}

/// Asks the host of `url`, whatever its path.
///
/// `loopback_names`: further host names of this machine, for rules that admit loopback.
pub async fn ask(url: &str, roots: &Roots, rule: AddressRule, loopback_names: &[String]) -> Result<Answer, AskError> {
    let question = Question::new(random_nonce()?);
    let mut connection = BoundConnection::open(url, roots, rule, loopback_names).await?;
    let response = connection.get(&question.path()).await?;
    let tls = connection.session();
    let answer = question.answer(
        response.status,
        &response.body,
        tls.server_spki_sha256()?,
        *tls.exporter(),
    )?;
    Ok(answer)
}
