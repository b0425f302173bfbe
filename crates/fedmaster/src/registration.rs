//! Registration data: what a participant hands in before it belongs to the federation (gematik: registration of identity
//! providers, FEDM registration form; registration of services, `registrierungtifoederation`).
//!
//! [`RegistrationForm`] is the form as filled in, [`Registration`] the form as checked. Only a checked one enters the registry.

mod check;
mod form;
#[cfg(test)]
mod tests;

use federation::EntityId;
use federation::Schemes;
use jose::jwk::JwkSet;
use serde::{Deserialize, Serialize};

pub use form::{FILE_LIMITS, FormError, FormFormat, PemKey, RegistrationForm, TlsKeyForm, parse_forms};

/// Most redirect URIs of one service.
pub const MAX_REDIRECT_URIS: usize = 64;
/// Most scopes, and most claims, of one service.
pub const MAX_SCOPES: usize = 64;
/// Most TLS keys of one identity provider: several domains, each with a key and its successor.
pub const MAX_TLS_KEYS: usize = 64;

/// Which rules are relaxed for a federation on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// The rules of the TI.
    Production,
    /// Addresses a browser opens (redirect URIs, authorization endpoint) may be plain http on this machine.
    Sandbox,
}

impl Profile {
    pub(crate) const fn browser_schemes(self) -> Schemes {
        match self {
            Self::Production => Schemes::HttpsOnly,
            Self::Sandbox => Schemes::LoopbackHttpToo,
        }
    }
}

/// The environment a registration is for (gematik: `betriebsumgebung`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Environment {
    /// Referenzumgebung.
    #[serde(rename = "RU")]
    Reference,
    /// Testumgebung.
    #[serde(rename = "TU")]
    Test,
    /// Produktivumgebung.
    #[serde(rename = "PU")]
    Production,
}

/// What a participant is (gematik: `teilnehmertyp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParticipantType {
    /// A sectoral identity provider: `IDP`.
    #[serde(rename = "IDP")]
    IdentityProvider,
    /// A specialist service: `RP`.
    #[serde(rename = "RP")]
    RelyingParty,
}

/// For whom an identity provider vouches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserType {
    /// Insured persons (Versicherte): `IP`.
    #[serde(rename = "IP")]
    InsuredPerson,
    /// Health professionals (Leistungserbringer): `HP`.
    #[serde(rename = "HP")]
    HealthProfessional,
    /// Health care institutions (Leistungserbringerinstitutionen): `HCI`.
    #[serde(rename = "HCI")]
    HealthCareInstitution,
}

impl UserType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsuredPerson => "IP",
            Self::HealthProfessional => "HP",
            Self::HealthCareInstitution => "HCI",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::InsuredPerson,
            Self::HealthProfessional,
            Self::HealthCareInstitution,
        ]
        .into_iter()
        .find(|user_type| user_type.as_str() == text)
    }
}

/// A TLS key of an identity provider (AF_10110: the key is registered, not the certificate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsKey {
    /// The domain it is used for.
    pub domain: String,
    /// SHA-256 of the `SubjectPublicKeyInfo`, lower-case hexadecimal: what certificate transparency is compared with.
    pub public_key_sha256: String,
}

/// What only one type of participant registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A sectoral identity provider.
    IdentityProvider {
        /// Logo for the list of identity providers.
        logo_uri: String,
        /// For whom it vouches.
        user_type: UserType,
        /// A private insurer.
        pkv: bool,
        /// TLS keys by domain.
        tls_keys: Vec<TlsKey>,
    },
    /// A specialist service.
    RelyingParty {
        /// Where logins may return to; published in the subordinate statement.
        redirect_uris: Vec<String>,
        /// What it may ask for, `openid` included; published in the subordinate statement.
        scopes: Vec<String>,
        /// Single claims it may ask for; published, usually empty.
        claims: Vec<String>,
    },
}

/// A checked registration. Nothing but [`RegistrationForm::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub(crate) entity_id: EntityId,
    pub(crate) organization_name: String,
    pub(crate) keys: JwkSet,
    pub(crate) role: Role,
    form: RegistrationForm,
}

impl Registration {
    /// Issuer of the participant.
    pub fn entity_id(&self) -> &EntityId {
        &self.entity_id
    }

    /// Name of the organisation.
    pub fn organization_name(&self) -> &str {
        &self.organization_name
    }

    /// The participant's entity keys; several during a rollover.
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }

    /// What it registers as what it is.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// What it is.
    pub fn participant_type(&self) -> ParticipantType {
        match self.role {
            Role::IdentityProvider { .. } => ParticipantType::IdentityProvider,
            Role::RelyingParty { .. } => ParticipantType::RelyingParty,
        }
    }

    /// The form it came from.
    pub fn form(&self) -> &RegistrationForm {
        &self.form
    }
}
