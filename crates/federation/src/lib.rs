//! OpenID Federation 1.0 as the GesundheitsID federation uses it: entity statements, metadata, metadata policy, trust
//! chains, signed key sets, the list of identity providers, and what an identity provider learns about a service.
//!
//! **Trusted for:** a [`chain::ResolvedTrustChain`] was verified link by link up to a pinned trust anchor, and its
//! metadata is what the superiors allow; a [`relying_party::VerifiedRelyingParty`] comes from such a chain; whatever
//! is issued here holds the members gematik's approval expects and no others.
//!
//! **Does not:** fetch anything, read the clock (time is a parameter), keep a cache, look at X.509 certificates beyond
//! their frame, or decide on a request of a service. RSA, trust marks and explicit registration are not supported.
//!
//! One chain, from bytes to a service:
//!
//! ```
//! # use federation::{EntityId, Schemes, EntityType};
//! # use federation::chain::{ChainRequest, FetchedStatement, TrustAnchor, resolve};
//! # use federation::relying_party::VerifiedRelyingParty;
//! # fn verify(statements: &[FetchedStatement], anchors: &[TrustAnchor], now: jose::UnixTime)
//! # -> Result<VerifiedRelyingParty, Box<dyn std::error::Error>> {
//! let client_id = EntityId::parse("https://service.example", Schemes::HttpsOnly)?;
//! let request = ChainRequest::new(&client_id, EntityType::OpenIdRelyingParty);
//! let chain = resolve(&request, statements, anchors, now)?;
//! let service = VerifiedRelyingParty::from_chain(&chain, None)?;
//! # Ok(service) }
//! ```

pub mod chain;
pub mod entity;
pub mod idp_list;
pub mod metadata;
pub mod policy;
pub mod profile;
pub mod relying_party;
pub mod signed_keys;
pub mod statement;

mod members;

#[cfg(test)]
mod fixtures;

pub use entity::{EntityId, EntityIdError, Schemes};
pub use metadata::{EntityType, Metadata};
