//! One login from the service's side: what is asked for, what is remembered, what comes back in the browser.

use std::fmt;

use authenticator::Acr;
use federation::EntityId;
use jose::UnixTime;
use oidc::form::{Form, FormError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::random::{self, RandomnessError};
use super::refusal::ProviderRefusal;

/// Longest authorization code accepted, in characters.
pub const MAX_CODE_CHARACTERS: usize = 2048;

/// What to do when a token says less than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LevelRule {
    /// The level asked for, or more (A_23049, A_23004).
    #[default]
    AtLeast,
    /// Also substantial, if the token says that the insured person agreed to it (A_23202-02, A_27593).
    OrConsentedSubstantial,
}

/// What a login asks for. Texts go to the provider as they are: what it does not accept, it refuses in its own words.
#[derive(Debug, Clone, PartialEq)]
pub struct LoginOptions {
    /// Level of assurance.
    pub acr: Acr,
    /// What counts as reaching it.
    pub level_rule: LevelRule,
    /// `amr`: a wish for a method.
    pub amr: Option<String>,
    /// Scopes; `None` for all registered ones.
    pub scopes: Option<Vec<String>>,
    /// `claims`: see [`claims_parameter`].
    pub claims: Option<Value>,
    /// `prompt`, such as `login`.
    pub prompt: Option<String>,
    /// `max_age` in seconds; 0 forces a fresh authentication (A_23030).
    pub max_age_seconds: Option<u64>,
    /// One of the configured redirect URIs; `None` for the first.
    pub redirect_uri: Option<String>,
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self {
            acr: Acr::High,
            level_rule: LevelRule::AtLeast,
            amr: None,
            scopes: None,
            claims: None,
            prompt: None,
            max_age_seconds: None,
            redirect_uri: None,
        }
    }
}

/// A `claims` parameter (OpenID Connect Core §5.5) that asks for these claims in the ID token.
///
/// ```
/// let claims = relying_party::client::claims_parameter(&["urn:telematik:claims:id"], &["urn:telematik:claims:email"]);
/// assert_eq!(claims["id_token"]["urn:telematik:claims:id"]["essential"], true);
/// ```
pub fn claims_parameter(essential: &[&str], voluntary: &[&str]) -> Value {
    let mut wishes = Map::new();
    for claim in essential {
        wishes.insert((*claim).to_owned(), json!({"essential": true}));
    }
    for claim in voluntary {
        wishes.entry((*claim).to_owned()).or_insert(Value::Null);
    }
    json!({"id_token": wishes})
}

/// What was asked for, kept to judge the answer by and to explain it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Level of assurance.
    pub acr: Acr,
    /// What counts as reaching it.
    pub level_rule: LevelRule,
    /// Wish for a method.
    pub amr: Option<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// The `claims` parameter.
    pub claims: Option<Value>,
    /// `prompt`
    pub prompt: Option<String>,
    /// `max_age`
    pub max_age_seconds: Option<u64>,
}

/// What a service keeps between sending the person away and her coming back: in its session, bound to her browser.
///
/// Serialises for session stores shared by several instances. It is a secret: whoever has it and the code can redeem the code.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginSession {
    issuer: EntityId,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_verifier: String,
    asked: Asked,
    started_at: UnixTime,
}

/// Why the address the browser came back with gives no code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// The query cannot be read.
    #[error("callback: {0}")]
    Form(#[from] FormError),
    /// `state` is missing or another login's.
    #[error("callback: parameter 'state' is missing or belongs to another login (RFC 6749 section 10.12)")]
    State,
    /// `iss` names another provider.
    #[error("callback: parameter 'iss' is not the provider this login began with (RFC 9207 section 2.4)")]
    Issuer,
    /// The provider refused, or the person did.
    #[error("callback: the provider answers {0}")]
    Refused(ProviderRefusal),
    /// Neither `code` nor `error`.
    #[error("callback: parameter 'code' is missing or longer than {MAX_CODE_CHARACTERS} characters")]
    NoCode,
}

/// An authorization code of the login whose `state` came with it.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationCode(String);

impl LoginSession {
    pub(crate) fn begin(
        issuer: EntityId,
        redirect_uri: String,
        asked: Asked,
        now: UnixTime,
    ) -> Result<Self, RandomnessError> {
        Ok(Self {
            issuer,
            redirect_uri,
            state: random::secret()?,
            nonce: random::secret()?,
            code_verifier: random::secret()?,
            asked,
            started_at: now,
        })
    }

    /// The provider the person was sent to.
    pub fn issuer(&self) -> &EntityId {
        &self.issuer
    }

    /// Where she comes back to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// `state`: finds this session again when she does.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// What was asked for.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// When the login began.
    pub fn started_at(&self) -> UnixTime {
        self.started_at
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(crate) fn code_verifier(&self) -> &str {
        &self.code_verifier
    }

    /// Whether this `state` is this login's; takes the same time for every wrong one.
    pub fn owns_state(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// Reads the query the browser came back with (without `?`).
    ///
    /// # Errors
    /// [`CallbackError`]; an `error` counts only with this login's `state`.
    pub fn read_callback(&self, query: &str) -> Result<AuthorizationCode, CallbackError> {
        let form = Form::parse(query.as_bytes())?;
        if !form.value("state").is_some_and(|state| self.owns_state(state)) {
            return Err(CallbackError::State);
        }
        if form.value("iss").is_some_and(|iss| iss != self.issuer.as_str()) {
            return Err(CallbackError::Issuer);
        }
        if let Some(error) = form.value("error") {
            return Err(CallbackError::Refused(ProviderRefusal::new(
                error,
                form.value("error_description"),
            )));
        }
        match form.value("code") {
            Some(code) if code.len() <= MAX_CODE_CHARACTERS => Ok(AuthorizationCode(code.to_owned())),
            _ => Err(CallbackError::NoCode),
        }
    }

    /// As [`LoginSession::read_callback`], from the whole address (`Location` of the provider's last answer).
    ///
    /// # Errors
    /// [`CallbackError`]; [`CallbackError::NoCode`] when the address is not this login's redirect URI.
    pub fn read_callback_url(&self, url: &str) -> Result<AuthorizationCode, CallbackError> {
        match url.split_once('?') {
            Some((address, query)) if address == self.redirect_uri => self.read_callback(query),
            _ => Err(CallbackError::NoCode),
        }
    }
}

impl AuthorizationCode {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LoginSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginSession")
    }
}

/// The address carries the provider's sealed login state.
impl fmt::Debug for LoginStart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginStart")
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthorizationCode")
    }
}

/// A login that has begun: send the person to `authorization_url`, keep `session`.
pub struct LoginStart {
    /// Where the person goes: the provider's authorization endpoint with `client_id` and `request_uri`.
    pub authorization_url: String,
    /// To be kept, bound to the person's browser.
    pub session: LoginSession,
    /// How long the address is good for, in seconds.
    pub expires_in_seconds: u64,
    /// How often the request was pushed (A_23500: more than once when the provider did not know us yet).
    pub pushes: u32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use federation::Schemes;

    use super::*;

    fn session() -> LoginSession {
        let asked = Asked {
            acr: Acr::High,
            level_rule: LevelRule::AtLeast,
            amr: None,
            scopes: vec!["openid".into()],
            claims: None,
            prompt: None,
            max_age_seconds: None,
        };
        let issuer = EntityId::parse("https://idp.example/109900019", Schemes::HttpsOnly).unwrap();
        LoginSession::begin(issuer, "https://service.example/return".into(), asked, UnixTime(0)).unwrap()
    }

    #[test]
    fn a_code_is_read_only_with_the_state_of_this_login() {
        let session = session();
        let state = session.state();
        let code = session.read_callback(&format!("code=abc&state={state}")).unwrap();
        assert_eq!(code.as_str(), "abc");
        let with_issuer = format!("code=abc&state={state}&iss=https%3A%2F%2Fidp.example%2F109900019");
        assert!(session.read_callback(&with_issuer).is_ok());
        let other = super::tests::session();
        let truncated = &state[..42];
        let cases = [
            ("code=abc".to_owned(), CallbackError::State),
            ("code=abc&state=".to_owned(), CallbackError::State),
            (format!("code=abc&state={}", other.state()), CallbackError::State),
            (format!("code=abc&state={truncated}"), CallbackError::State),
            (format!("code=abc&state={state}x"), CallbackError::State),
            ("error=access_denied".to_owned(), CallbackError::State),
            (
                format!("code=abc&state={state}&iss=https://other.example"),
                CallbackError::Issuer,
            ),
            (format!("state={state}"), CallbackError::NoCode),
            (format!("state={state}&code="), CallbackError::NoCode),
            (
                format!("state={state}&code={}", "a".repeat(MAX_CODE_CHARACTERS + 1)),
                CallbackError::NoCode,
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(session.read_callback(&query), Err(expected), "{query}");
        }
        for query in [
            format!("code=a&code=b&state={state}"),
            format!("state={state}&code=%zz"),
        ] {
            assert!(
                matches!(session.read_callback(&query), Err(CallbackError::Form(_))),
                "{query}"
            );
        }
    }

    #[test]
    fn an_error_of_the_provider_keeps_its_words_and_its_support_code() {
        let session = session();
        let query = format!(
            "error=access_denied&error_description=declined+%28support+code+AB12-CD34%29&state={}",
            session.state()
        );
        let Err(CallbackError::Refused(refusal)) = session.read_callback(&query) else {
            panic!("not refused")
        };
        assert_eq!(refusal.error, "access_denied");
        assert_eq!(refusal.support_code.as_deref(), Some("AB12-CD34"));
    }

    #[test]
    fn a_whole_address_has_to_be_the_redirect_uri() {
        let session = session();
        let query = format!("code=abc&state={}", session.state());
        assert!(
            session
                .read_callback_url(&format!("https://service.example/return?{query}"))
                .is_ok()
        );
        for address in [
            "https://service.example/return2",
            "https://evil.example/return",
            "/return",
        ] {
            assert_eq!(
                session.read_callback_url(&format!("{address}?{query}")),
                Err(CallbackError::NoCode)
            );
        }
    }

    #[test]
    fn a_session_survives_the_session_store_and_shows_nothing() {
        let session = session();
        let stored = serde_json::to_string(&session).unwrap();
        let restored: LoginSession = serde_json::from_str(&stored).unwrap();
        assert!(restored.owns_state(session.state()));
        assert_eq!(format!("{session:?}"), "LoginSession");
    }

    #[test]
    fn essential_wins_over_voluntary() {
        let claims = claims_parameter(&["a"], &["a", "b"]);
        assert_eq!(claims, json!({"id_token": {"a": {"essential": true}, "b": null}}));
    }
}
