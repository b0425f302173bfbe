//! The list of identity providers a Federation Master publishes (gematik AF_10100-01, A_22609).
//!
//! A JWS, typ `idp-list+jwt`, with `iss`, `iat`, `exp` and `idp_entity`: what a service shows for the user to choose.

use jose::json::{self, JsonError, Limits};
use jose::jwk::{JwkSet, KeyUse};
use jose::jws::{self, Algorithm, JwsError, SigningHeader, UnverifiedJws};
use jose::{SignError, Signer, UnixTime};
use serde::Serialize;
use serde_json::{Value, json};

use crate::entity::{EntityId, Schemes};
use crate::members::{self, MemberError, Members};
use crate::statement::{LEEWAY_SECONDS, kids};

/// The `typ` of the list.
pub const TYPE: &str = "idp-list+jwt";
/// The media type the list is served with.
pub const MEDIA_TYPE: &str = "application/jwt;charset=UTF-8";
/// How long a list lives, in seconds: one day.
pub const LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// `user_type_supported` of an identity provider for insured persons.
pub const INSURED_PERSON: &str = "IP";
/// Most entries of a list.
pub const MAX_ENTRIES: usize = 5_000;
/// What a list may cost: two thousand insurers fit.
pub const LIMITS: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    depth: 8,
};

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdpListError {
    /// Not a JWS we accept.
    #[error("IDP list: {0}")]
    Jws(#[from] JwsError),
    /// The payload is not the JSON we accept.
    #[error("IDP list payload: {0}")]
    Json(#[from] JsonError),
    /// A member is missing or has the wrong form.
    #[error("IDP list: {0}")]
    Member(#[from] MemberError),
    /// Signed for another algorithm.
    #[error("header member alg must be ES256")]
    Algorithm,
    /// `typ` is something else.
    #[error("header member typ must be {TYPE}")]
    Type,
    /// `kid` names none of the Federation Master's keys.
    #[error("header member kid names no key of the Federation Master, expected {known}")]
    UnknownKey {
        /// The identifiers that would have been accepted.
        known: String,
    },
    /// The signature does not verify.
    #[error("signature of the IDP list does not verify with the Federation Master's key {kid:?}")]
    Signature {
        /// The key that was tried.
        kid: String,
    },
    /// `iss` is not the Federation Master.
    #[error("claim iss of the IDP list must be {expected}")]
    Issuer {
        /// The Federation Master.
        expected: EntityId,
    },
    /// `iat` is in the future.
    #[error("claim iat of the IDP list is {ahead_seconds} s in the future")]
    IssuedInFuture {
        /// How far.
        ahead_seconds: u64,
    },
    /// `exp` has passed.
    #[error("claim exp of the IDP list passed {ago_seconds} s ago")]
    Expired {
        /// How long ago.
        ago_seconds: u64,
    },
    /// More than [`MAX_ENTRIES`].
    #[error("member idp_entity must have at most {MAX_ENTRIES} entries")]
    TooManyEntries,
}

/// One identity provider in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdpEntry {
    /// `iss`: the issuer.
    pub iss: EntityId,
    /// `organization_name`: the name to show.
    pub organization_name: String,
    /// `logo_uri`: the logo to show.
    pub logo_uri: String,
    /// `user_type_supported`: `IP`, `HP` or `HCI`; a string here, an array in the entity statement.
    pub user_type_supported: String,
    /// `pkv`: a private insurer.
    pub pkv: bool,
}

/// A well-formed list that nobody has verified.
#[derive(Clone)]
pub struct UnverifiedIdpList {
    jws: UnverifiedJws,
    kid: String,
    claims: Members,
}

/// A list that a Federation Master has signed. Nothing else constructs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedIdpList {
    iat: UnixTime,
    exp: UnixTime,
    entries: Vec<IdpEntry>,
    skipped: usize,
}

/// Signs a list: `iss`, `iat`, `exp`, `idp_entity`.
///
/// # Errors
/// [`SignError`] of the key.
pub fn issue(
    iss: &EntityId,
    iat: UnixTime,
    exp: UnixTime,
    entries: &[IdpEntry],
    signer: &dyn Signer,
) -> Result<String, SignError> {
    let claims = json!({"iss": iss, "iat": iat, "exp": exp, "idp_entity": entries});
    let header = SigningHeader {
        typ: Some(TYPE),
        ..SigningHeader::default()
    };
    jws::sign(&header, claims.to_string().as_bytes(), signer)
}

/// Parses a compact list; the signature is not looked at.
///
/// # Errors
/// [`IdpListError`], by rule.
pub fn parse(compact: &str) -> Result<UnverifiedIdpList, IdpListError> {
    let jws = jws::parse(compact, &LIMITS)?;
    let header = jws.header();
    if header.alg != Algorithm::Es256 {
        return Err(IdpListError::Algorithm);
    }
    if header.typ.as_deref() != Some(TYPE) {
        return Err(IdpListError::Type);
    }
    let kid = header.kid.clone().unwrap_or_default();
    let Value::Object(claims) = json::parse(jws.unverified_payload(), &LIMITS)? else {
        return Err(MemberError::Missing { member: "idp_entity" }.into());
    };
    Ok(UnverifiedIdpList { jws, kid, claims })
}

impl UnverifiedIdpList {
    /// Verifies with the Federation Master's keys. Entries that lack a usable issuer, name or logo are left out and
    /// counted: one bad entry must not take all identity providers away.
    ///
    /// # Errors
    /// [`IdpListError`], by rule.
    pub fn verify(
        &self,
        federation_master: &EntityId,
        keys: &JwkSet,
        now: UnixTime,
    ) -> Result<VerifiedIdpList, IdpListError> {
        if members::text(&self.claims, "iss")? != federation_master.as_str() {
            return Err(IdpListError::Issuer {
                expected: federation_master.clone(),
            });
        }
        let iat = members::time(&self.claims, "iat")?;
        let exp = members::time(&self.claims, "exp")?;
        if iat > now.plus_seconds(LEEWAY_SECONDS) {
            return Err(IdpListError::IssuedInFuture {
                ahead_seconds: iat.seconds_since(now),
            });
        }
        if exp <= now {
            return Err(IdpListError::Expired {
                ago_seconds: now.seconds_since(exp),
            });
        }
        let key = keys
            .by_kid_for(&self.kid, KeyUse::Signature)
            .ok_or_else(|| IdpListError::UnknownKey { known: kids(keys) })?;
        match self.jws.verify(&key.key) {
            Ok(_) => {}
            Err(JwsError::NotVerified) => return Err(IdpListError::Signature { kid: self.kid.clone() }),
            Err(error) => return Err(error.into()),
        }
        let entries = self.entries()?;
        let read: Vec<IdpEntry> = entries.iter().filter_map(IdpEntry::read).collect();
        Ok(VerifiedIdpList {
            iat,
            exp,
            skipped: entries.len() - read.len(),
            entries: read,
        })
    }

    fn entries(&self) -> Result<&[Value], IdpListError> {
        match self.claims.get("idp_entity") {
            None => Err(MemberError::Missing { member: "idp_entity" }.into()),
            Some(Value::Array(entries)) if entries.len() > MAX_ENTRIES => Err(IdpListError::TooManyEntries),
            Some(Value::Array(entries)) => Ok(entries),
            Some(_) => Err(MemberError::Type {
                member: "idp_entity",
                expected: "an array of objects",
            }
            .into()),
        }
    }
}

impl VerifiedIdpList {
    /// `iat`
    pub fn iat(&self) -> UnixTime {
        self.iat
    }

    /// `exp`
    pub fn exp(&self) -> UnixTime {
        self.exp
    }

    /// The identity providers, in the list's order.
    pub fn entries(&self) -> &[IdpEntry] {
        &self.entries
    }

    /// How many entries were left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }
}

impl IdpEntry {
    fn read(entry: &Value) -> Option<Self> {
        let members = entry.as_object()?;
        let iss = members::text(members, "iss").ok()?;
        Some(Self {
            iss: EntityId::parse(&iss, Schemes::HttpsOnly).ok()?,
            organization_name: members::text(members, "organization_name").ok()?,
            logo_uri: members::text(members, "logo_uri").ok()?,
            user_type_supported: members::text(members, "user_type_supported").ok()?,
            pkv: members::optional_flag(members, "pkv").ok()?.unwrap_or(false),
        })
    }
}

impl std::fmt::Debug for UnverifiedIdpList {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("UnverifiedIdpList")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixtures::{self, NOW};

    fn entry(iss: &str) -> IdpEntry {
        IdpEntry {
            iss: fixtures::id(iss),
            organization_name: "Musterkasse".into(),
            logo_uri: "https://idp.example/logo.svg".into(),
            user_type_supported: INSURED_PERSON.into(),
            pkv: false,
        }
    }

    fn verify(compact: &str) -> Result<VerifiedIdpList, IdpListError> {
        let keys = JwkSet::new(vec![fixtures::key("fm").jwk(KeyUse::Signature)]);
        parse(compact)?.verify(&fixtures::id("https://fm.example"), &keys, NOW)
    }

    fn claims() -> Value {
        json!({"iss": "https://fm.example", "iat": NOW.0, "exp": NOW.0 + LIFETIME_SECONDS,
            "idp_entity": [entry("https://idp.example")]})
    }

    #[test]
    fn our_list_has_exactly_the_expected_shape_and_verifies() {
        let entries = [entry("https://idp.example"), entry("https://idp.example/2")];
        let exp = NOW.plus_seconds(LIFETIME_SECONDS);
        let compact = issue(
            &fixtures::id("https://fm.example"),
            NOW,
            exp,
            &entries,
            &fixtures::key("fm"),
        )
        .unwrap();
        let (header, body) = fixtures::decode(&compact);
        assert_eq!(header, json!({"alg": "ES256", "kid": "fm", "typ": "idp-list+jwt"}));
        assert_eq!(fixtures::names(&body), ["exp", "iat", "idp_entity", "iss"]);
        assert_eq!(
            fixtures::names(&body["idp_entity"][0]),
            ["iss", "logo_uri", "organization_name", "pkv", "user_type_supported"]
        );
        let list = verify(&compact).unwrap();
        assert_eq!(
            (list.entries(), list.skipped(), list.exp()),
            (entries.as_slice(), 0, exp)
        );
    }

    #[test]
    fn unusable_entries_are_left_out_and_counted() {
        let mut claims = claims();
        claims["idp_entity"] = json!([{}, 1, {"iss": "https://a.example/"}, entry("https://idp.example")]);
        let list = verify(&fixtures::sign(&fixtures::key("fm"), Some(TYPE), &claims)).unwrap();
        assert_eq!((list.entries().len(), list.skipped()), (1, 3));
    }

    #[test]
    fn defective_lists_are_refused() {
        let with = |claim: &str, value: Value| {
            let mut claims = claims();
            claims[claim] = value;
            fixtures::sign(&fixtures::key("fm"), Some(TYPE), &claims)
        };
        let cases = [
            (fixtures::sign(&fixtures::key("fm"), None, &claims()), "typ"),
            (
                fixtures::sign(&fixtures::key("fm"), Some("entity-statement+jwt"), &claims()),
                "typ",
            ),
            (fixtures::sign(&fixtures::key("other"), Some(TYPE), &claims()), "kid"),
            (
                fixtures::sign(&fixtures::key_of(9, "fm"), Some(TYPE), &claims()),
                "signature",
            ),
            (with("iss", json!("https://other.example")), "iss"),
            (with("iat", json!(NOW.0 + LEEWAY_SECONDS + 1)), "iat"),
            (with("exp", json!(NOW.0)), "exp"),
            (with("exp", json!(null)), "exp"),
            (with("idp_entity", json!({})), "idp_entity"),
            (
                fixtures::sign(&fixtures::key("fm"), Some(TYPE), &json!([])),
                "idp_entity",
            ),
        ];
        for (compact, named) in cases {
            let error = verify(&compact).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
