#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::hierarchy::Root;
use crate::key_source::Roots;
use crate::secret_memory::Secret;

const NOW: UnixTime = UnixTime(1_800_000_000);
const TENANT: TenantId = TenantId::from_bytes([1; 16]);
const ALL: [StateKind; 8] = [
    StateKind::Pushed,
    StateKind::Pending,
    StateKind::Authenticated,
    StateKind::Code,
    StateKind::Session,
    StateKind::Move,
    StateKind::PhoneRight,
    StateKind::LookTicket,
];

fn sealer() -> LoginStateSealer {
    at(1, 1)
}

/// An instance that seals under one generation and reads up to another.
fn at(sealing: u32, readable: u32) -> LoginStateSealer {
    let generations = Generations {
        sealing: Generation(sealing),
        readable: Generation(readable),
        ..Generations::FIRST
    };
    let root = Root::new(Secret::copy_of(&[1; 32]));
    LoginStateSealer::new(Arc::new(KeySource::Roots(Roots::only(root))), generations)
}

fn sealed() -> String {
    sealer().seal(TENANT, StateKind::Pushed, NOW, b"content").unwrap()
}

fn open(kind: StateKind, now: UnixTime, sealed: &str) -> Result<Vec<u8>, StateError> {
    sealer().open(TENANT, kind, now, sealed)
}

#[test]
fn state_is_opened_by_any_instance_with_the_root() {
    assert_eq!(open(StateKind::Pushed, NOW, &sealed()).unwrap(), b"content");
    assert_eq!(
        open(StateKind::Pushed, NOW.plus_seconds(90), &sealed()).unwrap(),
        b"content"
    );
}

#[test]
fn overhead_is_32_bytes() {
    assert_eq!(STATE_OVERHEAD_BYTES, 32);
    let sealed = sealer().seal(TENANT, StateKind::Code, NOW, &[0; 190]).unwrap();
    assert_eq!(sealed.len(), 296);
}

#[test]
fn state_of_one_step_is_refused_at_every_other() {
    for kind in ALL {
        let sealed = sealer().seal(TENANT, kind, NOW, b"x").unwrap();
        for other in ALL {
            let expected = if other == kind {
                Ok(b"x".to_vec())
            } else {
                Err(StateError::WrongKind)
            };
            assert_eq!(open(other, NOW, &sealed), expected);
        }
    }
}

#[test]
fn state_of_another_tenant_or_root_is_refused() {
    let other_tenant = sealer().open(TenantId::from_bytes([2; 16]), StateKind::Pushed, NOW, &sealed());
    assert_eq!(other_tenant, Err(StateError::NotAuthentic));
    let other_root = KeySource::Roots(Roots::only(Root::new(Secret::copy_of(&[2; 32]))));
    let other_root = LoginStateSealer::new(Arc::new(other_root), Generations::FIRST);
    assert_eq!(
        other_root.open(TENANT, StateKind::Pushed, NOW, &sealed()),
        Err(StateError::NotAuthentic)
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = base64url::decode(&sealed()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(StateKind::Pushed, NOW, &base64url::encode(&changed)).is_err());
    }
}

#[test]
fn form_and_kind_cannot_be_changed_to_fit() {
    // The byte that names the step is authenticated, not only compared.
    let mut bytes = base64url::decode(&sealed()).unwrap();
    bytes[0] = Bearing::Nothing.form() | StateKind::Code.code();
    assert_eq!(
        open(StateKind::Code, NOW, &base64url::encode(&bytes)),
        Err(StateError::NotAuthentic)
    );
    bytes[0] = Bearing::Person.form() | StateKind::Pushed.code();
    assert_eq!(
        open(StateKind::Pushed, NOW, &base64url::encode(&bytes)),
        Err(StateError::UnknownForm)
    );
}

#[test]
fn malformed_texts_are_refused_each_for_its_reason() {
    let short = base64url::encode(&[0; 31]);
    let long = "A".repeat(10_000);
    for (text, expected) in [
        ("", StateError::TooShort),
        (short.as_str(), StateError::TooShort),
        ("AAAA=", StateError::NotBase64Url),
        ("ÄÖ", StateError::NotBase64Url),
        (long.as_str(), StateError::TooLong { limit: 5_526 }),
    ] {
        assert_eq!(open(StateKind::Pushed, NOW, text), Err(expected));
    }
}

#[test]
fn largest_content_is_sealed_and_a_larger_refused() {
    let largest = vec![7; MAX_STATE_BYTES];
    let sealed = sealer().seal(TENANT, StateKind::Pushed, NOW, &largest).unwrap();
    assert_eq!(open(StateKind::Pushed, NOW, &sealed).unwrap(), largest);
    let error = sealer()
        .seal(TENANT, StateKind::Pushed, NOW, &vec![7; MAX_STATE_BYTES + 1])
        .unwrap_err();
    assert_eq!(
        error,
        SealError::TooLong {
            limit: 4_096,
            found: 4_097
        }
    );
}

#[test]
fn state_from_the_future_is_refused() {
    let boundary = UnixTime(NOW.0 / EPOCH_SECONDS * EPOCH_SECONDS + EPOCH_SECONDS);
    let sealed = sealer().seal(TENANT, StateKind::Pushed, boundary, b"x").unwrap();
    for early in [31, 600, 6_000] {
        let error = open(StateKind::Pushed, boundary.minus_seconds(early), &sealed).unwrap_err();
        assert_eq!(error, StateError::FutureEpoch);
    }
    // Two instances' clocks may disagree a little across the boundary.
    assert!(open(StateKind::Pushed, boundary.minus_seconds(30), &sealed).is_ok());
}

#[test]
fn state_survives_its_lifetime_and_is_refused_long_after() {
    for kind in ALL {
        let sealed = sealer().seal(TENANT, kind, NOW, b"x").unwrap();
        assert!(
            open(kind, NOW.plus_seconds(kind.max_lifetime_seconds()), &sealed).is_ok(),
            "{kind:?}"
        );
        let late = kind.max_lifetime_seconds() + EPOCH_SECONDS + CLOCK_LEEWAY_SECONDS + 1;
        assert_eq!(
            open(kind, NOW.plus_seconds(late), &sealed),
            Err(StateError::TooOld),
            "{kind:?}"
        );
    }
}

#[test]
fn every_epoch_and_tenant_has_its_own_keys() {
    let key = sealer()
        .source
        .key(TENANT, Generation::FIRST, Purpose::LoginState)
        .unwrap();
    let (one, two) = (EpochKeys::derive(&key, 1), EpochKeys::derive(&key, 2));
    let nonce = |keys: &EpochKeys| hedged_nonce(&keys.nonce, &[0; 16], &[0; 4], &[], b"x");
    assert_ne!(nonce(&one), nonce(&two));
}

#[test]
fn repeated_randomness_repeats_no_nonce_for_another_message() {
    let keys = EpochKeys::derive(&Secret::copy_of(&[3; 32]), 1);
    let nonce = |prefix: u8, content: &[u8]| hedged_nonce(&keys.nonce, &[9; 16], &[prefix, 0, 0, 1], &[], content);
    assert_eq!(nonce(0x11, b"message"), nonce(0x11, b"message"));
    assert_ne!(nonce(0x11, b"message"), nonce(0x11, b"Message"));
    assert_ne!(nonce(0x11, b"message"), nonce(0x12, b"message"));
}

#[test]
fn cache_of_epochs_stays_small_and_old_epochs_still_open() {
    let sealer = sealer();
    let states: Vec<_> = (0..40)
        .map(|epoch| {
            sealer
                .seal(
                    TENANT,
                    StateKind::Session,
                    NOW.plus_seconds(epoch * EPOCH_SECONDS),
                    b"x",
                )
                .unwrap()
        })
        .collect();
    let now = NOW.plus_seconds(39 * EPOCH_SECONDS);
    for state in &states {
        assert!(sealer.open(TENANT, StateKind::Session, now, state).is_ok());
    }
    assert_eq!(
        sealer
            .states(TENANT, Generation::FIRST)
            .unwrap()
            .epochs
            .read()
            .unwrap()
            .len(),
        MAX_CACHED_EPOCHS
    );
}

#[test]
fn many_threads_seal_and_open_at_once() {
    let sealer = sealer();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let sealer = &sealer;
            scope.spawn(move || {
                for round in 0..200u64 {
                    let tenant = TenantId::from_bytes([thread % 3; 16]);
                    let now = NOW.plus_seconds(round * 37);
                    let sealed = sealer.seal(tenant, StateKind::Pending, now, &[thread]).unwrap();
                    assert_eq!(sealer.open(tenant, StateKind::Pending, now, &sealed).unwrap(), [thread]);
                }
            });
        }
    });
}

#[test]
fn no_login_fails_while_instances_move_to_the_next_generation_one_by_one() {
    // First all read it, then all write it: every neighbouring pair of steps understands each other.
    let steps = [at(1, 1), at(1, 2), at(2, 2), at(2, 3), at(3, 3)];
    for pair in steps.windows(2) {
        for (one, other) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let state = one.seal(TENANT, StateKind::Session, NOW, b"x").unwrap();
            assert_eq!(other.open(TENANT, StateKind::Session, NOW, &state).unwrap(), b"x");
        }
    }
    let oldest = steps[0].seal(TENANT, StateKind::Session, NOW, b"x").unwrap();
    assert_eq!(
        steps[4].open(TENANT, StateKind::Session, NOW, &oldest),
        Err(StateError::NotAuthentic),
        "two raises within a session's lifetime end it"
    );
}

#[test]
fn nonces_repeat_for_no_other_content_though_the_generator_was_cloned() {
    let sealer = sealer();
    let mut nonces = std::collections::HashMap::new();
    for life in [b"one", b"two"] {
        crate::random::with_cloned_state(3, || {
            for number in 0..10_000_u32 {
                let content = [&life[..], &number.to_be_bytes()].concat();
                let state = sealer.seal(TENANT, StateKind::Code, NOW, &content).unwrap();
                let nonce = base64url::decode(&state).unwrap()[PREFIX_BYTES..PREFIX_BYTES + NONCE_LEN].to_vec();
                assert_eq!(nonces.insert(nonce, content), None, "one nonce for two contents");
            }
        });
    }
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(content in proptest::collection::vec(any::<u8>(), 0..400), at in 0u64..1 << 33) {
        let (sealer, now) = (sealer(), UnixTime(at));
        let sealed = sealer.seal(TENANT, StateKind::Pending, now, &content).unwrap();
        prop_assert_eq!(sealer.open(TENANT, StateKind::Pending, now, &sealed).unwrap(), content);
    }

    #[test]
    fn arbitrary_texts_never_open_and_never_panic(text in "[A-Za-z0-9_-]{0,200}") {
        prop_assert!(open(StateKind::Pushed, NOW, &text).is_err());
    }
}
