//! What an identity provider reads of a service: its chain, checked step by step (A_22650, A_22966).
//!
//! Redirect URIs and scopes are the Federation Master's word; what the service says of itself does not count
//! (IDP_24_5). Name, versions and keys are the service's own.
//!
//! Trusted for: a [`VerifiedRelyingParty`] comes from a [`ResolvedTrustChain`], has at least one TLS certificate and
//! exactly one encryption key. It does not look into certificates: their validity and the proof of possession belong
//! to the TLS handshake and the request.

use jose::UnixTime;
use jose::jwk::Jwk;

use crate::chain::{OAuthErrorCode, ResolvedTrustChain};
use crate::entity::{EntityId, EntityIdError, Schemes, check_endpoint};
use crate::members::{self, MemberError};
use crate::metadata::{AUTOMATIC, ClientKeys, ClientKeysError, EntityType, FederationEntity, OpenIdRelyingParty};
use crate::signed_keys::VerifiedKeySet;

/// Most redirect URIs of one service.
pub const MAX_REDIRECT_URIS: usize = 128;

/// Why a service whose chain holds is refused all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelyingPartyError {
    /// The chain was resolved for another role.
    #[error("the trust chain must be resolved for entity type openid_relying_party")]
    NotARelyingParty,
    /// A member of the metadata is missing or wrong.
    #[error("metadata.openid_relying_party: {0}")]
    Member(#[from] MemberError),
    /// `client_registration_types` lacks `automatic`.
    #[error("member client_registration_types must contain {AUTOMATIC} (OpenID Federation 1.0 §12.1)")]
    NotAutomatic,
    /// The superior does not state what only it may state.
    #[error("member {member} is missing in the Federation Master's statement about the service (A_22650)")]
    NotStatedBySuperior {
        /// The member.
        member: &'static str,
    },
    /// No redirect URI is registered.
    #[error("the Federation Master's statement must list 1 to {MAX_REDIRECT_URIS} redirect_uris")]
    RedirectUriCount,
    /// A registered redirect URI cannot be used.
    #[error("entry {index} of redirect_uris: {reason} (A_27585)")]
    RedirectUri {
        /// Position, from 0.
        index: usize,
        /// The rule it breaks.
        reason: EntityIdError,
    },
    /// The service's key set is broken.
    #[error("{member} of the service: {reason}")]
    Keys {
        /// `jwks` or `signed_jwks_uri`.
        member: &'static str,
        /// What is wrong.
        reason: ClientKeysError,
    },
    /// The signed key set is somebody else's.
    #[error("claim iss of the signed key set must be {expected}")]
    ForeignKeys {
        /// The service.
        expected: EntityId,
    },
    /// No TLS client certificate.
    #[error("the service's keys must contain one with use sig and one certificate in x5c (A_23183)")]
    NoTlsCertificate,
    /// No encryption key.
    #[error("the service's keys must contain one with use enc, kty EC and crv P-256 (A_23194, A_23196)")]
    NoEncryptionKey,
}

impl RelyingPartyError {
    /// What a client is told: it is registered, but cannot be served.
    pub fn oauth_error(&self) -> OAuthErrorCode {
        OAuthErrorCode::InvalidClient
    }
}

/// A service of the federation, as an identity provider may rely on it. Nothing but
/// [`VerifiedRelyingParty::from_chain`] makes one.
///
/// ```compile_fail,E0451
/// fn forge(genuine: federation::relying_party::VerifiedRelyingParty) {
///     let _ = federation::relying_party::VerifiedRelyingParty { redirect_uris: vec![], ..genuine };
/// }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedRelyingParty {
    client_id: EntityId,
    name: String,
    organization_name: Option<String>,
    logo_uri: Option<String>,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
    default_acr_values: Vec<String>,
    id_token_versions: Vec<String>,
    tls_certificates: Vec<Vec<u8>>,
    encryption_key: Jwk,
    expires_at: UnixTime,
}

/// The URL of the service's signed key set, if its metadata names one: fetch and verify it, then call
/// [`VerifiedRelyingParty::from_chain`].
///
/// # Errors
/// [`RelyingPartyError::Member`]: not an https URL.
pub fn signed_jwks_uri(chain: &ResolvedTrustChain) -> Result<Option<String>, RelyingPartyError> {
    const MEMBER: &str = "signed_jwks_uri";
    let uri = members::optional_text(chain.metadata(), MEMBER)?;
    if let Some(uri) = &uri {
        check_endpoint(uri, Schemes::HttpsOnly).map_err(|reason| MemberError::Url { member: MEMBER, reason })?;
    }
    Ok(uri)
}

impl VerifiedRelyingParty {
    /// Reads the service from its chain and, if its metadata names one, its signed key set.
    ///
    /// Keys by value and by reference are taken together, as during a rollover the two may differ; the encryption key
    /// comes from the signed set if that has one.
    ///
    /// # Errors
    /// [`RelyingPartyError`], by rule.
    pub fn from_chain(
        chain: &ResolvedTrustChain,
        signed_keys: Option<&VerifiedKeySet>,
    ) -> Result<Self, RelyingPartyError> {
        check_role(chain)?;
        let party = OpenIdRelyingParty::parse(chain.metadata())?;
        check_registration_type(chain)?;
        check_stated_by_superior(chain, "redirect_uris")?;
        check_redirect_uris(&party.redirect_uris)?;
        check_stated_by_superior(chain, "scope")?;
        let by_reference = keys_by_reference(chain, signed_keys)?;
        let by_value = keys_by_value(&party)?;
        let tls_certificates = check_certificates(&by_reference, &by_value)?;
        let encryption_key = choose_encryption_key(&by_reference, &by_value)?;
        let entity = match chain.metadata_of(EntityType::FederationEntity) {
            Some(members) => FederationEntity::parse(members)?,
            None => FederationEntity::default(),
        };
        let keys_expire = signed_keys.and_then(VerifiedKeySet::exp).unwrap_or(chain.expires_at());
        Ok(Self {
            client_id: chain.subject().clone(),
            name: party.client_name,
            organization_name: entity.organization_name.or(party.organization_name),
            logo_uri: party.logo_uri,
            redirect_uris: party.redirect_uris,
            scopes: party.scope,
            default_acr_values: party.default_acr_values,
            id_token_versions: party.id_token_versions,
            tls_certificates,
            encryption_key,
            expires_at: chain.expires_at().min(keys_expire),
        })
    }

    /// The client identifier: the service's entity identifier.
    pub fn client_id(&self) -> &EntityId {
        &self.client_id
    }

    /// The name to show (`client_name`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The organisation behind the service.
    pub fn organization_name(&self) -> Option<&str> {
        self.organization_name.as_deref()
    }

    /// The logo to show.
    pub fn logo_uri(&self) -> Option<&str> {
        self.logo_uri.as_deref()
    }

    /// The redirect URIs registered with the Federation Master.
    pub fn redirect_uris(&self) -> &[String] {
        &self.redirect_uris
    }

    /// The scopes registered with the Federation Master.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// `default_acr_values`, as the service states them.
    pub fn default_acr_values(&self) -> &[String] {
        &self.default_acr_values
    }

    /// The ID token versions the service understands; `["1.0.0"]` if it names none.
    pub fn id_token_versions(&self) -> &[String] {
        &self.id_token_versions
    }

    /// The TLS client certificates, DER; at least one.
    pub fn tls_certificates(&self) -> &[Vec<u8>] {
        &self.tls_certificates
    }

    /// The key ID tokens are encrypted to: the newest published one.
    pub fn encryption_key(&self) -> &Jwk {
        &self.encryption_key
    }

    /// When this stops being true.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// True if the redirect URI is registered: the same string, no normalising (A_22966).
    pub fn has_redirect_uri(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered == redirect_uri)
    }

    /// The requested scopes that are not registered.
    pub fn unregistered_scopes<'a>(&self, requested: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        requested
            .into_iter()
            .filter(|scope| !self.scopes.iter().any(|registered| registered == scope))
            .collect()
    }

    /// True if the certificate is one of the published ones, byte for byte (RFC 8705 §2.2, stricter).
    pub fn has_certificate(&self, der: &[u8]) -> bool {
        self.tls_certificates.iter().any(|published| published == der)
    }

    /// The highest ID token version of `ours` that the service understands.
    pub fn id_token_version<'a>(&self, ours: &[&'a str]) -> Option<&'a str> {
        let common = ours
            .iter()
            .copied()
            .filter(|version| self.id_token_versions.iter().any(|theirs| theirs == version));
        common.max_by_key(|version| numbers(version))
    }
}

fn check_role(chain: &ResolvedTrustChain) -> Result<(), RelyingPartyError> {
    match chain.entity_type() {
        EntityType::OpenIdRelyingParty => Ok(()),
        _ => Err(RelyingPartyError::NotARelyingParty),
    }
}

/// OpenID Federation 1.0 §12.1, A_22650: automatic registration only.
fn check_registration_type(chain: &ResolvedTrustChain) -> Result<(), RelyingPartyError> {
    let types = members::optional_texts(chain.metadata(), "client_registration_types")?.unwrap_or_default();
    if types.iter().any(|registration_type| registration_type == AUTOMATIC) {
        return Ok(());
    }
    Err(RelyingPartyError::NotAutomatic)
}

/// IDP_24_5: redirect URIs and scopes come from the Federation Master.
fn check_stated_by_superior(chain: &ResolvedTrustChain, member: &'static str) -> Result<(), RelyingPartyError> {
    match chain.superior_member(member) {
        Some(_) => Ok(()),
        None => Err(RelyingPartyError::NotStatedBySuperior { member }),
    }
}

/// A_27585 is the Federation Master's to check. Here only what could hurt: where a browser would be sent.
fn check_redirect_uris(redirect_uris: &[String]) -> Result<(), RelyingPartyError> {
    if redirect_uris.is_empty() || redirect_uris.len() > MAX_REDIRECT_URIS {
        return Err(RelyingPartyError::RedirectUriCount);
    }
    for (index, redirect_uri) in redirect_uris.iter().enumerate() {
        let refused = |reason| RelyingPartyError::RedirectUri { index, reason };
        check_endpoint(redirect_uri, Schemes::LoopbackHttpToo).map_err(refused)?;
        if !redirect_uri.is_ascii() {
            return Err(refused(EntityIdError::NotNormal));
        }
    }
    Ok(())
}

fn keys_by_reference(
    chain: &ResolvedTrustChain,
    signed_keys: Option<&VerifiedKeySet>,
) -> Result<ClientKeys, RelyingPartyError> {
    let Some(set) = signed_keys else {
        return Ok(ClientKeys::default());
    };
    if set.iss() != chain.subject() {
        return Err(RelyingPartyError::ForeignKeys {
            expected: chain.subject().clone(),
        });
    }
    set.client_keys().map_err(|reason| RelyingPartyError::Keys {
        member: "signed_jwks_uri",
        reason,
    })
}

fn keys_by_value(party: &OpenIdRelyingParty) -> Result<ClientKeys, RelyingPartyError> {
    let Some(jwks) = &party.jwks else {
        return Ok(ClientKeys::default());
    };
    ClientKeys::parse(jwks).map_err(|reason| RelyingPartyError::Keys { member: "jwks", reason })
}

/// A_23183: several certificates at once are a rollover.
fn check_certificates(first: &ClientKeys, second: &ClientKeys) -> Result<Vec<Vec<u8>>, RelyingPartyError> {
    let mut certificates: Vec<Vec<u8>> = Vec::new();
    for certificate in first.tls_certificates.iter().chain(&second.tls_certificates) {
        if !certificates.contains(certificate) {
            certificates.push(certificate.clone());
        }
    }
    if certificates.is_empty() {
        return Err(RelyingPartyError::NoTlsCertificate);
    }
    Ok(certificates)
}

/// A_28209: old keys may have left the service soon, so the newest is taken.
fn choose_encryption_key(first: &ClientKeys, second: &ClientKeys) -> Result<Jwk, RelyingPartyError> {
    let key = first.newest_encryption_key().or_else(|| second.newest_encryption_key());
    key.cloned().ok_or(RelyingPartyError::NoEncryptionKey)
}

/// "1.10.0" is higher than "1.9.0".
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests;
