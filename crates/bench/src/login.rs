//! `login`: server CPU per complete login, product and floor in pairs, in every connection mode.

mod flow;
mod run;
mod setup;
mod verify;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use jose::UnixTime;

use crate::{
    process::{Kind, Server, cores_are_divided},
    report::{self, Ratio},
    sealing, start,
    world::World,
};

pub use flow::{Authentication, Flow, Mode};
pub use run::{connectors, published_keys};
pub use setup::{bind_devices, people_with_devices};
pub use verify::TokenKeys;

/// Arguments of `login`.
#[derive(Args)]
pub struct LoginArguments {
    /// Under a minute, for a first impression.
    #[arg(long)]
    quick: bool,
    /// Pairs of product and floor for each line; default 7, or 3 with --quick.
    #[arg(long)]
    pairs: Option<usize>,
    /// Seconds of each measurement; default 4, or 1 with --quick.
    #[arg(long)]
    seconds: Option<f64>,
    /// Logins under way at once.
    #[arg(long, default_value_t = 16)]
    flows: usize,
    /// Only these lines of the report, from 1.
    #[arg(long, value_name = "LINE")]
    only: Vec<usize>,
}

/// People; each flow uses its own, so that nobody logs in twice at once.
const PEOPLE_PER_FLOW: usize = 8;
/// Logins of each flow before the clock runs.
const WARM_UP: u64 = 40;
/// Goal of product / floor on kept-alive connections.
const GOAL: f64 = 2.0;

/// One line of the report.
struct Line {
    name: &'static str,
    mode: Mode,
    authentication: Authentication,
}

const LINES: [Line; 4] = [
    Line {
        name: "device key, all connections kept alive",
        mode: Mode::KeptAlive,
        authentication: Authentication::Device,
    },
    Line {
        name: "device key, new connection for the person",
        mode: Mode::NewForPerson,
        authentication: Authentication::Device,
    },
    Line {
        name: "device key, new connections for everyone",
        mode: Mode::NewForEveryone,
        authentication: Authentication::Device,
    },
    Line {
        name: "health card, all connections kept alive",
        mode: Mode::KeptAlive,
        authentication: Authentication::Card,
    },
];

/// Runs the benchmark.
pub fn run(arguments: &LoginArguments) -> Result<()> {
    let pairs = arguments.pairs.unwrap_or(if arguments.quick { 3 } else { 7 });
    let seconds = arguments.seconds.unwrap_or(if arguments.quick { 1.0 } else { 4.0 });
    ensure!(
        pairs > 0 && seconds > 0.0 && arguments.flows > 0,
        "at least one pair, flow and some time"
    );
    let directory = tempfile::tempdir()?;
    let world = World::new(arguments.flows * PEOPLE_PER_FLOW, now())?;
    let world_file = directory.path().join("world.json");
    world.write(&world_file)?;
    report::heading(pairs, seconds, arguments.flows, cores_are_divided());
    let mut sides = [Kind::Product, Kind::Floor]
        .into_iter()
        .map(|kind| -> Result<_> {
            let store = directory.path().join(format!("{kind:?}.sqlite"));
            Server::start(kind, &world_file, &store, kind == Kind::Product)
        })
        .collect::<Result<Vec<_>>>()?;
    // One thread: the load must not compete with itself for the core it has.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut loads = sides
        .iter()
        .zip([Kind::Product, Kind::Floor])
        .map(|(server, kind)| runtime.block_on(run::Load::new(&world, server, kind, arguments.flows)))
        .collect::<Result<Vec<_>>>()?;
    for (load, kind) in loads.iter_mut().zip(["product", "floor"]) {
        let verified = runtime.block_on(load.correctness())?;
        println!("correctness, {kind}: {verified}");
    }
    println!();
    let mut ratios = Vec::new();
    for (number, line) in (1..).zip(&LINES) {
        if !arguments.only.is_empty() && !arguments.only.contains(&number) {
            continue;
        }
        let mut ratio = Ratio::new(line.name);
        for load in &mut loads {
            runtime.block_on(load.warm_up(line.mode, line.authentication, WARM_UP))?;
        }
        for _ in 0..pairs {
            let mut pair = Vec::with_capacity(2);
            for (server, load) in sides.iter_mut().zip(&mut loads) {
                let time = Duration::from_secs_f64(seconds);
                pair.push(runtime.block_on(load.measure(server, line.mode, line.authentication, time))?);
            }
            ratio.add(&pair);
        }
        ratio.print();
        ratios.push(ratio);
    }
    drop(loads);
    for server in sides.drain(..) {
        server.stop()?;
    }
    report::summary(&ratios, (LINES[0].name, GOAL));
    if let Some(ratio) = ratios.iter().find(|ratio| ratio.name == LINES[0].name) {
        sealing::report(&world, ratio.product())?;
    }
    start::measure(&start::StartArguments {
        times: if arguments.quick { 3 } else { 5 },
    })
}

/// The wall clock, in seconds.
pub fn now() -> UnixTime {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixTime(since_1970.as_secs())
}
