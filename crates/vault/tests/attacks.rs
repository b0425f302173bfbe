//! What somebody with the database tries: rows exchanged in every column, numbers guessed, old copies after a deletion.

#![allow(clippy::unwrap_used)]

mod support;

use authenticator::Kvnr;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use store::{Key, Kind, Row, SealedBytes, TenantId};
use support::*;
use vault::{BackgroundTask, Generation, OpenError, PersonId, ScopeError, Vault};

/// A row as it stands in the table: every column that exists.
#[derive(Clone)]
struct Stored {
    kind: Kind,
    tenant: TenantId,
    id: Vec<u8>,
    row: Row,
}

impl Stored {
    fn key(&self) -> Option<Key> {
        Key::new(self.kind, self.tenant, &self.id).ok()
    }
}

/// Two people of one tenant and one of another, each with a device, a consent and an entry of her history.
fn table(vault: &Vault) -> Vec<(PersonId, Row, Vec<Stored>)> {
    [(tenant(), ada()), (tenant(), ben()), (other_tenant(), ada())]
        .into_iter()
        .map(|(tenant, data)| {
            let person = vault.create_person(tenant, &data).unwrap();
            let identity = person.identity_row().unwrap();
            let id = person.id;
            let keys = [
                vault.device_key(tenant, &id, &[1; 16]).unwrap(),
                vault.device_key(tenant, &id, &[2; 16]).unwrap(),
                vault.consent_key(tenant, &id, "https://epa.example").unwrap(),
                vault.event_key(tenant, &id, UNTIL_DAY, &[1; 16]).unwrap(),
            ];
            let capability = vault.background_capability(tenant, person.id, BackgroundTask::Reseal);
            let mut stored = Vec::new();
            vault
                .with_person(capability, &identity, |scope| {
                    for key in keys {
                        for version in [None, Some(1)] {
                            let content = scope.plaintext(b"what nobody may see".to_vec());
                            let change = scope.seal_record(key, version, &content, Some(NOW.0 + 60)).unwrap();
                            stored.push(Stored {
                                kind: key.kind(),
                                tenant,
                                id: key.id().to_vec(),
                                row: row(&change),
                            });
                        }
                    }
                })
                .unwrap();
            (person.id, identity, stored)
        })
        .collect()
}

fn open(vault: &Vault, person: PersonId, identity: &Row, stored: &Stored) -> Result<(), &'static str> {
    let Some(key) = stored.key() else {
        return Err("no key");
    };
    let capability = vault.background_capability(stored.tenant, person, BackgroundTask::Reseal);
    let opened = vault.with_person(capability, identity, |scope| {
        let opened = scope.open_record(&key, &stored.row)?;
        assert_eq!(opened.bytes(), b"what nobody may see");
        Ok(())
    });
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ScopeError::Open(error))) | Err(error) => Err(error.code()),
        Ok(Err(other)) => panic!("{other}"),
    }
}

#[test]
fn attack_24_sealed_bytes_exchanged_between_any_two_rows_are_noticed() {
    let vault = vault();
    let table = table(&vault);
    let mut tried = 0;
    for (at, (person, identity, rows)) in table.iter().enumerate() {
        for (place, row) in rows.iter().enumerate() {
            assert_eq!(open(&vault, *person, identity, row), Ok(()));
            for (other_at, (_, _, other_rows)) in table.iter().enumerate() {
                for (other_place, other) in other_rows.iter().enumerate() {
                    if (at, place) == (other_at, other_place) {
                        continue;
                    }
                    let mut exchanged = row.clone();
                    exchanged.row.sealed = other.row.sealed.clone();
                    let refused = open(&vault, *person, identity, &exchanged);
                    assert_eq!(refused, Err("vault.record_not_authentic"));
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 24 * 23);
}

#[test]
fn attack_24_every_bit_of_every_column_is_noticed() {
    let vault = vault();
    let table = table(&vault);
    let (person, identity, rows) = &table[0];
    for row in rows {
        let refused = |changed: &Stored, column: &str| {
            let code = open(&vault, *person, identity, changed).expect_err(column);
            let known = [
                "vault.record_not_authentic",
                "vault.record_form_unknown",
                "vault.record_generation_unknown",
                "vault.record_wrong_key",
            ];
            assert!(known.contains(&code), "{column}: {code}");
        };
        for bit in 0..row.id.len() * 8 {
            let mut changed = row.clone();
            changed.id[bit / 8] ^= 1 << (bit % 8);
            refused(&changed, "id");
        }
        for bit in 0..64 {
            let mut changed = row.clone();
            changed.row.version ^= 1 << bit;
            refused(&changed, "version");
        }
        for bit in 0..row.row.sealed.len() * 8 {
            let mut changed = row.clone();
            let mut bytes = row.row.sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            changed.row.sealed = SealedBytes::from_sealed(bytes);
            refused(&changed, "sealed bytes, generation in front");
        }
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != row.kind) {
            let changed = Stored { kind, ..row.clone() };
            if changed.key().is_some() {
                refused(&changed, "kind");
            }
        }
        for bit in 0..128 {
            let mut tenant = *row.tenant.as_bytes();
            tenant[bit / 8] ^= 1 << (bit % 8);
            let changed = Stored {
                tenant: TenantId::from_bytes(tenant),
                ..row.clone()
            };
            refused(&changed, "tenant");
        }
    }
    // The generation in front, set to one that exists: noticed as well.
    let newer = support::vault().at_generation(Generation::new(2).unwrap());
    let mut changed = rows[0].clone();
    let mut bytes = changed.row.sealed.as_bytes().to_vec();
    bytes[4] = 2;
    changed.row.sealed = SealedBytes::from_sealed(bytes);
    assert_eq!(
        open(&newer, *person, identity, &changed),
        Err("vault.record_not_authentic")
    );
    // The one column that is not bound: when a row may be dropped. It says nothing, and opens nothing.
    let mut changed = rows[0].clone();
    changed.row.expires_at = None;
    assert_eq!(open(&vault, *person, identity, &changed), Ok(()));
}

#[test]
fn attack_26_restored_rows_of_a_deleted_person_open_with_nothing_that_is_left() {
    let vault = vault();
    let table = table(&vault);
    let (person, identity, rows) = &table[0];
    let erased = vault.erase_person(tenant(), *person, &ada().kvnr).unwrap();
    let gone: Vec<_> = erased.iter().map(|write| *write.key()).collect();
    assert!(gone.contains(&person.identity_key(tenant())));
    // Her identity row held the only copy of her data key: another person's, or a new one for her own number, opens nothing.
    let again = vault.create_person(tenant(), &ada()).unwrap();
    let again_row = again.identity_row().unwrap();
    for row in rows {
        assert_eq!(open(&vault, again.id, &again_row, row), Err("vault.record_wrong_key"));
        assert_eq!(
            open(&vault, *person, &again_row, row),
            Err("vault.record_not_authentic")
        );
        assert_eq!(
            open(&vault, *person, &table[1].1, row),
            Err("vault.record_not_authentic")
        );
        // With her identity row restored from a backup the cryptography would open them: that is why the freshness ledger
        // remembers deletions (attack 25).
        assert_eq!(open(&vault, *person, identity, row), Ok(()));
    }
}

#[test]
fn attack_28_index_matches_no_guess_without_the_key() {
    // A thief of the database hashes health insurance numbers in every way that needs no key, and under keys he can know.
    let vault = vault();
    let letters = b'A'..=b'Z';
    let numbers: Vec<Kvnr> = letters
        .flat_map(|letter| (0..400_u32).map(move |number| format!("{}{:08}", char::from(letter), number * 249_989)))
        .filter_map(|nine| (0..=9).find_map(|check| Kvnr::parse(&format!("{nine}{check}")).ok()))
        .collect();
    assert!(numbers.len() > 10_000, "{}", numbers.len());
    let stored: std::collections::HashSet<[u8; 32]> = numbers
        .iter()
        .map(|number| *vault.blind_index(tenant(), number).unwrap().as_bytes())
        .collect();
    assert_eq!(stored.len(), numbers.len(), "no two numbers meet");
    let tenant_bytes = *tenant().as_bytes();
    let known_keys: [&[u8]; 6] = [
        &[],
        &[0; 32],
        &tenant_bytes,
        b"healthid/v1/tenant",
        b"index",
        b"https://idp.example/109900019",
    ];
    for number in &numbers {
        let text = number.as_str().as_bytes();
        let mut guesses = vec![
            digest(&SHA256, text).as_ref().to_vec(),
            digest(&SHA256, &[&tenant_bytes, text].concat()).as_ref().to_vec(),
            digest(&SHA256, &[text, &tenant_bytes].concat()).as_ref().to_vec(),
        ];
        for key in known_keys {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            guesses.push(hmac::sign(&key, text).as_ref().to_vec());
        }
        for guess in guesses {
            assert!(!stored.contains(&guess[..]));
        }
    }
    // With the key every one is found: the search is a real one.
    let again = support::vault();
    assert!(
        numbers
            .iter()
            .all(|number| stored.contains(again.blind_index(tenant(), number).unwrap().as_bytes()))
    );
    // Under another root or tenant none is.
    let other_root = Vault::development([2; 32]);
    for number in numbers.iter().take(2_000) {
        assert!(!stored.contains(other_root.blind_index(tenant(), number).unwrap().as_bytes()));
        assert!(!stored.contains(again.blind_index(other_tenant(), number).unwrap().as_bytes()));
    }
}

#[test]
fn refusals_have_codes_of_their_own() {
    let errors = [
        OpenError::TooShort,
        OpenError::UnknownForm { found: 9, known: 1 },
        OpenError::UnknownGeneration { found: 9, newest: 1 },
        OpenError::NotAuthentic,
        OpenError::Content,
        OpenError::WrongKey { expected: "x" },
        OpenError::KeyAbsent(vault::KeyAbsent),
        OpenError::NoHsm,
        OpenError::SoftwareKey,
    ];
    let codes: std::collections::HashSet<_> = errors.iter().map(|error| error.code()).collect();
    assert_eq!(codes.len(), errors.len());
}
