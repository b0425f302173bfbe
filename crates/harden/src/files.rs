//! Landlock: the files a process can open from now on, whoever it runs as. What is already open stays open.

use std::path::{Path, PathBuf};

use evidence::profile::{ControlState, Reason};
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

/// The newest Landlock this was read against; on older kernels what they lack is left out (from 5.13 on: opening,
/// creating and removing files; from 6.2 on: truncating; from 6.12 on: signals and abstract sockets).
const NEWEST: ABI = ABI::V6;

/// What glibc reads to resolve a name. Each may be missing.
const NAME_RESOLUTION: [&str; 5] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
];

/// Files and directories a process may open. Nothing may be executed, and no device or socket made, anywhere.
#[derive(Debug, Clone, Default)]
pub struct FileRules {
    /// Files, or whole directories, to be read. Each must exist.
    pub read: Vec<PathBuf>,
    /// Directories in which files may be read, written, created and removed. Each must exist.
    pub write: Vec<PathBuf>,
    /// Also what is needed to resolve host names through the system's resolver (`/etc/resolv.conf`, `/etc/hosts`, ...).
    pub name_resolution: bool,
}

/// Restricts this thread, and those it starts, to the rules.
pub(crate) fn restrict(rules: &FileRules) -> ControlState {
    let restricted = ruleset(rules).and_then(|ruleset| ruleset.restrict_self().map_err(|error| reason(&error)));
    match restricted {
        Err(reason) => ControlState::Failed(reason),
        Ok(status) => match (status.ruleset, status.landlock) {
            (RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced, _) => ControlState::Required,
            (RulesetStatus::NotEnforced, LandlockStatus::NotImplemented) => {
                ControlState::NotApplicable(Reason::new("the kernel has no Landlock"))
            }
            (RulesetStatus::NotEnforced, _) => {
                ControlState::Failed(Reason::new("Landlock is not enabled in the running kernel"))
            }
        },
    }
}

fn ruleset(rules: &FileRules) -> Result<RulesetCreated, Reason> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let mut ruleset = empty_ruleset().map_err(|error| reason(&error))?;
    for path in &rules.read {
        ruleset = admit(ruleset, path, read)?;
    }
    for path in &rules.write {
        ruleset = admit(ruleset, path, write)?;
    }
    if rules.name_resolution {
        for path in NAME_RESOLUTION.map(Path::new).into_iter().filter(|path| path.exists()) {
            ruleset = admit(ruleset, path, read)?;
        }
    }
    Ok(ruleset)
}

fn empty_ruleset() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()
}

fn admit(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, Reason> {
    let unusable = |error: &dyn std::error::Error| Reason::new(&format!("{}: {error}", path.display()));
    // Rights on directories do not apply to files, and Landlock refuses them there.
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    let file = PathFd::new(path).map_err(|error| unusable(&error))?;
    ruleset
        .add_rule(PathBeneath::new(file, access))
        .map_err(|error| unusable(&error))
}

fn reason(error: &RulesetError) -> Reason {
    Reason::new(&error.to_string())
}
