//! A provider's error in its own words (RFC 6749 §4.1.2.1, §5.2), made safe to show and to log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest `error` kept, in characters.
pub const MAX_ERROR_CHARACTERS: usize = 64;
/// Longest `error_description` kept, in characters.
pub const MAX_DESCRIPTION_CHARACTERS: usize = 500;

/// What the provider said when it refused. Texts are shortened and hold printable characters only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderRefusal {
    /// `error`, such as `access_denied`; `unknown` where the provider named none.
    pub error: String,
    /// `error_description`
    pub error_description: Option<String>,
    /// The support code in the description, if there is one.
    pub support_code: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Option<String>,
    // One live provider writes camelCase (gematik digest 4.5).
    #[serde(alias = "errorDescription")]
    error_description: Option<String>,
}

impl ProviderRefusal {
    /// From the two parameters or members.
    pub fn new(error: &str, error_description: Option<&str>) -> Self {
        let error = printable(error, MAX_ERROR_CHARACTERS);
        let error_description = error_description
            .map(|text| printable(text, MAX_DESCRIPTION_CHARACTERS))
            .filter(|text| !text.is_empty());
        Self {
            error: if error.is_empty() { "unknown".into() } else { error },
            support_code: error_description.as_deref().and_then(support_code),
            error_description,
        }
    }

    /// From the body of an error answer; a body that is not the JSON of RFC 6749 §5.2 gives `unknown`.
    pub fn from_body(body: &[u8]) -> Self {
        match jose::json::parse_as::<ErrorBody>(body, &jose::json::DEFAULT) {
            Ok(body) => Self::new(
                body.error.as_deref().unwrap_or_default(),
                body.error_description.as_deref(),
            ),
            Err(_) => Self::new("", None),
        }
    }
}

impl fmt::Display for ProviderRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.error)?;
        match &self.error_description {
            Some(description) => write!(formatter, ": {description}"),
            None => Ok(()),
        }
    }
}

fn printable(text: &str, limit: usize) -> String {
    let is_shown = |c: &char| {
        !c.is_control() && !matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .filter(is_shown)
        .take(limit)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// `… (support code XXXX-XXXX)`: eight letters or digits with a hyphen in the middle.
fn support_code(description: &str) -> Option<String> {
    let (_, rest) = description.rsplit_once("support code ")?;
    let code = rest.get(..9)?;
    let shaped = code.bytes().enumerate().all(|(at, byte)| {
        if at == 4 {
            byte == b'-'
        } else {
            byte.is_ascii_alphanumeric()
        }
    });
    shaped.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_support_code_is_found_in_the_description() {
        let refusal = ProviderRefusal::from_body(
            br#"{"error":"invalid_request","error_description":"parameter 'state' is missing (support code AB12-CD34)"}"#,
        );
        assert_eq!(refusal.error, "invalid_request");
        assert_eq!(refusal.support_code.as_deref(), Some("AB12-CD34"));
        for description in [
            "none",
            "support code ",
            "support code AB12CD34x",
            "support code ÄÖÜ-ABCD",
        ] {
            assert_eq!(
                ProviderRefusal::new("x", Some(description)).support_code,
                None,
                "{description}"
            );
        }
    }

    #[test]
    fn camel_case_descriptions_are_understood() {
        let refusal = ProviderRefusal::from_body(br#"{"error":"invalid_scope","errorDescription":"no"}"#);
        assert_eq!(refusal.to_string(), "invalid_scope: no");
    }

    #[test]
    fn bodies_that_are_no_error_object_are_unknown() {
        for body in [&b""[..], b"<html>", b"[]", b"{}", br#"{"error":7}"#, b"\xff"] {
            assert_eq!(ProviderRefusal::from_body(body).error, "unknown");
        }
    }

    #[test]
    fn texts_are_shortened_and_lose_what_cannot_be_seen() {
        let refusal = ProviderRefusal::new("a\r\nb\u{202e}c", Some(&"x".repeat(10_000)));
        assert_eq!(refusal.error, "abc");
        assert_eq!(
            refusal.error_description.map(|text| text.len()),
            Some(MAX_DESCRIPTION_CHARACTERS)
        );
    }
}
