#![allow(clippy::unwrap_used)]

use super::*;
use crate::finding::Rule;
use crate::fixtures::{INSURER, NOW, SERVICE, id, insurer_form, service_form};

fn checked(form: RegistrationForm) -> Registration {
    form.check(Profile::Production).unwrap()
}

#[test]
fn registrations_state_and_findings_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(directory.path().join("data"));
    let mut registry = Registry::open(storage.clone(), Profile::Production).unwrap();
    let outcome = registry
        .register(vec![checked(insurer_form()), checked(service_form())])
        .unwrap();
    assert_eq!(outcome, [Registered::Created, Registered::Created]);
    registry
        .observe(|participants| {
            let finding = Finding::new(Rule::Reachable, "statement", "a statement", "nothing");
            participants.get_mut(&id(SERVICE)).unwrap().observe(Err(finding), NOW);
        })
        .unwrap();

    let again = Registry::open(storage.clone(), Profile::Production).unwrap();
    assert_eq!(again.participants, registry.participants);

    assert!(registry.delete(&id(INSURER)).unwrap());
    assert!(!registry.delete(&id(INSURER)).unwrap());
    let again = Registry::open(storage, Profile::Production).unwrap();
    assert_eq!(again.find(&id(INSURER)), None);
    assert_eq!(again.all().count(), 1);
}

#[test]
fn a_new_registration_replaces_the_old_one_and_keeps_the_state() {
    let mut registry = Registry::open(Storage::Memory, Profile::Production).unwrap();
    registry.register(vec![checked(service_form())]).unwrap();
    registry
        .observe(|participants| {
            participants.get_mut(&id(SERVICE)).unwrap().state = ParticipantState::Locked { since: NOW };
        })
        .unwrap();
    let mut form = service_form();
    form.scopes = Some(vec!["openid".into()]);
    assert_eq!(
        registry.register(vec![checked(form.clone())]).unwrap(),
        [Registered::Replaced]
    );
    let participant = registry.find(&id(SERVICE)).unwrap();
    assert_eq!(participant.registration.form(), &form);
    assert_eq!(participant.state, ParticipantState::Locked { since: NOW });
}

#[test]
fn what_cannot_be_written_is_not_registered() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut registry = Registry::open(Storage::Directory(data.clone()), Profile::Production).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    assert!(registry.register(vec![checked(service_form())]).is_err());
    assert_eq!(registry.all().count(), 0);
}

#[test]
fn damaged_files_and_rules_that_tightened_are_refused_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(directory.path().to_owned());
    let mut form = service_form();
    form.redirect_uris = Some(vec!["http://localhost:8406/cb".into()]);
    let registration = form.check(Profile::Sandbox).unwrap();
    let mut registry = Registry::open(storage.clone(), Profile::Sandbox).unwrap();
    registry.register(vec![registration]).unwrap();
    assert!(Registry::open(storage.clone(), Profile::Sandbox).is_ok());
    assert!(matches!(
        Registry::open(storage.clone(), Profile::Production),
        Err(RegistryError::Refused(_))
    ));
    for text in ["", "{}", r#"{"version":2,"participants":[]}"#] {
        std::fs::write(directory.path().join(FILE), text).unwrap();
        assert!(matches!(
            Registry::open(storage.clone(), Profile::Sandbox),
            Err(RegistryError::Malformed(_))
        ));
    }
}
