//! The provider over HTTP: the real router, real TLS, a frozen clock and a federation in a table.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod access_log;
mod account;
mod account_page;
mod anomalies;
mod app_links;
mod attestation;
mod authorize;
mod bad_input;
mod block;
mod broken_off;
mod certificates;
mod consent;
mod deeds;
mod device;
mod extend;
mod freshness;
mod history;
mod inbox;
mod limits;
mod login;
mod managing;
mod moving;
mod mutual_tls;
mod passkeys;
mod pin;
mod push;
mod push_claims;
mod reasons;
mod records;
mod redeem;
mod registry;
mod rollover;
mod second_device;
mod sso;
mod statement;
mod steps;
mod tenants;
mod wallet_files;
