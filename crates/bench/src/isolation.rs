//! `isolation`: what one person's malicious input costs the server, beside what another person's login costs (tee.md 5, attack 33).
//!
//! CPU time of the server per request, as a ratio to a login by phone in the same run: a ratio does not depend on the machine. And how much the
//! slowest hundredth of another person's logins slows down while the input keeps coming, for what a wall clock is worth here.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

use crate::{
    client::{Connection, Media},
    login::{Authentication, Flow, Mode, bind_devices, connectors, now, people_with_devices},
    process::{Kind, Server},
    world::{TENANTS, World},
};

/// Arguments of `isolation`.
#[derive(Args)]
pub struct IsolationArguments {
    /// Requests of each kind, and logins, to measure.
    #[arg(long, default_value_t = 1_000)]
    pub times: u32,
}

const PEOPLE: usize = 16;
/// Connections the input comes over while another person logs in.
const ATTACKERS: usize = 4;
/// No refused request may cost more than so many logins.
const GOAL_LOGINS: f64 = 1.0;
/// The slowest hundredth of logins may take so many times as long under attack.
const GOAL_P99: f64 = 10.0;

/// One kind of input.
struct Input {
    what: &'static str,
    path: &'static str,
    media: Media,
    body: String,
}

fn inputs() -> Vec<Input> {
    let json = |what, path, body| Input {
        what,
        path,
        media: Media::Json,
        body,
    };
    let state = "A".repeat(5_000);
    vec![
        json("JSON of 48 KiB, nested", "auth/card", "[".repeat(48 * 1024)),
        json(
            "JSON of 48 KiB, one text",
            "auth/card",
            json!({"client_id": "a".repeat(47 * 1024), "login": "", "response": ""}).to_string(),
        ),
        json(
            "JSON of 48 KiB, many members",
            "auth/device",
            format!("{{{}\"z\":0}}", "\"a\":1,".repeat(8_000)),
        ),
        json("a body larger than admitted", "auth/card", "x".repeat(4 * 1024 * 1024)),
        json(
            "a state that does not open",
            "auth/consent",
            json!({"client_id": "x", "login": state, "decision": "approve"}).to_string(),
        ),
        json(
            "a card's answer to nothing",
            "auth/card",
            json!({"client_id": "x", "login": state, "response": format!("{0}.{0}.{0}", "A".repeat(8_000))})
                .to_string(),
        ),
        Input {
            what: "a form of many parameters",
            path: "account/revoke",
            media: Media::Form,
            body: "a=1&".repeat(10_000),
        },
    ]
}

async fn send(connection: &mut Connection, input: &Input) -> Result<()> {
    let path = format!("/{}/{}", TENANTS[0], input.path);
    let (status, _) = connection.post(&path, input.media, input.body.clone()).await?;
    ensure!(status.is_client_error(), "{}: {status}", input.what);
    Ok(())
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// Runs the benchmark.
pub fn run(arguments: &IsolationArguments) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let world = World::new(PEOPLE, now())?;
    let world_file = directory.path().join("world.json");
    world.write(&world_file)?;
    let mut server = Server::start(Kind::Product, &world_file, &directory.path().join("store.sqlite"), true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(arguments.times.max(100), &world, &mut server))?;
    server.stop()
}

async fn measure(times: u32, world: &World, server: &mut Server) -> Result<()> {
    let (person, service) = connectors(world, &server.ready)?;
    let mut people = people_with_devices(world, &[])?;
    let mut flow = Flow::new(person.clone(), service, Mode::KeptAlive);
    flow.open().await?;
    bind_devices(&mut flow, &mut people).await?;
    let mut logins = async |number: u32| -> Result<Vec<Duration>> {
        let mut taken = Vec::new();
        for login in 0..number {
            let begin = Instant::now();
            flow.login(&mut people[login as usize % PEOPLE], Authentication::Device)
                .await?;
            taken.push(begin.elapsed());
        }
        Ok(taken)
    };
    logins(times / 10).await?;
    let before = server.cpu()?;
    let alone = p99(logins(times).await?);
    let login = (server.cpu()? - before).as_secs_f64() / f64::from(times);
    println!(
        "Server CPU of refused input, in logins by phone ({:.0} us each), {times} of each:",
        login * 1e6
    );
    for input in inputs() {
        // What is refused in the middle of a body ends its connection.
        let mut connection = person.open().await?;
        let before = server.cpu()?;
        for _ in 0..times {
            if send(&mut connection, &input).await.is_err() {
                connection = person.open().await?;
            }
        }
        let cost = (server.cpu()? - before).as_secs_f64() / f64::from(times) / login;
        let word = if cost <= GOAL_LOGINS { "reached" } else { "MISSED" };
        println!("  {:32} {cost:6.2}   goal {GOAL_LOGINS:.1}: {word}", input.what);
    }
    let mut attackers = tokio::task::JoinSet::new();
    for _ in 0..ATTACKERS {
        let person = person.clone();
        attackers.spawn(async move {
            let inputs = inputs();
            let mut connection = None;
            for input in inputs.iter().cycle() {
                let mut open = match connection.take() {
                    Some(open) => open,
                    None => match person.open().await {
                        Ok(open) => open,
                        Err(_) => continue,
                    },
                };
                if send(&mut open, input).await.is_ok() {
                    connection = Some(open);
                }
            }
        });
    }
    let attacked = p99(logins(times).await?);
    attackers.abort_all();
    let ratio = attacked.as_secs_f64() / alone.as_secs_f64();
    let word = if ratio <= GOAL_P99 { "reached" } else { "MISSED" };
    println!(
        "Slowest hundredth of another person's logins while {ATTACKERS} connections send all of that without a pause: {ratio:.1} times as long as alone, \
         goal {GOAL_P99:.0}: {word}"
    );
    println!("  (client, server and attackers share this machine's cores: the ratio above is the one to keep)");
    Ok(())
}
