//! Which methods, device classes, intervals and single sign-on an insurer admits, as data; and what follows from it
//! for one login.
//!
//! The rules keep changing (gematik digest 8.5), so nothing in the code knows a duration or a device class by name:
//! an operator's file does. What the levels *mean* on the wire (gematik digest 6.7, 8.2, 8.3) is code, in
//! [`decision`].

use serde::{Deserialize, Serialize};

use crate::challenge::Purpose;
use crate::level::{Acr, Method};
use crate::passkey::{PasskeyPolicy, PasskeyPolicyError};

pub mod decision;

pub use decision::{Demand, LevelOutcome, LevelRefusal, LevelRequest, Performed, Session, SsoRefusal, amr_for};

/// Shortest interval after which a device key must be confirmed by card again: 24 hours.
pub const MIN_RECONFIRM_SECONDS: u64 = 24 * 3600;
/// Longest such interval: six months, counted as 184 days.
pub const MAX_RECONFIRM_SECONDS: u64 = 184 * 24 * 3600;
/// Longest single sign-on session an operator may configure: 12 hours.
pub const MAX_SSO_AGE_SECONDS: u64 = 12 * 3600;
/// Most device classes and most single sign-on clients one policy may name.
pub const MAX_ENTRIES: usize = 256;

/// One insurer's authentication policy. Unknown members are refused; absent ones take the documented default.
///
/// ```
/// use authenticator::policy::AuthenticationPolicy;
/// let policy: AuthenticationPolicy = serde_json::from_str("{}").unwrap();
/// assert!(policy.check().is_ok());
/// assert!(policy.sso.allowed_clients.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthenticationPolicy {
    /// Methods offered, each with the level it reaches. Default: health card, guest health card and identity card,
    /// all high (A_22712, A_22713), and device keys at the level of their class.
    pub methods: Vec<MethodRule>,
    /// Device classes that may be bound. Default: see [`DeviceClassRule::defaults`].
    pub device_classes: Vec<DeviceClassRule>,
    /// Which authenticators' attestations of passkeys are believed. Default: none.
    pub passkeys: PasskeyPolicy,
    /// Single sign-on. Default: for no service at all.
    pub sso: SsoRule,
    /// Member `move`: whether a bound device may vouch for a new phone, without the card. Default: off.
    #[serde(rename = "move")]
    pub moving: Moving,
}

/// Whether a new phone is bound with the old one, where the card is not at hand (`docs/adr/0021-moving-with-the-old-phone.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moving {
    /// With the card only.
    #[default]
    Off,
    /// Also with the old phone: the person compares two digits, which is no proof that both phones are in one place.
    On,
}

/// One method and the highest level it may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodRule {
    /// The method.
    pub method: Method,
    /// Its level; for device keys an upper bound on the level of the class.
    pub level: Acr,
}

/// What a device of one class may reach and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceClassRule {
    /// Name of the class, as the binding request states it.
    pub name: String,
    /// Level a login with such a device reaches.
    pub level: Acr,
    /// Seconds after a card login until the card is needed again; between [`MIN_RECONFIRM_SECONDS`] and
    /// [`MAX_RECONFIRM_SECONDS`].
    pub reconfirm_after_seconds: u64,
    /// What must show that the device is of this class.
    pub evidence: DeviceEvidence,
    /// Whether such devices enter the insurer's own pages only, and no service. Default: no; with evidence `passkey` it must be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_pages_only: bool,
}

/// What must show that a device is of the class it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceEvidence {
    /// The claim is enough. Right for the weakest class only, and for openly fake federations.
    Claimed,
    /// A verified key attestation of the platform.
    Attested,
    /// A verified registration as a passkey, whoever made the authenticator and wherever its keys are copied to.
    Passkey,
    /// The same, of a key that cannot leave its authenticator, attested to by a maker and model of [`PasskeyPolicy`].
    AttestedPasskey,
}

impl DeviceClassRule {
    /// The default classes, the strongest first: `secure-element` (high, 184 days, attested), `hardware-keystore`
    /// (substantial, 30 days, attested), `software` (substantial, 24 hours, claimed), `passkey` (substantial, 30 days, an attested
    /// passkey), `passkey-own-pages` (30 days, any passkey, the insurer's own pages only).
    ///
    /// The published frame is "24 hours to six months, by class"; the values between are our choice
    /// (`docs/deviations.md`).
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let class = |name: &str, level, days: u64, evidence| Self {
            name: name.to_owned(),
            level,
            reconfirm_after_seconds: days * 24 * 3600,
            evidence,
            own_pages_only: evidence == DeviceEvidence::Passkey,
        };
        vec![
            class("secure-element", Acr::High, 184, DeviceEvidence::Attested),
            class("hardware-keystore", Acr::Substantial, 30, DeviceEvidence::Attested),
            class("software", Acr::Substantial, 1, DeviceEvidence::Claimed),
            class("passkey", Acr::Substantial, 30, DeviceEvidence::AttestedPasskey),
            class("passkey-own-pages", Acr::Substantial, 30, DeviceEvidence::Passkey),
        ]
    }

    /// Whether a device of this class may log in for this purpose.
    #[must_use]
    pub fn admits(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Account => true,
            Purpose::Login | Purpose::Move => !self.own_pages_only,
        }
    }
}

/// Where single sign-on is admitted and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SsoRule {
    /// Seconds since the real authentication after which a session is no longer used. Default 900 (15 minutes); at
    /// most [`MAX_SSO_AGE_SECONDS`].
    pub max_age_seconds: u64,
    /// `client_id` of each service that may be entered by single sign-on (A_27567). Default: none.
    pub allowed_clients: Vec<String>,
}

impl Default for SsoRule {
    fn default() -> Self {
        Self {
            max_age_seconds: 900,
            allowed_clients: Vec::new(),
        }
    }
}

impl Default for AuthenticationPolicy {
    fn default() -> Self {
        let high = |method| MethodRule {
            method,
            level: Acr::High,
        };
        Self {
            methods: vec![
                high(Method::HealthCard),
                high(Method::GuestHealthCard),
                high(Method::IdentityCard),
                high(Method::DeviceKey),
            ],
            device_classes: DeviceClassRule::defaults(),
            passkeys: PasskeyPolicy::default(),
            sso: SsoRule::default(),
            moving: Moving::Off,
        }
    }
}

/// Why a policy is no policy. Shown by a configuration check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A method stands twice.
    #[error("methods: each method at most once, found {0:?} twice")]
    DuplicateMethod(Method),
    /// Nothing to log in with.
    #[error("methods: at least health-card is needed (A_22712)")]
    NoHealthCard,
    /// A class name stands twice or is not 1 to 64 characters.
    #[error("device_classes: names must differ and have 1 to 64 characters, found {0:?}")]
    ClassName(String),
    /// The interval is outside the published frame.
    #[error(
        "device_classes: reconfirm_after_seconds of {0:?} must be between {MIN_RECONFIRM_SECONDS} and {MAX_RECONFIRM_SECONDS}"
    )]
    Interval(String),
    /// A passkey that may be copied anywhere, for services.
    #[error("device_classes: {0:?} has evidence passkey, so own_pages_only must be true")]
    PasskeyForServices(String),
    /// The authenticators.
    #[error(transparent)]
    Passkeys(#[from] PasskeyPolicyError),
    /// The session age is out of range.
    #[error("sso: max_age_seconds must be at most {MAX_SSO_AGE_SECONDS}")]
    SsoAge,
    /// More than [`MAX_ENTRIES`] classes or clients.
    #[error("device_classes and sso.allowed_clients: at most {MAX_ENTRIES} entries each")]
    TooManyEntries,
}

impl AuthenticationPolicy {
    /// Checks what serde cannot: ranges, duplicates, and that the mandatory method is there.
    ///
    /// # Errors
    /// The first defect, as [`PolicyError`].
    pub fn check(&self) -> Result<(), PolicyError> {
        for (index, rule) in self.methods.iter().enumerate() {
            if self
                .methods
                .iter()
                .skip(index + 1)
                .any(|other| other.method == rule.method)
            {
                return Err(PolicyError::DuplicateMethod(rule.method));
            }
        }
        if self.level_of(Method::HealthCard).is_none() {
            return Err(PolicyError::NoHealthCard);
        }
        if self.device_classes.len() > MAX_ENTRIES || self.sso.allowed_clients.len() > MAX_ENTRIES {
            return Err(PolicyError::TooManyEntries);
        }
        for (index, class) in self.device_classes.iter().enumerate() {
            let again = self
                .device_classes
                .iter()
                .skip(index + 1)
                .any(|other| other.name == class.name);
            if again || !(1..=64).contains(&class.name.chars().count()) {
                return Err(PolicyError::ClassName(class.name.clone()));
            }
            if !(MIN_RECONFIRM_SECONDS..=MAX_RECONFIRM_SECONDS).contains(&class.reconfirm_after_seconds) {
                return Err(PolicyError::Interval(class.name.clone()));
            }
            if class.evidence == DeviceEvidence::Passkey && !class.own_pages_only {
                return Err(PolicyError::PasskeyForServices(class.name.clone()));
            }
        }
        self.passkeys.check()?;
        if self.sso.max_age_seconds > MAX_SSO_AGE_SECONDS {
            return Err(PolicyError::SsoAge);
        }
        Ok(())
    }

    /// Level of `method` here; `None` where the method is not offered.
    #[must_use]
    pub fn level_of(&self, method: Method) -> Option<Acr> {
        self.methods
            .iter()
            .find(|rule| rule.method == method)
            .map(|rule| rule.level)
    }

    /// The class a passkey becomes; `None` where the policy has none for it. `attested`: its key cannot leave its authenticator, and a maker
    /// and model of [`PasskeyPolicy`] say so.
    #[must_use]
    pub fn passkey_class(&self, attested: bool) -> Option<&DeviceClassRule> {
        let of = |evidence| self.device_classes.iter().find(move |class| class.evidence == evidence);
        let strong = attested.then(|| of(DeviceEvidence::AttestedPasskey)).flatten();
        strong.or_else(|| of(DeviceEvidence::Passkey))
    }

    /// Whether passkeys are offered at all.
    #[must_use]
    pub fn offers_passkeys(&self) -> bool {
        self.level_of(Method::DeviceKey).is_some() && self.passkey_class(true).is_some()
    }

    /// The class of this name; `None` where it is not admitted (any more).
    #[must_use]
    pub fn device_class(&self, name: &str) -> Option<&DeviceClassRule> {
        self.device_classes.iter().find(|class| class.name == name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(change: impl FnOnce(&mut AuthenticationPolicy)) -> Result<(), PolicyError> {
        let mut policy = AuthenticationPolicy::default();
        change(&mut policy);
        policy.check()
    }

    #[test]
    fn the_default_policy_passes_its_own_check() {
        assert_eq!(AuthenticationPolicy::default().check(), Ok(()));
    }

    #[test]
    fn defects_are_named() {
        let health_card = MethodRule {
            method: Method::HealthCard,
            level: Acr::High,
        };
        assert_eq!(
            with(|p| p.methods.push(health_card)),
            Err(PolicyError::DuplicateMethod(Method::HealthCard))
        );
        assert_eq!(
            with(|p| p.methods.retain(|rule| rule.method != Method::HealthCard)),
            Err(PolicyError::NoHealthCard)
        );
        assert_eq!(
            with(|p| p.device_classes[1].name = "software".into()),
            Err(PolicyError::ClassName("software".into()))
        );
        assert_eq!(
            with(|p| p.device_classes[0].name = String::new()),
            Err(PolicyError::ClassName(String::new()))
        );
        assert_eq!(
            with(|p| p.device_classes[2].reconfirm_after_seconds = 86_399),
            Err(PolicyError::Interval("software".into()))
        );
        assert_eq!(
            with(|p| p.device_classes[2].reconfirm_after_seconds = u64::MAX),
            Err(PolicyError::Interval("software".into()))
        );
        assert_eq!(
            with(|p| p.device_classes[4].own_pages_only = false),
            Err(PolicyError::PasskeyForServices("passkey-own-pages".into()))
        );
        assert_eq!(with(|p| p.sso.max_age_seconds = 43_201), Err(PolicyError::SsoAge));
        assert_eq!(
            with(|p| p.sso.allowed_clients = vec![String::new(); 257]),
            Err(PolicyError::TooManyEntries)
        );
    }

    #[test]
    fn a_class_for_own_pages_admits_to_no_service() {
        for class in DeviceClassRule::defaults() {
            assert!(class.admits(Purpose::Account));
            assert_eq!(
                class.admits(Purpose::Login),
                class.name != "passkey-own-pages",
                "{}",
                class.name
            );
        }
    }

    #[test]
    fn a_passkey_gets_the_class_its_evidence_is_good_for() {
        let mut policy = AuthenticationPolicy::default();
        let class =
            |policy: &AuthenticationPolicy, attested| policy.passkey_class(attested).map(|class| class.name.clone());
        assert_eq!(class(&policy, true).as_deref(), Some("passkey"));
        assert_eq!(class(&policy, false).as_deref(), Some("passkey-own-pages"));
        policy
            .device_classes
            .retain(|class| class.evidence != DeviceEvidence::AttestedPasskey);
        assert_eq!(class(&policy, true).as_deref(), Some("passkey-own-pages"));
        assert!(policy.offers_passkeys());
        policy
            .device_classes
            .retain(|class| class.evidence != DeviceEvidence::Passkey);
        assert!(class(&policy, true).is_none() && !policy.offers_passkeys());
    }

    #[test]
    fn unknown_members_are_refused_and_absent_ones_take_their_default() {
        assert!(serde_json::from_str::<AuthenticationPolicy>(r#"{"sso":{"max_age":5}}"#).is_err());
        assert!(serde_json::from_str::<AuthenticationPolicy>(r#"{"method":[]}"#).is_err());
        let policy: AuthenticationPolicy =
            serde_json::from_str(r#"{"sso":{"allowed_clients":["https://a.example"]}}"#).unwrap();
        assert_eq!(policy.sso.max_age_seconds, 900);
        assert_eq!(policy.device_classes, DeviceClassRule::defaults());
    }
}
