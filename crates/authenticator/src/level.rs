//! Levels (acr), methods (amr) and the method that really happened (gematik digest 8.1, 8.2).

use serde::{Deserialize, Serialize};

/// Level of assurance a login reached. Ordered: `Substantial < High`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Acr {
    /// `gematik-ehealth-loa-substantial`: chosen by the insured after information and explicit consent.
    #[serde(rename = "gematik-ehealth-loa-substantial")]
    Substantial,
    /// `gematik-ehealth-loa-high`: health card or identity card with PIN, or an approved device.
    #[serde(rename = "gematik-ehealth-loa-high")]
    High,
}

impl Acr {
    /// Both levels, the higher first, as `acr_values_supported` lists them.
    pub const ALL: [Self; 2] = [Self::High, Self::Substantial];

    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "gematik-ehealth-loa-high",
            Self::Substantial => "gematik-ehealth-loa-substantial",
        }
    }

    /// The level with this wire value; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.as_str() == text)
    }
}

/// Method as an ID token names it, prefix `urn:telematik:auth:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Amr {
    /// `urn:telematik:auth:eGK`
    #[serde(rename = "urn:telematik:auth:eGK")]
    HealthCard,
    /// `urn:telematik:auth:eID`
    #[serde(rename = "urn:telematik:auth:eID")]
    IdentityCard,
    /// `urn:telematik:auth:sso`, ID token version 1 only.
    #[serde(rename = "urn:telematik:auth:sso")]
    Sso,
    /// `urn:telematik:auth:guest:eGK`: health card on a foreign device, nothing is bound or kept.
    #[serde(rename = "urn:telematik:auth:guest:eGK")]
    GuestHealthCard,
    /// `urn:telematik:auth:other`
    #[serde(rename = "urn:telematik:auth:other")]
    Other,
    /// `urn:telematik:auth:mEW` (mit Einwilligung), ID token version 1 only.
    #[serde(rename = "urn:telematik:auth:mEW")]
    WithConsent,
}

impl Amr {
    /// Every method value either ID token version knows.
    pub const ALL: [Self; 6] = [
        Self::HealthCard,
        Self::IdentityCard,
        Self::Sso,
        Self::GuestHealthCard,
        Self::Other,
        Self::WithConsent,
    ];

    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HealthCard => "urn:telematik:auth:eGK",
            Self::IdentityCard => "urn:telematik:auth:eID",
            Self::Sso => "urn:telematik:auth:sso",
            Self::GuestHealthCard => "urn:telematik:auth:guest:eGK",
            Self::Other => "urn:telematik:auth:other",
            Self::WithConsent => "urn:telematik:auth:mEW",
        }
    }

    /// The method with this wire value; `None` for any other text (`…:nPA` and `urn:gematik:…` are invalid, PAR_012).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|amr| amr.as_str() == text)
    }
}

/// What really happened between the person and her authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Health card (eGK) and PIN.
    HealthCard,
    /// Health card and PIN on a foreign device: no binding, no session.
    GuestHealthCard,
    /// Online identity function of the identity card.
    IdentityCard,
    /// A key bound to the person's device after a card login.
    DeviceKey,
}

/// ID token version both sides agreed on by `ti_features_supported` (gematik digest 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum IdTokenVersion {
    /// `1.0.0`, spoken where nothing is announced.
    #[default]
    #[serde(rename = "1.0.0")]
    V1,
    /// `2.0.0`.
    #[serde(rename = "2.0.0")]
    V2,
}

impl IdTokenVersion {
    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0.0",
            Self::V2 => "2.0.0",
        }
    }

    /// The version with this wire value; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::V1, Self::V2]
            .into_iter()
            .find(|version| version.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn wire_values_round_trip_in_both_notations() {
        for acr in Acr::ALL {
            assert_eq!(Acr::parse(acr.as_str()), Some(acr));
            assert_eq!(serde_json::to_value(acr).unwrap(), acr.as_str());
        }
        for amr in Amr::ALL {
            assert_eq!(Amr::parse(amr.as_str()), Some(amr));
            assert_eq!(serde_json::to_value(amr).unwrap(), amr.as_str());
        }
        for version in [IdTokenVersion::V1, IdTokenVersion::V2] {
            assert_eq!(IdTokenVersion::parse(version.as_str()), Some(version));
            assert_eq!(serde_json::to_value(version).unwrap(), version.as_str());
        }
    }

    #[test]
    fn values_the_approval_suite_calls_invalid_are_refused() {
        for text in [
            "urn:telematik:auth:nPA",
            "urn:gematik:auth:eID",
            "urn:telematik:auth:egk",
            "eGK",
            "",
            "urn:telematik:auth:eGK ",
        ] {
            assert_eq!(Amr::parse(text), None, "{text}");
        }
        for text in ["gematik-ehealth-loa-low", "high", "", "GEMATIK-EHEALTH-LOA-HIGH"] {
            assert_eq!(Acr::parse(text), None, "{text}");
        }
        assert_eq!(IdTokenVersion::parse("2.0"), None);
    }

    #[test]
    fn high_is_above_substantial() {
        assert!(Acr::High > Acr::Substantial);
    }
}
