//! The provider's protocol: messages, checks, decisions. Pure: no clock, no sockets, no storage.
//!
//! Trusted for: what a relying party may ask, what a person releases, and when a code is worth a token. Each endpoint is one module, its checks
//! stand in the order of the specification, and each step leaves a type behind that the next one demands: [`push::PushedRequest`] →
//! [`client::AuthenticatedClient`] → [`login_state::PushedLogin`] → [`login_state::AuthenticatedLogin`] → [`login_state::AuthorizationCode`]
//! → [`token::RedeemableCode`] → [`token::ConsumedCode`].
//!
//! Does not seal, store, sign or encrypt anything: `vault` and `store` do, called by `provider`.

pub mod asking_device;
pub mod authorization;
pub mod birthdate;
pub mod claims_request;
pub mod client;
pub mod codec;
pub mod consent;
pub mod extension;
pub mod form;
pub mod id_token;
pub mod login_state;
pub mod prompt;
pub mod push;
pub mod refusal;
pub mod scope;
pub mod token;
pub mod version;
