//! Many flows at once against one server, and what they cost it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use federation::signed_keys;
use jose::jwk::JwkSet;

use super::{
    flow::{Authentication, Bytes, Flow, Mode},
    now,
    setup::{Person, bind_devices, people_with_devices},
    verify::TokenKeys,
};
use crate::{
    client::Connector,
    process::{Kind, Ready, Server},
    report::{Machine, Measurement},
    world::{TENANTS, World, entity, issuer},
};

/// Every so many logins of a timed run, one token is decrypted and checked.
const CHECKED_OF: u64 = 1_000;

/// The load on one server.
pub struct Load {
    person: Connector,
    service: Connector,
    world: Arc<World>,
    keys: Arc<TokenKeys>,
    /// Each flow's own people.
    people: Vec<Vec<Person>>,
}

/// The connectors for a server.
pub fn connectors(world: &World, ready: &Ready) -> Result<(Connector, Connector)> {
    Ok((
        Connector::person(world, ready.public)?,
        Connector::service(world, ready.mtls)?,
    ))
}

/// Until when a flow goes on.
#[derive(Clone, Copy)]
enum Until {
    Moment(Instant),
    Count(u64),
}

impl Load {
    /// Brings everybody so far that an everyday login is possible.
    pub async fn new(world: &World, server: &Server, kind: Kind, flows: usize) -> Result<Self> {
        let world: Arc<World> = Arc::new(serde_json::from_value(serde_json::to_value(world)?)?);
        let (person, service) = connectors(&world, &server.ready)?;
        let mut people = people_with_devices(&world, &server.ready.devices)?;
        if kind == Kind::Product {
            let mut flow = Flow::new(person.clone(), service.clone(), Mode::KeptAlive);
            flow.open().await?;
            bind_devices(&mut flow, &mut people).await?;
        }
        let issuer_keys = match kind {
            Kind::Floor => JwkSet::from_value(&server.ready.token_keys)?,
            Kind::Product => published_keys(&person, &server.ready).await?,
        };
        let share = people.len() / flows;
        let mut shares: Vec<Vec<Person>> = Vec::with_capacity(flows);
        let mut people = people.into_iter();
        for _ in 0..flows {
            shares.push(people.by_ref().take(share).collect());
        }
        Ok(Self {
            keys: Arc::new(TokenKeys::new(&world, issuer_keys)?),
            person,
            service,
            world,
            people: shares,
        })
    }

    /// Every person once in each way, every token checked; and a second redemption. Also says how much went to and fro.
    pub async fn correctness(&mut self) -> Result<String> {
        let mut flow = Flow::new(self.person.clone(), self.service.clone(), Mode::KeptAlive);
        flow.open().await?;
        let mut verified = 0;
        for person in self.people.iter_mut().flatten() {
            for authentication in [Authentication::Device, Authentication::Card] {
                let finished = flow.login(person, authentication).await?;
                self.keys.check(&self.world, &finished, person.number)?;
                verified += 1;
                if verified == 1 {
                    flow.redeem_again(&finished).await.context("second redemption")?;
                }
            }
        }
        let Bytes { sent, received } = flow.bytes();
        Ok(format!(
            "{verified} logins, every token decrypted and checked, second redemption refused; {} bytes in and {} out per login",
            sent / verified,
            received / verified
        ))
    }

    /// Some logins that nobody measures.
    pub async fn warm_up(&mut self, mode: Mode, authentication: Authentication, each: u64) -> Result<()> {
        let flows = self.open(mode).await?;
        let done = self.go(flows, authentication, Until::Count(each)).await?;
        ensure!(done > 0, "no login at all");
        Ok(())
    }

    /// As many logins as fit into `time`, and what they cost the server. Connections that are kept are opened before.
    pub async fn measure(
        &mut self,
        server: &mut Server,
        mode: Mode,
        authentication: Authentication,
        time: Duration,
    ) -> Result<Measurement> {
        let flows = self.open(mode).await?;
        let machine = Machine::now()?;
        let (before, begin) = (server.cpu()?, Instant::now());
        let logins = self.go(flows, authentication, Until::Moment(begin + time)).await?;
        let wall = begin.elapsed();
        let server_cpu = server.cpu()? - before;
        let (client_load, foreign_load) = machine.loads(server_cpu)?;
        Ok(Measurement {
            logins,
            server_cpu,
            wall,
            client_load,
            foreign_load,
        })
    }

    async fn open(&self, mode: Mode) -> Result<Vec<Flow>> {
        let mut flows = Vec::with_capacity(self.people.len());
        for _ in &self.people {
            let mut flow = Flow::new(self.person.clone(), self.service.clone(), mode);
            flow.open().await?;
            flows.push(flow);
        }
        Ok(flows)
    }

    async fn go(&mut self, flows: Vec<Flow>, authentication: Authentication, until: Until) -> Result<u64> {
        let mut tasks = Vec::with_capacity(flows.len());
        for (mut flow, mut people) in flows.into_iter().zip(self.people.drain(..)) {
            let (world, keys) = (Arc::clone(&self.world), Arc::clone(&self.keys));
            tasks.push(tokio::spawn(async move {
                let mut done = 0;
                while until.goes_on(done) {
                    let at = usize::try_from(done)? % people.len();
                    let person = people.get_mut(at).context("a flow without people")?;
                    let finished = flow.login(person, authentication).await?;
                    if done % CHECKED_OF == 0 {
                        keys.check(&world, &finished, person.number)?;
                    }
                    done += 1;
                }
                anyhow::Ok((done, people))
            }));
        }
        let mut logins = 0;
        for task in tasks {
            let (done, people) = task.await??;
            logins += done;
            self.people.push(people);
        }
        Ok(logins)
    }
}

impl Until {
    fn goes_on(self, done: u64) -> bool {
        match self {
            Self::Moment(moment) => Instant::now() < moment,
            Self::Count(count) => done < count,
        }
    }
}

/// The issuer's token keys, from its signed key set.
pub async fn published_keys(connector: &Connector, ready: &Ready) -> Result<JwkSet> {
    let document = connector.open().await?.get(&format!("/{}/jwks", TENANTS[0])).await?;
    let entity_keys = JwkSet::from_value(&ready.entity_keys)?;
    let keys = signed_keys::parse(std::str::from_utf8(&document)?)?.verify(
        &entity(&issuer(TENANTS[0]))?,
        &entity_keys,
        now(),
    )?;
    Ok(keys.keys()?)
}
