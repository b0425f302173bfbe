#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::key;

fn kids(keys: &MasterKeys) -> Vec<String> {
    keys.published().keys.iter().filter_map(|key| key.kid.clone()).collect()
}

#[test]
fn a_rollover_goes_through_announce_sign_retire() {
    let mut keys = MasterKeys::new(Arc::new(key("one")));
    keys.announce(Arc::new(key("two"))).unwrap();
    assert_eq!(kids(&keys), ["one", "two"]);
    assert_eq!(keys.signing().unwrap().kid(), "one");
    keys.sign_with("two").unwrap();
    assert_eq!(kids(&keys), ["two", "one"]);
    keys.retire("one").unwrap();
    assert_eq!(kids(&keys), ["two"]);
}

#[test]
fn steps_out_of_order_are_refused() {
    let mut keys = MasterKeys::new(Arc::new(key("one")));
    assert_eq!(keys.announce(Arc::new(key("one"))), Err(RolloverError::KidTaken));
    assert_eq!(keys.sign_with("two"), Err(RolloverError::UnknownKid));
    assert_eq!(keys.retire("one"), Err(RolloverError::StillSigning));
    assert_eq!(keys.retire("two"), Err(RolloverError::UnknownKid));
    for kid in ["two", "three", "four"] {
        keys.announce(Arc::new(key(kid))).unwrap();
    }
    assert_eq!(keys.announce(Arc::new(key("five"))), Err(RolloverError::TooMany));
}

#[test]
fn keys_survive_in_their_directory_with_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let (files, mut keys) = KeyDirectory::open_or_create(directory.path()).unwrap();
    assert_eq!(kids(&keys), [DEFAULT_KID]);
    keys.announce(Arc::new(files.generate("next").unwrap())).unwrap();
    keys.sign_with("next").unwrap();
    files.save_index(&keys).unwrap();
    let (files, again) = KeyDirectory::open_or_create(directory.path()).unwrap();
    assert_eq!(again.published(), keys.published());
    assert!(matches!(
        files.generate("next"),
        Err(KeyDirectoryError::Rollover(RolloverError::KidTaken))
    ));
}

#[test]
fn identifiers_that_are_no_file_names_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = KeyDirectory::open_or_create(directory.path()).unwrap();
    for kid in ["", "../key", "a/b", ".hidden", "ä", "-x", &"x".repeat(65)] {
        assert!(matches!(files.generate(kid), Err(KeyDirectoryError::Kid)), "{kid}");
    }
}

#[cfg(unix)]
#[test]
fn key_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    KeyDirectory::open_or_create(directory.path()).unwrap();
    let file = directory.path().join(format!("{DEFAULT_KID}.pem"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        KeyDirectory::open_or_create(directory.path()),
        Err(KeyDirectoryError::ReadableByOthers)
    ));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(
        KeyDirectory::open_or_create(directory.path()),
        Err(KeyDirectoryError::Io(_))
    ));
}

#[test]
fn damaged_key_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    KeyDirectory::open_or_create(directory.path()).unwrap();
    let file = directory.path().join(format!("{DEFAULT_KID}.pem"));
    std::fs::write(&file, "no key").unwrap();
    assert!(matches!(
        KeyDirectory::open_or_create(directory.path()),
        Err(KeyDirectoryError::Malformed(..))
    ));
    for index in ["", "{}", r#"{"published":[]}"#] {
        std::fs::write(directory.path().join("keys.json"), index).unwrap();
        assert!(matches!(
            KeyDirectory::open_or_create(directory.path()),
            Err(KeyDirectoryError::Malformed(..))
        ));
    }
}
