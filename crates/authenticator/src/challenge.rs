//! The provider's signed question to an authenticator, bound to one login and one service.
//!
//! gematik prescribes no format between a provider and its own authenticator and points to the central IDP service,
//! which signs a challenge that the card wraps (gematik digest 8.4). This one names, beyond that, the service the
//! person is about to enter and a hash of its authorization request, so that an answer fits one request only.
//!
//! Trusted for: a [`VerifiedChallenge`] was issued by a holder of one of the given keys and is still fresh.
//! Does not: enforce single use. That is done where the login is redeemed, once, on [`Challenge::login_id`].

use jose::json::{self, Limits};
use jose::jwk::JwkSet;
use jose::{SignError, Signer, UnixTime, base64url, jws};
use serde::{Deserialize, Serialize};

/// JOSE header member `typ`.
pub const TYP: &str = "healthid-challenge+jwt";
/// How long a challenge may be answered, in seconds: time to find the card and type the PIN.
pub const LIFETIME_SECONDS: u64 = 180;
/// How far the clocks of two instances of the provider may differ, in seconds.
pub const LEEWAY_SECONDS: u64 = 10;
/// Largest challenge read.
pub const LIMITS: Limits = Limits {
    bytes: 8 * 1024,
    depth: 4,
};

/// What the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Logging in to a service.
    Login,
    /// The person's own account at the insurer: devices, consents.
    Account,
    /// Vouching for a new phone, and nothing else.
    Move,
}

/// What a challenge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// `iss`: the provider's issuer.
    pub iss: String,
    /// `jti` (base64url): the login, which may be redeemed once.
    pub login_id: [u8; 16],
    /// `client_id`: the service.
    pub client_id: String,
    /// `client_name`: what the authenticator shows. Untrusted text from the service's metadata, never markup.
    pub client_name: String,
    /// `request_hash`: base64url SHA-256 over the authorization request as the provider keeps it.
    pub request_hash: String,
    /// `purpose`
    pub purpose: Purpose,
    /// `iat`
    pub iat: UnixTime,
    /// `exp`
    pub exp: UnixTime,
}

/// A challenge this provider issued and that is still fresh. Constructible only by [`verify`] and [`recognise`].
#[derive(Debug, Clone)]
pub struct VerifiedChallenge {
    challenge: Challenge,
    token: String,
}

/// Why a challenge is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// No JWS of the expected form.
    #[error("challenge: {0}")]
    Jws(#[from] jws::JwsError),
    /// Another kind of token.
    #[error("challenge: header typ must be {TYP}")]
    Typ,
    /// Signed with none of the keys.
    #[error("challenge: header kid must name a key of this provider")]
    UnknownKey,
    /// Members are missing, unknown or malformed.
    #[error(
        "challenge: expected exactly the members iss, jti, client_id, client_name, request_hash, purpose, iat, exp"
    )]
    Members,
    /// Longer than [`LIFETIME_SECONDS`].
    #[error("challenge: exp must be at most {LIFETIME_SECONDS} seconds after iat")]
    Lifetime,
    /// Issued in the future.
    #[error("challenge: iat is in the future")]
    FromTheFuture,
    /// Too late.
    #[error("challenge: expired")]
    Expired,
    /// Not the challenge of this login.
    #[error("challenge: does not belong to this login")]
    Foreign,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    iss: String,
    jti: String,
    client_id: String,
    client_name: String,
    request_hash: String,
    purpose: Purpose,
    iat: UnixTime,
    exp: UnixTime,
}

/// Signs `challenge`; the header carries `alg`, `kid` and `typ`.
///
/// # Errors
/// [`SignError`] from the signer.
pub fn issue(challenge: &Challenge, signer: &dyn Signer) -> Result<String, SignError> {
    let members = Members {
        iss: challenge.iss.clone(),
        jti: base64url::encode(&challenge.login_id),
        client_id: challenge.client_id.clone(),
        client_name: challenge.client_name.clone(),
        request_hash: challenge.request_hash.clone(),
        purpose: challenge.purpose,
        iat: challenge.iat,
        exp: challenge.exp,
    };
    // Strings and numbers only: serialising cannot fail.
    let payload = serde_json::to_vec(&members).unwrap_or_default();
    jws::sign(
        &jws::SigningHeader {
            typ: Some(TYP),
            ..Default::default()
        },
        &payload,
        signer,
    )
}

/// Reads a challenge without believing it: for an authenticator that wants to show the service's name while it
/// fetches the provider's keys.
///
/// # Errors
/// [`ChallengeError`], every variant but those about key, time and login.
pub fn peek(token: &str) -> Result<Challenge, ChallengeError> {
    read(&parse(token)?)
}

/// Verifies signature and freshness with the provider's own keys.
///
/// # Errors
/// [`ChallengeError`].
pub fn verify(token: &str, keys: &JwkSet, now: UnixTime) -> Result<VerifiedChallenge, ChallengeError> {
    let unverified = parse(token)?;
    let key = unverified
        .header()
        .kid
        .as_deref()
        .and_then(|kid| keys.by_kid(kid))
        .ok_or(ChallengeError::UnknownKey)?;
    unverified.verify(&key.key)?;
    fresh(read(&unverified)?, token, now)
}

/// SHA-256 of a challenge's token, to be sealed into the login state for [`recognise`].
#[must_use]
pub fn digest(token: &str) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(token.as_bytes()).into()
}

/// As [`verify`], but instead of the signature compares the token with the [`digest`] the provider sealed when it
/// issued the challenge: the cheaper proof of the same fact.
///
/// # Errors
/// [`ChallengeError`]; [`ChallengeError::Foreign`] where the digest differs.
pub fn recognise(token: &str, sealed_digest: &[u8; 32], now: UnixTime) -> Result<VerifiedChallenge, ChallengeError> {
    if digest(token) != *sealed_digest {
        return Err(ChallengeError::Foreign);
    }
    fresh(read(&parse(token)?)?, token, now)
}

impl VerifiedChallenge {
    /// What the challenge says.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The token, as the answer has to contain it.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Checks that the challenge was issued for this login of this service and request.
    ///
    /// # Errors
    /// [`ChallengeError::Foreign`].
    pub fn check_login(
        &self,
        iss: &str,
        login_id: &[u8; 16],
        client_id: &str,
        request_hash: &str,
        purpose: Purpose,
    ) -> Result<(), ChallengeError> {
        let own = &self.challenge;
        let same = own.iss == iss
            && own.login_id == *login_id
            && own.client_id == client_id
            && own.request_hash == request_hash
            && own.purpose == purpose;
        if same { Ok(()) } else { Err(ChallengeError::Foreign) }
    }
}

fn parse(token: &str) -> Result<jws::UnverifiedJws, ChallengeError> {
    let unverified = jws::parse(token, &LIMITS)?;
    if unverified.header().typ.as_deref() != Some(TYP) {
        return Err(ChallengeError::Typ);
    }
    Ok(unverified)
}

fn read(unverified: &jws::UnverifiedJws) -> Result<Challenge, ChallengeError> {
    let members: Members =
        json::parse_as(unverified.unverified_payload(), &LIMITS).map_err(|_| ChallengeError::Members)?;
    Ok(Challenge {
        iss: members.iss,
        login_id: base64url::decode_array(&members.jti).map_err(|_| ChallengeError::Members)?,
        client_id: members.client_id,
        client_name: members.client_name,
        request_hash: members.request_hash,
        purpose: members.purpose,
        iat: members.iat,
        exp: members.exp,
    })
}

fn fresh(challenge: Challenge, token: &str, now: UnixTime) -> Result<VerifiedChallenge, ChallengeError> {
    if challenge.exp.seconds_since(challenge.iat) > LIFETIME_SECONDS {
        return Err(ChallengeError::Lifetime);
    }
    if challenge.iat > now.plus_seconds(LEEWAY_SECONDS) {
        return Err(ChallengeError::FromTheFuture);
    }
    if now > challenge.exp.plus_seconds(LEEWAY_SECONDS) {
        return Err(ChallengeError::Expired);
    }
    Ok(VerifiedChallenge {
        challenge,
        token: token.to_owned(),
    })
}

#[cfg(test)]
mod tests;
