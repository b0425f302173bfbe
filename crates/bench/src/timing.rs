//! `timing`: whether the time of a refusal tells if somebody is known (tee.md 5, attack 49).
//!
//! Answers for a device that is bound and did not sign, for one that is not bound, and for nobody's, in turns, against the provider's own routers in this
//! process; processor time of the process for each. Two kinds are compared by Welch's t over the faster 95 % of each, since the slow ones are the
//! machine's. A difference that should be found (the right signature) shows that the measure can find one.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use authenticator::device::{ASSERTION_TYP, AssertionClaims, Decision};
use axum::{Router, body::Body};
use clap::Args;
use http::{Request, header};
use http_body_util::BodyExt as _;
use jose::{SoftwareKey, base64url, jws};
use provider::{Allowance, LimitSettings, Provider};
use serde_json::{Value, json};
use store::Store;
use store_sqlite::SqliteStore;
use vault::{BackgroundTask, PersonId, Vault, tenant_id};

use crate::{
    login::now,
    process::own_cpu,
    product,
    world::{TENANTS, World, issuer},
};

/// Arguments of `timing`.
#[derive(Args)]
pub struct TimingArguments {
    /// Answers of each kind.
    #[arg(long, default_value_t = 10_000)]
    pub times: u32,
}

/// Two kinds differ where |t| is larger: the limit usual for leakage tests, less than one in a hundred thousand by chance.
const LIMIT: f64 = 4.5;
/// Of each kind, so many are kept.
const KEPT: f64 = 0.95;
const KINDS: [&str; 4] = [
    "a bound device, signed by a stranger",
    "a known person's device that is not bound",
    "nobody's device",
    "a bound device, signed by itself",
];
/// Nothing is refused for its number here.
const WIDE: Allowance = Allowance {
    burst: 1_000_000_000,
    every_milliseconds: 1,
};

struct Setting {
    routes: Router,
    issuer: String,
    bound: String,
    handles: [String; 4],
    own: SoftwareKey,
    stranger: SoftwareKey,
    counter: u64,
}

/// Runs the benchmark.
pub fn run(arguments: &TimingArguments) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut setting = Setting::new(&directory.path().join("store.sqlite")).await?;
        let mut samples: [Vec<f64>; 4] = Default::default();
        for round in 0..arguments.times.max(500) + 50 {
            for kind in order(round as usize) {
                let taken = setting.answer(kind).await?;
                if round >= 50 {
                    samples[kind].push(taken);
                }
            }
        }
        report(samples)
    })
}

/// Every order of the kinds in turn: each comes at each place, and after each other one, as often as the others. What one leaves behind, in caches and in
/// work that nobody waits for, is not put down to another.
fn order(round: usize) -> [usize; KINDS.len()] {
    let mut order = [0, 1, 2, 3];
    order.swap(0, round % 4);
    order.swap(1, 1 + round / 4 % 3);
    order.swap(2, 2 + round / 12 % 2);
    order
}

impl Setting {
    async fn new(store: &std::path::Path) -> Result<Self> {
        let world = World::new(1, now())?;
        let limits = LimitSettings {
            device_failures: WIDE,
            person_failures: WIDE,
            network_failures: WIDE,
            insurer_failures: WIDE,
            ..LimitSettings::default()
        };
        let database: Arc<dyn Store> = Arc::new(SqliteStore::open(store)?);
        let provider = product::provider(&world, Arc::clone(&database), &store.with_extension("register"), limits)?;
        let issuer = issuer(TENANTS[0]);
        let person = provider.import_person(&issuer, world.person(0)?).await?;
        let own = world.device_key(0)?;
        let device = bind(&world, &database, person, &own).await?;
        let handle = |person: &[u8; 16], device: &[u8; 16]| base64url::encode(&[&person[..], &device[..]].concat());
        let bound = handle(person.as_bytes(), &device);
        let handles = [
            bound.clone(),
            handle(person.as_bytes(), &[9; 16]),
            handle(&[8; 16], &[9; 16]),
            bound.clone(),
        ];
        Ok(Self {
            routes: Provider::public_router(&provider),
            issuer,
            bound,
            handles,
            own,
            stranger: SoftwareKey::generate("stranger")?,
            counter: 0,
        })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let (_, place) = self.issuer.split_once("://").context("issuer")?;
        let (host, tenant) = place.split_once('/').context("issuer")?;
        let request = Request::post(format!("/{tenant}/{path}"))
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))?;
        let answer = tower::ServiceExt::oneshot(self.routes.clone(), request).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body)?))
    }

    /// Has one answer judged: microseconds of processor time it took.
    async fn answer(&mut self, kind: usize) -> Result<f64> {
        let (status, challenge) = self.post("auth/challenge", &json!({"client_id": self.issuer})).await?;
        ensure!(status == 200, "{challenge}");
        let text = |member: &str| challenge[member].as_str().unwrap_or_default().to_owned();
        let signed_by_itself = kind == 3;
        self.counter += u64::from(signed_by_itself);
        let claims = AssertionClaims {
            challenge: text("challenge"),
            decision: Decision::Approve,
            time: now(),
            counter: self.counter + 1,
        };
        let header = jws::SigningHeader {
            typ: Some(ASSERTION_TYP),
            ..Default::default()
        };
        let key = if signed_by_itself { &self.own } else { &self.stranger };
        let body = json!({
            "client_id": self.issuer,
            "login": text("login"),
            "device": self.handles[kind],
            "response": jws::sign(&header, &serde_json::to_vec(&claims)?, key)?,
        });
        debug_assert_eq!(self.handles[0], self.bound);
        let before = own_cpu();
        let (status, answer) = self.post("auth/device", &body).await?;
        let taken = (own_cpu() - before).as_secs_f64() * 1e6;
        ensure!(
            status == if signed_by_itself { 200 } else { 403 },
            "{}: {answer}",
            KINDS[kind]
        );
        Ok(taken)
    }
}

/// Puts a device's record where binding would.
async fn bind(world: &World, store: &Arc<dyn Store>, person: PersonId, key: &SoftwareKey) -> Result<[u8; 16]> {
    let (vault, tenant, device) = (
        Vault::development(world.vault_seed()),
        tenant_id(&issuer(TENANTS[0])),
        [7; 16],
    );
    let record = json!({
        "device_id": device,
        "person_id": person.as_bytes(),
        "key": base64url::encode(&key.public_key().to_uncompressed()),
        "name": "Phone",
        "class": "software",
        "bound_at": now(),
        "confirmed_at": now(),
        "consented_to_substantial": true,
        "counter": 0,
    });
    let rows = store.load(&[person.identity_key(tenant)]).await?;
    let identity = rows.into_iter().next().flatten().context("identity")?;
    let at = vault.device_key(tenant, &person, &device)?;
    let capability = vault.background_capability(tenant, person, BackgroundTask::Reseal);
    let change = vault.with_person(capability, &identity, |scope| {
        scope.seal_record(at, None, &scope.plaintext(record.to_string().into_bytes()), None)
    })??;
    let operation = store::OperationId::new(now().0, [1; 8]);
    let outcome = store.commit(operation, &[change.condition], &[change.write]).await;
    ensure!(outcome == store::Outcome::Committed, "{outcome:?}");
    Ok(device)
}

/// Mean, variance of the mean, and how many, of the faster part.
fn moments(samples: &[f64]) -> (f64, f64) {
    let number = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / number;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (number - 1.0);
    (mean, variance / number)
}

fn report(mut samples: [Vec<f64>; 4]) -> Result<()> {
    for kind in &mut samples {
        kind.sort_by(f64::total_cmp);
        let kept = (kind.len() as f64 * KEPT) as usize;
        kind.truncate(kept);
    }
    let number = samples[0].len();
    let (mean, of_mean) = moments(&samples[0]);
    println!("Processor time of a device's answer, the faster 95 % of each kind, {number} each:");
    println!("  {:44} {mean:7.1} us", KINDS[0]);
    println!(
        "  a difference of {:.1} us or more is found",
        LIMIT * (2.0 * of_mean).sqrt()
    );
    let mut differ = Vec::new();
    for (kind, name) in KINDS.iter().enumerate().skip(1) {
        let (other, of_other) = moments(&samples[kind]);
        let t = (other - mean) / (of_mean + of_other).sqrt();
        let found = t.abs() > LIMIT;
        let control = kind == 3;
        let word = match (control, found) {
            (false, false) => "not told apart",
            (true, true) => "told apart, as it must be",
            (false, true) | (true, false) => {
                differ.push(*name);
                if control {
                    "NOT TOLD APART: the measure is blind"
                } else {
                    "TOLD APART"
                }
            }
        };
        println!(
            "  {name:44} {other:7.1} us  ({:+.2} %), t = {t:+.1}, limit {LIMIT}: {word}",
            100.0 * (other - mean) / mean
        );
    }
    ensure!(differ.is_empty(), "not as it should be: {}", differ.join("; "));
    Ok(())
}
