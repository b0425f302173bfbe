//! The provider over HTTP: the real router, real TLS, a frozen clock and a federation in a table.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod authorize;
mod consent;
mod login;
mod mutual_tls;
mod push;
mod push_claims;
mod registry;
mod sso;
mod statement;
