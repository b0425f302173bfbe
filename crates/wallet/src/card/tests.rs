#![allow(clippy::unwrap_used)]
use authenticator::health_card;
use jose::UnixTime;

use super::*;

// The sandbox's writer, alone: a card needs a certificate, and the wallet issues none.
#[allow(dead_code)]
#[path = "../../../sandbox/src/pki/x509.rs"]
mod x509;

const PIN: &str = "123456";
const PUK: &str = "87654321";
const SCALAR: [u8; 32] = [7; 32];

fn certificate(scalar: &[u8; 32]) -> Vec<u8> {
    let key = CardKey::from_slice(scalar).unwrap();
    let spki = x509::brainpool_spki(key.verifying_key());
    let name = x509::name(&[(x509::COMMON_NAME, "Ada-Liv Musterfrau-Öztürk")]);
    let template = x509::Template {
        serial: vec![1],
        issuer: name.clone(),
        not_before: UnixTime(1_800_000_000),
        not_after: UnixTime(1_900_000_000),
        subject: name,
        spki,
        extensions: vec![x509::key_usage(x509::DIGITAL_SIGNATURE)],
    };
    x509::certificate(&template, &x509::IssuerKey::Brainpool(Box::new(key))).unwrap()
}

fn card() -> VirtualCard {
    VirtualCard::new(&SCALAR, &certificate(&SCALAR), PIN, Some(PUK)).unwrap()
}

fn pin_error(card: &mut VirtualCard, pin: &str) -> PinError {
    card.verify_pin(pin).map(|_| ()).unwrap_err()
}

#[test]
fn the_right_pin_unlocks_and_the_answer_is_a_card_response() {
    let mut card = card();
    let answer = card.verify_pin(PIN).unwrap().sign_challenge("the.challenge.token");
    let response = health_card::parse_response(&answer).unwrap();
    assert_eq!(response.challenge_token(), "the.challenge.token");
    assert_eq!(response.certificate().common_name(), Some("Ada-Liv Musterfrau-Öztürk"));
}

#[test]
fn the_third_wrong_pin_blocks_even_the_right_one() {
    let mut card = card();
    for tries_left in [2, 1, 0] {
        assert_eq!(pin_error(&mut card, "654321"), PinError::WrongPin { tries_left });
    }
    assert!(card.is_blocked());
    assert_eq!(pin_error(&mut card, PIN), PinError::Blocked);
    assert_eq!(pin_error(&mut card, "654321"), PinError::Blocked);
}

#[test]
fn the_right_pin_restores_the_tries() {
    let mut card = card();
    assert_eq!(pin_error(&mut card, "654321"), PinError::WrongPin { tries_left: 2 });
    assert!(card.verify_pin(PIN).is_ok());
    assert_eq!(card.pin_tries_left(), PIN_TRIES);
    assert_eq!(pin_error(&mut card, "1234567"), PinError::WrongPin { tries_left: 2 });
}

#[test]
fn what_is_no_pin_costs_no_try() {
    let mut card = card();
    for text in ["", "12345", "123456789", "12345a", " 123456", "１２３４５６"] {
        assert_eq!(pin_error(&mut card, text), PinError::Malformed, "{text}");
    }
    assert_eq!(card.pin_tries_left(), PIN_TRIES);
}

#[test]
fn the_puk_unblocks_ten_times_at_most() {
    let mut card = card();
    for _ in 0..PIN_TRIES {
        pin_error(&mut card, "654321");
    }
    assert_eq!(card.unblock("1234"), Err(PukError::Malformed));
    assert_eq!(card.unblock("11111111"), Err(PukError::WrongPuk { uses_left: 9 }));
    assert!(card.is_blocked());
    assert_eq!(card.unblock(PUK), Ok(()));
    assert!(card.verify_pin(PIN).is_ok());
    for _ in 0..8 {
        assert_eq!(card.unblock(PUK), Ok(()));
    }
    assert_eq!(card.unblock(PUK), Err(PukError::UsedUp));
}

#[test]
fn a_card_keeps_its_counters_across_a_restart() {
    let mut card = card();
    pin_error(&mut card, "654321");
    pin_error(&mut card, "654321");
    let stored = serde_json::to_string(&card).unwrap();
    let mut loaded: VirtualCard = serde_json::from_str(&stored).unwrap();
    assert_eq!(loaded.certificate(), card.certificate());
    assert_eq!(pin_error(&mut loaded, "654321"), PinError::WrongPin { tries_left: 0 });
    let mut fresh = super::tests::card();
    fresh.restore(loaded.state());
    assert!(fresh.is_blocked());
}

#[test]
fn restored_counters_never_exceed_a_new_cards() {
    let mut card = card();
    card.restore(CardState {
        pin_tries_left: 200,
        puk_uses_left: 200,
    });
    assert_eq!(card.state(), CardState::default());
}

#[test]
fn damaged_card_files_are_refused() {
    let stored = serde_json::to_value(card()).unwrap();
    for member in ["private_key", "certificate", "pin", "state"] {
        let mut damaged = stored.clone();
        damaged[member] = serde_json::json!("AAAA");
        assert!(serde_json::from_value::<VirtualCard>(damaged).is_err(), "{member}");
    }
}

#[test]
fn a_card_is_made_only_of_parts_that_fit() {
    let own = certificate(&SCALAR);
    let other = certificate(&[8; 32]);
    let made = |scalar: &[u8; 32], certificate: &[u8], pin, puk| {
        VirtualCard::new(scalar, certificate, pin, puk).map(|_| ()).unwrap_err()
    };
    assert_eq!(made(&SCALAR, &other, PIN, None), CardError::KeyMismatch);
    assert_eq!(made(&[0; 32], &own, PIN, None), CardError::Key);
    assert_eq!(made(&[0xff; 32], &own, PIN, None), CardError::Key);
    assert_eq!(made(&SCALAR, b"no certificate", PIN, None), CardError::Certificate);
    assert_eq!(made(&SCALAR, &own, "12345", None), CardError::Pin);
    assert_eq!(made(&SCALAR, &own, PIN, Some("1234567")), CardError::Puk);
}

#[test]
fn what_is_no_card_file_is_refused() {
    for bytes in [&b""[..], b"\x30\x00", &[0x30; 100], &vec![0; 70_000]] {
        assert_eq!(
            VirtualCard::load_p12(bytes, "00").map(|_| ()),
            Err(P12Error::Unreadable)
        );
    }
}

#[test]
fn cards_never_show_themselves() {
    let mut card = card();
    assert_eq!(format!("{card:?}"), "VirtualCard");
    assert_eq!(format!("{:?}", card.verify_pin(PIN).unwrap()), "UnlockedCard");
}
