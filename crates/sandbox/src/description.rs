//! `sandbox.json`: a running sandbox as tools find it, in its data directory and at its portal. Holds no secret.

use std::path::PathBuf;

use federation::chain::TrustAnchor;
use federation::{EntityId, Schemes};
use jose::jwk::JwkSet;
use serde::{Deserialize, Serialize};

use crate::addresses::Addresses;
use crate::insurers::Insurer;
use crate::services::Service;

/// A running sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Version of `healthid`.
    pub version: String,
    /// Where a person begins.
    pub portal: String,
    /// Base of the card terminal's HTTP API (`/terminal/cards` and so on): the virtual cards, for web wallets of the insurers.
    pub card_terminal: String,
    /// The Federation Master's entity identifier.
    pub master: String,
    /// Its public keys, to be pinned as trust anchor.
    pub master_keys: JwkSet,
    /// The insurers.
    pub insurers: Vec<InsurerEntry>,
    /// The demo services.
    pub services: Vec<ServiceEntry>,
    /// File with the TLS authority, PEM.
    pub ca: PathBuf,
    /// File with what `healthid verify` pins to judge the provider's evidence.
    pub evidence_pins: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// Whether the data goes with the process.
    pub temporary: bool,
    /// Host names that belong to this machine.
    pub host_names: Vec<String>,
}

/// An insurer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsurerEntry {
    /// The word the command line knows it by.
    pub word: String,
    /// Its name.
    pub name: String,
    /// Its institution code.
    pub ik: String,
    /// Its issuer.
    pub issuer: String,
    /// Base of its pages.
    pub pages: String,
    /// Its web wallet.
    pub wallet: String,
}

/// A demo service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// The word the command line knows it by.
    pub word: String,
    /// Its name in the federation.
    pub name: String,
    /// Its entity identifier.
    pub entity_id: String,
    /// Its pages.
    pub pages: String,
    /// Its registered scopes.
    pub scopes: Vec<String>,
}

/// A description that names no Federation Master that could be pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sandbox.json: member master must be an entity identifier")]
pub struct NoAnchor;

impl Description {
    /// What there is to say, but for the Federation Master's keys and the files.
    #[must_use]
    pub fn insurers_of(addresses: &Addresses) -> Vec<InsurerEntry> {
        Insurer::ALL
            .into_iter()
            .map(|insurer| InsurerEntry {
                word: insurer.word().to_owned(),
                name: insurer.name().to_owned(),
                ik: insurer.ik_text().to_owned(),
                issuer: addresses.insurer(insurer).issuer.clone(),
                pages: addresses.insurer(insurer).pages.clone(),
                wallet: format!("{}/wallet/", addresses.insurer(insurer).pages),
            })
            .collect()
    }

    /// The services at these addresses.
    #[must_use]
    pub fn services_of(addresses: &Addresses) -> Vec<ServiceEntry> {
        Service::ALL
            .into_iter()
            .map(|service| {
                let personality = service.personality();
                ServiceEntry {
                    word: service.word().to_owned(),
                    name: personality.client_name,
                    entity_id: addresses.service(service).entity_id.clone(),
                    pages: addresses.service(service).pages.clone(),
                    scopes: personality.scopes,
                }
            })
            .collect()
    }

    /// The Federation Master, pinned.
    ///
    /// # Errors
    /// [`NoAnchor`].
    pub fn trust_anchor(&self) -> Result<TrustAnchor, NoAnchor> {
        Ok(TrustAnchor {
            entity_id: EntityId::parse(&self.master, Schemes::HttpsOnly).map_err(|_| NoAnchor)?,
            keys: self.master_keys.clone(),
        })
    }

    /// The issuer of an insurer.
    #[must_use]
    pub fn issuer(&self, insurer: Insurer) -> &str {
        let entry = self.insurers.iter().find(|entry| entry.word == insurer.word());
        entry.map_or("", |entry| &entry.issuer)
    }

    /// A service.
    #[must_use]
    pub fn service(&self, service: Service) -> Option<&ServiceEntry> {
        self.services.iter().find(|entry| entry.word == service.word())
    }
}
