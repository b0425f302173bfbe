//! What the person releases (A_22832, A_22939, A_22990).
//!
//! Essential claims can only be accepted together or not at all; voluntary ones one by one. A decision may be remembered for one
//! service and one set of claims; another set asks again.

use authenticator::{
    Method,
    policy::{AuthenticationPolicy, LevelRefusal},
};
use jose::UnixTime;
use thiserror::Error;

use crate::{
    login_state::{AuthenticatedLogin, AuthorizationCode, Remember},
    refusal::Refusal,
    scope::ClaimSet,
};

/// Life of an authorization code in seconds (A_23007 allows 90).
pub const CODE_LIFETIME_SECONDS: u64 = 60;

/// What the person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Release the essential claims and these voluntary ones.
    Approve {
        /// Voluntary claims she switched on.
        voluntary: ClaimSet,
        /// Whether to remember it.
        remember: Remember,
    },
    /// Release nothing and go back.
    Decline,
}

/// Why a decision cannot be carried out.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConsentError {
    /// The selection holds claims nobody asked for.
    #[error("member 'claims' releases '{0}', which the service did not ask for as voluntary")]
    NotRequested(&'static str),
    /// What she did does not reach what the service demands.
    #[error(transparent)]
    Level(#[from] LevelRefusal),
}

impl ConsentError {
    /// What the page or app is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NotRequested(_) => Refusal::invalid_request(self),
            Self::Level(refusal) => Refusal::invalid_request(self).because(refusal.reason()),
        }
    }
}

/// Where the decision leads.
#[derive(Debug, PartialEq, Eq)]
pub enum ConsentOutcome {
    /// A code for the service.
    Code(Box<AuthorizationCode>),
    /// `access_denied` for the service.
    Declined,
}

/// Decides what a person's decision leads to.
///
/// # Errors
/// [`ConsentError`]; the login stays open.
pub fn decide(
    client_id: &str,
    login: &AuthenticatedLogin,
    decision: Decision,
    policy: &AuthenticationPolicy,
    now: UnixTime,
) -> Result<ConsentOutcome, ConsentError> {
    let (voluntary, remember) = match decision {
        Decision::Decline => return Ok(ConsentOutcome::Declined),
        Decision::Approve { voluntary, remember } => (voluntary, remember),
    };
    if let Some(beyond) = voluntary.without(login.request.voluntary).iter().next() {
        return Err(ConsentError::NotRequested(beyond.as_str()));
    }
    policy.decide_level(&login.request.level_request(client_id), &login.performed, now)?;
    // A guest login leaves nothing behind (gematik digest 8.3).
    let remember = match login.performed.method {
        Method::GuestHealthCard => Remember::No,
        Method::HealthCard | Method::IdentityCard | Method::DeviceKey => remember,
    };
    let request = &login.request;
    Ok(ConsentOutcome::Code(Box::new(AuthorizationCode {
        login_id: request.login_id,
        client: request.client,
        redirect: request.redirect,
        code_challenge: request.code_challenge,
        nonce: request.nonce.clone(),
        requested: request.requested(),
        released: request.essential.union(voluntary),
        performed: login.performed.clone(),
        device: login.device,
        version: request.version,
        remember,
        expires_at: now.plus_seconds(CODE_LIFETIME_SECONDS),
    })))
}

/// A decision the person made earlier for one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RememberedConsent {
    /// What was asked for then.
    pub requested: ClaimSet,
    /// What she released then.
    pub released: ClaimSet,
    /// When.
    pub decided_at: UnixTime,
}

impl RememberedConsent {
    /// Bytes for the sealed record.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..2].copy_from_slice(&self.requested.bits().to_be_bytes());
        bytes[2..4].copy_from_slice(&self.released.bits().to_be_bytes());
        bytes[4..].copy_from_slice(&self.decided_at.0.to_be_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 12] = bytes.try_into().ok()?;
        let [a, b, c, d, time @ ..] = *bytes;
        Some(Self {
            requested: ClaimSet::from_bits(u16::from_be_bytes([a, b]))?,
            released: ClaimSet::from_bits(u16::from_be_bytes([c, d]))?,
            decided_at: UnixTime(u64::from_be_bytes(time)),
        })
    }

    /// The decision that answers this login without asking again: same claims asked for, and no `prompt=consent`.
    /// The essential claims must be among the released ones, since what is essential may change while the set stays the same.
    pub fn answers(self, login: &AuthenticatedLogin) -> Option<Decision> {
        let same = self.requested == login.request.requested();
        let enough = self.released.contains_all(login.request.essential);
        (same && enough && !login.request.prompts.consent()).then(|| Decision::Approve {
            voluntary: self.released.without(login.request.essential),
            remember: Remember::No,
        })
    }
}

#[cfg(test)]
mod tests;
