//! The build recipe's cheap parts. That two builds are equal takes two builds: `script/release --twice`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recipe(words: &[&str]) -> Output {
    Command::new(root().join("script/release"))
        .args(words)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program with a section of these bytes, made of one every system has.
fn program(place: &Path, name: &str, section: &str, content: &str) -> String {
    let (piece, made) = (place.join("piece"), place.join(name));
    std::fs::write(&piece, content).unwrap();
    let done = Command::new("objcopy")
        .args(["--remove-section", section])
        .arg(format!("--add-section={section}={}", piece.display()))
        .arg("/bin/true")
        .arg(&made)
        .status()
        .unwrap();
    assert!(done.success());
    made.to_str().unwrap().to_owned()
}

#[test]
fn the_recipes_hash_is_that_of_its_file() {
    let file = std::fs::read(root().join("script/release")).unwrap();
    let expected: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said(&recipe(&["--recipe"])).trim(), expected);
}

#[test]
fn equal_programs_are_equal_and_a_difference_is_named_by_its_section() {
    let place = tempfile::tempdir().unwrap();
    let one = program(place.path(), "one", ".of-ours", "one");
    let same = program(place.path(), "same", ".of-ours", "one");
    let other = program(place.path(), "other", ".of-ours", "two");
    let equal = recipe(&["--compare", &one, &same]);
    assert!(equal.status.success() && said(&equal).is_empty());
    let different = recipe(&["--compare", &one, &other]);
    assert_eq!(different.status.code(), Some(1));
    let lines: Vec<String> = said(&different).lines().skip(1).map(str::to_owned).collect();
    assert_eq!(lines, ["  section .of-ours differs (3 and 3 bytes)"]);
}

#[test]
fn another_compiler_is_told_as_the_reason() {
    let place = tempfile::tempdir().unwrap();
    let one = program(place.path(), "one", ".comment", "GCC: 12.2.0\0");
    let other = program(place.path(), "other", ".comment", "GCC: 14.1.0\0");
    let text = said(&recipe(&["--compare", &one, &other]));
    assert!(text.contains("the compilers differ"), "{text}");
    assert!(
        text.contains("< GCC: 12.2.0") && text.contains("> GCC: 14.1.0"),
        "{text}"
    );
}

#[test]
fn words_it_does_not_know_are_refused() {
    for words in [&["--fast"] as &[&str], &["healthid-bench"], &["--compare", "one"]] {
        assert_eq!(recipe(words).status.code(), Some(2), "{words:?}");
    }
}
