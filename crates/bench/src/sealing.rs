//! What sealing adds to a login: every seal and open of a device login, done alone, beside the whole login measured in the same run.
//!
//! The provider cannot be built without sealing, and shall not: a switch that turns it off would be the most dangerous one in the house.
//! So this does what a login's sealing does, in its order and sizes, and the report subtracts it from the login.

use std::hint::black_box;

use anyhow::{Context, Result, anyhow};
use jose::UnixTime;
use store::{Row, TenantId, Write};
use vault::{BackgroundTask, Carried, DAY_SECONDS, PersonId, StateKind, Vault, tenant_id};

use crate::{
    login::now,
    process::own_cpu,
    report::{median, spread},
    world::{World, issuer},
};

/// Logins of one measurement; seven are made.
const LOGINS: u32 = 3_000;
const MEASUREMENTS: usize = 7;
/// Most that sealing may add, in percent of the login without it.
const GOAL_PERCENT: f64 = 15.0;
/// Bytes of the states of an ordinary login (`oidc::login_state`, the longest requests its test knows).
const STATE_BYTES: [(StateKind, usize); 4] = [
    (StateKind::Pushed, 146),
    (StateKind::Pending, 187),
    (StateKind::Authenticated, 191),
    (StateKind::Code, 145),
];
/// Bytes of a device record and of an event.
const DEVICE_BYTES: usize = 420;
const EVENT_BYTES: usize = 200;

struct Sealing {
    vault: Vault,
    tenant: TenantId,
    person: PersonId,
    identity: Row,
    device: Row,
    now: UnixTime,
}

impl Sealing {
    fn new(world: &World) -> Result<Self> {
        let vault = Vault::development(world.vault_seed());
        let tenant = tenant_id(&issuer(crate::world::TENANTS[0]));
        let person = vault.create_person(tenant, &world.person(0)?)?;
        let identity = person.identity_row().context("a person's record")?;
        let device_key = vault.device_key(tenant, &person.id, &[1; 16])?;
        let sealed = vault.with_person(
            vault.background_capability(tenant, person.id, BackgroundTask::Reseal),
            &identity,
            |scope| scope.seal_record(device_key, None, &scope.plaintext(vec![1; DEVICE_BYTES]), None),
        )??;
        let Write::Put { sealed, .. } = sealed.write else {
            return Err(anyhow!("a sealed record is a put"));
        };
        let device = Row {
            version: Row::version_after(None),
            sealed,
            expires_at: None,
        };
        Ok(Self {
            vault,
            tenant,
            person: person.id,
            identity,
            device,
            now: now(),
        })
    }

    /// The states from request URI to code, the device's record before its answer is verified, the event and the claim that carries it, the token's
    /// scope.
    fn one_login(&self) -> Result<()> {
        let states = self.vault.login_states();
        for (kind, bytes) in STATE_BYTES {
            let sealed = states.seal(self.tenant, kind, self.now, black_box(&vec![7; bytes]))?;
            black_box(states.open(self.tenant, kind, self.now, black_box(&sealed))?);
        }
        black_box(
            self.vault
                .open_device(self.tenant, self.person, &self.identity, &[1; 16], &self.device)?,
        );
        let capability = || {
            self.vault
                .background_capability(self.tenant, self.person, BackgroundTask::Reseal)
        };
        let until_day = u32::try_from(self.now.0 / DAY_SECONDS)?;
        let event_key = self.vault.event_key(self.tenant, &self.person, until_day, &[2; 16])?;
        let event = self.vault.with_person(capability(), &self.identity, |scope| {
            let event = scope.plaintext(vec![3; EVENT_BYTES]);
            scope.seal_record(event_key, None, &event, Some(self.now.0))
        })??;
        let carried = Carried {
            event: Some(event),
            counter: Some((self.vault.device_counter(self.tenant, self.person, &[1; 16])?, 7)),
            head: Some((self.vault.history_head(self.tenant, self.person)?, 7)),
            ..Carried::default()
        };
        black_box(self.vault.claim_once(self.tenant, &[3; 16], self.now.0, &carried)?);
        self.vault.with_person(capability(), &self.identity, |scope| {
            let _ = black_box(scope.person_id());
        })?;
        Ok(())
    }
}

/// Measures, and prints the share of a login that costs this much without anything taken away.
pub fn report(world: &World, login_microseconds: f64) -> Result<()> {
    let sealing = Sealing::new(world)?;
    (0..LOGINS / 10).try_for_each(|_| sealing.one_login())?;
    let mut figures = Vec::with_capacity(MEASUREMENTS);
    for _ in 0..MEASUREMENTS {
        let before = own_cpu();
        (0..LOGINS).try_for_each(|_| sealing.one_login())?;
        figures.push((own_cpu() - before).as_secs_f64() * 1e6 / f64::from(LOGINS));
    }
    let sealed = median(&figures);
    let added = 100.0 * sealed / (login_microseconds - sealed);
    let word = if added <= GOAL_PERCENT { "reached" } else { "MISSED" };
    println!(
        "Sealing and opening, alone: {} us of the {login_microseconds:.0} us of a device login: it adds {added:.1} %",
        spread(&figures, 1)
    );
    println!("  goal: at most {GOAL_PERCENT:.0} % of server CPU: {word}\n");
    Ok(())
}
