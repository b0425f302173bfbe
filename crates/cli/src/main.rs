//! `healthid`: the tool for developers of health services, operators and auditors.
//!
//! Exit codes: 0 everything asked for is true; 1 something was refused or does not verify, and standard error says what; 2 the words of the command
//! are off. `verify` has two of its own: 2 also when it cannot decide, 3 when what it saw is simulated or for development.

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};
use harden::{FileRules, SystemCallList, Wanted, Wish};

mod boot;
mod ceremony;
mod certificate;
mod clock;
mod doctor;
mod failure;
mod federation;
mod fedmaster;
mod login;
mod manifest;
mod person;
mod phone;
mod rehearse;
mod running;
mod sandbox_command;
mod trust;
mod verify;

/// GesundheitsID for developers: a federation to try, and the tools to look into one.
#[derive(Parser)]
#[command(name = "healthid", version, about)]
struct Arguments {
    /// Harden this process first as the provider does: files of the temporary directory and of /etc only, no system call
    /// the provider does not need. Exit 1 when that fails.
    #[arg(long)]
    hardened: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Sandbox(Box<sandbox_command::Options>),
    #[command(hide = true)]
    Boot(boot::Options),
    Login(Box<login::Options>),
    #[command(subcommand)]
    Phone(phone::Command),
    #[command(subcommand)]
    Rehearse(rehearse::Command),
    Certificate(certificate::Options),
    #[command(subcommand)]
    Ceremony(Box<ceremony::Command>),
    Verify(Box<verify::Options>),
    #[command(subcommand)]
    Manifest(Box<manifest::Command>),
    #[command(subcommand)]
    Doctor(doctor::Command),
    /// Look into a federation: statements, trust chains, metadata policy.
    #[command(subcommand)]
    Federation(federation::Command),
    /// Run a Federation Master, and register participants with one.
    #[command(subcommand)]
    Fedmaster(fedmaster::Command),
}

fn main() -> ExitCode {
    keep_quiet();
    let arguments = Arguments::parse();
    // Before the runtime: hardening holds for threads started after it.
    if arguments.hardened
        && let Err(error) = harden()
    {
        return fail(&error);
    }
    if let Command::Boot(options) = &arguments.command {
        boot::prepare(options);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Verify(options) => return verify::run(*options).await,
            Command::Manifest(command) => manifest::run(*command),
            Command::Sandbox(options) => sandbox_command::run(*options).await,
            Command::Boot(options) => sandbox_command::run(sandbox_command::Options::on_ports(options.port_base)).await,
            Command::Login(options) => login::run(*options).await,
            Command::Phone(command) => phone::run(command).await,
            Command::Rehearse(command) => rehearse::run(command).await,
            Command::Certificate(options) => certificate::run(options).await,
            Command::Ceremony(command) => ceremony::run(*command),
            Command::Doctor(command) => doctor::run(command).await,
            Command::Federation(command) => federation::run(command).await,
            Command::Fedmaster(command) => fedmaster::run(command).await,
        }
        .map(|()| 0)
    });
    match result {
        Ok(code) => ExitCode::from(code),
        // Whoever read the output has read enough (`healthid … | head`).
        Err(error) if failure::is_closed_output(&error) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

/// The first thing of all: what panics here may be working on a person's data, in the sandbox's provider or in her own phone.
fn keep_quiet() {
    sandbox::quiet_panics();
}

fn harden() -> anyhow::Result<()> {
    let profile = harden::apply(&Wanted {
        files: Wish::Apply(FileRules {
            // Its own program, which the sandbox measures.
            read: vec!["/etc".into(), std::env::current_exe()?],
            write: vec![std::env::temp_dir()],
            name_resolution: true,
        }),
        system_calls: Wish::Apply(SystemCallList::provider()),
        locked_memory: Wish::Leave("not for a tool"),
    });
    match profile.failures().next() {
        None => Ok(()),
        Some((control, reason)) => anyhow::bail!("{control}: {reason}"),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // Nobody reads a broken stderr; there is nothing left to do then.
    let _ = writeln!(std::io::stderr(), "healthid: {}", failure::told(error));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::process::Command;

    /// Starts one of these tests as a process of its own, and gives what it wrote to standard error.
    fn errors_of(child: &str) -> String {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    #[test]
    fn a_panic_of_the_tool_tells_where_and_not_what() {
        let quiet = errors_of("tests::child_that_panics_as_the_tool_does");
        assert!(quiet.contains("panicked at") && quiet.contains("main.rs"), "{quiet}");
        assert!(!quiet.contains("Q000123451"), "{quiet}");
        // Without the first line of `main`, it would be told.
        assert!(errors_of("tests::child_that_panics").contains("Q000123451"));
    }

    #[test]
    #[ignore = "the test above starts it as a process of its own"]
    fn child_that_panics_as_the_tool_does() {
        super::keep_quiet();
        assert_eq!("somebody else", "Q000123451");
    }

    #[test]
    #[ignore = "the test above starts it as a process of its own"]
    fn child_that_panics() {
        assert_eq!("somebody else", "Q000123451");
    }
}
