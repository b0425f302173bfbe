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

/// Where a login was begun that is to be answered here: what the person compares with the screen in front of her.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherDevice {
    /// Its browser, as people call it; empty where nobody knows.
    pub browser: String,
    /// Its system, as people call it; empty where nobody knows.
    pub system: String,
    /// Whether it is in the same network as this device; `None` where the provider cannot tell.
    #[serde(default)]
    pub network: Option<NetworkOf>,
    /// When its page showed what was scanned, in seconds since 1970.
    pub asked_at: u64,
}

/// A network, seen from this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkOf {
    /// Both devices come from one address.
    Same,
    /// They do not.
    Other,
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
    /// The device the login was begun on, where it is not this one: the decision then needs the number its page shows.
    #[serde(default)]
    pub other_device: Option<OtherDevice>,
    /// Last second in which she can decide; `None` where the provider does not say.
    #[serde(default)]
    pub ends_at: Option<u64>,
    /// Whether [`super::Told::MoreTime`] gives her more.
    #[serde(default)]
    pub extendable: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChallengeAnswer {
    pub login: String,
    pub challenge: String,
    pub service: Service,
    pub requested: Requested,
    #[serde(default)]
    pub other_device: Option<OtherDevice>,
    /// The login's last second.
    #[serde(default)]
    pub expires_at: Option<u64>,
    #[serde(default)]
    pub extendable: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct LoginAnswer {
    pub login: String,
    #[serde(default)]
    pub expires_at: Option<u64>,
    #[serde(default)]
    pub extendable: bool,
    pub consent: Consent,
}

#[derive(Debug, Deserialize)]
pub(super) struct DecisionAnswer {
    /// `None` where the other device goes on.
    pub redirect: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AbortAnswer {}

#[derive(Debug, Deserialize)]
pub(super) struct PasskeyOptionsAnswer {
    pub options: serde_json::Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct BindingAnswer {
    pub device: String,
    pub valid_until: jose::UnixTime,
    pub class: String,
    pub findings: Vec<super::Finding>,
}
