//! The victim, taken over: what it can still reach (attack 39; attack 38 for files).

use std::os::unix::process::ExitStatusExt;

use crate::processes::{Program, User, is_root, run, skip};

/// Bad system call: what the kernel kills with.
const SIGSYS: i32 = 31;

/// What the victim tells, or the signal it died by.
fn attempt(what: &str, user: User) -> Result<String, Option<i32>> {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    std::fs::create_dir(&directory).unwrap();
    for path in [parent.path(), &directory] {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(path, open).unwrap();
    }
    let program = Program::new("victim");
    let output = run(program.command(user).args(["tries", what]).arg(&directory), &[]);
    assert!(!parent.path().join("data.beside").exists());
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code().is_none(), "{what}: {text}");
        Err(output.status.signal())
    }
}

fn users() -> Vec<User> {
    if is_root() {
        vec![User::Root, User::Ordinary]
    } else {
        vec![User::Ordinary]
    }
}

#[test]
fn the_days_work_is_possible() {
    for user in users() {
        assert_eq!(attempt("work", user), Ok("done".to_owned()), "{user:?}");
    }
}

#[test]
fn files_outside_the_declared_directory_cannot_be_opened_not_even_by_root() {
    if !is_root() {
        skip("the tests do not run as root: only the ordinary user is tried");
    }
    for user in users() {
        for what in [
            "read-outside",
            "write-outside",
            "create-outside",
            "create-beside",
            "own-memory",
            "climb",
        ] {
            assert_eq!(
                attempt(what, user),
                Ok("refused: PermissionDenied".to_owned()),
                "{what} as {user:?}"
            );
        }
    }
}

#[test]
fn a_system_call_outside_the_list_kills_the_process() {
    for user in users() {
        for what in [
            "exec",
            "spawn",
            "ptrace",
            "attach",
            "read-parent",
            "mount",
            "chroot",
            "signal-parent",
            "raise-limit",
            "become-dumpable",
            "hostname",
        ] {
            assert_eq!(attempt(what, user), Err(Some(SIGSYS)), "{what} as {user:?}");
        }
    }
}
