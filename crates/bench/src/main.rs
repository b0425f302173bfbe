//! What a login costs, told in ratios: the real provider beside a floor that does nothing but the unavoidable.
//!
//! `script/bench login` measures server CPU per complete login; `script/bench start` the time to the first login and the resident memory;
//! `script/bench guard` counts instructions of the pure parts against a checked-in baseline; `script/bench timing` asks whether the time of a refusal
//! tells something; `script/bench storage` weighs rows. Nothing here is reachable from a shipped binary.
//!
//! Absolute values belong to the machine. The ratio product / floor, taken in pairs within one run, is what to keep.

#![allow(
    clippy::print_stdout,
    reason = "a report on standard output is what this program is for"
)]
#![allow(clippy::disallowed_methods, reason = "this is the benchmark the bans make room for")]

mod client;
mod floor;
mod guard;
mod isolation;
mod login;
mod parts;
mod process;
mod product;
mod report;
mod sealing;
mod start;
mod storage;
mod timing;
mod world;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Benchmarks of healthid.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Server CPU per login, product beside floor, then start and memory.
    Login(login::LoginArguments),
    /// Time from process start to the first login, and resident memory with two tenants.
    Start(start::StartArguments),
    /// What malicious input costs the server, beside a login.
    Isolation(isolation::IsolationArguments),
    /// Whether the time of a refusal tells if somebody is known.
    Timing(timing::TimingArguments),
    /// Bytes on disk of one row of each kind, and of one person.
    Storage,
    /// Instruction counts of the pure parts against the baseline.
    Guard(guard::GuardArguments),
    /// A server, started by the other commands.
    #[command(hide = true)]
    Serve(process::ServeArguments),
    /// One pure part, started by `guard` under callgrind.
    #[command(hide = true)]
    Part {
        /// Its name.
        name: String,
        /// How many times.
        times: u32,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Login(arguments) => login::run(&arguments),
        Command::Start(arguments) => start::run(&arguments),
        Command::Isolation(arguments) => isolation::run(&arguments),
        Command::Timing(arguments) => timing::run(&arguments),
        Command::Storage => storage::run(),
        Command::Guard(arguments) => guard::run(&arguments),
        Command::Serve(arguments) => process::serve(&arguments),
        Command::Part { name, times } => parts::run(&name, times),
    }
}

/// Where this very program is, to be started again as a server.
fn own_path() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?)
}
