//! The provider's answers to its authenticator, as JSON.

use serde::{Deserialize, Serialize};

/// A service, as the authenticator shows it. Untrusted text, never markup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its logo.
    #[serde(default)]
    pub logo_uri: Option<String>,
}

/// What a service asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// Level, a wire value.
    pub acr: String,
    /// Claims.
    pub claims: ClaimNames,
}

/// Claim names, split as the person decides about them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimNames {
    /// Released together or not at all.
    pub essential: Vec<String>,
    /// Each may be refused.
    pub voluntary: Vec<String>,
}

/// What the person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// For whom.
    pub service: Service,
    /// About what.
    #[serde(flatten)]
    pub claims: ClaimNames,
    /// Whether she answered the same question before and asked to remember it.
    #[serde(default)]
    pub remembered: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChallengeAnswer {
    pub login: String,
    pub challenge: String,
    pub service: Service,
    pub requested: Requested,
}

#[derive(Debug, Deserialize)]
pub(super) struct LoginAnswer {
    pub login: String,
    pub consent: Consent,
}

#[derive(Debug, Deserialize)]
pub(super) struct DecisionAnswer {
    pub redirect: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct BindingAnswer {
    pub device: String,
    pub valid_until: jose::UnixTime,
    pub class: String,
    pub findings: Vec<super::Finding>,
}
