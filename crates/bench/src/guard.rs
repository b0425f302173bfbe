//! `guard`: instructions of the pure parts, counted by callgrind, against a checked-in baseline.
//!
//! Counts repeat within half a percent whatever else the machine does. A part that grows beyond the tolerance fails; one that shrinks beyond
//! it is named, so that the baseline can follow (`--write`).

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::parts;

/// The baseline belongs to one instruction set and to the toolchain of `rust-toolchain.toml`.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline/instructions-x86_64.txt");
/// Growth that fails, as a fraction.
const TOLERANCE: f64 = 0.10;
/// Repetitions of a part, so that what only the first one does hardly counts.
const TIMES: u32 = 1_000;
/// The function that is counted, with everything it calls.
const COUNTED: &str = "--toggle-collect=*repeat_counted*";

/// Arguments of `guard`.
#[derive(Args)]
pub struct GuardArguments {
    /// The baseline.
    #[arg(long, default_value = BASELINE)]
    baseline: PathBuf,
    /// Write what was counted as the new baseline.
    #[arg(long)]
    write: bool,
}

/// Runs the guard.
pub fn run(arguments: &GuardArguments) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        println!(
            "NOT CHECKED: the instruction baseline is for x86_64, this machine is {}",
            std::env::consts::ARCH
        );
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!(
            "NOT CHECKED: valgrind is missing, so no instructions were counted. On Debian: apt-get install valgrind"
        );
        return Ok(());
    }
    let baseline = if arguments.write {
        BTreeMap::new()
    } else {
        read(&arguments.baseline)?
    };
    let mut text = String::new();
    let mut grown = Vec::new();
    println!(
        "{:<26} {:>12} {:>12} {:>8}",
        "part", "instructions", "baseline", "change"
    );
    for name in parts::NAMES {
        let counted = count(name)?;
        writeln!(text, "{name} {counted}")?;
        match baseline.get(name) {
            None => println!("{name:<26} {counted:>12} {:>12} {:>8}", "-", "new"),
            Some(before) => {
                let change = counted as f64 / *before as f64 - 1.0;
                let word = if change > TOLERANCE {
                    grown.push(name);
                    "  GREW"
                } else if change < -TOLERANCE {
                    "  shrank: lower the baseline with --write"
                } else {
                    ""
                };
                println!("{name:<26} {counted:>12} {before:>12} {:>+7.1}%{word}", change * 100.0);
            }
        }
    }
    if arguments.write {
        std::fs::write(&arguments.baseline, text).with_context(|| arguments.baseline.display().to_string())?;
        println!("written to {}", arguments.baseline.display());
    }
    if let Some(name) = parts::NAMES
        .iter()
        .find(|name| !arguments.write && !baseline.contains_key(**name))
    {
        bail!(
            "{}: no line for '{name}'; write it with --write",
            arguments.baseline.display()
        );
    }
    if !grown.is_empty() {
        bail!(
            "more than {:.0} % over the baseline: {}",
            TOLERANCE * 100.0,
            grown.join(", ")
        );
    }
    Ok(())
}

fn read(path: &PathBuf) -> Result<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines()
        .map(|line| {
            let (name, count) = line
                .split_once(' ')
                .with_context(|| format!("baseline line '{line}'"))?;
            Ok((name.to_owned(), count.parse()?))
        })
        .collect()
}

/// Instructions of one repetition.
fn count(name: &str) -> Result<u64> {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--collect-atstart=no",
            COUNTED,
        ])
        .arg(crate::own_path()?)
        .args(["part", name, &TIMES.to_string()])
        .output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind on part '{name}': {messages}");
    }
    let collected: u64 = messages
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok())
        .context("valgrind said nothing about collected instructions")?;
    if collected < u64::from(TIMES) {
        bail!("part '{name}': nothing was counted; the binary lacks its symbols");
    }
    Ok(collected / u64::from(TIMES))
}
