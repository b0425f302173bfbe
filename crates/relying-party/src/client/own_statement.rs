//! What a relying party publishes about itself: entity statement and signed key set (gematik digest 3.8).

use std::sync::{Mutex, PoisonError};

use federation::metadata::{FederationEntity, OpenIdRelyingParty};
use federation::{profile, signed_keys, statement};
use jose::{SignError, UnixTime};

use super::config::{KeyPublication, RelyingPartyConfig};
use super::keys::KeyRing;

/// A signed document is used again for this long, in seconds. Signing costs 20 µs; the limit keeps a flood from becoming signatures.
pub const REUSE_SECONDS: u64 = 60;

/// A signed document, when it was signed, and the state of the ring it was made of.
#[derive(Default)]
pub(crate) struct Signed(Mutex<Option<(String, UnixTime, u64)>>);

impl Signed {
    /// The document, signed anew when it is old or the ring has changed.
    pub(crate) fn document(
        &self,
        keys: &KeyRing,
        now: UnixTime,
        sign: impl FnOnce() -> Result<String, SignError>,
    ) -> Result<String, SignError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = keys.generation();
        if let Some((document, signed_at, made_of)) = &*kept
            && *made_of == generation
            && *signed_at <= now
            && now.seconds_since(*signed_at) < REUSE_SECONDS
        {
            return Ok(document.clone());
        }
        let document = sign()?;
        *kept = Some((document.clone(), now, generation));
        Ok(document)
    }
}

/// The entity statement, signed now. The ring remembers which keys it names, and until when.
pub(crate) fn entity_statement(
    config: &RelyingPartyConfig,
    keys: &KeyRing,
    now: UnixTime,
) -> Result<String, SignError> {
    let lifetime_seconds = config.statement_lifetime_seconds;
    let publication = keys.publish(now, now.plus_seconds(lifetime_seconds));
    let (jwks, signed_jwks_uri) = match &config.key_publication {
        KeyPublication::InStatement => (Some(profile::client_key_set(&publication.client_keys)), None),
        KeyPublication::SignedKeySet { uri } => (None, Some(uri.clone())),
    };
    let party = OpenIdRelyingParty {
        client_name: config.client_name.clone(),
        redirect_uris: config.redirect_uris.clone(),
        scope: config.scopes.clone(),
        // Some identity providers demand it (gematik digest 3.8).
        default_acr_values: vec![authenticator::Acr::High.as_str().to_owned()],
        id_token_versions: config
            .id_token_versions
            .iter()
            .map(|version| version.as_str().to_owned())
            .collect(),
        jwks,
        signed_jwks_uri,
        organization_name: Some(config.organization_name.clone()),
        logo_uri: config.logo_uri.clone(),
    };
    let mut entity = FederationEntity::of_participant(config.organization_name.clone());
    if !config.contacts.is_empty() {
        entity.contacts = Some(config.contacts.clone());
    }
    let claims = profile::relying_party_statement(
        &config.entity_id,
        &party,
        &entity,
        &config.trust_anchor.entity_id,
        &publication.entity_keys.keys,
        now,
        lifetime_seconds,
    );
    statement::issue(&claims, &*publication.signer)
}

/// The signed key set: TLS certificates and encryption keys. It has no `exp`; identity providers discard it with the statement that led
/// there, 24 h at the latest (A_23133), so that is what the ring remembers.
pub(crate) fn signed_jwks(config: &RelyingPartyConfig, keys: &KeyRing, now: UnixTime) -> Result<String, SignError> {
    let publication = keys.publish(now, now.plus_seconds(statement::MAX_LIFETIME_SECONDS));
    signed_keys::issue(&config.entity_id, now, &publication.client_keys, &*publication.signer)
}
