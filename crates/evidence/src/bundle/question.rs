//! The question a bundle answers, without the connection it is asked over: whoever has one asks in three lines.
//!
//! ```text
//! Question::new(nonce) ─► GET path() over a connection whose session is known ─► answer(status, body, key, exporter) ─► verdict::judge
//! ```

use jose::{base64url, json};

use super::{Bundle, BundleError, EVIDENCE_PATH};
use crate::binding::Session;

/// Longest reason of a refusal that is passed on, in characters.
const MAX_REASON_CHARACTERS: usize = 300;

/// One question to one instance.
#[derive(Debug)]
pub struct Question {
    nonce: [u8; 32],
}

/// What was answered, and over which session. Nothing in it is verified.
#[derive(Debug)]
pub struct Answer {
    /// The bundle.
    pub bundle: Bundle,
    /// The asking side's view of the session.
    pub session: Session,
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Another status than 200: the server shows no evidence, or none now.
    #[error("status {status}, expected 200: {reason}")]
    Status {
        /// The status.
        status: u16,
        /// What it says about it.
        reason: String,
    },
    /// The answer is no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl Question {
    /// A question with a nonce that was drawn for it alone.
    #[must_use]
    pub fn new(nonce: [u8; 32]) -> Self {
        Self { nonce }
    }

    /// Path and query to GET.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{EVIDENCE_PATH}?nonce={}", base64url::encode(&self.nonce))
    }

    /// The answer that came over a session with this server key (SHA-256 of its SubjectPublicKeyInfo) and this TLS exporter.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn answer(
        self,
        status: u16,
        body: &[u8],
        server_spki_sha256: [u8; 32],
        exporter: [u8; 32],
    ) -> Result<Answer, AnswerError> {
        if status != 200 {
            let reason = reason(body);
            return Err(AnswerError::Status { status, reason });
        }
        Ok(Answer {
            bundle: Bundle::parse(body)?,
            session: Session {
                nonce: self.nonce,
                signer_spki_sha256: server_spki_sha256,
                exporter,
            },
        })
    }
}

/// The server's `error_description`, without what could move a terminal's cursor.
fn reason(body: &[u8]) -> String {
    let description = json::parse(body, &json::DEFAULT)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(status: u16, body: &str) -> String {
        let answer = Question::new([0; 32]).answer(status, body.as_bytes(), [1; 32], [2; 32]);
        answer.unwrap_err().to_string()
    }

    #[test]
    fn the_path_carries_the_nonce() {
        let path = Question::new([0; 32]).path();
        assert_eq!(path, format!("{EVIDENCE_PATH}?nonce={}", "A".repeat(43)));
    }

    #[test]
    fn a_refusal_is_passed_on_in_its_own_words_and_nothing_else_of_it() {
        let said = refused(404, r#"{"error":"not_found","error_description":"no evidence here"}"#);
        assert_eq!(said, "status 404, expected 200: no evidence here");
        let moved = refused(503, "{\"error_description\":\"a\\u001b[2Jb\\n\"}");
        assert_eq!(moved, "status 503, expected 200: a[2Jb");
        let long = format!("{{\"error_description\":\"{}\"}}", "x".repeat(10_000));
        assert!(refused(500, &long).len() < 400);
        for body in ["", "<html>", "[]", r#"{"error_description":7}"#] {
            assert_eq!(
                refused(502, body),
                "status 502, expected 200: the server says nothing about it"
            );
        }
    }

    #[test]
    fn what_is_no_bundle_is_no_answer() {
        for body in ["", "{}", "[]", "null"] {
            let answer = Question::new([0; 32]).answer(200, body.as_bytes(), [1; 32], [2; 32]);
            assert!(matches!(answer, Err(AnswerError::Bundle(_))), "{body}");
        }
    }
}
