//! How the Federation Master says no (gematik: errors of the Federation Master, A_22595 to A_22600).

use http::{HeaderValue, Response, StatusCode, header};
use jose::UnixTime;
use serde::Serialize;

/// What was asked for, as the error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A statement about a participant: `FETCH`.
    Fetch,
    /// The list of participants: `LIST`.
    List,
    /// The list of identity providers: `LIST_IDPS`.
    ListIdps,
    /// The master's own statement: `ENTITY_STATEMENT`.
    OwnStatement,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "FETCH",
            Self::List => "LIST",
            Self::ListIdps => "LIST_IDPS",
            Self::OwnStatement => "ENTITY_STATEMENT",
        }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FederationRefusal {
    /// 6000: `iss` is another entity.
    #[error("parameter iss is not the Federation Master")]
    IssuerNotMaster,
    /// 6001: `iss` is no entity identifier.
    #[error("parameter iss is not an entity identifier")]
    IssuerMalformed,
    /// 6010: `sub` is no entity identifier.
    #[error("parameter sub is not an entity identifier")]
    SubjectMalformed,
    /// 6011: `sub` is nobody the master issues statements about.
    #[error("parameter sub is not a participant")]
    SubjectUnknown,
    /// 6020: `aud` is no entity identifier, or of nobody the master knows.
    #[error("parameter aud is not an entity identifier of a participant")]
    AudienceRefused,
    /// -1: a parameter is missing.
    #[error("parameter {0} is missing")]
    ParameterMissing(&'static str),
    /// -1: a parameter that this master does not support (OpenID Federation 1.0 §8.2.1).
    #[error("parameter {0} is not supported")]
    ParameterUnsupported(&'static str),
    /// -1: the master could not sign.
    #[error("the signing key did not sign")]
    SigningFailed,
}

impl FederationRefusal {
    /// `gematik_code`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::IssuerNotMaster => "6000",
            Self::IssuerMalformed => "6001",
            Self::SubjectMalformed => "6010",
            Self::SubjectUnknown => "6011",
            Self::AudienceRefused => "6020",
            Self::ParameterMissing(_) | Self::ParameterUnsupported(_) | Self::SigningFailed => "-1",
        }
    }

    /// HTTP status. An unknown `sub` is 404, as in production.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::SubjectUnknown => StatusCode::NOT_FOUND,
            Self::SigningFailed => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// `error`.
    pub const fn error(self) -> &'static str {
        match self {
            Self::ParameterUnsupported(_) => "unsupported_parameter",
            Self::SigningFailed => "server_error",
            _ => "invalid_request",
        }
    }

    /// `error_description`, in German as the Federation Master's clients know it.
    pub fn description(self) -> String {
        match self {
            Self::IssuerNotMaster => {
                "Issuer entspricht nicht dem Entity Identifier des Federation Masters (Parameter iss)".to_owned()
            }
            Self::IssuerMalformed => {
                "Issuer ist kein gültiger Entity Identifier: https-URL ohne Query und Fragment erwartet (Parameter iss)"
                    .to_owned()
            }
            Self::SubjectMalformed => {
                "Subject ist kein gültiger Entity Identifier: https-URL ohne Query und Fragment erwartet (Parameter sub)"
                    .to_owned()
            }
            Self::SubjectUnknown => "Subject ist dem Federation Master nicht bekannt (Parameter sub)".to_owned(),
            Self::AudienceRefused => {
                "Audience ist kein Entity Identifier eines registrierten Teilnehmers (Parameter aud)".to_owned()
            }
            Self::ParameterMissing(parameter) => format!("Parameter {parameter} fehlt"),
            Self::ParameterUnsupported(parameter) => format!("Parameter {parameter} wird nicht unterstützt"),
            Self::SigningFailed => "Interner Fehler: Signatur nicht möglich".to_owned(),
        }
    }

    /// The answer on the wire. `uuid` stands in the log too, so that a caller's error can be found there.
    pub(crate) fn response(self, operation: Operation, now: UnixTime, uuid: &str) -> Response<String> {
        #[derive(Serialize)]
        struct Body<'a> {
            operation: &'a str,
            error: &'a str,
            error_description: &'a str,
            gematik_timestamp: UnixTime,
            gematik_uuid: &'a str,
            gematik_code: &'a str,
        }
        let body = Body {
            operation: operation.as_str(),
            error: self.error(),
            error_description: &self.description(),
            gematik_timestamp: now,
            gematik_uuid: uuid,
            gematik_code: self.code(),
        };
        // Strings and a number: serialising cannot fail.
        let mut response = Response::new(serde_json::to_string(&body).unwrap_or_default());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// A random UUID, version 4 (RFC 9562 §5.4).
pub(crate) fn new_uuid() -> String {
    let mut bytes = [0u8; 16];
    #[expect(
        clippy::disallowed_methods,
        reason = "the federation master has no vault; this only names one error message"
    )]
    let drawn = aws_lc_rs::rand::fill(&mut bytes);
    if drawn.is_err() {
        // The nil UUID (RFC 9562 §5.9): an error answer matters more than its name.
        return "00000000-0000-0000-0000-000000000000".to_owned();
    }
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76) | (4 << 76)) & !(0b11 << 62) | (0b10 << 62);
    let hex = format!("{number:032x}");
    let part = |range| hex.get(range).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn uuids_have_version_and_variant_and_differ() {
        let one = new_uuid();
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]));
        assert_ne!(one, new_uuid());
    }
}
