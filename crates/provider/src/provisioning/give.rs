//! A root instance hands keys on: to whom the manifest in force admits, and to nobody else.

use std::{collections::BTreeSet, sync::Arc};

use evidence::{manifest::InstanceRole, platform::Evidence};
use jose::base64url;
use vault::{
    NamespaceSeed, Vault,
    ceremony::{Donor, Forward, Setup, SetupPurpose},
};

use super::{
    Folder, LOOK_INTERVAL, ProvisioningError, Table,
    exchange::some_name,
    file,
    join::{Asked, FORWARD, Given, Invitation, NONCE, REFUSED, REQUEST, Refusal},
    own_setup,
};
use crate::{clock::Clock, instance::InForce};

/// Forwards and refusals of one transcript. After them the donor begins another one, with keys and evidence of its own.
const FORWARDS: usize = 100;
/// How many looks later the manifests are read again: a minute.
const RELOAD_LOOKS: u32 = 300;

/// A root instance with its keys.
pub struct Giver<'a> {
    /// Where.
    pub table: Table<'a>,
    /// What root instances get.
    pub seed: &'a NamespaceSeed,
    /// Derives what serving instances get.
    pub vault: &'a Vault,
    /// Whose keys may be asked for: issuers.
    pub issuers: &'a [&'a str],
}

/// How a round ended.
enum Round {
    /// Its transcript is full, or a newer manifest is in force.
    Over,
    /// The process is to stop.
    Stopped,
}

impl Giver<'_> {
    /// Answers newcomers until `is_stopped`.
    ///
    /// # Errors
    /// [`ProvisioningError`] when this instance itself cannot go on: its evidence fails, or its directory.
    pub async fn serve(&self, clock: &dyn Clock, is_stopped: impl Fn() -> bool) -> Result<(), ProvisioningError> {
        while let Round::Over = self.round(clock, &is_stopped).await? {}
        Ok(())
    }

    async fn round(&self, clock: &dyn Clock, is_stopped: impl Fn() -> bool) -> Result<Round, ProvisioningError> {
        let failed = ProvisioningError::ceremony("key forward");
        let in_force = self.table.instance.in_force();
        let manifest = in_force.approved.manifest();
        let setup = Setup::begin(SetupPurpose::KeyForward, manifest).map_err(failed)?;
        let name = some_name("donor-");
        let folder = self.table.exchange.create(&name)?;
        let evidence = self.table.show(&folder, setup.offer())?;
        own_setup(&self.table, setup.offer(), &evidence, clock.now())?;
        let donor = Donor::new(
            &manifest.namespace,
            in_force.approved.hash(),
            manifest.number,
            setup.signer(),
        );
        tracing::info!(event = "giving_keys", detail = %name, "answering newcomers");
        let mut conversation = Conversation {
            giver: self,
            name: &name,
            folder: &folder,
            setup: &setup,
            donor,
            answered: BTreeSet::new(),
            entries: 0,
        };
        for look in 1_u32.. {
            if is_stopped() {
                return Ok(Round::Stopped);
            }
            conversation.look(clock)?;
            if conversation.entries >= FORWARDS {
                return Ok(Round::Over);
            }
            if look % RELOAD_LOOKS == 0 && self.reload(&in_force, clock) {
                return Ok(Round::Over);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(Round::Over)
    }

    fn reload(&self, before: &Arc<InForce>, clock: &dyn Clock) -> bool {
        self.table.instance.follow(clock.now());
        self.table.instance.in_force().approved.hash() != before.approved.hash()
    }
}

struct Conversation<'a> {
    giver: &'a Giver<'a>,
    name: &'a str,
    folder: &'a Folder,
    setup: &'a Setup,
    donor: Donor<'a>,
    answered: BTreeSet<String>,
    entries: usize,
}

impl Conversation<'_> {
    fn look(&mut self, clock: &dyn Clock) -> Result<(), ProvisioningError> {
        for name in self.giver.table.exchange.names("join-", "")? {
            if self.answered.contains(&name) || self.entries >= FORWARDS {
                continue;
            }
            let newcomer = self.giver.table.exchange.inside(&name);
            if !newcomer.has(NONCE) {
                let invitation = Invitation {
                    donor: self.name.to_owned(),
                    nonce: base64url::encode(&self.donor.nonce()),
                };
                // It may be gone again.
                let _ = newcomer.write_first(NONCE, &serde_json::to_vec(&invitation).unwrap_or_default());
                continue;
            }
            let Ok(content) = newcomer.read(REQUEST) else { continue };
            let Ok(asked) = serde_json::from_slice::<Asked>(&content) else {
                continue;
            };
            if asked.donor == self.name {
                self.answered.insert(name);
                self.answer(&newcomer, &asked, clock)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, newcomer: &Folder, asked: &Asked, clock: &dyn Clock) -> Result<(), ProvisioningError> {
        let given = self.decide(newcomer, asked, clock);
        self.entries += 1;
        // First what happened, then the answer: no keys leave without an entry.
        self.folder
            .write(file::TRANSCRIPT, self.donor.transcript().to_text().as_bytes())?;
        let (name, answer) = match given {
            Ok(given) => {
                tracing::warn!(
                    event = "keys_given",
                    role = asked.request.role.as_str(),
                    "an admitted instance got keys"
                );
                (FORWARD, serde_json::to_vec(&given))
            }
            Err(code) => {
                tracing::error!(
                    event = "keys_refused",
                    role = asked.request.role.as_str(),
                    code,
                    "an instance was refused keys"
                );
                let code = code.to_owned();
                (REFUSED, serde_json::to_vec(&Refusal { code }))
            }
        };
        // Whoever took its directory away gets none.
        let _ = newcomer.write(name, &answer.unwrap_or_default());
        Ok(())
    }

    fn decide(&mut self, newcomer: &Folder, asked: &Asked, clock: &dyn Clock) -> Result<Given, &'static str> {
        let now = clock.now();
        let evidence = newcomer
            .read(file::EVIDENCE)
            .ok()
            .and_then(|bytes| Evidence::parse(&bytes).ok());
        let giver = self.giver;
        let admitted = match &evidence {
            None => Err("evidence.malformed"),
            Some(evidence) => giver
                .table
                .instance
                .admit(evidence, asked.request.role, now)
                .map_err(|error| error.code()),
        };
        let what = match (asked.request.role, &asked.issuer) {
            (InstanceRole::Root, None) => Ok(Forward::Seed(giver.seed)),
            (InstanceRole::Serve, Some(issuer)) if giver.issuers.contains(&issuer.as_str()) => {
                Ok(Forward::Tenant(giver.vault, vault::tenant_id(issuer)))
            }
            _ => Err("exchange.tenant_unknown"),
        };
        let (instance, what) = match (admitted, what) {
            (Ok(instance), Ok(what)) => (instance, what),
            (Err(code), _) | (_, Err(code)) => {
                // A full transcript ends the round; nothing was released.
                let _ = self.donor.refuse(code, now);
                return Err(code);
            }
        };
        let sealed = self
            .donor
            .forward(&asked.request, &instance, what, now)
            .map_err(|error| error.code())?;
        let signed = sealed
            .sign(&asked.request, self.setup.signer())
            .map_err(|error| error.code())?;
        Ok(Given { sealed, signed })
    }
}
