//! Errors as peers and people see them: the registered code, a safe sentence, and a support code that stands in the log too.

use std::fmt;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use oidc::refusal::{AuthenticatorErrorBody, ErrorBody, ErrorCode, Refusal};
use zeroize::Zeroizing;

use crate::{
    pages::{self, Language, Shown},
    rng::Rng,
};

/// Eight characters a caller can read out: no vowels, no look-alikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportCode([u8; 8]);

const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

impl SupportCode {
    /// A new code.
    pub fn new(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 8];
        rng.fill(&mut bytes);
        // A slight bias does not matter: the code is a name, not a secret.
        Self(bytes.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]))
    }
}

impl fmt::Display for SupportCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.iter().enumerate() {
            if at == 4 {
                f.write_str("-")?;
            }
            write!(f, "{}", *letter as char)?;
        }
        Ok(())
    }
}

/// A refused request on its way out.
#[derive(Debug)]
pub struct Problem {
    refusal: Refusal,
    support_code: SupportCode,
    /// Seconds until it is worth trying again.
    retry_after: Option<u64>,
}

impl Problem {
    /// Names the refusal, writes it to the log and gives it a support code.
    ///
    /// `event` is the event code of the log: a fixed word, never a value.
    pub fn new(event: &'static str, refusal: Refusal, rng: &dyn Rng) -> Self {
        let support_code = SupportCode::new(rng);
        tracing::info!(
            event,
            error = refusal.code.as_str(),
            status = refusal.status,
            reason = %refusal.description,
            support_code = %support_code,
            "refused"
        );
        Self {
            refusal,
            support_code,
            retry_after: None,
        }
    }

    /// The caller has used up an allowance, and is told when to come again (RFC 6585 §4).
    pub fn limited(limit: &'static str, seconds: u64, refusal: Refusal, rng: &dyn Rng) -> Self {
        let support_code = SupportCode::new(rng);
        tracing::info!(event = "limited", limit, status = refusal.status, support_code = %support_code, "refused");
        Self {
            refusal,
            support_code,
            retry_after: Some(seconds),
        }
    }

    /// Something of ours failed. `detail` names the part for the operator; the peer only learns that it was not its fault.
    pub fn internal(event: &'static str, detail: &dyn fmt::Display, rng: &dyn Rng) -> Self {
        Self::failed(
            event,
            detail,
            Refusal::new(
                500,
                ErrorCode::ServerError,
                "the provider failed to answer; nothing was lost",
            ),
            rng,
        )
    }

    /// Something we depend on does not answer; trying again later may help.
    pub fn unavailable(event: &'static str, detail: &dyn fmt::Display, rng: &dyn Rng) -> Self {
        Self::failed(
            event,
            detail,
            Refusal::new(503, ErrorCode::TemporarilyUnavailable, "please try again in a moment"),
            rng,
        )
    }

    fn failed(event: &'static str, detail: &dyn fmt::Display, refusal: Refusal, rng: &dyn Rng) -> Self {
        let support_code = SupportCode::new(rng);
        tracing::error!(event, detail = %detail, support_code = %support_code, "failed");
        Self {
            refusal,
            support_code,
            retry_after: None,
        }
    }

    /// The sentence with the support code at its end.
    pub fn description(&self) -> String {
        format!("{} (support code {})", self.refusal.description, self.support_code)
    }

    /// As JSON for an authenticator: with the reason and the support code as members of their own.
    pub fn into_json(self) -> Response {
        let description = self.description();
        let body = AuthenticatorErrorBody {
            error: self.refusal.code.as_str(),
            error_description: &description,
            reason: self.refusal.reason,
            support_code: &self.support_code.to_string(),
            retry_after: self.retry_after,
        };
        self.with_retry_after(json_bytes(self.status(), &body)).map(Body::from)
    }

    /// As JSON for endpoints whose members other specifications fix: OAuth's, the federation's (gematik digest 4.5).
    pub fn into_oauth_json(self) -> Response {
        self.into_oauth_json_bytes().map(Body::from)
    }

    /// [`Self::into_oauth_json`], for whoever answers without a router.
    pub fn into_oauth_json_bytes(self) -> http::Response<Bytes> {
        let description = self.description();
        let body = ErrorBody {
            error: self.refusal.code.as_str(),
            error_description: &description,
        };
        self.with_retry_after(json_bytes(self.status(), &body))
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn with_retry_after<B>(&self, mut response: http::Response<B>) -> http::Response<B> {
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// As a page inside one of ours.
    pub fn in_frame(self, headers: &HeaderMap) -> Response {
        let language = Language::from_headers(headers);
        let page = pages::problem(language, &self.refusal, self.support_code, Shown::InOurFrame);
        self.with_retry_after(page)
    }

    /// As a page where the caller prefers one, else as JSON (gematik digest 5).
    pub fn negotiated(self, headers: &HeaderMap) -> Response {
        if prefers_html(headers) {
            let language = Language::from_headers(headers);
            let page = pages::problem(language, &self.refusal, self.support_code, Shown::Alone);
            self.with_retry_after(page)
        } else {
            self.into_oauth_json()
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into_json()
    }
}

/// A JSON answer that nobody keeps.
pub fn json_response<T: serde::Serialize>(status: StatusCode, body: &T) -> Response {
    json_bytes(status, body).map(Body::from)
}

/// JSON that was written already, without another copy of it. Its bytes are wiped once they are sent.
pub(crate) fn json_as_it_is(body: Vec<u8>) -> Response {
    json_of(StatusCode::OK, Bytes::from_owner(Zeroizing::new(body))).map(Body::from)
}

fn json_bytes<T: serde::Serialize>(status: StatusCode, body: &T) -> http::Response<Bytes> {
    json_of(status, Bytes::from(serde_json::to_vec(body).unwrap_or_default()))
}

fn json_of(status: StatusCode, body: Bytes) -> http::Response<Bytes> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    no_store(headers);
    response
}

/// RFC 6749 §5.1: nothing of a login is kept by anybody on the way.
pub fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

/// Whether the caller would rather see a page than JSON: `text/html` is accepted explicitly and not below `application/json`.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut html = None;
    let mut json = None;
    for range in accept.split(',') {
        let mut parts = range.split(';');
        let media_type = parts.next().unwrap_or_default().trim();
        let quality = parts
            .filter_map(|part| part.trim().strip_prefix("q="))
            .find_map(|q| q.parse::<f32>().ok())
            .unwrap_or(1.0);
        match media_type {
            "text/html" | "application/xhtml+xml" => html = Some(quality),
            "application/json" => json = Some(quality),
            _ => {}
        }
    }
    html.is_some_and(|html| html > 0.0 && json.is_none_or(|json| html >= json))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use authenticator::Reason;

    use super::*;
    use crate::rng::SeededRng;

    fn accept(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_page_is_shown_to_browsers_only() {
        for value in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html",
        ] {
            assert!(prefers_html(&accept(value)), "{value}");
        }
        for value in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.5",
            "text/html;q=0",
            "",
        ] {
            assert!(!prefers_html(&accept(value)), "{value}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn a_support_code_can_be_read_out() {
        let code = SupportCode::new(&SeededRng::new(7)).to_string();
        assert_eq!(code.len(), 9);
        assert!(
            code.chars().all(|c| c == '-' || ALPHABET.contains(&(c as u8))),
            "{code}"
        );
    }

    #[tokio::test]
    async fn an_authenticator_is_told_reason_and_support_code_and_a_service_two_members() {
        let rng = SeededRng::new(1);
        let members = async |response: Response| -> serde_json::Value {
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            serde_json::from_slice(&body).unwrap()
        };
        let limited = || {
            Problem::limited(
                "test",
                7,
                Refusal::invalid_request("x").because(Reason::TooManyTries),
                &rng,
            )
        };
        let told = members(limited().into_json()).await;
        assert_eq!(told["reason"], "too-many-tries");
        assert_eq!(told["retry_after"], 7);
        let code = told["support_code"].as_str().unwrap();
        assert!(told["error_description"].as_str().unwrap().contains(code));
        let told = members(limited().into_oauth_json()).await;
        let names: Vec<&String> = told.as_object().unwrap().keys().collect();
        assert_eq!(names, ["error", "error_description"]);
    }

    #[test]
    fn an_error_body_has_the_two_members_and_no_other() {
        let rng = SeededRng::new(1);
        let problem = Problem::new("test", Refusal::invalid_request("parameter 'state' is missing"), &rng);
        assert!(
            problem
                .description()
                .starts_with("parameter 'state' is missing (support code ")
        );
        let response = problem.into_json();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
}
