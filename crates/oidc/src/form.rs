//! `application/x-www-form-urlencoded` bodies and query strings, read strictly.
//!
//! Trusted for: every parameter appears at most once (RFC 6749 §3.1), every value is UTF-8, and nothing is larger than its
//! limit. Does not know what any parameter means.

use thiserror::Error;

/// Largest form body or query string read, in bytes. A pushed request with a long `claims` parameter stays below 4 KiB.
pub const MAX_FORM_BYTES: usize = 16 * 1024;
/// Most parameters in one request.
pub const MAX_PARAMETERS: usize = 64;
/// Longest parameter name shown back in an error.
const MAX_NAME_SHOWN: usize = 40;

/// Why a form was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FormError {
    /// The body or query exceeds [`MAX_FORM_BYTES`].
    #[error("the request parameters are larger than {MAX_FORM_BYTES} bytes")]
    TooLarge,
    /// More than [`MAX_PARAMETERS`] parameters.
    #[error("more than {MAX_PARAMETERS} request parameters")]
    TooMany,
    /// A percent sign without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the request parameters are not valid application/x-www-form-urlencoded UTF-8")]
    Encoding,
    /// RFC 6749 §3.1: parameters must not be included more than once.
    #[error("parameter '{0}' is included more than once (RFC 6749 section 3.1)")]
    Duplicate(String),
}

/// Parameters of one request, each at most once, in the order they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    parameters: Vec<(String, String)>,
}

impl Form {
    /// Reads a form body or a query string (without `?`).
    ///
    /// # Errors
    /// [`FormError`] names the rule that was broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > MAX_FORM_BYTES {
            return Err(FormError::TooLarge);
        }
        let mut parameters: Vec<(String, String)> = Vec::with_capacity(12);
        for pair in bytes.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &pair[..0]),
            };
            let name = decode(name)?;
            if parameters.iter().any(|(seen, _)| *seen == name) {
                return Err(FormError::Duplicate(shown(&name)));
            }
            parameters.push((name, decode(value)?));
        }
        Ok(Self { parameters })
    }

    /// The value of a parameter, if it is there. RFC 6749 §3.1: a parameter sent without a value is treated as omitted.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(seen, _)| seen == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All values of parameters whose name is `name` followed by anything, for check boxes of our own pages (`release.<name>`).
    pub fn names_with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters
            .iter()
            .filter_map(move |(name, _)| name.strip_prefix(prefix))
    }
}

/// A parameter name made safe to show in an error: printable ASCII only, shortened.
fn shown(name: &str) -> String {
    name.chars()
        .take(MAX_NAME_SHOWN)
        .map(|c| {
            if c.is_ascii_graphic() && c != '\'' && c != '"' && c != '\\' {
                c
            } else {
                '?'
            }
        })
        .collect()
}

/// What needs no decoding is copied in runs.
fn decode(bytes: &[u8]) -> Result<String, FormError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'+' | b'%')) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = match special {
            [b'%', high, low, behind @ ..] => {
                let (high, low) = (hex(*high), hex(*low));
                out.push(high.ok_or(FormError::Encoding)? << 4 | low.ok_or(FormError::Encoding)?);
                behind
            }
            [b'+', behind @ ..] => {
                out.push(b' ');
                behind
            }
            _ => return Err(FormError::Encoding),
        };
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).map_err(|_| FormError::Encoding)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let form = Form::parse(b"scope=openid+urn%3Atelematik%3Aalter&state=a%2520b").unwrap();
        assert_eq!(form.value("scope"), Some("openid urn:telematik:alter"));
        assert_eq!(form.value("state"), Some("a%20b"));
    }

    #[test]
    fn a_parameter_without_value_counts_as_omitted() {
        let form = Form::parse(b"state=&nonce&prompt=login&&").unwrap();
        assert_eq!(form.value("state"), None);
        assert_eq!(form.value("nonce"), None);
        assert_eq!(form.value("prompt"), Some("login"));
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_when_written_differently_or_empty() {
        for body in ["state=a&state=b", "state=a&st%61te=b", "state=&state="] {
            assert_eq!(
                Form::parse(body.as_bytes()),
                Err(FormError::Duplicate("state".into())),
                "{body}"
            );
        }
    }

    #[test]
    fn broken_encodings_are_refused() {
        for body in [&b"a=%"[..], b"a=%4", b"a=%zz", b"%=a", b"a=%ff%fe", b"\xff=a"] {
            assert_eq!(Form::parse(body), Err(FormError::Encoding), "{body:?}");
        }
    }

    #[test]
    fn sizes_are_limited() {
        assert_eq!(Form::parse(&vec![b'a'; MAX_FORM_BYTES + 1]), Err(FormError::TooLarge));
        let many: Vec<String> = (0..=MAX_PARAMETERS).map(|n| format!("p{n}=1")).collect();
        assert_eq!(Form::parse(many.join("&").as_bytes()), Err(FormError::TooMany));
    }

    #[test]
    fn an_error_never_echoes_control_characters() {
        let error = Form::parse(b"%0d%0a%22=1&%0d%0a%22=1").unwrap_err();
        assert_eq!(error, FormError::Duplicate("???".into()));
    }
}
