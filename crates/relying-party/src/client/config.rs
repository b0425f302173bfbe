//! What a relying party is: names, addresses, scopes, trust anchor.

use std::sync::Arc;
use std::time::Duration;

use authenticator::IdTokenVersion;
use federation::chain::TrustAnchor;
use federation::entity::{EntityIdError, check_redirect_uri};
use federation::{EntityId, Schemes};
use transport::{AddressRule, Fetch, FetchLimits, Fetcher, Roots, TlsError};

/// Life of an own entity statement, in seconds, where nothing else is configured: 2 h. The longest allowed is 24 h (A_23034).
pub const DEFAULT_STATEMENT_LIFETIME_SECONDS: u64 = 2 * 60 * 60;
/// Pause before a pushed request is repeated (A_23500).
pub const DEFAULT_PUSH_PAUSE: Duration = Duration::from_millis(1500);
/// How often a pushed request is repeated after the first try (A_23500).
pub const PUSH_REPEATS: u32 = 2;
/// Most redirect URIs and most scopes of one relying party.
pub const MAX_LIST: usize = 64;

/// How TLS and encryption keys are made known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPublication {
    /// `metadata.openid_relying_party.jwks`, in the statement.
    InStatement,
    /// `signed_jwks_uri` names a document that [`super::RelyingParty::signed_jwks`] makes; the statement holds no client keys.
    SignedKeySet {
        /// Absolute https URL.
        uri: String,
    },
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// No redirect URI, or too many.
    #[error("redirect_uris must hold 1 to {MAX_LIST} addresses")]
    RedirectUris,
    /// A redirect URI breaks a rule.
    #[error("redirect_uris: {0} (A_27585)")]
    RedirectUri(EntityIdError),
    /// `openid` is missing, or too many, or a scope with a space.
    #[error(
        "scopes must hold openid, at most {MAX_LIST} in all, none of them empty or with a space (RFC 6749 section 3.3)"
    )]
    Scopes,
    /// The client name is empty.
    #[error("client_name must not be empty")]
    ClientName,
    /// The statement's life is zero or longer than 24 h.
    #[error("statement_lifetime_seconds must be 120 to 86400 (A_23034)")]
    StatementLifetime,
    /// No ID token version.
    #[error("id_token_versions must not be empty")]
    Versions,
}

/// Configuration of a [`super::RelyingParty`].
#[derive(Debug, Clone)]
pub struct RelyingPartyConfig {
    /// Entity identifier, at the same time the `client_id`.
    pub entity_id: EntityId,
    /// `client_name`: what the person sees.
    pub client_name: String,
    /// `organization_name` in `federation_entity`; the Federation Master limits its characters.
    pub organization_name: String,
    /// `logo_uri`
    pub logo_uri: Option<String>,
    /// `contacts`: mail addresses.
    pub contacts: Vec<String>,
    /// Where the person comes back to; the first is used where a login names none.
    pub redirect_uris: Vec<String>,
    /// Registered scopes; asked for where a login names none.
    pub scopes: Vec<String>,
    /// The Federation Master with its keys, several while it rolls over. Installed out of band (A_23046).
    pub trust_anchor: TrustAnchor,
    /// Announced ID token versions.
    pub id_token_versions: Vec<IdTokenVersion>,
    /// How client keys are made known.
    pub key_publication: KeyPublication,
    /// Life of a statement, in seconds.
    pub statement_lifetime_seconds: u64,
    /// Whether plain http to this machine is acceptable, for redirect URIs and authorization endpoints: sandbox only.
    pub schemes: Schemes,
    /// Pause before a pushed request is repeated.
    pub push_pause: Duration,
}

impl RelyingPartyConfig {
    /// A configuration with the defaults of this module: both token versions, keys in the statement, https only.
    pub fn new(entity_id: EntityId, client_name: impl Into<String>, trust_anchor: TrustAnchor) -> Self {
        let client_name = client_name.into();
        Self {
            entity_id,
            organization_name: client_name.clone(),
            client_name,
            logo_uri: None,
            contacts: Vec::new(),
            redirect_uris: Vec::new(),
            scopes: vec!["openid".into()],
            trust_anchor,
            id_token_versions: vec![IdTokenVersion::V1, IdTokenVersion::V2],
            key_publication: KeyPublication::InStatement,
            statement_lifetime_seconds: DEFAULT_STATEMENT_LIFETIME_SECONDS,
            schemes: Schemes::HttpsOnly,
            push_pause: DEFAULT_PUSH_PAUSE,
        }
    }

    /// Checks what can be checked without the federation.
    ///
    /// # Errors
    /// [`ConfigError`], by rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.client_name.trim().is_empty() {
            return Err(ConfigError::ClientName);
        }
        if self.redirect_uris.is_empty() || self.redirect_uris.len() > MAX_LIST {
            return Err(ConfigError::RedirectUris);
        }
        for uri in &self.redirect_uris {
            check_redirect_uri(uri, self.schemes).map_err(ConfigError::RedirectUri)?;
        }
        let well_formed = |scope: &String| !scope.is_empty() && !scope.contains(char::is_whitespace);
        if self.scopes.len() > MAX_LIST
            || !self.scopes.iter().all(well_formed)
            || !self.scopes.iter().any(|scope| scope == "openid")
        {
            return Err(ConfigError::Scopes);
        }
        if !(120..=federation::statement::MAX_LIFETIME_SECONDS).contains(&self.statement_lifetime_seconds) {
            return Err(ConfigError::StatementLifetime);
        }
        if self.id_token_versions.is_empty() {
            return Err(ConfigError::Versions);
        }
        Ok(())
    }
}

/// How the network is reached.
#[derive(Clone)]
pub struct Connections {
    /// For statements and key sets: guarded, without client certificate.
    pub fetch: Arc<dyn Fetch>,
    /// For the list of identity providers, which may be larger.
    pub list_fetch: Arc<dyn Fetch>,
    /// Believed at PAR and token endpoint.
    pub roots: Roots,
    /// Where PAR and token endpoint may be.
    pub address_rule: AddressRule,
    /// Further names of this machine, for rules that admit loopback.
    pub loopback_names: Vec<String>,
}

impl Connections {
    /// Both ways over the network, believing `roots`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn over_network(roots: &Roots, address_rule: AddressRule, loopback_names: &[String]) -> Result<Self, TlsError> {
        let limits = FetchLimits::default();
        let list_limits = FetchLimits {
            max_bytes: federation::idp_list::LIMITS.bytes,
            ..limits
        };
        Ok(Self {
            fetch: Arc::new(Fetcher::with_limits(roots, address_rule, limits, loopback_names)?),
            list_fetch: Arc::new(Fetcher::with_limits(roots, address_rule, list_limits, loopback_names)?),
            roots: roots.clone(),
            address_rule,
            loopback_names: loopback_names.to_vec(),
        })
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connections")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jose::jwk::JwkSet;

    use super::*;

    fn config() -> RelyingPartyConfig {
        let id = |text| EntityId::parse(text, Schemes::HttpsOnly).unwrap();
        let anchor = TrustAnchor {
            entity_id: id("https://fm.example"),
            keys: JwkSet::default(),
        };
        RelyingPartyConfig {
            redirect_uris: vec!["https://service.example/return".into()],
            ..RelyingPartyConfig::new(id("https://service.example"), "Service", anchor)
        }
    }

    #[test]
    fn the_defaults_need_only_a_redirect_uri() {
        assert_eq!(config().check(), Ok(()));
    }

    #[test]
    fn configurations_that_break_a_rule_are_refused() {
        type Change = fn(&mut RelyingPartyConfig);
        let cases: [(Change, ConfigError); 12] = [
            (|c| c.client_name = " ".into(), ConfigError::ClientName),
            (|c| c.redirect_uris.clear(), ConfigError::RedirectUris),
            (
                |c| c.redirect_uris = vec!["https://a.example".into(); MAX_LIST + 1],
                ConfigError::RedirectUris,
            ),
            (
                |c| c.redirect_uris[0] = "http://a.example/cb".into(),
                ConfigError::RedirectUri(EntityIdError::Scheme),
            ),
            (
                |c| c.redirect_uris[0] = "http://localhost/cb".into(),
                ConfigError::RedirectUri(EntityIdError::Scheme),
            ),
            (
                |c| c.redirect_uris[0] = "https://a.example/cb?x=1".into(),
                ConfigError::RedirectUri(EntityIdError::Query),
            ),
            (|c| c.scopes.clear(), ConfigError::Scopes),
            (|c| c.scopes.push("a b".into()), ConfigError::Scopes),
            (|c| c.scopes.push(String::new()), ConfigError::Scopes),
            (
                |c| c.statement_lifetime_seconds = 86_401,
                ConfigError::StatementLifetime,
            ),
            (|c| c.statement_lifetime_seconds = 0, ConfigError::StatementLifetime),
            (|c| c.id_token_versions.clear(), ConfigError::Versions),
        ];
        for (at, (change, expected)) in cases.into_iter().enumerate() {
            let mut config = config();
            change(&mut config);
            assert_eq!(config.check(), Err(expected), "case {at}");
        }
    }
}
