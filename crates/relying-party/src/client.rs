//! The client library: everything a specialist service needs to let people log in with GesundheitsID.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use relying_party::client::{Connections, KeyRing, LoginOptions, RelyingParty, RelyingPartyConfig};
//! # async fn login(config: RelyingPartyConfig, connections: Connections, query_of_the_browser: &str) -> Result<(), Box<dyn std::error::Error>> {
//! # let now = jose::UnixTime(1_800_000_000);
//! let keys = KeyRing::generate("https://service.example", 365, now)?;
//! let party = RelyingParty::new(config, keys, connections)?;
//!
//! let insurers = party.identity_providers(now).await?;             // shown to the person
//! let issuer = insurers.entries()[0].iss.as_str();
//! let login = party.begin_login(issuer, &LoginOptions::default(), now).await?;
//! // … send the browser to login.authorization_url, keep login.session bound to it, wait for the callback …
//! let code = login.session.read_callback(query_of_the_browser)?;
//! let token = party.redeem(login.session, code, now).await?;
//! println!("{} at {}", token.subject(), token.issuer());
//! # Ok(()) }
//! ```
//!
//! **Trusted for:** the order and completeness of the checks in gematik digest 6.8; keys only as the Federation Master vouches for them;
//! mutual TLS at PAR and token endpoint. **Does not:** keep sessions (that is the service's), check certificate transparency of the
//! provider's TLS certificate (A_23042), look at what the claims mean.

mod certificate;
mod config;
mod directory;
mod error;
mod id_token;
mod keys;
mod login;
mod own_statement;
mod party;
mod provider;
mod random;
mod refusal;
mod routes;
mod tls_credential;

pub use certificate::CertificateAccount;
pub use config::{
    ConfigError, Connections, DEFAULT_PUSH_PAUSE, DEFAULT_STATEMENT_LIFETIME_SECONDS, KeyPublication, MAX_LIST,
    PUSH_REPEATS, RelyingPartyConfig,
};
pub use directory::{LIST_REFRESH_SECONDS, MASTER_RELOAD_SECONDS, MAX_PROVIDERS};
pub use error::{LoginError, NewPartyError, RedeemError};
pub(crate) use id_token::TokenEvidence;
pub use id_token::{CLOCK_TOLERANCE_SECONDS, IdTokenError, MAX_SUBJECT_CHARACTERS, VerifiedIdToken};
pub use keys::{KeyPurpose, KeyRing, KeyRingError, KeyStage, KeyStatus, MAX_KEYS_PER_PURPOSE, WITHDRAWN_GRACE_SECONDS};
pub use login::{
    Asked, AuthorizationCode, CallbackError, LevelRule, LoginOptions, LoginSession, LoginStart, MAX_CODE_CHARACTERS,
    claims_parameter,
};
pub use own_statement::REUSE_SECONDS;
pub use party::{MAX_REQUEST_LIFETIME_SECONDS, RelyingParty};
pub use provider::{Document, FederationError, TrustedProvider};
pub use random::RandomnessError;
pub(crate) use random::{nonce as random_nonce, secret, support_code};
pub use refusal::ProviderRefusal;
pub use routes::{Clock, federation_router};
pub use tls_credential::{MAX_CERTIFICATE_DAYS, TlsCredential, TlsCredentialError};
