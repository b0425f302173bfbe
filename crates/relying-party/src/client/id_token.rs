//! The ID token: opened, verified, compared with what was asked (gematik digest 6.8; A_23049).
//!
//! Trusted for: a [`VerifiedIdToken`] was encrypted to one of our keys, signed by a key of the provider's signed key set, is meant for us,
//! answers this login and no other, is in its time, and reaches the level asked for. Does not: check the token certificate against the TI's
//! trust list; the key is believed because the provider's federation key signed it, and that one because the Federation Master says so.

mod error;

use std::fmt;
use std::sync::Arc;

use authenticator::{Acr, Amr, IdTokenVersion};
use federation::EntityId;
use jose::json::{self, Limits};
use jose::jwe;
use jose::jwk::{Jwk, JwkSet, KeyUse};
use jose::jws::{self, Algorithm, JwsError, VerifiedPayload};
use jose::{KeyAgreement, UnixTime};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

pub use error::IdTokenError;

use super::certificate::{CertificateAccount, public_key_of};
use super::keys::KeyRing;
use super::login::{Asked, LevelRule, LoginSession};
use super::provider::TrustedProvider;

/// How far the provider's clock may differ from ours, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: u64 = 60;
/// Longest `sub`, in characters (OpenID Connect Core §2).
pub const MAX_SUBJECT_CHARACTERS: usize = 255;
/// What a token may cost.
pub const LIMITS: Limits = Limits {
    bytes: 32 * 1024,
    depth: 8,
};

/// Claim by which a version 2 token says that the person agreed to a lower level (A_27593).
const CONSENT_CLAIM: &str = "urn:telematik:auth:consent";
const CONSENTED_SUBSTANTIAL: &str = "loa-substantial";

/// An ID token that stood every check. Nothing else constructs it.
///
/// A service keeps what it needs of it and drops it (A_23050).
pub struct VerifiedIdToken {
    subject: String,
    acr: Acr,
    amr: Vec<String>,
    auth_time: Option<UnixTime>,
    issued_at: UnixTime,
    expires_at: UnixTime,
    version: IdTokenVersion,
    claims: Map<String, Value>,
    evidence: TokenEvidence,
}

/// How the token was believed, for [`crate::explain`].
pub(crate) struct TokenEvidence {
    pub(crate) encrypted: String,
    pub(crate) outer: jwe::Header,
    pub(crate) opened_with: Jwk,
    pub(crate) signed: VerifiedPayload,
    pub(crate) verified_with: Jwk,
    pub(crate) certificate: Option<CertificateAccount>,
    pub(crate) provider: Arc<TrustedProvider>,
    pub(crate) client_id: EntityId,
    pub(crate) asked: Asked,
    pub(crate) verified_at: UnixTime,
}

impl VerifiedIdToken {
    /// The provider.
    pub fn issuer(&self) -> &EntityId {
        self.evidence.provider.issuer()
    }

    /// `sub`: together with [`VerifiedIdToken::issuer`] the person's pseudonym at this service (A_23035).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The level reached.
    pub fn acr(&self) -> Acr {
        self.acr
    }

    /// `amr`: the methods, as the provider names them.
    pub fn amr(&self) -> &[String] {
        &self.amr
    }

    /// When the person authenticated, if the provider says so.
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }

    /// `iat`
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// `exp`
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The token's version; absent on the wire means 1.0.0.
    pub fn version(&self) -> IdTokenVersion {
        self.version
    }

    /// The whole body. Claims about the person that were not released are simply not there (A_23037).
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// One claim, if it was released and is a text.
    pub fn text_claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    pub(crate) fn evidence(&self) -> &TokenEvidence {
        &self.evidence
    }
}

impl fmt::Debug for VerifiedIdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerifiedIdToken")
    }
}

/// Opens and verifies a token, in the order of the layers.
pub(crate) fn verify(
    compact: &str,
    session: &LoginSession,
    client_id: &EntityId,
    keys: &KeyRing,
    provider: &Arc<TrustedProvider>,
    now: UnixTime,
) -> Result<VerifiedIdToken, IdTokenError> {
    let encrypted = jwe::parse(compact, &LIMITS)?;
    let outer = encrypted.header().clone();
    let recipient = outer.kid.as_deref().ok_or(IdTokenError::NoRecipient)?;
    let key = keys
        .decryption_key(recipient, now)
        .ok_or_else(|| IdTokenError::UnknownRecipient {
            known: keys.decryption_kids(now).join(", "),
        })?;
    if outer.cty.as_deref().is_some_and(|cty| !cty.eq_ignore_ascii_case("JWT")) {
        return Err(IdTokenError::ContentType);
    }
    let version = check_version(outer.version.as_deref(), provider)?;
    let plaintext = encrypted.decrypt(&*key as &dyn KeyAgreement)?;
    let inner = std::str::from_utf8(&plaintext).map_err(|_| IdTokenError::NotText)?;

    let (signed, verified_with) = verify_signature(inner, provider.token_keys())?;
    let certificate = check_certificate(&signed, &verified_with)?;

    let Value::Object(claims) = json::parse(signed.bytes(), &LIMITS)? else {
        return Err(IdTokenError::NotText);
    };
    check_issuer(&claims, provider.issuer())?;
    check_audience(&claims, client_id)?;
    let (issued_at, expires_at) = check_times(&claims, now)?;
    check_nonce(&claims, session.nonce())?;
    let subject = subject(&claims)?;
    let amr = methods(&claims)?;
    let acr = check_level(&claims, &amr, version, session.asked())?;
    let auth_time = check_age(&claims, session, now)?;
    Ok(VerifiedIdToken {
        subject,
        acr,
        amr,
        auth_time,
        issued_at,
        expires_at,
        version,
        claims,
        evidence: TokenEvidence {
            encrypted: compact.to_owned(),
            outer,
            opened_with: key.jwk(KeyUse::Encryption),
            signed,
            verified_with,
            certificate,
            provider: Arc::clone(provider),
            client_id: client_id.clone(),
            asked: session.asked().clone(),
            verified_at: now,
        },
    })
}

/// A_27505: absent means 1.0.0; 2.0.0 only from a provider that announces it.
fn check_version(version: Option<&str>, provider: &TrustedProvider) -> Result<IdTokenVersion, IdTokenError> {
    let Some(version) = version else {
        return Ok(IdTokenVersion::V1);
    };
    let version = IdTokenVersion::parse(version).ok_or(IdTokenError::UnknownVersion)?;
    let announced = &provider.metadata().id_token_versions;
    if version != IdTokenVersion::V1 && !announced.iter().any(|known| known == version.as_str()) {
        return Err(IdTokenError::VersionNotAnnounced(version));
    }
    Ok(version)
}

/// The key is chosen by `kid` among the provider's signed key set, never from the token.
fn verify_signature(inner: &str, token_keys: &JwkSet) -> Result<(VerifiedPayload, Jwk), IdTokenError> {
    let jws = jws::parse(inner, &LIMITS)?;
    if jws.header().alg != Algorithm::Es256 {
        return Err(IdTokenError::Algorithm);
    }
    let kid = jws.header().kid.clone().ok_or(IdTokenError::NoSigner)?;
    let key = token_keys
        .by_kid_for(&kid, KeyUse::Signature)
        .ok_or_else(|| IdTokenError::UnknownSigner {
            known: kids(token_keys),
        })?;
    match jws.verify(&key.key) {
        Ok(payload) => Ok((payload, key.clone())),
        Err(JwsError::NotVerified) => Err(IdTokenError::Signature { kid }),
        Err(error) => Err(error.into()),
    }
}

/// The certificate adds a name to the key; it may not add another key.
fn check_certificate(signed: &VerifiedPayload, key: &Jwk) -> Result<Option<CertificateAccount>, IdTokenError> {
    match signed.header().x5c.as_slice() {
        [] => Ok(None),
        [der] if public_key_of(der).is_some_and(|certified| certified == key.key) => {
            CertificateAccount::read(der).map(Some).ok_or(IdTokenError::Certificate)
        }
        _ => Err(IdTokenError::Certificate),
    }
}

fn check_issuer(claims: &Map<String, Value>, expected: &EntityId) -> Result<(), IdTokenError> {
    match text(claims, "iss")? {
        iss if iss == expected.as_str() => Ok(()),
        _ => Err(IdTokenError::Issuer {
            expected: expected.clone(),
        }),
    }
}

/// One recipient: a token also meant for others could be replayed by them.
fn check_audience(claims: &Map<String, Value>, expected: &EntityId) -> Result<(), IdTokenError> {
    let is_ours = match claims.get("aud") {
        Some(Value::String(one)) => one == expected.as_str(),
        Some(Value::Array(list)) => matches!(list.as_slice(), [Value::String(one)] if one == expected.as_str()),
        _ => {
            return Err(IdTokenError::Claim {
                claim: "aud",
                expected: "a string",
            });
        }
    };
    if is_ours {
        Ok(())
    } else {
        Err(IdTokenError::Audience {
            expected: expected.clone(),
        })
    }
}

fn check_times(claims: &Map<String, Value>, now: UnixTime) -> Result<(UnixTime, UnixTime), IdTokenError> {
    let iat = time(claims, "iat")?.ok_or(IdTokenError::Claim {
        claim: "iat",
        expected: SECONDS,
    })?;
    let exp = time(claims, "exp")?.ok_or(IdTokenError::Claim {
        claim: "exp",
        expected: SECONDS,
    })?;
    check_not_in_future("iat", iat, now)?;
    if let Some(nbf) = time(claims, "nbf")? {
        check_not_in_future("nbf", nbf, now)?;
    }
    if exp <= iat {
        return Err(IdTokenError::Claim {
            claim: "exp",
            expected: "later than iat",
        });
    }
    if exp.plus_seconds(CLOCK_TOLERANCE_SECONDS) <= now {
        return Err(IdTokenError::Expired {
            ago_seconds: now.seconds_since(exp),
        });
    }
    Ok((iat, exp))
}

fn check_not_in_future(claim: &'static str, time: UnixTime, now: UnixTime) -> Result<(), IdTokenError> {
    if time > now.plus_seconds(CLOCK_TOLERANCE_SECONDS) {
        return Err(IdTokenError::InFuture {
            claim,
            ahead_seconds: time.seconds_since(now),
        });
    }
    Ok(())
}

fn check_nonce(claims: &Map<String, Value>, expected: &str) -> Result<(), IdTokenError> {
    if text(claims, "nonce")?.as_bytes().ct_eq(expected.as_bytes()).into() {
        Ok(())
    } else {
        Err(IdTokenError::Nonce)
    }
}

fn subject(claims: &Map<String, Value>) -> Result<String, IdTokenError> {
    let subject = text(claims, "sub")?;
    if subject.is_empty() || subject.chars().count() > MAX_SUBJECT_CHARACTERS {
        return Err(IdTokenError::Claim {
            claim: "sub",
            expected: "1 to 255 characters",
        });
    }
    Ok(subject.to_owned())
}

/// An array since A_23129-03; a single text from older providers.
fn methods(claims: &Map<String, Value>) -> Result<Vec<String>, IdTokenError> {
    let wrong = IdTokenError::Claim {
        claim: "amr",
        expected: "an array of strings (A_23129-03)",
    };
    match claims.get("amr") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) if !list.is_empty() => list
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or(wrong),
        _ => Err(wrong),
    }
}

/// A_23049, A_23004; the exception by A_23202-02 (version 1) and A_27593 (version 2).
fn check_level(
    claims: &Map<String, Value>,
    amr: &[String],
    version: IdTokenVersion,
    asked: &Asked,
) -> Result<Acr, IdTokenError> {
    let reached = Acr::parse(text(claims, "acr")?).ok_or(IdTokenError::Claim {
        claim: "acr",
        expected: "gematik-ehealth-loa-high or gematik-ehealth-loa-substantial",
    })?;
    if reached >= asked.acr {
        return Ok(reached);
    }
    let has_consented = match version {
        IdTokenVersion::V1 => [Amr::WithConsent, Amr::Sso]
            .iter()
            .any(|method| amr.iter().any(|name| name == method.as_str())),
        IdTokenVersion::V2 => claims
            .get(CONSENT_CLAIM)
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|entry| entry == CONSENTED_SUBSTANTIAL)),
    };
    match asked.level_rule {
        LevelRule::OrConsentedSubstantial if has_consented => Ok(reached),
        LevelRule::OrConsentedSubstantial | LevelRule::AtLeast => Err(IdTokenError::LevelTooLow {
            reached,
            asked: asked.acr,
        }),
    }
}

/// With `max_age`, `auth_time` is required and judged (OpenID Connect Core §2, §3.1.3.7): when the login began, the authentication was no
/// older, or had yet to come.
fn check_age(
    claims: &Map<String, Value>,
    session: &LoginSession,
    now: UnixTime,
) -> Result<Option<UnixTime>, IdTokenError> {
    let auth_time = time(claims, "auth_time")?;
    if let Some(auth_time) = auth_time {
        check_not_in_future("auth_time", auth_time, now)?;
    }
    let Some(max_age_seconds) = session.asked().max_age_seconds else {
        return Ok(auth_time);
    };
    let authenticated_at = auth_time.ok_or(IdTokenError::Claim {
        claim: "auth_time",
        expected: "present, because max_age was asked for",
    })?;
    let age_seconds = session.started_at().seconds_since(authenticated_at);
    if age_seconds > max_age_seconds.saturating_add(CLOCK_TOLERANCE_SECONDS) {
        return Err(IdTokenError::AuthenticationTooOld {
            age_seconds,
            max_age_seconds,
        });
    }
    Ok(Some(authenticated_at))
}

const SECONDS: &str = "a whole number of seconds since 1970";

fn text<'a>(claims: &'a Map<String, Value>, claim: &'static str) -> Result<&'a str, IdTokenError> {
    claims.get(claim).and_then(Value::as_str).ok_or(IdTokenError::Claim {
        claim,
        expected: "a string",
    })
}

fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<UnixTime>, IdTokenError> {
    match claims.get(claim) {
        None => Ok(None),
        Some(value) => value.as_u64().map(UnixTime).map(Some).ok_or(IdTokenError::Claim {
            claim,
            expected: SECONDS,
        }),
    }
}

fn kids(keys: &JwkSet) -> String {
    let kids: Vec<&str> = keys.keys.iter().filter_map(|key| key.kid.as_deref()).collect();
    kids.join(", ")
}

#[cfg(test)]
mod tests;
