//! With recipes that write a few bytes; that the real one gives the same bytes twice is shown by `script/release --twice`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use evidence::platform::Measurement;
use evidence::verdict::{Release, State};
use tempfile::TempDir;

use super::{git, rebuild, sha256, succeed};

/// A repository with one commit and a recipe that says and makes this.
struct Source {
    place: TempDir,
    commit: Vec<u8>,
    recipe: [u8; 32],
}

/// What a good recipe does.
const MAKES_THE_PROGRAM: &str =
    r#"mkdir -p "$CARGO_TARGET_DIR/recipe" && printf '%s of %s' "$1" "$(cat words)" >"$CARGO_TARGET_DIR/recipe/$1""#;
const PROGRAM: &[u8] = b"healthid of words";

impl Source {
    fn with(recipe: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path();
        let recipe = format!("#!/bin/sh\nset -e\n{recipe}\n");
        fs::create_dir(path.join("script")).unwrap();
        fs::write(path.join("words"), "words").unwrap();
        fs::write(path.join("script/release"), &recipe).unwrap();
        fs::set_permissions(path.join("script/release"), fs::Permissions::from_mode(0o755)).unwrap();
        run(path, &["init", "--quiet"]);
        commit_all(path);
        let commit = run(path, &["rev-parse", "HEAD"]);
        Self {
            commit: (0..20)
                .map(|at| u8::from_str_radix(&commit[2 * at..2 * at + 2], 16).unwrap())
                .collect(),
            recipe: sha256(recipe.as_bytes()),
            place,
        }
    }

    fn good() -> Self {
        Self::with(MAKES_THE_PROGRAM)
    }

    fn release(&self) -> Release {
        self.release_of(Measurement::Simulated(sha256(PROGRAM)))
    }

    fn release_of(&self, measurement: Measurement) -> Release {
        Release::stated(measurement, self.commit.clone(), self.recipe)
    }

    fn rebuilt(&self, release: &Release) -> State {
        rebuild(release, self.place.path())
    }
}

fn run(place: &Path, words: &[&str]) -> String {
    succeed(git().arg("-C").arg(place).args(words), "git").unwrap()
}

fn commit_all(place: &Path) {
    run(place, &["add", "."]);
    let somebody = ["-c", "user.name=somebody", "-c", "user.email=somebody@test.example"];
    run(place, &[&somebody[..], &["commit", "--quiet", "-m", "words"]].concat());
}

fn unknown(state: State) -> String {
    match state {
        State::Unknown(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn refused(state: State) -> (&'static str, String) {
    match state {
        State::Refused { code, reason } => (code, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_comes_out_as_measured_is_confirmed() {
    let source = Source::good();
    let State::Ok(found) = source.rebuilt(&source.release()) else {
        panic!("not confirmed")
    };
    assert!(
        found.contains("healthid of commit") && found.ends_with("as measured"),
        "{found}"
    );
}

#[test]
fn changes_that_are_in_no_commit_are_not_built() {
    let source = Source::good();
    fs::write(source.place.path().join("words"), "other words").unwrap();
    fs::write(source.place.path().join("script/release"), "#!/bin/sh\nexit 1\n").unwrap();
    assert!(matches!(source.rebuilt(&source.release()), State::Ok(_)));
}

#[test]
fn the_named_commit_is_built_and_not_the_newest() {
    let source = Source::good();
    let release = source.release();
    let path = source.place.path();
    fs::write(path.join("words"), "newer words").unwrap();
    commit_all(path);
    assert!(matches!(source.rebuilt(&release), State::Ok(_)));
}

#[test]
fn another_program_is_refused() {
    let source = Source::good();
    let mut other = sha256(PROGRAM);
    other[0] ^= 1;
    let (code, reason) = refused(source.rebuilt(&source.release_of(Measurement::Simulated(other))));
    assert_eq!(code, "rebuild.other_program");
    assert!(reason.contains(&super::hex(&other)) && reason.contains(&super::hex(&sha256(PROGRAM))));
}

#[test]
fn another_program_by_another_toolchain_decides_nothing() {
    let source = Source::with(&format!("echo 'toolchain differs: an older cc'\n{MAKES_THE_PROGRAM}"));
    assert!(matches!(source.rebuilt(&source.release()), State::Ok(_)));
    let other = source.release_of(Measurement::Simulated([7; 32]));
    assert!(unknown(source.rebuilt(&other)).contains("an older cc"));
}

#[test]
fn a_commit_with_another_recipe_than_approved_is_refused_and_not_run() {
    let source = Source::with("touch \"$0.ran\"; touch /nonexistent/place");
    let release = Release::stated(Measurement::Simulated([7; 32]), source.commit.clone(), [7; 32]);
    assert_eq!(refused(source.rebuilt(&release)).0, "rebuild.other_recipe");
}

#[test]
fn a_recipe_that_fails_or_makes_nothing_decides_nothing() {
    for (recipe, says) in [
        ("echo 'no compiler' >&2; exit 3", "no compiler"),
        ("true", "left no healthid"),
    ] {
        let source = Source::with(recipe);
        let reason = unknown(source.rebuilt(&source.release()));
        assert!(reason.contains(says), "{reason}");
    }
}

#[test]
fn without_the_commit_or_a_repository_nothing_is_decided() {
    let source = Source::good();
    let absent = Release::stated(Measurement::Simulated([7; 32]), vec![7; 20], source.recipe);
    assert!(unknown(source.rebuilt(&absent)).contains("does not have commit 0707"));
    let unnamed = Release::stated(Measurement::Simulated([7; 32]), vec![0; 20], [0; 32]);
    assert!(unknown(source.rebuilt(&unnamed)).contains("names no commit"));
    let empty = tempfile::tempdir().unwrap();
    assert!(unknown(rebuild(&source.release(), empty.path())).contains("no git repository"));
}

#[test]
fn platforms_that_measure_more_than_a_program_are_said_to_be_out_of_reach() {
    let source = Source::good();
    for (measurement, says) in [
        (
            Measurement::Sgx {
                mr_enclave: [1; 32],
                product_id: 1,
            },
            "gramine-sgx-sign",
        ),
        (Measurement::Tpm { pcrs: BTreeMap::new() }, "script/measured-boot"),
        (Measurement::SevSnp { launch: [1; 48] }, "no image"),
        (
            Measurement::Tdx {
                mr_td: [1; 48],
                rtmr: [[1; 48]; 4],
            },
            "no image",
        ),
    ] {
        let reason = unknown(source.rebuilt(&source.release_of(measurement)));
        assert!(
            reason.contains("cannot be recomputed") && reason.contains(says),
            "{reason}"
        );
    }
}
