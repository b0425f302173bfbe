//! The `claims` request parameter (OpenID Connect Core §5.5) as the gematik profile narrows it.
//!
//! Only `id_token` is read. `acr` and `amr` count only when essential; a claim about the person is essential or voluntary and carries no value.

use authenticator::{Acr, Amr};
use jose::json;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::scope::{Claim, ClaimSet};

/// Largest `claims` parameter read, in bytes.
pub const MAX_CLAIMS_BYTES: usize = 4096;
/// Deepest nesting read: object, `id_token`, claim, `values`, entry.
const MAX_CLAIMS_DEPTH: usize = 6;

/// What a relying party asks for through `claims`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ClaimsRequest {
    /// Claims without which the relying party cannot work. The person can only accept them together or abort.
    pub essential: ClaimSet,
    /// Claims the person may leave out one by one.
    pub voluntary: ClaimSet,
    /// Set when `acr` is essential: the weakest of the accepted levels.
    pub essential_acr: Option<Acr>,
    /// Set when `amr` is essential: the accepted methods.
    pub essential_amr: AmrSet,
}

/// A set of authentication methods; empty where the relying party has no essential wish.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct AmrSet(u8);

/// Every method a relying party may name, bit by bit.
const AMR_BITS: [Amr; 6] = [
    Amr::HealthCard,
    Amr::IdentityCard,
    Amr::Sso,
    Amr::GuestHealthCard,
    Amr::Other,
    Amr::WithConsent,
];

impl AmrSet {
    /// With one more method.
    #[must_use]
    pub fn with(self, amr: Amr) -> Self {
        let bit = AMR_BITS.iter().position(|known| *known == amr).unwrap_or_default();
        Self(self.0 | 1 << bit)
    }

    /// Whether the set has this method.
    pub fn contains(self, amr: Amr) -> bool {
        self.iter().any(|member| member == amr)
    }

    /// Whether there is no wish.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The methods.
    pub fn iter(self) -> impl Iterator<Item = Amr> {
        AMR_BITS
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 & 1 << bit != 0)
            .map(|(_, amr)| amr)
    }

    /// The set as bits, for the sealed login state.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// A set from bits; `None` when a bit means nothing.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits >> AMR_BITS.len() == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }
}

/// Why `claims` was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ClaimsError {
    /// Larger than [`MAX_CLAIMS_BYTES`].
    #[error("parameter 'claims' is larger than {MAX_CLAIMS_BYTES} bytes")]
    TooLarge,
    /// Not one JSON object, or with duplicate members, or nested too deeply.
    #[error("parameter 'claims' is not a JSON object with unique members (OpenID Connect Core section 5.5)")]
    NotJson,
    /// The member `id_token` is missing or not an object.
    #[error("parameter 'claims': member 'id_token' is missing or not an object; no other member is used")]
    IdTokenMissing,
    /// A claim name the profile does not know.
    #[error(
        "parameter 'claims': a claim in 'id_token' is not supported; expected acr, amr, birthdate or one of urn:telematik:claims:* (A_22989-01)"
    )]
    UnknownClaim,
    /// A claim request that is neither null nor an object, or `essential` not boolean.
    #[error("parameter 'claims': '{0}' must be null or an object with a boolean 'essential'")]
    Shape(&'static str),
    /// `value` or `values` for a claim about the person.
    #[error("parameter 'claims': '{0}' must not be requested with 'value' or 'values'")]
    ValueNotAllowed(&'static str),
    /// Essential `acr` with no known value.
    #[error(
        "parameter 'claims': essential 'acr' must name gematik-ehealth-loa-high or gematik-ehealth-loa-substantial in 'value' or 'values'"
    )]
    UnknownAcr,
    /// Essential `amr` with an unknown value.
    #[error(
        "parameter 'claims': essential 'amr' must name known methods (urn:telematik:auth:eGK, eID, sso, guest:eGK, other, mEW) in 'value' or 'values'"
    )]
    UnknownAmr,
    /// Essential `acr` and essential `amr` exclude each other.
    #[error("parameter 'claims': none of the essential 'amr' methods can reach the essential 'acr'")]
    Contradiction,
}

impl ClaimsRequest {
    /// Reads the parameter.
    ///
    /// # Errors
    /// [`ClaimsError`] names the member and what was expected.
    pub fn parse(text: &str) -> Result<Self, ClaimsError> {
        if text.len() > MAX_CLAIMS_BYTES {
            return Err(ClaimsError::TooLarge);
        }
        let limits = json::Limits {
            bytes: MAX_CLAIMS_BYTES,
            depth: MAX_CLAIMS_DEPTH,
        };
        let value = json::parse(text.as_bytes(), &limits).map_err(|_| ClaimsError::NotJson)?;
        let Value::Object(members) = value else {
            return Err(ClaimsError::NotJson);
        };
        let Some(Value::Object(id_token)) = members.get("id_token") else {
            return Err(ClaimsError::IdTokenMissing);
        };
        let mut request = Self::default();
        for (name, wish) in id_token {
            match name.as_str() {
                "acr" => request.read_acr(wish)?,
                "amr" => request.read_amr(wish)?,
                name => {
                    let claim = Claim::parse(name).ok_or(ClaimsError::UnknownClaim)?;
                    request.read_claim(claim, wish)?;
                }
            }
        }
        request.check_consistent()?;
        Ok(request)
    }

    fn read_claim(&mut self, claim: Claim, wish: &Value) -> Result<(), ClaimsError> {
        let wish = Wish::parse(claim.as_str(), wish)?;
        if wish.values.is_some() {
            return Err(ClaimsError::ValueNotAllowed(claim.as_str()));
        }
        if wish.essential {
            self.essential = self.essential.with(claim);
        } else {
            self.voluntary = self.voluntary.with(claim);
        }
        Ok(())
    }

    /// An essential `acr` accepts any of its values; the weakest of them is the floor.
    fn read_acr(&mut self, wish: &Value) -> Result<(), ClaimsError> {
        let wish = Wish::parse("acr", wish)?;
        if !wish.essential {
            return Ok(());
        }
        let values = wish.strings().ok_or(ClaimsError::UnknownAcr)?;
        let mut floor = None;
        for value in values {
            let acr = Acr::parse(value).ok_or(ClaimsError::UnknownAcr)?;
            floor = match (floor, acr) {
                (None | Some(Acr::High), acr) => Some(acr),
                (Some(Acr::Substantial), _) => Some(Acr::Substantial),
            };
        }
        self.essential_acr = Some(floor.ok_or(ClaimsError::UnknownAcr)?);
        Ok(())
    }

    fn read_amr(&mut self, wish: &Value) -> Result<(), ClaimsError> {
        let wish = Wish::parse("amr", wish)?;
        if !wish.essential {
            return Ok(());
        }
        for value in wish.strings().ok_or(ClaimsError::UnknownAmr)? {
            let amr = Amr::parse(value).ok_or(ClaimsError::UnknownAmr)?;
            self.essential_amr = self.essential_amr.with(amr);
        }
        if self.essential_amr.is_empty() {
            return Err(ClaimsError::UnknownAmr);
        }
        Ok(())
    }

    /// `mEW` reaches only the substantial level (gematik digest 8.2).
    fn check_consistent(&self) -> Result<(), ClaimsError> {
        let only_substantial =
            !self.essential_amr.is_empty() && self.essential_amr.iter().all(|amr| amr == Amr::WithConsent);
        if self.essential_acr == Some(Acr::High) && only_substantial {
            return Err(ClaimsError::Contradiction);
        }
        Ok(())
    }
}

/// One claim's request: `null`, or an object with `essential`, `value`, `values`.
struct Wish<'a> {
    essential: bool,
    values: Option<Vec<&'a Value>>,
}

impl<'a> Wish<'a> {
    fn parse(name: &'static str, wish: &'a Value) -> Result<Self, ClaimsError> {
        let members: &Map<String, Value> = match wish {
            Value::Null => {
                return Ok(Self {
                    essential: false,
                    values: None,
                });
            }
            Value::Object(members) => members,
            _ => return Err(ClaimsError::Shape(name)),
        };
        let essential = match members.get("essential") {
            None => false,
            Some(Value::Bool(essential)) => *essential,
            Some(_) => return Err(ClaimsError::Shape(name)),
        };
        let values = match (members.get("value"), members.get("values")) {
            (None, None) => None,
            (Some(value), None) => Some(vec![value]),
            (None, Some(Value::Array(values))) => Some(values.iter().collect()),
            _ => return Err(ClaimsError::Shape(name)),
        };
        Ok(Self { essential, values })
    }

    fn strings(&self) -> Option<Vec<&'a str>> {
        self.values.as_ref()?.iter().map(|value| value.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn essential_and_voluntary_claims_are_told_apart() {
        let request = ClaimsRequest::parse(
            r#"{"id_token":{"urn:telematik:claims:id":{"essential":true},"urn:telematik:claims:email":null,
                "birthdate":{"essential":false},"urn:telematik:claims:alter":{}}}"#,
        )
        .unwrap();
        assert_eq!(request.essential, ClaimSet::EMPTY.with(Claim::HealthInsuranceNumber));
        assert_eq!(
            request.voluntary,
            ClaimSet::EMPTY
                .with(Claim::Email)
                .with(Claim::BirthDate)
                .with(Claim::Age)
        );
    }

    #[test]
    fn acr_and_amr_count_only_when_essential() {
        let request =
            ClaimsRequest::parse(r#"{"id_token":{"acr":{"value":"urn:unknown"},"amr":{"values":["nonsense"]}}}"#)
                .unwrap();
        assert_eq!(request, ClaimsRequest::default());
        let guest = ClaimsRequest::parse(
            r#"{"id_token":{"acr":{"essential":true,"value":"gematik-ehealth-loa-high"},
                "amr":{"essential":true,"values":["urn:telematik:auth:guest:eGK"]}}}"#,
        )
        .unwrap();
        assert_eq!(guest.essential_acr, Some(Acr::High));
        assert!(guest.essential_amr.contains(Amr::GuestHealthCard));
        assert!(!guest.essential_amr.contains(Amr::HealthCard));
    }

    #[test]
    fn the_floor_of_an_essential_acr_is_its_weakest_value() {
        for values in [
            r#"["gematik-ehealth-loa-high","gematik-ehealth-loa-substantial"]"#,
            r#"["gematik-ehealth-loa-substantial","gematik-ehealth-loa-high"]"#,
        ] {
            let request = ClaimsRequest::parse(&format!(
                r#"{{"id_token":{{"acr":{{"essential":true,"values":{values}}}}}}}"#
            ))
            .unwrap();
            assert_eq!(request.essential_acr, Some(Acr::Substantial));
        }
    }

    #[test]
    fn broken_requests_are_refused_by_name() {
        let deep = format!(
            "{{\"id_token\":{{\"birthdate\":{}1{}}}}}",
            "[".repeat(20),
            "]".repeat(20)
        );
        let large = format!("{{\"id_token\":{{}},\"x\":\"{}\"}}", "a".repeat(MAX_CLAIMS_BYTES));
        let cases: [(&str, ClaimsError); 19] = [
            ("", ClaimsError::NotJson),
            ("[]", ClaimsError::NotJson),
            ("{\"id_token\":{}} x", ClaimsError::NotJson),
            ("{\"id_token\":{},\"id_token\":{}}", ClaimsError::NotJson),
            (&deep, ClaimsError::NotJson),
            (&large, ClaimsError::TooLarge),
            ("{}", ClaimsError::IdTokenMissing),
            ("{\"userinfo\":{}}", ClaimsError::IdTokenMissing),
            ("{\"id_token\":[]}", ClaimsError::IdTokenMissing),
            ("{\"id_token\":{\"name\":null}}", ClaimsError::UnknownClaim),
            ("{\"id_token\":{\"birthdate\":true}}", ClaimsError::Shape("birthdate")),
            (
                "{\"id_token\":{\"birthdate\":{\"essential\":\"yes\"}}}",
                ClaimsError::Shape("birthdate"),
            ),
            (
                "{\"id_token\":{\"birthdate\":{\"value\":\"1984-02-29\"}}}",
                ClaimsError::ValueNotAllowed("birthdate"),
            ),
            ("{\"id_token\":{\"acr\":{\"essential\":true}}}", ClaimsError::UnknownAcr),
            (
                "{\"id_token\":{\"acr\":{\"essential\":true,\"values\":[]}}}",
                ClaimsError::UnknownAcr,
            ),
            (
                "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"low\"}}}",
                ClaimsError::UnknownAcr,
            ),
            (
                "{\"id_token\":{\"amr\":{\"essential\":true,\"value\":\"urn:telematik:auth:nPA\"}}}",
                ClaimsError::UnknownAmr,
            ),
            (
                "{\"id_token\":{\"amr\":{\"essential\":true,\"value\":7}}}",
                ClaimsError::UnknownAmr,
            ),
            (
                "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"gematik-ehealth-loa-high\"},\"amr\":{\"essential\":true,\"value\":\"urn:telematik:auth:mEW\"}}}",
                ClaimsError::Contradiction,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                ClaimsRequest::parse(text),
                Err(expected),
                "{}",
                &text[..text.len().min(80)]
            );
        }
    }
}
