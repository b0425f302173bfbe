//! seccomp: a system call outside the list kills the whole process with `SIGSYS`.
//!
//! Two filters, because one has only one answer for what it names: the first lets `clone3` fail with `ENOSYS`, so that
//! the C library falls back to `clone`, whose flags can be looked at; the second is the list. Of two filters the kernel
//! takes the stricter answer.

use std::collections::BTreeMap;

use evidence::profile::{ControlState, Reason};
use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::system_calls::{Argument, Check, SystemCallList};

/// Installs the list for this thread and those it starts.
pub(crate) fn install(list: &SystemCallList) -> ControlState {
    let filters = match compile(list) {
        Ok(filters) => filters,
        Err(error) => return ControlState::Failed(Reason::new(&format!("the filter does not compile: {error}"))),
    };
    for filter in &filters {
        if let Err(error) = apply_filter(filter) {
            return refused(&error);
        }
    }
    ControlState::Required
}

fn compile(list: &SystemCallList) -> Result<[BpfProgram; 2], BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let no_clone3 = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(Errno::NOSYS.raw_os_error().unsigned_abs()),
        architecture,
    )?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in list.calls() {
        let entry = rules.entry(call.number).or_default();
        if let Some(argument) = &call.argument {
            for rule in alternatives(argument)? {
                entry.push(rule);
            }
        }
    }
    let allowed = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?;
    Ok([no_clone3.try_into()?, allowed.try_into()?])
}

/// One rule for each value admitted; one is enough for the call to pass.
fn alternatives(argument: &Argument) -> Result<Vec<SeccompRule>, BackendError> {
    let length = SeccompCmpArgLen::Dword;
    let comparisons = match &argument.check {
        Check::OneOf(values) => values
            .iter()
            .map(|value| (SeccompCmpOp::Eq, u64::from(*value)))
            .collect(),
        Check::BitsClear(mask) => vec![(SeccompCmpOp::MaskedEq(u64::from(*mask)), 0)],
        Check::BitsSet(mask) => vec![(SeccompCmpOp::MaskedEq(u64::from(*mask)), u64::from(*mask))],
        Check::ThisProcess => vec![(SeccompCmpOp::Eq, u64::from(std::process::id()))],
        Check::Null => {
            let condition = SeccompCondition::new(argument.index, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
            return Ok(vec![SeccompRule::new(vec![condition])?]);
        }
    };
    comparisons
        .into_iter()
        .map(|(operator, value)| {
            let condition = SeccompCondition::new(argument.index, length.clone(), operator, value)?;
            SeccompRule::new(vec![condition])
        })
        .collect()
}

fn refused(error: &seccompiler::Error) -> ControlState {
    let source = match error {
        seccompiler::Error::Prctl(source) | seccompiler::Error::Seccomp(source) => Errno::from_io_error(source),
        _ => None,
    };
    match source {
        Some(errno) => crate::refused("seccomp", errno),
        None => ControlState::Failed(Reason::new(&format!("seccomp: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_compiles_into_filters_the_kernel_takes() {
        let filters = compile(&SystemCallList::provider()).unwrap();
        // BPF_MAXINSNS: the kernel refuses longer programs.
        assert!(filters.iter().all(|filter| !filter.is_empty() && filter.len() <= 4096));
    }
}
