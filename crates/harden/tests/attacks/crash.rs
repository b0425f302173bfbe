//! The victim dies (attack 37): no core file, and nothing of the secret in what it leaves behind.

use std::os::unix::{fs::PermissionsExt, process::ExitStatusExt};

use crate::processes::{Program, User, fresh_secret, run, skip};

/// Whether it dumped core, and everything it left: stdout, stderr, files in its working directory.
fn die(how: &str, cause: &str) -> (bool, Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let secret = fresh_secret();
    let program = Program::new("victim");
    let mut command = program.command(User::Ordinary);
    command.args(["dies", how, cause]).current_dir(directory.path());
    let output = run(&mut command, &secret);
    assert!(!output.status.success());
    let mut left = [output.stdout, output.stderr].concat();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        left.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    (output.status.core_dumped(), left, secret)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn an_unhardened_process_leaves_its_secret_in_a_core_file() {
    for cause in ["abort", "memory"] {
        let (dumped, left, secret) = die("plain", cause);
        if !dumped || std::fs::read("/proc/sys/kernel/core_pattern").unwrap() != b"core\n" {
            return skip("core files are off on this machine, or go elsewhere");
        }
        assert!(
            contains(&left, &secret),
            "this test must be able to find a secret: {cause}"
        );
    }
}

/// The allocation that fails ends the process with a message of the runtime, which tells a size and nothing else.
#[test]
fn a_hardened_process_that_runs_out_of_memory_leaves_no_core_and_no_secret() {
    let (dumped, left, secret) = die("hardened", "memory");
    assert!(!dumped);
    assert!(!contains(&left, &secret));
    let said = String::from_utf8_lossy(&left);
    assert!(said.contains("memory allocation of 1048576 bytes failed"), "{said}");
}

#[test]
fn a_hardened_process_that_dies_leaves_no_core_and_no_secret() {
    for cause in ["abort", "signal", "panic"] {
        let (dumped, left, secret) = die("hardened", cause);
        assert!(!dumped, "{cause}");
        assert!(!contains(&left, &secret), "{cause}");
        assert!(!left.is_empty(), "stdout and stderr were looked at");
    }
}
