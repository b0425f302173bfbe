//! Metadata: what an entity says about itself, by entity type (OpenID Federation 1.0 §5, gematik's statements).
//!
//! [`Metadata`] keeps every member, so that superiors' members and policies can be merged into it. The typed views
//! [`OpenIdProvider`], [`OpenIdRelyingParty`] and [`FederationEntity`] are read from it and written into it; written,
//! they hold the members named in the profile and no others, because the approval compares shapes strictly.

mod client_keys;
mod federation_entity;
mod provider;
mod relying_party;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

pub use crate::members::MemberError;
pub use client_keys::{ClientKeys, ClientKeysError};
pub use federation_entity::{FederationEntity, MAX_ORGANIZATION_NAME_LENGTH, check_organization_name};
pub use provider::OpenIdProvider;
pub use relying_party::OpenIdRelyingParty;

/// The one client registration type of the federation (OpenID Federation 1.0 §12.1).
pub const AUTOMATIC: &str = "automatic";
/// The one client authentication method of the federation (RFC 8705 §2.2).
pub const SELF_SIGNED_TLS_CLIENT_AUTH: &str = "self_signed_tls_client_auth";
/// The ID token version of a service that names none (`ti_features_supported` absent).
pub const DEFAULT_ID_TOKEN_VERSION: &str = "1.0.0";

/// The entity types of the federation (OpenID Federation 1.0 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityType {
    /// `openid_provider`: an identity provider.
    OpenIdProvider,
    /// `openid_relying_party`: a service.
    OpenIdRelyingParty,
    /// `federation_entity`: everybody.
    FederationEntity,
}

impl EntityType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenIdProvider => "openid_provider",
            Self::OpenIdRelyingParty => "openid_relying_party",
            Self::FederationEntity => "federation_entity",
        }
    }

    /// The type of this name, if it is one of the federation's.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::OpenIdProvider, Self::OpenIdRelyingParty, Self::FederationEntity]
            .into_iter()
            .find(|entity_type| entity_type.as_str() == name)
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Metadata by entity type, every member kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(BTreeMap<String, Map<String, Value>>);

impl Metadata {
    /// The members for one entity type.
    pub fn of(&self, entity_type: &str) -> Option<&Map<String, Value>> {
        self.0.get(entity_type)
    }

    /// Sets the members for one entity type.
    pub fn set(&mut self, entity_type: &str, members: Map<String, Value>) {
        self.0.insert(entity_type.to_owned(), members);
    }

    /// Takes away one entity type.
    pub fn remove(&mut self, entity_type: &str) -> Option<Map<String, Value>> {
        self.0.remove(entity_type)
    }

    /// As [`Metadata::set`], for building in one expression.
    #[must_use]
    pub fn with(mut self, entity_type: EntityType, members: Map<String, Value>) -> Self {
        self.set(entity_type.as_str(), members);
        self
    }

    /// The entity types there are, by name.
    pub fn entity_types(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The claim as it stands in a statement.
    pub fn to_value(&self) -> Value {
        Value::Object(
            self.0
                .iter()
                .map(|(name, members)| (name.clone(), Value::Object(members.clone())))
                .collect(),
        )
    }
}
