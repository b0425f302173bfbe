//! The reference server's test shortcuts (gematik digest 5.2) as a layer in front of the provider. Not answered yet.
use crate::addresses::Addresses;
use crate::cards::Cards;
use axum::Router;
use fedmaster::{Clock, FederationMaster};
use provider::Provider;
use std::sync::Arc;
use transport::HttpClient;
use vault::Vault;
#[allow(dead_code)]
pub(crate) struct Shortcuts {
    pub(crate) provider: Provider,
    pub(crate) vault: Arc<Vault>,
    pub(crate) cards: Arc<Cards>,
    pub(crate) addresses: Addresses,
    pub(crate) master: FederationMaster,
    pub(crate) client: HttpClient,
    pub(crate) clock: Clock,
}
pub(crate) fn layer(router: Router, _: Shortcuts) -> Router {
    router
}
