//! `healthid verify --rebuild`: builds the release again that a manifest names, and compares what comes out with what was measured.
//!
//! The source is a clone of its own at that very commit, so nothing that lies around in the given repository is built. The recipe
//! is `script/release` of that commit; what it is called in the manifest is its hash. **Trusted for:** saying "the same" only when
//! the recipe ran and its program has the quoted measurement. **Does not:** read the source; that is for people.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use evidence::platform::{Measurement, Platform};
use evidence::verdict::{Release, State};
use sha2::{Digest as _, Sha256};

use crate::manifest::hex;

#[cfg(test)]
mod tests;

/// Where a source keeps its recipe, and where that leaves programs.
const RECIPE: &str = "script/release";
const OUTPUT: &str = "recipe";
/// What the recipe says first where the machine's toolchain is not the one it names.
const OTHER_TOOLCHAIN: &str = "toolchain differs: ";
/// How much of somebody else's complaint is repeated, in characters.
const MAX_COMPLAINT: usize = 300;

/// The line of the verdict. Takes as long as a release build, minutes. Blocks.
pub(super) fn rebuild(release: &Release, repository: &Path) -> State {
    match try_rebuild(release, repository) {
        Ok(state) => state,
        Err(reason) => State::Unknown(reason),
    }
}

/// `Err`: why there is nothing to compare.
fn try_rebuild(release: &Release, repository: &Path) -> Result<State, String> {
    let (program, measured) = measured_program(release.measurement())?;
    if release.commit().iter().all(|byte| *byte == 0) {
        return Err(
            "the manifest names no commit: the program was not built by a recipe from a clean checkout".to_owned(),
        );
    }
    let commit = hex(release.commit());
    let place = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let source = place.path().join("source");
    check_out(repository, &commit, &source)?;

    let recipe = std::fs::read(source.join(RECIPE)).map_err(|_| format!("commit {commit} has no {RECIPE}"))?;
    let recipe = sha256(&recipe);
    if recipe != *release.build_recipe() {
        return Ok(State::Refused {
            code: "rebuild.other_recipe",
            reason: format!(
                "the recipe of commit {} is {}, the manifest names {}",
                &commit[..12],
                hex(&recipe),
                hex(release.build_recipe())
            ),
        });
    }
    let target = place.path().join("target");
    let mut run = Command::new(source.join(RECIPE));
    run.arg(program).current_dir(&source).env("CARGO_TARGET_DIR", &target);
    let said = succeed(&mut run, "the recipe")?;
    let built = std::fs::read(target.join(OUTPUT).join(program))
        .map_err(|error| format!("the recipe left no {program}: {error}"))?;
    let built = sha256(&built);
    if built == measured {
        return Ok(State::Ok(format!(
            "{program} of commit {} is {}, as measured",
            &commit[..12],
            &hex(&built)[..16]
        )));
    }
    let other: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix(OTHER_TOOLCHAIN))
        .collect();
    if !other.is_empty() {
        return Err(format!(
            "{program} of commit {} is {} here, measured was {}; but this machine has another toolchain: {}",
            &commit[..12],
            hex(&built),
            hex(&measured),
            other.join("; ")
        ));
    }
    Ok(State::Refused {
        code: "rebuild.other_program",
        reason: format!(
            "{program} of commit {} is {}, measured was {}",
            &commit[..12],
            hex(&built),
            hex(&measured)
        ),
    })
}

/// Which of the recipe's programs runs on that platform, and its SHA-256. Elsewhere it takes more than a program to recompute a measurement.
fn measured_program(measurement: &Measurement) -> Result<(&'static str, [u8; 32]), String> {
    let missing = match measurement {
        Measurement::Simulated(value) => return Ok(("healthid", *value)),
        Measurement::Sgx { .. } => {
            "MRENCLAVE covers Gramine and its libraries too; Gramine's own gramine-sgx-sign computes it from \
             deploy/gramine and the recipe's program"
        }
        Measurement::Tpm { .. } => {
            "the registers cover firmware, kernel, initial file system and command line; script/measured-boot builds \
             them from the recipe's program and predicts the registers"
        }
        Measurement::Tdx { .. } | Measurement::SevSnp { .. } => {
            "no image for this platform is built from this source yet"
        }
    };
    let platform: Platform = measurement.platform();
    Err(format!("{platform} cannot be recomputed by this tool: {missing}"))
}

/// A checkout of its own: git gives exactly the tree that the commit's hash covers.
fn check_out(repository: &Path, commit: &str, source: &Path) -> Result<(), String> {
    let clone = ["clone", "--quiet", "--no-checkout", "--no-hardlinks", "--"];
    succeed(
        git().args(clone).arg(repository).arg(source),
        &format!("{} is no git repository that can be cloned", repository.display()),
    )?;
    let checkout = ["checkout", "--quiet", "--detach", commit];
    succeed(
        git().arg("-C").arg(source).args(checkout),
        &format!("{} does not have commit {commit}", repository.display()),
    )?;
    Ok(())
}

fn git() -> Command {
    let mut git = Command::new("git");
    // Somebody's own settings change neither line ends nor what is run on a checkout.
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

/// What it said on standard output. `what` begins the complaint.
fn succeed(command: &mut Command, what: &str) -> Result<String, String> {
    let output: io::Result<Output> = command.output();
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last: String = complaint
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("")
        .into();
    let last: String = last
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_COMPLAINT)
        .collect();
    Err(format!("{what} ({}): {last}", output.status))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
