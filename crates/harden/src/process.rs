//! What a process says about itself with `prctl` and `setrlimit`. Everything set is read back.

use evidence::profile::{ControlState, Reason};
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit},
    thread::{no_new_privs, set_no_new_privs},
};

use crate::{confirmed, refused};

/// Tracing, `/proc/PID/mem` and the like are closed to processes of the same user.
pub(crate) fn make_non_dumpable() -> ControlState {
    match set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        Ok(()) => confirmed(
            "PR_SET_DUMPABLE",
            dumpable_behavior() == Ok(DumpableBehavior::NotDumpable),
        ),
        Err(error) => refused("PR_SET_DUMPABLE", error),
    }
}

/// Soft and hard: it cannot be raised again, not by this process.
pub(crate) fn forbid_core_files() -> ControlState {
    const NOTHING: Rlimit = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    match setrlimit(Resource::Core, NOTHING) {
        Ok(()) => confirmed("RLIMIT_CORE", getrlimit(Resource::Core) == NOTHING),
        Err(error) => refused("RLIMIT_CORE", error),
    }
}

/// Inherited by every thread started later.
pub(crate) fn forbid_new_privileges() -> ControlState {
    match set_no_new_privs(true) {
        Ok(()) => confirmed("PR_SET_NO_NEW_PRIVS", no_new_privs() == Ok(true)),
        Err(error) => refused("PR_SET_NO_NEW_PRIVS", error),
    }
}

/// Whether this is the only thread.
pub(crate) fn check_single_thread() -> Result<(), Reason> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|error| Reason::new(&format!("threads cannot be counted: {error}")))?
        .count();
    if threads == 1 {
        Ok(())
    } else {
        Err(Reason::new(&format!(
            "{threads} threads run already: it would not hold for them"
        )))
    }
}
