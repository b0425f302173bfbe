//! Hardening of a process, by itself, from within: what Linux offers to keep other processes out of its memory, and to
//! keep whoever takes it over from doing what it never does.
//!
//! | Control | By | Stops |
//! |---|---|---|
//! | non-dumpable | `prctl` | processes of the same user: tracing, `/proc/PID/mem` |
//! | no core file | `RLIMIT_CORE` 0 | secrets in core files |
//! | no new privileges | `prctl` | gaining rights by executing something |
//! | locked memory | `mlockall` | pages on a swap device |
//! | file access | Landlock | opening anything but the declared files; tracing other processes; for root as well |
//! | system calls | seccomp | executing, tracing, mounting, loading: the process dies instead |
//!
//! **It does not keep root out.** Root outside this process reads ordinary memory and injects system calls, hardened or
//! not: only a trusted execution environment prevents that. The tests show the leak (`root_reads_...`), so that nobody
//! forgets.
//!
//! Each control is tried and *reported*: in force, not applicable (the platform does not have it, or the configuration
//! leaves it out), or failed. None fails silently. The report travels in the evidence ([`evidence::profile`]).
//!
//! **Call [`apply`] before the first thread is started** (before the tokio runtime): three of the controls belong to a
//! thread and are inherited by those it starts, not by those already running. With threads running they are reported as
//! failed and left alone, rather than half applied.

pub mod gramine_manifest;

mod files;
mod filter;
mod memory;
mod process;
mod system_calls;

use evidence::profile::{Control, ControlState, HardeningProfile, Reason};

pub use files::FileRules;
pub use system_calls::{Argument, SystemCall, SystemCallList};

/// A control that takes a setting: wanted, or left out for a reason that will stand in the evidence.
#[derive(Debug, Clone)]
pub enum Wish<T> {
    /// Apply it.
    Apply(T),
    /// Leave it; why.
    Leave(&'static str),
}

/// Which controls are wanted. Those not mentioned are always wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Landlock: these files and no others.
    pub files: Wish<FileRules>,
    /// seccomp: these system calls and no others.
    pub system_calls: Wish<SystemCallList>,
    /// Lock every page into memory.
    pub locked_memory: Wish<()>,
}

/// Applies what is wanted and says what became of it. Cannot be undone. [`Control::SecretMemory`] is reported as not
/// applicable: whoever allocates it knows, and replaces the state ([`HardeningProfile::with`]).
#[must_use = "a control may have failed"]
pub fn apply(wanted: &Wanted) -> HardeningProfile {
    let alone = process::check_single_thread();
    let of_thread = |control: &dyn Fn() -> ControlState| match &alone {
        Ok(()) => control(),
        Err(reason) => ControlState::Failed(reason.clone()),
    };
    // `new` asks in the order of `Control::ALL`, but the filter must come last: the others need calls it forbids.
    let profile = HardeningProfile::new(|control| match control {
        Control::NonDumpable => process::make_non_dumpable(),
        Control::NoCoreFile => process::forbid_core_files(),
        Control::NoNewPrivileges => of_thread(&process::forbid_new_privileges),
        Control::LockedMemory => match wanted.locked_memory {
            Wish::Apply(()) => memory::lock_all(),
            Wish::Leave(reason) => left(reason),
        },
        Control::SystemCallFilter => left("not applied yet"),
        Control::FileAccess => match &wanted.files {
            Wish::Apply(rules) => of_thread(&|| files::restrict(rules)),
            Wish::Leave(reason) => left(reason),
        },
        Control::SecretMemory => left("no secret memory was reported"),
    });
    let filter = match &wanted.system_calls {
        Wish::Apply(list) => of_thread(&|| filter::install(list)),
        Wish::Leave(reason) => left(reason),
    };
    profile.with(Control::SystemCallFilter, filter)
}

fn left(reason: &str) -> ControlState {
    ControlState::NotApplicable(Reason::new(reason))
}

/// The state after a system call: what the platform does not know is not applicable there, all else failed.
fn refused(call: &str, error: rustix::io::Errno) -> ControlState {
    let reason = Reason::new(&format!("{call}: {error}"));
    match error {
        // Gramine answers so to what it does not emulate; kernels to what they were built without.
        rustix::io::Errno::NOSYS => ControlState::NotApplicable(reason),
        _ => ControlState::Failed(reason),
    }
}

/// Required once `in_force` confirms it; a call that succeeded without effect has failed.
fn confirmed(call: &str, in_force: bool) -> ControlState {
    if in_force {
        ControlState::Required
    } else {
        ControlState::Failed(Reason::new(&format!("{call} succeeded without effect")))
    }
}
