//! Records of a person beside her claims: devices, consents, events; and the claim on a login, which carries one.

#![allow(clippy::unwrap_used)]

mod support;

use store::{Condition, Key, Kind, Row, Write};
use support::*;
use vault::{BackgroundTask, Carried, Generation, OpenError, PersonId, ScopeError, SealedChange, Vault};

#[test]
fn records_are_bound_to_person_kind_id_and_version() {
    let vault = vault();
    let [one, two] = [ada(), ben()].map(|data| vault.create_person(tenant(), &data).unwrap());
    let [row_one, row_two] = [&one, &two].map(|person| person.identity_row().unwrap());
    let device = vault.device_key(tenant(), &one.id, &[5; 16]).unwrap();
    let sealed = vault
        .with_person(login(&vault, tenant(), one.id), &row_one, |scope| {
            scope.seal_record(device, None, &scope.plaintext(b"device".to_vec()), None)
        })
        .unwrap()
        .unwrap();
    assert_eq!(sealed.condition, store::Condition::Absent(device));
    let stored = row(&sealed);
    let open = |person: PersonId, identity: &Row, key: Key, row: &Row| {
        vault
            .with_person(login(&vault, tenant(), person), identity, |scope| {
                scope.open_record(&key, row)?.into_facts()
            })
            .unwrap()
            .map(|facts| facts.bytes().to_vec())
    };
    assert_eq!(open(one.id, &row_one, device, &stored).unwrap(), b"device");

    let not_authentic = Err(ScopeError::Open(OpenError::NotAuthentic));
    let other_device = vault.device_key(tenant(), &one.id, &[6; 16]).unwrap();
    assert_eq!(open(one.id, &row_one, other_device, &stored), not_authentic);
    let as_audit = vault.event_key(tenant(), &one.id, UNTIL_DAY, &[5; 16]).unwrap();
    assert_eq!(open(one.id, &row_one, as_audit, &stored), not_authentic);
    assert_eq!(
        open(
            one.id,
            &row_one,
            device,
            &Row {
                version: 2,
                ..stored.clone()
            }
        ),
        not_authentic
    );
    let as_twos = vault.device_key(tenant(), &two.id, &[5; 16]).unwrap();
    assert_eq!(open(two.id, &row_two, as_twos, &stored), not_authentic);

    let wrong_key = |result| matches!(result, Err(ScopeError::Open(OpenError::WrongKey { .. })));
    assert!(
        wrong_key(open(two.id, &row_two, device, &stored)),
        "another person's key"
    );
    let elsewhere = vault.device_key(other_tenant(), &one.id, &[5; 16]).unwrap();
    assert!(
        wrong_key(open(one.id, &row_one, elsewhere, &stored)),
        "another tenant's key"
    );
    assert!(
        wrong_key(open(one.id, &row_one, one.id.identity_key(tenant()), &row_one)),
        "claims are no record"
    );
    assert!(wrong_key(open(
        one.id,
        &row_one,
        Key::single_use(tenant(), one.id.as_bytes()),
        &stored
    )));
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let key = vault.consent_key(tenant(), &person.id, "s").unwrap();
    let capability = || vault.background_capability(tenant(), person.id, BackgroundTask::Reseal);
    let sealed = vault
        .with_person(capability(), &identity, |scope| {
            scope.seal_record(key, Some(3), &scope.plaintext(vec![0; 12]), None)
        })
        .unwrap()
        .unwrap();
    let stored = row(&sealed);
    assert_eq!(stored.version, 4);
    vault
        .with_person(capability(), &identity, |scope| {
            assert_eq!(scope.open_record(&key, &stored).unwrap().bytes(), [0; 12]);
            for bit in 0..stored.sealed.len() * 8 {
                let changed = change(&stored, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
                assert!(scope.open_record(&key, &changed).is_err());
            }
        })
        .unwrap();
}

#[test]
fn records_of_a_kind_have_one_size_and_a_limit() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let size = |key: Key, length: usize| {
        let capability = vault.background_capability(tenant(), person.id, BackgroundTask::Reseal);
        let sealed = vault
            .with_person(capability, &identity, |scope| {
                scope.seal_record(key, None, &scope.plaintext(vec![1; length]), None)
            })
            .unwrap();
        sealed.map(|sealed| row(&sealed).sealed.len())
    };
    // Form, generation, salt and tag take 53 bytes, the length of the content 2.
    for (key, limit) in [
        (
            vault.device_key(tenant(), &person.id, &[1; 16]).unwrap(),
            vault::MAX_DEVICE_BYTES,
        ),
        (
            vault.consent_key(tenant(), &person.id, "s").unwrap(),
            vault::MAX_CONSENT_BYTES,
        ),
        (
            vault.event_key(tenant(), &person.id, UNTIL_DAY, &[1; 16]).unwrap(),
            vault::MAX_EVENT_BYTES,
        ),
    ] {
        for length in [0, 1, limit / 2, limit] {
            assert_eq!(size(key, length).unwrap(), 53 + 2 + limit, "{:?} {length}", key.kind());
        }
        let found = limit + 1;
        assert_eq!(
            size(key, found),
            Err(ScopeError::Seal(vault::SealError::TooLong { limit, found }))
        );
    }
}

#[test]
fn device_is_opened_before_anybody_authenticated_and_nothing_else_is() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let seal = |key: Key| -> Row {
        let capability = vault.background_capability(tenant(), person.id, BackgroundTask::Reseal);
        let seal = |scope: &vault::PersonScope<'_>| -> Result<SealedChange, ScopeError> {
            scope.seal_record(key, None, &scope.plaintext(b"key".to_vec()), Some(NOW.0))
        };
        row(&vault
            .with_person(capability, &identity, |scope| seal(scope))
            .unwrap()
            .unwrap())
    };
    let device = seal(vault.device_key(tenant(), &person.id, &[5; 16]).unwrap());
    let audit = seal(vault.event_key(tenant(), &person.id, UNTIL_DAY, &[5; 16]).unwrap());
    let facts = vault
        .open_device(tenant(), person.id, &identity, &[5; 16], &device)
        .unwrap();
    assert_eq!(facts.bytes(), b"key");
    let refused = |row| {
        vault
            .open_device(tenant(), person.id, &identity, &[5; 16], row)
            .unwrap_err()
    };
    assert_eq!(refused(&audit), OpenError::NotAuthentic);
    assert_eq!(refused(&identity), OpenError::NotAuthentic);
    assert!(
        vault
            .open_device(tenant(), person.id, &identity, &[6; 16], &device)
            .is_err()
    );
}

#[test]
fn only_device_and_consent_leave_the_scope_as_facts() {
    let vault = vault();
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let audit = vault.event_key(tenant(), &person.id, UNTIL_DAY, &[5; 16]).unwrap();
    vault
        .with_person(login(&vault, tenant(), person.id), &identity, |scope| {
            let sealed = scope
                .seal_record(audit, None, &scope.plaintext(b"event".to_vec()), Some(NOW.0))
                .unwrap();
            let event = scope.open_record(&audit, &row(&sealed)).unwrap();
            assert_eq!(event.bytes(), b"event");
            assert!(matches!(event.into_facts(), Err(ScopeError::Purpose(_))));
            let brought = scope.plaintext(scope.claims().given_name().as_bytes().to_vec());
            assert!(matches!(brought.into_facts(), Err(ScopeError::Purpose(_))));
        })
        .unwrap();
}

#[test]
fn older_generations_stay_readable_and_move_over_when_written() {
    let old = vault();
    let person = old.create_person(tenant(), &ada()).unwrap();
    let identity = person.identity_row().unwrap();
    let device = old.device_key(tenant(), &person.id, &[5; 16]).unwrap();
    let device_row = row(&old
        .with_person(login(&old, tenant(), person.id), &identity, |scope| {
            scope.seal_record(device, None, &scope.plaintext(b"device".to_vec()), None)
        })
        .unwrap()
        .unwrap());
    let new = vault().at_generation(Generation::new(2).unwrap());
    let (lookup_key, lookup_row) = lookup_row(&person);
    assert_eq!(new.open_lookup(&lookup_key, &lookup_row), Ok(person.id));
    let resealed = new
        .with_person(login(&new, tenant(), person.id), &identity, |scope| {
            assert!(scope.is_of_older_generation());
            scope.reseal_claims()
        })
        .unwrap()
        .unwrap();
    let resealed = row(&resealed);
    new.with_person(login(&new, tenant(), person.id), &resealed, |scope| {
        assert!(!scope.is_of_older_generation());
        assert_eq!(
            scope.open_record(&device, &device_row).unwrap().bytes(),
            b"device",
            "the data key is the same"
        );
    })
    .unwrap();
    let error = old
        .with_person(login(&old, tenant(), person.id), &resealed, |_| ())
        .unwrap_err();
    assert_eq!(error, OpenError::UnknownGeneration { found: 2, newest: 1 });
}

/// An event of somebody's, sealed for her.
fn event(vault: &Vault) -> SealedChange {
    let person = vault.create_person(tenant(), &ada()).unwrap();
    let key = vault.event_key(tenant(), &person.id, UNTIL_DAY, &[5; 16]).unwrap();
    let until = u64::from(UNTIL_DAY) * vault::DAY_SECONDS;
    vault
        .with_person(
            login(vault, tenant(), person.id),
            &person.identity_row().unwrap(),
            |scope| scope.seal_record(key, None, &scope.plaintext(b"logged in".to_vec()), Some(until)),
        )
        .unwrap()
        .unwrap()
}

#[test]
fn claim_gives_back_what_it_carries_and_has_one_size() {
    let vault = vault();
    let name = vault
        .device_counter(tenant(), PersonId::from_bytes([1; 16]), &[2; 16])
        .unwrap();
    let (event, counter) = (Some(event(&vault)), Some((name, 7)));
    let mut sizes = Vec::new();
    for carried in [
        Carried::default(),
        Carried {
            event: event.clone(),
            counter: None,
            ..Carried::default()
        },
        Carried {
            counter,
            head: counter,
            ..Carried::default()
        },
        Carried {
            event: event.clone(),
            counter,
            ..Carried::default()
        },
        Carried {
            begun: Some(vec![5; vault::MAX_BEGUN_BYTES]),
            ..Carried::default()
        },
        Carried {
            begun: Some(Vec::new()),
            ..Carried::default()
        },
    ] {
        let claim = vault.claim_once(tenant(), &[9; 16], NOW.0, &carried).unwrap();
        let key = Key::single_use(tenant(), &[9; 16]);
        assert_eq!(claim.condition, Condition::Absent(key));
        let stored = row(&claim);
        assert_eq!(stored.expires_at, Some(NOW.0));
        sizes.push(stored.sealed.len());
        assert_eq!(vault.open_claim(&key, &stored), Ok(carried.clone()));
        // What it carries does not stand in it: neither where the event goes nor its sealed bytes.
        if let Some(SealedChange {
            write: Write::Put { key, sealed, .. },
            ..
        }) = &carried.event
        {
            for part in [&key.id()[4..20], &sealed.as_bytes()[100..116]] {
                assert!(!stored.sealed.as_bytes().windows(16).any(|window| window == part));
            }
        }
    }
    assert_eq!(sizes, [sizes[0]; 6]);
    assert!(sizes[0] <= Kind::SingleUse.max_sealed_bytes());
}

#[test]
fn claim_that_was_changed_moved_or_made_elsewhere_does_not_open() {
    let vault = vault();
    let carried = Carried {
        event: Some(event(&vault)),
        counter: None,
        ..Carried::default()
    };
    let key = Key::single_use(tenant(), &[9; 16]);
    let stored = row(&vault.claim_once(tenant(), &[9; 16], NOW.0, &carried).unwrap());
    for bit in 0..stored.sealed.len() * 8 {
        let changed = change(&stored, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        assert!(vault.open_claim(&key, &changed).is_err(), "bit {bit}");
    }
    for other in [
        Key::single_use(tenant(), &[8; 16]),
        Key::single_use(other_tenant(), &[9; 16]),
    ] {
        assert_eq!(vault.open_claim(&other, &stored), Err(OpenError::NotAuthentic));
    }
    assert_eq!(
        Vault::development([2; 32]).open_claim(&key, &stored),
        Err(OpenError::NotAuthentic)
    );
    let elsewhere = Key::identity(tenant(), &[9; 16]);
    assert!(matches!(
        vault.open_claim(&elsewhere, &stored),
        Err(OpenError::WrongKey { .. })
    ));
    // A record that is no event does not travel in a claim.
    let mut device = event(&vault);
    device.write = match device.write {
        Write::Put { sealed, expires_at, .. } => {
            let key = vault
                .device_key(tenant(), &PersonId::from_bytes([1; 16]), &[1; 16])
                .unwrap();
            Write::Put {
                key,
                sealed,
                expires_at,
            }
        }
        Write::Delete(_) => panic!("a put"),
    };
    let carried = Carried {
        event: Some(device),
        counter: None,
        ..Carried::default()
    };
    assert!(vault.claim_once(tenant(), &[9; 16], NOW.0, &carried).is_err());
    // A login that has begun travels alone, and does not make the row longer.
    for carried in [
        Carried {
            begun: Some(vec![5; vault::MAX_BEGUN_BYTES + 1]),
            ..Carried::default()
        },
        Carried {
            begun: Some(vec![5]),
            event: Some(event(&vault)),
            ..Carried::default()
        },
    ] {
        assert!(vault.claim_once(tenant(), &[9; 16], NOW.0, &carried).is_err());
    }
}

#[test]
fn decoy_looks_like_an_event() {
    let vault = vault();
    let until = u64::from(UNTIL_DAY) * vault::DAY_SECONDS;
    let (real, decoy) = (event(&vault), vault.decoy_event(tenant(), until).unwrap());
    let shape = |change: &SealedChange| {
        let Write::Put {
            key,
            sealed,
            expires_at,
        } = &change.write
        else {
            panic!("a put")
        };
        // Kind, tenant, day and length of the id; form and generation, length; expiry: everything but random bytes.
        (
            key.kind(),
            *key.tenant(),
            key.id()[..4].to_vec(),
            key.id().len(),
            sealed.as_bytes()[..5].to_vec(),
            sealed.len(),
            *expires_at,
        )
    };
    assert_eq!(shape(&real), shape(&decoy));
    assert_ne!(decoy, vault.decoy_event(tenant(), until).unwrap());
    let Write::Put { key, .. } = decoy.write else {
        panic!("a put")
    };
    assert_eq!(decoy.condition, Condition::Absent(key));
}
