//! An identity provider as the federation vouches for it: statements, chain, metadata, token keys.
//!
//! The order is that of trust: the Federation Master's own statement with the pinned key, its statement about the provider, then the
//! provider's own, then its signed key set with the keys the Federation Master names (gematik digest 3.2, 6.8; A_23040). Nothing is fetched
//! from an address a browser named before the Federation Master knows it.

use std::fmt;
use std::sync::Arc;

use federation::chain::{
    ChainRequest, FetchedStatement, Freshness, ResolvedTrustChain, TrustAnchor, TrustChainError, resolve,
};
use federation::entity::{EntityIdError, check_endpoint};
use federation::idp_list::IdpListError;
use federation::metadata::{FederationEntity, MemberError, OpenIdProvider};
use federation::signed_keys::{self, SignedKeysError, VerifiedKeySet};
use federation::statement;
use federation::{EntityId, EntityType, Schemes};
use jose::UnixTime;
use jose::jwk::{JwkError, JwkSet, KeyUse};
use transport::{Fetch, FetchError, Fetched};
use url::Url;

use super::directory::Master;

/// Sent for statements.
const ACCEPT_STATEMENT: &str = statement::MEDIA_TYPE;
/// Sent for signed key sets: both media types are in the field (gematik digest 2.5).
const ACCEPT_KEY_SET: &str = "application/jwk-set+json, application/jwk-set+jwt;q=0.9";

/// The documents trust in a provider is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The Federation Master's own statement.
    MasterStatement,
    /// The Federation Master's statement about the provider.
    StatementAbout,
    /// The provider's own statement.
    OwnStatement,
    /// The provider's signed key set.
    SignedKeySet,
    /// The list of identity providers.
    IdpList,
}

impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::MasterStatement => "the Federation Master's own statement",
            Self::StatementAbout => "the Federation Master's statement about the identity provider",
            Self::OwnStatement => "the identity provider's own statement",
            Self::SignedKeySet => "the identity provider's signed key set",
            Self::IdpList => "the list of identity providers",
        })
    }
}

/// Why a provider, or the list of providers, is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FederationError {
    /// What was given as issuer is no entity identifier.
    #[error("issuer of the identity provider: {0}")]
    Issuer(#[from] EntityIdError),
    /// A document could not be fetched.
    #[error("{document}: {reason}")]
    Fetch {
        /// Which one.
        document: Document,
        /// Why.
        reason: FetchError,
    },
    /// A document was answered with another status than 200.
    #[error("{document}: answered with status {status}, expected 200")]
    Status {
        /// Which one.
        document: Document,
        /// The HTTP status.
        status: u16,
    },
    /// A document is not text.
    #[error("{document}: not text, expected a compact JWS")]
    NotText {
        /// Which one.
        document: Document,
    },
    /// The Federation Master does not know the provider.
    #[error("the Federation Master does not know identity provider {issuer} (it answers {status})")]
    NotRegistered {
        /// The provider.
        issuer: EntityId,
        /// 404 in production, 400 elsewhere (gematik digest 3.4).
        status: u16,
    },
    /// The Federation Master's own statement lacks an endpoint.
    #[error("the Federation Master's own statement lacks metadata.federation_entity.{member}")]
    NoEndpoint {
        /// The member.
        member: &'static str,
    },
    /// A statement is defective, or does not lead to the trust anchor.
    #[error(transparent)]
    Chain(#[from] TrustChainError),
    /// The provider's metadata is incomplete.
    #[error("metadata.openid_provider of the identity provider: {0}")]
    Metadata(#[from] MemberError),
    /// `issuer` in the metadata is somebody else.
    #[error("metadata.openid_provider.issuer must be {expected}")]
    OtherIssuer {
        /// The entity identifier.
        expected: EntityId,
    },
    /// The authorization endpoint is plain http where that is not admitted.
    #[error("metadata.openid_provider.authorization_endpoint: {0}")]
    AuthorizationEndpoint(EntityIdError),
    /// The signed key set is defective, or signed by a key the Federation Master does not vouch for.
    #[error(transparent)]
    SignedKeys(#[from] SignedKeysError),
    /// A key in the set is broken.
    #[error("the identity provider's signed key set: {0}")]
    TokenKey(JwkError),
    /// No key in the set may sign.
    #[error("the identity provider's signed key set has no P-256 signature key (A_22655-02)")]
    NoTokenKey,
    /// The list of identity providers is defective.
    #[error(transparent)]
    IdpList(#[from] IdpListError),
}

/// A provider whose chain leads to the trust anchor. Nothing but loading it makes one.
#[derive(Clone)]
pub struct TrustedProvider {
    metadata: OpenIdProvider,
    name: String,
    chain: ResolvedTrustChain,
    key_set: VerifiedKeySet,
    token_keys: JwkSet,
    documents: Documents,
    fetched_at: UnixTime,
    expires_at: UnixTime,
}

/// What was received, word by word.
#[derive(Clone)]
pub(crate) struct Documents {
    pub(crate) master_statement: String,
    pub(crate) statement_about: String,
    pub(crate) own_statement: String,
}

impl TrustedProvider {
    /// Its issuer.
    pub fn issuer(&self) -> &EntityId {
        &self.metadata.issuer
    }

    /// Its name, to be shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its resolved metadata.
    pub fn metadata(&self) -> &OpenIdProvider {
        &self.metadata
    }

    /// The verified chain, with every step.
    pub fn chain(&self) -> &ResolvedTrustChain {
        &self.chain
    }

    /// The keys ID tokens may be signed with.
    pub fn token_keys(&self) -> &JwkSet {
        &self.token_keys
    }

    /// Its signed key set.
    pub fn key_set(&self) -> &VerifiedKeySet {
        &self.key_set
    }

    /// When it was fetched.
    pub fn fetched_at(&self) -> UnixTime {
        self.fetched_at
    }

    /// When the first of its documents expires.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Refresh after 12 h, discard after 24 h, never beyond `exp` (A_23039).
    pub fn freshness(&self, now: UnixTime) -> Freshness {
        if now >= self.expires_at {
            Freshness::Discard
        } else {
            self.chain.freshness(self.fetched_at, now)
        }
    }
}

impl fmt::Debug for TrustedProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TrustedProvider({})", self.issuer())
    }
}

/// Who asks, and whom it believes.
pub(crate) struct Loader {
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) anchor: TrustAnchor,
    pub(crate) client_id: EntityId,
    pub(crate) schemes: Schemes,
}

impl Loader {
    /// Fetches and verifies everything about one provider.
    pub(crate) async fn load(
        &self,
        issuer: &EntityId,
        master: &Master,
        now: UnixTime,
    ) -> Result<TrustedProvider, FederationError> {
        let about_url = statement_about_url(master, issuer)?;
        let statement_about = self.statement_about(&about_url, issuer).await?;
        master.anchor.verify_statement_about(issuer, &statement_about, now)?;
        let own_url = issuer.well_known_url();
        let own_statement = fetch_text(&*self.fetch, Document::OwnStatement, &own_url, ACCEPT_STATEMENT).await?;
        let statements = [
            FetchedStatement::new(own_url, own_statement.clone()),
            FetchedStatement::new(about_url, statement_about.clone()),
            FetchedStatement::new(self.anchor.entity_id.well_known_url(), master.compact.clone()),
        ];
        let request = ChainRequest::new(issuer, EntityType::OpenIdProvider).for_audience(&self.client_id);
        let chain = resolve(&request, &statements, std::slice::from_ref(&self.anchor), now)?;
        let metadata = OpenIdProvider::parse(chain.metadata())?;
        if metadata.issuer != *issuer {
            return Err(FederationError::OtherIssuer {
                expected: issuer.clone(),
            });
        }
        check_endpoint(&metadata.authorization_endpoint, self.schemes)
            .map_err(FederationError::AuthorizationEndpoint)?;
        let (key_set, token_keys) = self.token_keys(&metadata, &chain, now).await?;
        let expires_at = key_set
            .exp()
            .map_or(chain.expires_at(), |exp| exp.min(chain.expires_at()));
        Ok(TrustedProvider {
            name: name_of(&metadata, &chain),
            metadata,
            chain,
            key_set,
            token_keys,
            documents: Documents {
                master_statement: master.compact.clone(),
                statement_about,
                own_statement,
            },
            fetched_at: now,
            expires_at,
        })
    }

    async fn statement_about(&self, url: &str, issuer: &EntityId) -> Result<String, FederationError> {
        match fetch_text(&*self.fetch, Document::StatementAbout, url, ACCEPT_STATEMENT).await {
            Err(FederationError::Status {
                status: status @ (400 | 404),
                ..
            }) => Err(FederationError::NotRegistered {
                issuer: issuer.clone(),
                status,
            }),
            outcome => outcome,
        }
    }

    async fn token_keys(
        &self,
        metadata: &OpenIdProvider,
        chain: &ResolvedTrustChain,
        now: UnixTime,
    ) -> Result<(VerifiedKeySet, JwkSet), FederationError> {
        let compact = fetch_text(
            &*self.fetch,
            Document::SignedKeySet,
            &metadata.signed_jwks_uri,
            ACCEPT_KEY_SET,
        )
        .await?;
        let key_set = signed_keys::parse(&compact)?.verify(&metadata.issuer, chain.federation_keys(), now)?;
        let keys = key_set.keys().map_err(FederationError::TokenKey)?;
        if !keys.keys.iter().any(|key| key.allows(KeyUse::Signature)) {
            return Err(FederationError::NoTokenKey);
        }
        Ok((key_set, keys))
    }
}

/// `federation_fetch_endpoint?iss=…&sub=…` (gematik digest 3.1); the endpoint may have a query of its own.
fn statement_about_url(master: &Master, issuer: &EntityId) -> Result<String, FederationError> {
    let member = "federation_fetch_endpoint";
    let endpoint = master
        .anchor
        .endpoints()
        .federation_fetch_endpoint
        .as_deref()
        .ok_or(FederationError::NoEndpoint { member })?;
    let mut url = Url::parse(endpoint).map_err(|_| FederationError::NoEndpoint { member })?;
    url.query_pairs_mut()
        .append_pair("iss", master.anchor.entity_id().as_str())
        .append_pair("sub", issuer.as_str());
    Ok(url.into())
}

/// Fetches a compact JWS. The content type is not judged: the signature is.
pub(crate) async fn fetch_text(
    fetch: &dyn Fetch,
    document: Document,
    url: &str,
    accept: &str,
) -> Result<String, FederationError> {
    let fetched: Fetched = fetch
        .fetch(url, accept)
        .await
        .map_err(|reason| FederationError::Fetch { document, reason })?;
    if fetched.status != 200 {
        return Err(FederationError::Status {
            document,
            status: fetched.status,
        });
    }
    match std::str::from_utf8(&fetched.body) {
        Ok(text) => Ok(text.trim_ascii().to_owned()),
        Err(_) => Err(FederationError::NotText { document }),
    }
}

/// `organization_name` moved from `openid_provider` to `federation_entity` (gematik digest 2.3, 2.4).
fn name_of(metadata: &OpenIdProvider, chain: &ResolvedTrustChain) -> String {
    let entity = chain
        .metadata_of(EntityType::FederationEntity)
        .and_then(|members| FederationEntity::parse(members).ok());
    entity
        .and_then(|entity| entity.organization_name.or(entity.name))
        .or_else(|| metadata.organization_name.clone())
        .unwrap_or_else(|| metadata.issuer.as_str().to_owned())
}
