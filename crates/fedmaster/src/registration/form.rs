//! The registration form as it is filled in: JSON over HTTP, JSON or TOML in a file.

use jose::json::{self, JsonError, Limits};
use jose::jwk::JwkSet;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Environment, ParticipantType};

/// What a file of forms may cost: two thousand insurers.
pub const FILE_LIMITS: Limits = Limits {
    bytes: 8 * 1024 * 1024,
    depth: 16,
};

/// The registration form. Unknown members are refused, so that a typing error is not taken for consent.
///
/// For an identity provider: `logo_uri`, `user_type_supported`, `pkv`, `tls_keys`. For a relying party: `redirect_uris`,
/// `scopes`, `claims`. Keys come as `keys` (a JWK set), or as `pem_keys` (the form gematik's registration uses), or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationForm {
    /// Issuer of the participant (gematik: `issueruri`).
    pub entity_id: String,
    /// `IDP` or `RP` (gematik: `teilnehmertyp`).
    #[serde(rename = "type")]
    pub participant_type: ParticipantType,
    /// `RU`, `TU` or `PU` (gematik: `betriebsumgebung`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Name of the organisation (gematik: `organisationsname`).
    pub organization_name: String,
    /// Mail address for questions (gematik: `kontaktemail`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_email: Option<String>,
    /// Member identifier in the TI federation (gematik: `memberid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// Purpose group (gematik: `zwg`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zwg: Option<String>,
    /// Entity keys as JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<JwkSet>,
    /// Entity keys as PEM with `kid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pem_keys: Vec<PemKey>,
    /// Identity provider: logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Identity provider: `IP`, `HP` or `HCI`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_type_supported: Option<String>,
    /// Identity provider: private insurer. Absent means no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkv: Option<bool>,
    /// Identity provider: TLS keys by domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_keys: Option<Vec<TlsKeyForm>>,
    /// Relying party: redirect URIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<Vec<String>>,
    /// Relying party: scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Relying party: single claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<String>>,
}

/// An entity key as gematik's form takes it (`kidjwt`, `pubkeyjwt`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PemKey {
    /// Key identifier.
    pub kid: String,
    /// `PUBLIC KEY` in PEM, P-256.
    pub public_key: String,
}

/// A TLS key as registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsKeyForm {
    /// Domain name.
    pub domain: String,
    /// `PUBLIC KEY` in PEM.
    pub public_key: String,
}

impl RegistrationForm {
    /// An empty form for a participant, to be filled in.
    pub fn new(
        entity_id: impl Into<String>,
        participant_type: ParticipantType,
        organization_name: impl Into<String>,
    ) -> Self {
        Self {
            entity_id: entity_id.into(),
            participant_type,
            environment: None,
            organization_name: organization_name.into(),
            contact_email: None,
            member_id: None,
            zwg: None,
            keys: None,
            pem_keys: Vec::new(),
            logo_uri: None,
            user_type_supported: None,
            pkv: None,
            tls_keys: None,
            redirect_uris: None,
            scopes: None,
            claims: None,
        }
    }
}

/// How a file of forms is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFormat {
    /// One object, or an array of objects.
    Json,
    /// One table, or `[[participant]]` tables.
    Toml,
}

/// Why a file of forms cannot be read. Names member and place, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormError {
    /// Not the JSON of a form.
    #[error("registration form: {0}")]
    Json(#[from] JsonError),
    /// Not the TOML of a form.
    #[error("registration form: {0}")]
    Toml(String),
    /// Longer than [`FILE_LIMITS`].
    #[error("registration form: longer than {} bytes", FILE_LIMITS.bytes)]
    TooLong,
}

/// Reads the forms of a file.
///
/// # Errors
/// [`FormError`].
pub fn parse_forms(text: &str, format: FormFormat) -> Result<Vec<RegistrationForm>, FormError> {
    if text.len() > FILE_LIMITS.bytes {
        return Err(FormError::TooLong);
    }
    match format {
        FormFormat::Json if text.trim_start().starts_with('[') => {
            Ok(json::parse_as::<Vec<RegistrationForm>>(text.as_bytes(), &FILE_LIMITS)?)
        }
        FormFormat::Json => Ok(vec![json::parse_as(text.as_bytes(), &FILE_LIMITS)?]),
        FormFormat::Toml => {
            #[derive(Deserialize)]
            #[serde(deny_unknown_fields)]
            struct Several {
                participant: Vec<RegistrationForm>,
            }
            // The message is the reader's, without the excerpt of the document.
            let refuse = |error: toml::de::Error| FormError::Toml(error.message().to_owned());
            let table: toml::Table = text.parse().map_err(refuse)?;
            if table.contains_key("participant") {
                Ok(toml::from_str::<Several>(text).map_err(refuse)?.participant)
            } else {
                Ok(vec![toml::from_str(text).map_err(refuse)?])
            }
        }
    }
}
