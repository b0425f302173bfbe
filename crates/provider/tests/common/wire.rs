//! What every answer must look like, checked wherever one is read.

use authenticator::Reason;
use serde_json::Value;
use transport::HttpResponse;
use url::Url;

use super::{logs, members};

fn assert_never_kept(response: &HttpResponse) {
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));
}

/// The JSON of an answer with this status.
pub fn json(response: &HttpResponse, status: u16) -> Value {
    assert_eq!(response.status, status, "{}", explained(response));
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_never_kept(response);
    response.json().unwrap()
}

/// An unexpected answer with what the log says about it.
fn explained(response: &HttpResponse) -> String {
    let text = response.text();
    let code = text.split_once("(support code ").and_then(|(_, rest)| rest.get(..9));
    let lines = code.map(logs::lines_of).unwrap_or_default();
    format!("{text}\n{}", lines.join("\n"))
}

/// An error as peers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub error: String,
    /// Without the support code.
    pub description: String,
    pub support_code: String,
    /// In the authenticator API only.
    pub reason: Option<Reason>,
}

impl Refused {
    pub fn code(&self) -> (u16, &str) {
        (self.status, &self.error)
    }
}

/// Reads an error and checks what holds for every one: OAuth's two members, and in the authenticator API reason and support code; JSON, not kept,
/// and a support code that stands in the log once, in the line about this refusal.
pub fn refused(response: &HttpResponse) -> Refused {
    assert!((400..600).contains(&response.status), "{}", response.status);
    let body = json(response, response.status);
    let reason = body
        .get("reason")
        .map(|reason| Reason::parse(reason.as_str().unwrap()).unwrap());
    match (reason, response.header("retry-after")) {
        (None, _) => assert_eq!(members(&body), ["error", "error_description"]),
        (Some(_), None) => assert_eq!(members(&body), ["error", "error_description", "reason", "support_code"]),
        (Some(_), Some(seconds)) => {
            let names = ["error", "error_description", "reason", "retry_after", "support_code"];
            assert_eq!(members(&body), names);
            assert_eq!(body["retry_after"].to_string(), seconds);
        }
    }
    let text = body["error_description"].as_str().unwrap();
    // RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E
    assert!(
        text.bytes()
            .all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\')
    );
    let (description, support_code) = support_code_of(text);
    if reason.is_some() {
        assert_eq!(body["support_code"], support_code);
    }
    Refused {
        status: response.status,
        error: body["error"].as_str().unwrap().to_owned(),
        description: description.to_owned(),
        support_code: support_code.to_owned(),
        reason,
    }
}

/// An error's sentence and its support code, which stands in the log.
pub fn support_code_of(text: &str) -> (&str, &str) {
    let (description, rest) = text.split_once(" (support code ").unwrap();
    let support_code = rest.strip_suffix(')').unwrap();
    assert_stands_in_the_log(support_code);
    (description, support_code)
}

pub fn assert_stands_in_the_log(support_code: &str) {
    assert_eq!(support_code.len(), 9, "{support_code}");
    assert_eq!(logs::lines_of(support_code).len(), 1, "{support_code}");
}

/// Reads an error and holds it against status and code.
pub fn assert_refused(response: &HttpResponse, status: u16, error: &str) -> Refused {
    let refused = refused(response);
    assert_eq!(refused.code(), (status, error), "{}", refused.description);
    refused
}

/// Reads an error of the authenticator API and holds it against its reason.
pub fn assert_reason(response: &HttpResponse, reason: Reason) -> Refused {
    let refused = refused(response);
    assert_eq!(refused.reason, Some(reason), "{}", refused.description);
    refused
}

/// An HTML page with this status, and what holds for every page.
pub fn page(response: &HttpResponse, status: u16, language: &str) -> String {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert_never_kept(response);
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"));
    let text = response.text();
    assert!(text.contains(&format!("<html lang=\"{language}\">")));
    assert!(!text.contains("<script"));
    text
}

/// Where a browser or app is sent back to.
#[derive(Debug, Clone)]
pub struct Redirect(pub Url);

impl Redirect {
    pub fn parse(location: &str) -> Self {
        Self(Url::parse(location).unwrap())
    }

    /// From a 302 that nobody keeps.
    pub fn of(response: &HttpResponse) -> Self {
        assert_eq!(response.status, 302, "{}", response.text());
        assert_never_kept(response);
        Self::parse(response.location().unwrap())
    }

    /// The address without its query.
    pub fn base(&self) -> String {
        let mut url = self.0.clone();
        url.set_query(None);
        url.into()
    }

    pub fn value(&self, name: &str) -> Option<String> {
        let mut values = self.0.query_pairs().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "parameter {name} twice");
        value
    }

    /// The names of its parameters, in order.
    pub fn names(&self) -> Vec<String> {
        self.0.query_pairs().map(|(name, _)| name.into_owned()).collect()
    }

    pub fn code(&self) -> String {
        self.value("code").unwrap()
    }
}

/// The value of an attribute `name="…"` in the first element of a page that has `mark` in it before the attribute, with entities undone.
pub fn attribute(page: &str, mark: &str, name: &str) -> String {
    let from = page.find(mark).unwrap_or_else(|| panic!("no {mark} in {page}"));
    let tail = &page[from..];
    let start = tail.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
    let end = tail[start..].find('"').unwrap();
    unescape(&tail[start..start + end])
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
}
