//! `start`: from process start to the first login, and resident memory with two tenants.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::{
    login::{Authentication, Flow, Mode, TokenKeys, bind_devices, now, people_with_devices},
    login::{connectors, published_keys},
    process::{Kind, Server},
    report::spread,
    world::{TENANTS, World},
};

/// Arguments of `start`.
#[derive(Args)]
pub struct StartArguments {
    /// Starts to measure.
    #[arg(long, default_value_t = 5)]
    pub times: usize,
}

/// People in the register: enough for every code path, few enough that importing them is no part of the figure.
const PEOPLE: usize = 32;
/// Goals (issue 2, section Speed).
const GOAL_MILLISECONDS: f64 = 300.0;
const GOAL_MEGABYTES: f64 = 40.0;
/// Logins after which memory is looked at again.
const LOGINS: usize = 1_000;

/// Runs the benchmark.
pub fn run(arguments: &StartArguments) -> Result<()> {
    measure(arguments)
}

/// Measures starts over an empty store and over one in use.
pub fn measure(arguments: &StartArguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for _ in 0..arguments.times {
        let directory = tempfile::tempdir()?;
        let world = World::new(PEOPLE, now())?;
        let world_file = directory.path().join("world.json");
        world.write(&world_file)?;
        let store = directory.path().join("store.sqlite");
        let mut people = people_with_devices(&world, &[])?;

        let begin = Instant::now();
        let server = Server::start(Kind::Product, &world_file, &store, true)?;
        runtime.block_on(async {
            let (person, service) = connectors(&world, &server.ready)?;
            let mut flow = Flow::new(person, service, Mode::KeptAlive);
            flow.open().await?;
            flow.login(&mut people[0], Authentication::Card).await?;
            fresh.push(begin.elapsed().as_secs_f64() * 1e3);
            bind_devices(&mut flow, &mut people).await
        })?;
        server.stop()?;

        let begin = Instant::now();
        let server = Server::start(Kind::Product, &world_file, &store, false)?;
        runtime.block_on(async {
            let (person, service) = connectors(&world, &server.ready)?;
            let mut flow = Flow::new(person.clone(), service, Mode::KeptAlive);
            flow.open().await?;
            let finished = flow.login(&mut people[0], Authentication::Device).await?;
            again.push(begin.elapsed().as_secs_f64() * 1e3);
            first.push(megabytes(server.resident()?));
            let keys = TokenKeys::new(&world, published_keys(&person, &server.ready).await?)?;
            keys.check(&world, &finished, 0)?;
            for login in 0..LOGINS {
                flow.login(&mut people[login % PEOPLE], Authentication::Device).await?;
            }
            later.push(megabytes(server.resident()?));
            anyhow::Ok(())
        })?;
        server.stop()?;
    }
    println!(
        "Start and memory, {} tenants, median [least to greatest] of {} starts:",
        TENANTS.len(),
        arguments.times
    );
    println!(
        "  start to first login, empty store: keys made, {PEOPLE} people imported, by card   {} ms",
        spread(&fresh, 0)
    );
    println!(
        "  start to first login, store in use: by phone                                    {} ms, goal {GOAL_MILLISECONDS:.0} ms: {}",
        spread(&again, 0),
        word(&again, GOAL_MILLISECONDS)
    );
    println!(
        "  resident after the first login                                                  {} MB",
        spread(&first, 1)
    );
    println!(
        "  resident after {LOGINS} logins                                                     {} MB, goal {GOAL_MEGABYTES:.0} MB: {}",
        spread(&later, 1),
        word(&later, GOAL_MEGABYTES)
    );
    Ok(())
}

fn word(values: &[f64], goal: f64) -> &'static str {
    if crate::report::median(values) <= goal {
        "reached"
    } else {
        "MISSED"
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
