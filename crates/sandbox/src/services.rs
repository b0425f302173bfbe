//! The sandbox's two demo services, openly invented.

use crate::people::Text;

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// A patient record: may ask for everything.
    Record,
    /// An e-prescription service: asks for little.
    Prescription,
}

/// Every scope of the federation (gematik digest 7.1).
const ALL_SCOPES: &[&str] = &[
    "openid",
    "urn:telematik:display_name",
    "urn:telematik:given_name",
    "urn:telematik:family_name",
    "urn:telematik:geburtsdatum",
    "urn:telematik:alter",
    "urn:telematik:geschlecht",
    "urn:telematik:email",
    "urn:telematik:versicherter",
];

impl Service {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Record, Self::Prescription];

    /// The word the command line knows it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Prescription => "prescription",
        }
    }

    /// The service with this word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| text.eq_ignore_ascii_case(service.word()))
    }

    /// Its name in the federation: what insurers show.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "Beispiel-Patientenakte",
            Self::Prescription => "Beispiel-E-Rezept",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn description(self) -> Text {
        match self {
            Self::Record => Text {
                de: "Patientenakte: fragt nach allem, was eine Kasse weitergeben darf.",
                en: "Patient record: asks for everything an insurer may pass on.",
            },
            Self::Prescription => Text {
                de: "E-Rezept: fragt nur nach Versichertennummer und Namen.",
                en: "E-prescription: asks for insurance number and name only.",
            },
        }
    }

    /// The scopes it is registered for.
    #[must_use]
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Record => ALL_SCOPES,
            Self::Prescription => &["openid", "urn:telematik:display_name", "urn:telematik:versicherter"],
        }
    }
}
