//! The shipped binary, hardened, behind real TLS, on a machine of its own: every flow of people of two insurers at once, then the search.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use provider::clock::{Clock, SystemClock};

use crate::common::{self, HOST_IK, HOST_OF_ITS_OWN, Harness, Insurer, PATH_IK, Setup, pki};
use crate::flows::{Secret, Stage, every_flow, personal};
use crate::machine::{self, PORTS, Secrets, Shipped};
use crate::neighbours::{Neighbour, Orders};
use crate::process::{Canary, documents};
use crate::search::Search;
use crate::sweep::{ROLE, Sweep};

/// How many people of each insurer go through every flow at once.
const PEOPLE: usize = 6;

#[test]
fn no_canary_is_found_outside_the_shipped_binary() {
    match machine::run("shipped::on_a_machine_of_its_own") {
        Ok(output) => {
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(output.status.success(), "{}\n{}", said[0], said[1]);
            assert!(said[0].contains("1 passed"), "it ran: {}", said[0]);
            for line in said[0].lines().filter(|line| line.starts_with("NOTE")) {
                crate::tell(line);
            }
        }
        Err(reason) => crate::tell(&format!(
            "!! SKIPPED no_canary_is_found_outside_the_shipped_binary: no user, process, mount and network namespaces here ({reason})"
        )),
    }
}

fn neighbour(role: &str, orders: &Orders) -> Neighbour {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role);
    Neighbour::start_by(command, orders)
}

/// People of one insurer; numbers, cards and names continue across insurers.
fn people_of(ik: &'static str, from: usize) -> Vec<Canary> {
    crate::canaries(from + PEOPLE)
        .into_iter()
        .skip(from)
        .map(|canary| Canary {
            ik: ik.to_owned(),
            ..canary
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "no_canary_is_found_outside_the_shipped_binary runs it on a machine of its own"]
async fn on_a_machine_of_its_own() {
    if !machine::is_here() {
        return;
    }
    let now = SystemClock.now();
    let harness = Harness::with(Setup::at(now)).await;
    let mut service = common::Service::new(common::RECORD);
    service.certificates = vec![pki::ClientCertificate::lasting()];
    let certificate = service.certificates[0].clone();
    service.show(Some(&certificate));
    service.join(&harness.federation);
    let federation = neighbour(
        "federation",
        &Orders::Federation {
            address: machine::FEDERATION_ADDRESS.to_owned(),
            documents: documents(&harness, &service),
        },
    );
    let proxy = neighbour(
        "proxy",
        &Orders::Record {
            ports: PORTS.to_vec(),
            file: machine::TRAFFIC.into(),
        },
    );
    let (public, mtls) = proxy.answer.trim().split_once(' ').unwrap();
    let insurer = |host: &str, path: &str, ik| Insurer {
        issuer: format!("https://{host}:{public}{path}"),
        mtls: format!("https://{host}:{mtls}{path}"),
        ik,
    };
    let insurers = [
        insurer("localhost", "/109900019", PATH_IK),
        insurer(HOST_OF_ITS_OWN, "", HOST_IK),
    ];
    let people = [people_of(PATH_IK, 0), people_of(HOST_IK, PEOPLE)];
    let secrets = Secrets::new();
    let shipped = Shipped::configure(&insurers, &secrets, &harness.federation.anchor(), now);
    if !shipped.locked {
        crate::say("NOTE locked memory is off: this machine gives no right to lock every page");
    }
    for (insurer, people) in insurers.iter().zip(&people) {
        let people: Vec<_> = people.iter().map(Canary::data).collect();
        let taken_in = shipped.take_in(&insurer.issuer, &people);
        let said = String::from_utf8_lossy(&taken_in.stdout).into_owned();
        assert_eq!(
            said,
            format!("{PEOPLE} people taken in\n"),
            "{}",
            String::from_utf8_lossy(&taken_in.stderr)
        );
    }

    let serving = shipped.serve("first.log");
    let stage = Arc::new(Stage { harness, service });
    let mut flows = tokio::task::JoinSet::new();
    for (insurer, people) in insurers.iter().zip(&people) {
        for canary in people {
            flows.spawn(every_flow(Arc::clone(&stage), insurer.clone(), canary.clone()));
        }
    }
    let mut searched_for: Vec<Secret> = secrets.canaries();
    searched_for.extend(people.iter().flatten().flat_map(personal));
    while let Some(secrets) = flows.join_next().await {
        searched_for.extend(secrets.unwrap());
    }
    let search = Search::new(searched_for);
    let reader = neighbour(
        "database tool",
        &Orders::Read {
            directory: machine::DATABASE.into(),
        },
    );

    // While it runs.
    assert_only_ordered_files_are_open(&serving.open_files());
    swap(&serving, shipped.locked);
    let sweep = Sweep::of_machine(&search, Some(serving.id()));
    assert_eq!(sweep.found, [].into(), "while it runs");
    for (medium, at_least) in [
        ("database", 100_000),
        ("freshness register", 100),
        ("log and crash output", 1_000),
        ("traffic", 200_000),
        ("environment and arguments", 100),
        ("memory of federation", 1_000_000),
        ("memory of proxy", 1_000_000),
        ("memory of database tool", 1_000_000),
    ] {
        let searched = sweep.searched.get(medium).copied().unwrap_or_default();
        assert!(searched >= at_least, "{medium}: {searched} bytes");
    }
    let stranger = "memory of a process nobody has ordered";
    assert!(!sweep.searched.contains_key(stranger), "{:?}", sweep.searched);

    // It dies of what leaves a core file where one is allowed, twice.
    let status = serving.dies_of("ABRT");
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&status), "{status}");
    let status = shipped.serve("second.log").dies_of("SEGV");
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&status), "{status}");
    assert_eq!(fs::read_dir(machine::WORK).unwrap().count(), 0, "no core file");

    // The insurer's last word, by an operator's task.
    let numbers: String = people[0].iter().map(|canary| format!("{}\n", canary.kvnr)).collect();
    let file = format!("{}/leavers", machine::OPERATOR);
    fs::write(&file, numbers).unwrap();
    let deleted = shipped.task(&["delete-people", &insurers[0].issuer, &file]);
    assert!(deleted.status.success());
    fs::write(
        format!("{}/delete.log", machine::LOG),
        [deleted.stdout, deleted.stderr].concat(),
    )
    .unwrap();
    fs::remove_file(file).unwrap();
    let sweep = Sweep::of_machine(&search, None);
    assert_eq!(sweep.found, [].into(), "after its death");
    drop((federation, reader));

    // The search is not blind: a canary in any of these places would have been found.
    let canary = people[1][0].kvnr.clone();
    for directory in [
        machine::DATABASE,
        machine::FRESHNESS,
        machine::LOG,
        machine::WORK,
        "/var/tmp",
    ] {
        fs::write(format!("{directory}/planted"), format!("xx{canary}xx")).unwrap();
    }
    let recorded = [fs::read(machine::TRAFFIC).unwrap(), canary.clone().into_bytes()].concat();
    fs::write(machine::TRAFFIC, recorded).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, "planted").env("CARD", &canary);
    let held = Orders::Hold {
        bytes: canary.as_bytes().iter().rev().copied().collect(),
    };
    let _planted = Neighbour::start_by(command, &held);
    let sweep = Sweep::of_machine(&search, None);
    let media: Vec<&str> = sweep.found.keys().map(String::as_str).collect();
    assert_eq!(
        media,
        [
            "core file",
            "database",
            "environment and arguments",
            "freshness register",
            "left behind",
            "log and crash output",
            "memory of planted",
            "traffic",
        ]
    );
}

/// No metrics, no traces, no other log: descriptors lead to the store, the register, standard error, sockets, and what a runtime has.
fn assert_only_ordered_files_are_open(files: &[String]) {
    let ordered = [
        machine::DATABASE,
        machine::FRESHNESS,
        machine::LOG,
        "socket:",
        "anon_inode:",
        "/dev/null",
        "pipe:",
    ];
    for file in files {
        assert!(ordered.iter().any(|known| file.starts_with(known)), "{file}");
    }
    // Two to listen at, and no more than the connections the proxy and the Federation Master account for.
    let sockets = files.iter().filter(|file| file.starts_with("socket:")).count();
    assert!(sockets >= 2, "{files:?}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let of_ours: Vec<&str> = table
        .lines()
        .skip(1)
        .filter(|line| {
            let inode = line.split_whitespace().nth(9).unwrap_or_default();
            files.contains(&format!("socket:[{inode}]"))
        })
        .collect();
    for line in of_ours {
        let mut fields = line.split_whitespace().skip(1);
        let (here, there, state) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let port = |address: &str| u16::from_str_radix(address.rsplit_once(':').unwrap().1, 16).unwrap();
        // 0A: listening.
        let serves = PORTS.contains(&port(here));
        assert!(serves || (state != "0A" && port(there) == 443), "{line}");
    }
}

/// A swap device is not read: nothing of the provider may be on one.
fn swap(serving: &machine::Serving, locked: bool) {
    let devices = fs::read_to_string("/proc/swaps").unwrap_or_default();
    match devices.lines().count() {
        0 | 1 => crate::say("NOTE swap is not searched: this machine has none"),
        _ => crate::say("NOTE swap is not searched: what is asked is whether any page of the provider is there"),
    }
    assert_eq!(serving.kilobytes("VmSwap:"), 0);
    if locked {
        assert!(serving.kilobytes("VmLck:") > 10_000, "its pages are locked");
    }
}
