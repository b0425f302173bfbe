//! Who may do what in a person's scope: capabilities, tokens, answers, sealed logins.

#![allow(clippy::unwrap_used)]

mod support;

use jose::{SoftwareKey, json, jwe, jws};
use support::*;
use vault::{BackgroundTask, CapabilityError, Mint, PersonData, PersonDataError, ScopeError, StateKind};

#[test]
fn token_is_minted_signed_and_readable_by_its_recipient_only() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let (signer, recipient) = (
        SoftwareKey::generate("sig").unwrap(),
        SoftwareKey::generate("enc").unwrap(),
    );
    let mint = Mint {
        signing: jws::SigningHeader {
            typ: Some("JWT"),
            ..Default::default()
        },
        signer: &signer,
        encryption: jwe::EncryptionHeader {
            kid: "enc",
            cty: Some("JWT"),
            version: Some("2.0.0"),
        },
        recipient: recipient.public_key(),
    };
    let token = vault
        .with_person(login(&vault, tenant(), person.id), &identity, |scope| {
            scope.mint(&mint, |claims| {
                serde_json::to_vec(&serde_json::json!({"given_name": claims.given_name()}))
            })
        })
        .unwrap()
        .unwrap();
    assert_eq!(format!("{token:?}"), "EncryptedToken");
    let signed = jwe::parse(token.as_str(), &json::DEFAULT)
        .unwrap()
        .decrypt(&recipient)
        .unwrap();
    let signed = jws::parse(std::str::from_utf8(&signed).unwrap(), &json::DEFAULT).unwrap();
    assert_eq!(
        signed.verify(signer.public_key()).unwrap().bytes(),
        br#"{"given_name":"Ada"}"#
    );
    let stranger = SoftwareKey::generate("enc").unwrap();
    assert!(
        jwe::parse(token.as_str(), &json::DEFAULT)
            .unwrap()
            .decrypt(&stranger)
            .is_err()
    );

    let failed = vault
        .with_person(login(&vault, tenant(), person.id), &identity, |scope| {
            scope.mint(&mint, |claims| Err::<Vec<u8>, _>(claims.given_name().to_owned()))
        })
        .unwrap();
    assert_eq!(failed.unwrap_err(), ScopeError::Content, "an error's text stays inside");
}

#[test]
fn background_task_can_neither_mint_nor_answer_nor_log_in() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let key = SoftwareKey::generate("k").unwrap();
    let mint = Mint {
        signing: jws::SigningHeader::default(),
        signer: &key,
        encryption: jwe::EncryptionHeader {
            kid: "k",
            cty: None,
            version: None,
        },
        recipient: key.public_key(),
    };
    for task in [BackgroundTask::Import, BackgroundTask::Reseal] {
        let capability = vault.background_capability(tenant(), person.id, task);
        assert!(vault.seal_login(&capability, StateKind::Code, NOW, b"x").is_err());
        vault
            .with_person(capability, &identity, |scope| {
                assert!(matches!(
                    scope.mint(&mint, |_| Ok::<_, ()>(Vec::new())),
                    Err(ScopeError::Purpose(_))
                ));
                assert!(matches!(
                    scope.answer(|_| Ok::<_, ()>(Vec::new())),
                    Err(ScopeError::Purpose(_))
                ));
                assert!(scope.seal_login(StateKind::Code, NOW, b"x").is_err());
            })
            .unwrap();
    }
}

#[test]
fn capability_follows_the_proof() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let capability = login(&vault, tenant(), person.id);
    assert_eq!(capability.person_id(), person.id);
    assert_eq!(capability.tenant(), tenant());
    assert_eq!(format!("{capability:?}"), "PersonCapability");
}

#[test]
fn sealed_login_carries_the_right_to_the_person_to_its_own_step_only() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let capability = login(&vault, tenant(), person.id);
    let sealed = vault.seal_login(&capability, StateKind::Code, NOW, b"code").unwrap();
    // Another instance with the same root.
    let (capability, content) = support::vault()
        .open_login(tenant(), StateKind::Code, NOW, &sealed)
        .unwrap();
    assert_eq!((capability.person_id(), &content[..]), (person.id, &b"code"[..]));

    let refused = |tenant, kind, sealed: &str| vault.open_login(tenant, kind, NOW, sealed).unwrap_err();
    let state = CapabilityError::State;
    assert_eq!(
        refused(other_tenant(), StateKind::Code, &sealed),
        state(vault::StateError::NotAuthentic)
    );
    assert_eq!(
        refused(tenant(), StateKind::Session, &sealed),
        state(vault::StateError::WrongKind)
    );
    for kind in [StateKind::Pushed, StateKind::Pending] {
        assert_eq!(
            refused(tenant(), kind, &sealed),
            CapabilityError::NotAfterAuthentication
        );
        assert!(vault.seal_login(&capability, kind, NOW, b"x").is_err());
    }
    // A state that anybody may seal never becomes a capability, whatever stands in it, and the reverse.
    let mut forged = person.id.as_bytes().to_vec();
    forged.extend_from_slice(b"code");
    let forged = vault
        .login_states()
        .seal(tenant(), StateKind::Code, NOW, &forged)
        .unwrap();
    assert_eq!(
        refused(tenant(), StateKind::Code, &forged),
        state(vault::StateError::UnknownForm)
    );
    assert_eq!(
        vault.login_states().open(tenant(), StateKind::Code, NOW, &sealed),
        Err(vault::StateError::UnknownForm)
    );
    let in_scope = vault
        .with_person(capability, &person.identity_row().unwrap(), |scope| {
            scope.seal_login(StateKind::Session, NOW, b"s")
        })
        .unwrap()
        .unwrap();
    assert!(
        vault
            .open_login(tenant(), StateKind::Session, NOW, in_scope.as_str())
            .is_ok()
    );
}

#[test]
fn insurer_changes_claims_but_not_the_number() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let mut married = ada();
    married.family_name = "Neuname".into();
    let by = |task, data: &PersonData| {
        let capability = vault.background_capability(tenant(), person.id, task);
        vault
            .with_person(capability, &identity, |scope| scope.seal_claims(data))
            .unwrap()
    };
    assert!(matches!(
        by(BackgroundTask::Reseal, &married),
        Err(ScopeError::Purpose(_))
    ));
    assert_eq!(
        by(BackgroundTask::Import, &ben()),
        Err(ScopeError::PersonData(PersonDataError::KvnrChanged))
    );
    let login = login(&vault, tenant(), person.id);
    assert!(matches!(
        vault.with_person(login, &identity, |scope| scope.seal_claims(&married)),
        Ok(Err(_))
    ));
    let changed = by(BackgroundTask::Import, &married).unwrap();
    assert_eq!(
        changed.condition,
        store::Condition::VersionIs(person.id.identity_key(tenant()), 1)
    );
    let changed = row(&changed);
    let capability = vault.background_capability(tenant(), person.id, BackgroundTask::Reseal);
    vault
        .with_person(capability, &changed, |scope| {
            assert_eq!(scope.claims().family_name(), "Neuname")
        })
        .unwrap();
}
