#![allow(clippy::unwrap_used)]

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const HOUR: u64 = 3600;

fn ring() -> KeyRing {
    KeyRing::generate("https://service.example", 30, NOW).unwrap()
}

fn published_kids(ring: &KeyRing) -> Vec<String> {
    ring.publish(NOW, NOW.plus_seconds(HOUR))
        .client_keys
        .into_iter()
        .filter_map(|key| key.kid)
        .collect()
}

#[test]
fn a_new_ring_has_one_current_key_for_each_purpose() {
    let ring = ring();
    let status = ring.status();
    assert_eq!(status.len(), 3);
    assert!(
        status
            .iter()
            .all(|key| key.stage == KeyStage::Current && key.published_until.is_none())
    );
    assert_eq!(ring.entity_keys().keys.len(), 1);
}

#[test]
fn the_next_tls_certificate_is_published_before_it_is_shown_and_the_old_one_after() {
    let ring = ring();
    let old = ring.tls_credential();
    let next = ring.add_next(KeyPurpose::Tls, NOW).unwrap();
    assert!(published_kids(&ring).contains(&next));
    assert_eq!(ring.tls_credential().kid(), old.kid());

    assert_eq!(ring.switch(KeyPurpose::Tls).unwrap(), next);
    assert_eq!(ring.tls_credential().kid(), next);
    assert!(published_kids(&ring).iter().any(|kid| kid == old.kid()));

    assert_eq!(ring.retire(KeyPurpose::Tls, NOW).unwrap(), [old.kid()]);
    assert!(!published_kids(&ring).iter().any(|kid| kid == old.kid()));
    assert_eq!(ring.status().len(), 3);
}

#[test]
fn the_next_encryption_key_opens_tokens_before_it_is_published() {
    let ring = ring();
    let next = ring.add_next(KeyPurpose::Encryption, NOW).unwrap();
    assert!(!published_kids(&ring).contains(&next));
    assert!(ring.decryption_key(&next, NOW).is_some());
}

#[test]
fn a_retired_encryption_key_opens_tokens_until_the_last_statement_that_named_it_has_expired() {
    let ring = ring();
    let [old] = <[String; 1]>::try_from(ring.decryption_kids(NOW)).unwrap();
    published_kids(&ring);
    ring.add_next(KeyPurpose::Encryption, NOW).unwrap();
    let new = ring.switch(KeyPurpose::Encryption).unwrap();
    assert!(new > old, "identity providers pick the newest by its kid");
    let names = published_kids(&ring);
    assert!(names.contains(&old) && names.contains(&new));
    ring.retire(KeyPurpose::Encryption, NOW).unwrap();
    assert!(!published_kids(&ring).contains(&old));

    let until = NOW.plus_seconds(HOUR + WITHDRAWN_GRACE_SECONDS);
    assert!(ring.decryption_key(&old, until.minus_seconds(1)).is_some());
    assert!(ring.decryption_key(&old, until).is_none());
    assert!(ring.decryption_key(&new, until).is_some());
}

#[test]
fn an_encryption_key_nobody_was_told_of_is_forgotten_at_once() {
    let ring = ring();
    let [old] = <[String; 1]>::try_from(ring.decryption_kids(NOW)).unwrap();
    ring.add_next(KeyPurpose::Encryption, NOW).unwrap();
    ring.switch(KeyPurpose::Encryption).unwrap();
    ring.retire(KeyPurpose::Encryption, NOW).unwrap();
    assert!(ring.decryption_key(&old, NOW).is_none());
}

#[test]
fn the_entity_key_signs_only_after_the_switch() {
    let ring = ring();
    let old = ring.publish(NOW, NOW).signer.kid().to_owned();
    let next = ring.add_next(KeyPurpose::Entity, NOW).unwrap();
    let publication = ring.publish(NOW, NOW);
    assert_eq!(publication.signer.kid(), old);
    assert_eq!(publication.entity_keys.keys.len(), 2);
    ring.switch(KeyPurpose::Entity).unwrap();
    assert_eq!(ring.publish(NOW, NOW).signer.kid(), next);
}

#[test]
fn steps_out_of_order_are_refused() {
    let ring = ring();
    for purpose in [KeyPurpose::Entity, KeyPurpose::Tls, KeyPurpose::Encryption] {
        assert!(matches!(ring.switch(purpose), Err(KeyRingError::NoNext)));
        assert!(matches!(ring.retire(purpose, NOW), Err(KeyRingError::NoPrevious)));
        ring.add_next(purpose, NOW).unwrap();
        assert!(matches!(ring.add_next(purpose, NOW), Err(KeyRingError::NextExists)));
    }
    for _ in 0..MAX_KEYS_PER_PURPOSE - 2 {
        ring.switch(KeyPurpose::Tls).unwrap();
        ring.add_next(KeyPurpose::Tls, NOW).unwrap();
    }
    ring.switch(KeyPurpose::Tls).unwrap();
    assert!(matches!(
        ring.add_next(KeyPurpose::Tls, NOW),
        Err(KeyRingError::TooMany)
    ));
}

#[test]
fn rings_that_lack_a_purpose_or_repeat_a_kid_are_refused() {
    let key = |kid: &str| SoftwareKey::generate(kid).unwrap();
    let tls = |kid: &str| TlsCredential::self_signed(key(kid), "x", NOW, 1).unwrap();
    let refused = [
        KeyRing::of("x", 1, vec![], vec![tls("t")], vec![key("e")]),
        KeyRing::of("x", 1, vec![key("s")], vec![], vec![key("e")]),
        KeyRing::of("x", 1, vec![key("s")], vec![tls("t")], vec![]),
        KeyRing::of("x", 1, vec![key("s")], vec![tls("s")], vec![key("e")]),
    ];
    for ring in refused {
        assert!(matches!(ring, Err(KeyRingError::Incomplete)));
    }
    let ring = KeyRing::of(
        "x",
        1,
        vec![key("s")],
        vec![tls("t"), tls("u")],
        vec![key("e"), key("f")],
    )
    .unwrap();
    assert_eq!(published_kids(&ring), ["t", "e", "u", "f"]);
    assert_eq!(ring.tls_credential().kid(), "t");
}
