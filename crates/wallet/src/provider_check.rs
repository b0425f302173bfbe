//! What runs at the insurer's identity provider, judged before the person's card or device signs anything for it.
//!
//! The verdict is that of `healthid verify`. It speaks of the connection it was asked over and of the TLS key the instance's quote commits to;
//! the login that follows uses connections of its own to the same host. An app shows the sentence, and goes no further where evidence is refused.
//!
//! **Does not:** demand evidence. A provider that shows none is not worse than one nobody asked; the caller decides.

use evidence::bundle::{AnswerError, Question};
use evidence::verdict::{Asked, Overall, Pins, State, Verdict, judge};
use jose::UnixTime;
use transport::{AddressRule, BoundConnection, CertificateError, FetchError, Roots};

/// How an app asks, and whom it believes.
#[derive(Debug, Clone)]
pub struct ProviderCheck {
    /// Whom to believe: manifest set, log, witnesses, namespace.
    pub pins: Pins,
    /// TLS authorities.
    pub roots: Roots,
    /// Addresses that may be asked.
    pub address_rule: AddressRule,
    /// Further host names of this machine.
    pub loopback_names: Vec<String>,
}

/// Why an app goes no further.
#[derive(Debug, thiserror::Error)]
pub enum ProviderCheckError {
    /// No connection, or no complete answer.
    #[error("the identity provider's evidence: {0}")]
    Fetch(#[from] FetchError),
    /// The server's certificate could not be read.
    #[error("the identity provider's evidence: {0}")]
    Certificate(#[from] CertificateError),
    /// It shows none, or something else.
    #[error("the identity provider's evidence: {0}")]
    Answer(#[from] AnswerError),
    /// It shows some, and that is refused.
    #[error("the identity provider's evidence is refused: {reason} [{code}]")]
    Refused {
        /// The first refused line's code.
        code: &'static str,
        /// In words.
        reason: String,
    },
}

impl ProviderCheck {
    /// Asks the host of `issuer` with a nonce drawn for this question alone.
    ///
    /// # Errors
    /// [`ProviderCheckError`]; a verdict of [`Overall::Refused`] is one.
    pub async fn of(&self, issuer: &str, nonce: [u8; 32], now: UnixTime) -> Result<Verdict, ProviderCheckError> {
        let question = Question::new(nonce);
        let mut connection =
            BoundConnection::open(issuer, &self.roots, self.address_rule, &self.loopback_names).await?;
        let response = connection.get(&question.path()).await?;
        let tls = connection.session();
        let (key, exporter) = (tls.server_spki_sha256()?, *tls.exporter());
        let answer = question.answer(response.status, &response.body, key, exporter)?;
        let verdict = judge(&answer.bundle, &Asked::Here(answer.session), &self.pins, now);
        match (verdict.overall(), first_refusal(&verdict)) {
            (Overall::Refused, Some((code, reason))) => Err(ProviderCheckError::Refused { code, reason }),
            _ => Ok(verdict),
        }
    }
}

fn first_refusal(verdict: &Verdict) -> Option<(&'static str, String)> {
    verdict.lines().iter().find_map(|line| match &line.state {
        State::Refused { code, reason } => Some((*code, reason.clone())),
        State::Ok(_) | State::Unknown(_) => None,
    })
}
