//! `mlockall`: no page of this process reaches a swap device.

use evidence::profile::{ControlState, Reason};
use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{Resource, getrlimit},
    thread::{CapabilitySet, capabilities},
};

use crate::refused;

/// Locks present and future pages, each when it is first used.
///
/// Not tried under a limit: `mlockall` itself would succeed, and some later allocation would fail instead.
pub(crate) fn lock_all() -> ControlState {
    if let Some(limit) = getrlimit(Resource::Memlock).current
        && !may_exceed_limits()
    {
        let reason = format!("RLIMIT_MEMLOCK is {limit} bytes: a later allocation would fail");
        return ControlState::Failed(Reason::new(&reason));
    }
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT) {
        Ok(()) => ControlState::Required,
        Err(error) => refused("mlockall", error),
    }
}

fn may_exceed_limits() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}
