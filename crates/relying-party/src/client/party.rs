//! The relying party: configuration, keys and the federation, put to work.

use std::sync::{Arc, Mutex, PoisonError};

use federation::EntityId;
use federation::idp_list::VerifiedIdpList;
use jose::{SignError, UnixTime};
use serde::Deserialize;
use transport::{HttpClient, HttpResponse, TlsError};
use url::Url;

use super::config::{Connections, PUSH_REPEATS, RelyingPartyConfig};
use super::directory::Directory;
use super::error::{LoginError, NewPartyError, RedeemError};
use super::id_token::{self, VerifiedIdToken};
use super::keys::KeyRing;
use super::login::{Asked, AuthorizationCode, LoginOptions, LoginSession, LoginStart};
use super::own_statement::{self, Signed};
use super::provider::{FederationError, Loader, TrustedProvider};
use super::random::code_challenge;
use super::refusal::ProviderRefusal;

/// Longest life of a `request_uri` that is believed, in seconds; providers in the field say 1 to 600 (gematik digest 4.4).
pub const MAX_REQUEST_LIFETIME_SECONDS: u64 = 600;
/// Longest `request_uri`, in characters.
const MAX_REQUEST_URI_CHARACTERS: usize = 2000;

const ACCEPT_JSON: [(&str, &str); 1] = [("accept", "application/json")];

/// A specialist service in the federation. Shared between threads behind an [`Arc`].
pub struct RelyingParty {
    config: RelyingPartyConfig,
    keys: KeyRing,
    connections: Connections,
    directory: Directory,
    statement: Signed,
    signed_keys: Signed,
    /// The client with the current TLS certificate; made anew when the ring switches.
    client: Mutex<(String, HttpClient)>,
}

#[derive(Deserialize)]
struct PushAnswer {
    request_uri: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

impl RelyingParty {
    /// A relying party; nothing is fetched yet.
    ///
    /// # Errors
    /// [`NewPartyError`].
    pub fn new(config: RelyingPartyConfig, keys: KeyRing, connections: Connections) -> Result<Self, NewPartyError> {
        config.check()?;
        let loader = Loader {
            fetch: Arc::clone(&connections.fetch),
            anchor: config.trust_anchor.clone(),
            client_id: config.entity_id.clone(),
            schemes: config.schemes,
        };
        let client = Mutex::new(http_client(&keys, &connections)?);
        Ok(Self {
            directory: Directory::new(loader, Arc::clone(&connections.list_fetch)),
            statement: Signed::default(),
            signed_keys: Signed::default(),
            client,
            config,
            keys,
            connections,
        })
    }

    /// Entity identifier and `client_id`.
    pub fn entity_id(&self) -> &EntityId {
        &self.config.entity_id
    }

    /// The configuration.
    pub fn config(&self) -> &RelyingPartyConfig {
        &self.config
    }

    /// The keys: roll them over here; the statement and the TLS client follow by themselves.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// The entity statement, to be served under `/.well-known/openid-federation` with [`federation::statement::MEDIA_TYPE`].
    ///
    /// # Errors
    /// [`SignError`].
    pub fn entity_statement(&self, now: UnixTime) -> Result<String, SignError> {
        self.statement.document(&self.keys, now, || {
            own_statement::entity_statement(&self.config, &self.keys, now)
        })
    }

    /// The signed key set, to be served where [`super::KeyPublication::SignedKeySet`] says.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn signed_jwks(&self, now: UnixTime) -> Result<String, SignError> {
        self.signed_keys.document(&self.keys, now, || {
            own_statement::signed_jwks(&self.config, &self.keys, now)
        })
    }

    /// The identity providers a person can choose from, as the Federation Master lists them.
    ///
    /// # Errors
    /// [`FederationError`].
    pub async fn identity_providers(&self, now: UnixTime) -> Result<Arc<VerifiedIdpList>, FederationError> {
        self.directory.idp_list(now).await
    }

    /// One identity provider, verified to the trust anchor.
    ///
    /// # Errors
    /// [`FederationError`].
    pub async fn provider(&self, issuer: &str, now: UnixTime) -> Result<Arc<TrustedProvider>, FederationError> {
        let issuer = EntityId::parse(issuer, federation::Schemes::HttpsOnly)?;
        self.directory.provider(&issuer, now).await
    }

    /// The way public documents are fetched: guarded, without client certificate.
    pub(crate) fn fetch(&self) -> &dyn transport::Fetch {
        &*self.connections.fetch
    }

    /// Pushes an authorization request. A provider that does not know us yet is asked again after a pause (A_23500).
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn begin_login(
        &self,
        issuer: &str,
        options: &LoginOptions,
        now: UnixTime,
    ) -> Result<LoginStart, LoginError> {
        let redirect_uri = self.redirect_uri(options)?;
        let provider = self.provider(issuer, now).await?;
        let asked = Asked {
            acr: options.acr,
            level_rule: options.level_rule,
            amr: options.amr.clone(),
            scopes: options.scopes.clone().unwrap_or_else(|| self.config.scopes.clone()),
            claims: options.claims.clone(),
            prompt: options.prompt.clone(),
            max_age_seconds: options.max_age_seconds,
        };
        let session = LoginSession::begin(provider.issuer().clone(), redirect_uri, asked, now)?;
        let (answer, pushes) = self.push(&provider, &session).await?;
        Ok(LoginStart {
            authorization_url: self.authorization_url(&provider, &answer.request_uri)?,
            session,
            expires_in_seconds: answer.expires_in,
            pushes,
        })
    }

    /// Redeems a code: token request, then every check on the token. A signature key or version that the kept statement does not know
    /// leads to one reload (A_22861, A_27505).
    ///
    /// # Errors
    /// [`RedeemError`].
    pub async fn redeem(
        &self,
        session: LoginSession,
        code: AuthorizationCode,
        now: UnixTime,
    ) -> Result<VerifiedIdToken, RedeemError> {
        let provider = self.directory.provider(session.issuer(), now).await?;
        let client_id = self.config.entity_id.as_str();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("code_verifier", session.code_verifier()),
            ("client_id", client_id),
            ("redirect_uri", session.redirect_uri()),
        ];
        let response = self
            .client()?
            .post_form(&provider.metadata().token_endpoint, &fields, &ACCEPT_JSON)
            .await
            .map_err(RedeemError::NoAnswer)?;
        if response.status != 200 {
            return Err(RedeemError::Refused {
                status: response.status,
                refusal: refusal(&response),
            });
        }
        let answer: TokenAnswer =
            jose::json::parse_as(&response.body, &jose::json::DEFAULT).map_err(|_| RedeemError::Answer)?;
        self.verify(&answer.id_token, &session, provider, now).await
    }

    async fn verify(
        &self,
        id_token: &str,
        session: &LoginSession,
        provider: Arc<TrustedProvider>,
        now: UnixTime,
    ) -> Result<VerifiedIdToken, RedeemError> {
        let client_id = &self.config.entity_id;
        match id_token::verify(id_token, session, client_id, &self.keys, &provider, now) {
            Err(error) if error.wants_reload() => {
                tracing::info!(event = "relying_party.provider_reloaded", issuer = %provider.issuer(), reason = %error);
                let provider = self.directory.reload(&provider, now).await?;
                Ok(id_token::verify(
                    id_token, session, client_id, &self.keys, &provider, now,
                )?)
            }
            outcome => Ok(outcome?),
        }
    }

    fn redirect_uri(&self, options: &LoginOptions) -> Result<String, LoginError> {
        let configured = &self.config.redirect_uris;
        let wanted = options.redirect_uri.as_ref().or(configured.first());
        wanted
            .filter(|uri| configured.contains(uri))
            .cloned()
            .ok_or(LoginError::RedirectUri)
    }

    async fn push(&self, provider: &TrustedProvider, session: &LoginSession) -> Result<(PushAnswer, u32), LoginError> {
        let fields = self.push_fields(session);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let endpoint = &provider.metadata().pushed_authorization_request_endpoint;
        let client = self.client()?;
        let mut pushes = 0;
        loop {
            pushes += 1;
            let response = client
                .post_form(endpoint, &fields, &ACCEPT_JSON)
                .await
                .map_err(LoginError::NoAnswer)?;
            if response.status == 201 {
                return Ok((push_answer(&response)?, pushes));
            }
            let refusal = refusal(&response);
            let may_be_new = matches!(response.status, 400 | 401)
                && matches!(refusal.error.as_str(), "invalid_client" | "unauthorized_client");
            if !may_be_new || pushes > PUSH_REPEATS {
                return Err(LoginError::Refused {
                    status: response.status,
                    refusal,
                    pushes,
                });
            }
            tokio::time::sleep(self.config.push_pause).await;
        }
    }

    /// The parameters of gematik digest 4.2, in its order.
    fn push_fields(&self, session: &LoginSession) -> Vec<(&'static str, String)> {
        let asked = session.asked();
        let mut fields = vec![
            ("client_id", self.config.entity_id.as_str().to_owned()),
            ("redirect_uri", session.redirect_uri().to_owned()),
            ("response_type", "code".to_owned()),
            ("scope", asked.scopes.join(" ")),
            ("state", session.state().to_owned()),
            ("nonce", session.nonce().to_owned()),
            ("code_challenge", code_challenge(session.code_verifier())),
            ("code_challenge_method", "S256".to_owned()),
            ("acr_values", asked.acr.as_str().to_owned()),
        ];
        let max_age = asked.max_age_seconds.map(|seconds| seconds.to_string());
        let claims = asked.claims.as_ref().map(ToString::to_string);
        let optional = [
            ("amr", asked.amr.clone()),
            ("prompt", asked.prompt.clone()),
            ("max_age", max_age),
            ("claims", claims),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        fields
    }

    fn authorization_url(&self, provider: &TrustedProvider, request_uri: &str) -> Result<String, LoginError> {
        let mut url = Url::parse(&provider.metadata().authorization_endpoint).map_err(|_| LoginError::Answer)?;
        url.query_pairs_mut()
            .append_pair("client_id", self.config.entity_id.as_str())
            .append_pair("request_uri", request_uri);
        Ok(url.into())
    }

    fn client(&self) -> Result<HttpClient, TlsError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if client.0 != self.keys.tls_credential().kid() {
            *client = http_client(&self.keys, &self.connections)?;
        }
        Ok(client.1.clone())
    }
}

impl std::fmt::Debug for RelyingParty {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RelyingParty({})", self.config.entity_id)
    }
}

fn http_client(keys: &KeyRing, connections: &Connections) -> Result<(String, HttpClient), TlsError> {
    let credential = keys.tls_credential();
    let client = HttpClient::builder(&connections.roots, connections.address_rule)
        .loopback_names(&connections.loopback_names)
        .identity(credential.identity().clone())
        .build()?;
    Ok((credential.kid().to_owned(), client))
}

fn refusal(response: &HttpResponse) -> ProviderRefusal {
    ProviderRefusal::from_body(&response.body)
}

/// RFC 9126 §2.2.
fn push_answer(response: &HttpResponse) -> Result<PushAnswer, LoginError> {
    let answer: PushAnswer =
        jose::json::parse_as(&response.body, &jose::json::DEFAULT).map_err(|_| LoginError::Answer)?;
    let is_usable = (1..=MAX_REQUEST_URI_CHARACTERS).contains(&answer.request_uri.len())
        && (1..=MAX_REQUEST_LIFETIME_SECONDS).contains(&answer.expires_in);
    if is_usable { Ok(answer) } else { Err(LoginError::Answer) }
}

#[cfg(test)]
mod tests;
