//! Plays of the machines, recorded: `testdata/flow.json`. The web wallet's machines in TypeScript play the same, so neither can drift alone.
//!
//! Written with `cargo test -p healthid-wallet --lib vectors -- --ignored write`; keys are made for the occasion and thrown away.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod bindings;
mod logins;
mod provider;

use std::path::PathBuf;

use jose::UnixTime;
use serde::{Deserialize, Serialize};

pub(super) use provider::record;

use super::{Binding, BindingWish, FlowError, Login, PasskeyBinding, Told, Want};

const ISSUER: &str = "https://idp.example/109900019";
const SERVICE: &str = "https://epa.example";
const NOW: u64 = 1_750_000_000;

/// How a machine begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "begin", rename_all = "kebab-case")]
enum Begin {
    Open {
        issuer: String,
        address: String,
    },
    Resume {
        issuer: String,
        client_id: String,
        login: String,
    },
    Account {
        issuer: String,
    },
}

/// What a machine said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Want(Want),
    Error {
        code: String,
        ends: bool,
        /// The provider's word.
        reason: Option<String>,
        support_code: Option<String>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    now: u64,
    told: Told,
    said: Said,
}

/// A device bound in the login, after its steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bound {
    name: String,
    class: String,
    consent_to_substantial: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hardware: Option<String>,
    said: Said,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Play {
    name: String,
    #[serde(flatten)]
    begin: Begin,
    said: Said,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey_binding: Option<BoundPasskey>,
}

/// A passkey bound in the login, after its steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BoundPasskey {
    name: String,
    consent_to_substantial: bool,
    said: Said,
    steps: Vec<Step>,
}

fn bind_passkey(login: &Login, name: &str, consent_to_substantial: bool, told: Vec<Told>) -> BoundPasskey {
    let (mut machine, first) = match PasskeyBinding::begin(login, name, consent_to_substantial) {
        Ok((machine, want)) => (Some(machine), Ok(want)),
        Err(error) => (None, Err(error)),
    };
    let mut steps = Vec::new();
    for told in told {
        if let Some(machine) = &mut machine {
            let said = said(machine.tell(told.clone()));
            steps.push(Step { now: 0, told, said });
        }
    }
    BoundPasskey {
        name: name.to_owned(),
        consent_to_substantial,
        said: said(first),
        steps,
    }
}

/// A play that goes on with a passkey.
fn with_passkey(name: &str, told: Vec<(u64, Told)>, binding: Vec<Told>) -> Play {
    let begin = Begin::Account {
        issuer: ISSUER.to_owned(),
    };
    let mut play = play(name, begin.clone(), told.clone(), None);
    let (login, _) = begun(&begin);
    if let Some(mut login) = login {
        for (now, told) in told {
            let _ = login.tell(told, UnixTime(now));
        }
        play.passkey_binding = Some(bind_passkey(&login, "Schlüssel", true, binding));
    }
    play
}

fn said(answer: Result<Want, FlowError>) -> Said {
    match answer {
        Ok(want) => Said::Want(want),
        Err(error) => Said::Error {
            code: error.code().to_owned(),
            ends: error.ends(),
            reason: error.reason().map(|reason| reason.as_str().to_owned()),
            support_code: error.support_code().map(str::to_owned),
        },
    }
}

fn begun(begin: &Begin) -> (Option<Login>, Said) {
    let begun = match begin {
        Begin::Open { issuer, address } => Login::open(issuer, address),
        Begin::Resume {
            issuer,
            client_id,
            login,
        } => Ok(Login::resume(issuer, client_id, login)),
        Begin::Account { issuer } => Ok(Login::account(issuer)),
    };
    match begun {
        Ok((login, want)) => (Some(login), Said::Want(want)),
        Err(error) => (None, said(Err(error))),
    }
}

/// Plays, with what the machines say now.
fn play(name: &str, begin: Begin, told: Vec<(u64, Told)>, binding: Option<(&BindingWish<'_>, Vec<Told>)>) -> Play {
    let (login, first) = begun(&begin);
    let mut steps = Vec::new();
    let mut bound = None;
    if let Some(mut login) = login {
        for (now, told) in told {
            let said = said(login.tell(told.clone(), UnixTime(now)));
            steps.push(Step { now, told, said });
        }
        bound = binding.map(|(wish, told)| bind(&login, wish, told));
    }
    Play {
        name: name.to_owned(),
        begin,
        said: first,
        steps,
        binding: bound,
        passkey_binding: None,
    }
}

fn bind(login: &Login, wish: &BindingWish<'_>, told: Vec<Told>) -> Bound {
    let begun = Binding::begin(login, wish);
    let (mut machine, first) = match begun {
        Ok((machine, want)) => (Some(machine), Ok(want)),
        Err(error) => (None, Err(error)),
    };
    let mut steps = Vec::new();
    for told in told {
        if let Some(machine) = &mut machine {
            let said = said(machine.tell(told.clone()));
            steps.push(Step { now: 0, told, said });
        }
    }
    Bound {
        name: wish.name.to_owned(),
        class: wish.class.to_owned(),
        consent_to_substantial: wish.consent_to_substantial,
        hardware: wish.hardware.map(str::to_owned),
        said: said(first),
        steps,
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/flow.json")
}

#[test]
fn the_machines_play_what_was_recorded() {
    let recorded: Vec<Play> = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    assert!(recorded.len() > 15);
    for play in recorded {
        let name = &play.name;
        let (login, said_first) = begun(&play.begin);
        assert_eq!(said_first, play.said, "{name}");
        let Some(mut login) = login else { continue };
        for (at, step) in play.steps.iter().enumerate() {
            let said = said(login.tell(step.told.clone(), UnixTime(step.now)));
            assert_eq!(said, step.said, "{name}, step {at}");
        }
        if let Some(recorded) = play.passkey_binding {
            let told = recorded.steps.iter().map(|step| step.told.clone()).collect();
            let again = bind_passkey(&login, &recorded.name, recorded.consent_to_substantial, told);
            assert_eq!(again.said, recorded.said, "{name}");
            for (at, (step, again)) in recorded.steps.iter().zip(&again.steps).enumerate() {
                assert_eq!(again.said, step.said, "{name}, passkey, step {at}");
            }
        }
        let Some(recorded) = play.binding else { continue };
        let wish = BindingWish {
            name: &recorded.name,
            class: &recorded.class,
            consent_to_substantial: recorded.consent_to_substantial,
            hardware: recorded.hardware.as_deref(),
        };
        let again = bind(
            &login,
            &wish,
            recorded.steps.iter().map(|step| step.told.clone()).collect(),
        );
        assert_eq!(again.said, recorded.said, "{name}");
        for (at, (step, again)) in recorded.steps.iter().zip(&again.steps).enumerate() {
            assert_eq!(again.said, step.said, "{name}, binding, step {at}");
        }
    }
}

#[test]
#[ignore = "writes testdata/flow.json"]
fn write() {
    let plays = provider::Recorder::new().plays();
    let mut text = serde_json::to_string_pretty(&plays).unwrap();
    text.push('\n');
    std::fs::create_dir_all(file().parent().unwrap()).unwrap();
    std::fs::write(file(), text).unwrap();
}
