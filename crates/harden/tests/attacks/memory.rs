//! Reading the victim's memory from outside (attacks 35, 36 and 38).

use crate::processes::{User, Victim, is_root, skip};

/// `/proc/PID/mem`, `process_vm_readv`, ptrace.
const READING: [&str; 3] = ["file", "call", "peek"];

/// Yama's mode 1 and above refuses what the first test shows.
fn yama_interferes() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").is_ok_and(|scope| scope.trim() != "0")
}

/// EPERM or EACCES, and not that the attacker failed by itself.
fn is_refusal(text: &str) -> bool {
    ["EPERM", "EACCES", "not permitted", "Permission denied"]
        .iter()
        .any(|words| text.contains(words))
}

#[test]
fn a_process_that_is_not_hardened_is_read_by_its_own_user() {
    if yama_interferes() {
        return skip("Yama refuses it for all processes");
    }
    let victim = Victim::holding("plain", User::Ordinary);
    for how in READING {
        assert_eq!(
            victim.attacked(User::Ordinary, false, how),
            Ok(victim.secret.clone()),
            "{how}"
        );
    }
}

#[test]
fn a_hardened_process_is_closed_to_its_own_user() {
    let victim = Victim::holding("hardened", User::Ordinary);
    for how in ["file", "call", "peek", "inject"] {
        let refusal = victim.attacked(User::Ordinary, false, how).unwrap_err();
        assert!(is_refusal(&refusal), "{how}: {refusal}");
    }
    assert_eq!(victim.end(), b"");
}

/// Expected leak. Only a trusted execution environment prevents it: nothing in this room does.
#[test]
fn root_still_reads_the_ordinary_memory_of_a_hardened_process_tee_only() {
    if !is_root() {
        return skip("the tests do not run as root");
    }
    let victim = Victim::holding("hardened", User::Root);
    for how in READING {
        assert_eq!(
            victim.attacked(User::Root, false, how),
            Ok(victim.secret.clone()),
            "{how}"
        );
    }
}

/// Expected leak. Only a trusted execution environment prevents it: nothing in this room does.
#[cfg(target_arch = "x86_64")]
#[test]
fn root_still_makes_a_hardened_process_hand_over_its_memory_tee_only() {
    if !is_root() {
        return skip("the tests do not run as root");
    }
    let victim = Victim::holding("hardened", User::Root);
    assert_eq!(victim.attacked(User::Root, false, "inject"), Ok(Vec::new()));
    let secret = victim.secret.clone();
    assert_eq!(victim.end(), secret, "written by the victim itself, to its own stdout");
}

/// A victim whose secret is in `memfd_secret`; `None`, loudly, where the kernel does not offer it.
fn secretive() -> Option<Victim> {
    if !is_root() {
        skip("the tests do not run as root");
        return None;
    }
    let victim = Victim::holding("hardened-secretly", User::Root);
    if victim.protection.as_deref() != Some("memfd-secret") {
        skip("the kernel does not offer memfd_secret");
        return None;
    }
    Some(victim)
}

#[test]
fn keys_in_secret_memory_are_closed_to_root_who_reads_through_the_kernel() {
    let Some(victim) = secretive() else { return };
    for how in READING {
        let refusal = victim.attacked(User::Root, false, how).unwrap_err();
        assert!(!refusal.is_empty(), "{how}");
    }
    assert_eq!(victim.end(), b"");
}

#[test]
fn no_descriptor_to_secret_memory_is_left_for_root_to_duplicate() {
    let Some(victim) = secretive() else { return };
    assert!(victim.mappings().contains("/secretmem"), "the pages are there");
    let descriptors = victim.descriptors();
    assert!(descriptors.len() >= 3, "{descriptors:?}");
    assert!(
        !descriptors.iter().any(|target| target.contains("secretmem")),
        "{descriptors:?}"
    );
}

/// Expected leak. Only a trusted execution environment prevents it: nothing in this room does.
#[cfg(target_arch = "x86_64")]
#[test]
fn root_still_makes_a_process_hand_over_its_secret_memory_tee_only() {
    let Some(victim) = secretive() else { return };
    assert_eq!(victim.attacked(User::Root, false, "inject"), Ok(Vec::new()));
    let secret = victim.secret.clone();
    assert_eq!(victim.end(), secret, "written by the victim itself, to its own stdout");
}

#[test]
fn a_confined_neighbour_is_refused_even_as_root_and_even_by_an_unhardened_process() {
    if !is_root() {
        return skip("the tests do not run as root");
    }
    let victim = Victim::holding("plain", User::Root);
    for how in READING {
        // The same attacker without confinement succeeds: it is the confinement that refuses.
        assert_eq!(
            victim.attacked(User::Root, false, how),
            Ok(victim.secret.clone()),
            "{how}"
        );
        let refusal = victim.attacked(User::Root, true, how).unwrap_err();
        assert!(is_refusal(&refusal), "{how}: {refusal}");
    }
    victim.attacked(User::Root, true, "inject").unwrap_err();
    assert_eq!(victim.end(), b"");
}
