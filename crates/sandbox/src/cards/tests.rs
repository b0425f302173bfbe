#![allow(clippy::unwrap_used)]
use authenticator::Kvnr;
use authenticator::health_card::UnverifiedCertificate;

use super::*;
use crate::addresses::{PageScheme, Ports};

const NOW: UnixTime = UnixTime(1_800_000_000);

fn data() -> (Identity, Arc<DataDir>) {
    let identity = Identity::new(NOW, Ports::from_base(8400), "localhost", PageScheme::Http);
    (identity, Arc::new(DataDir::temporary().unwrap()))
}

fn tries_left(cards: &Cards, word: &str) -> Option<u8> {
    let list = cards.list().unwrap();
    list.into_iter().find(|entry| entry.word == word).unwrap().tries_left
}

#[test]
fn everybody_has_the_same_card_after_a_restart() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, Arc::clone(&data), &ForeignCards::default()).unwrap();
    let again = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    for person in PEOPLE {
        let card = cards.card(person.word).unwrap();
        assert_eq!(
            card.certificate(),
            again.card(person.word).unwrap().certificate(),
            "{}",
            person.word
        );
        let certificate = UnverifiedCertificate::parse(card.certificate()).unwrap();
        assert_eq!(
            certificate.organizational_units(),
            [person.card_insurer().ik_text(), person.kvnr().as_str()]
        );
    }
}

#[test]
fn wrong_pins_are_counted_across_a_restart_and_the_button_helps() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, Arc::clone(&data), &ForeignCards::default()).unwrap();
    for tries_left in [2, 1] {
        let refused = cards.verify_pin("lena", "000000").map(|_| ()).unwrap_err();
        assert!(matches!(refused, UseError::Pin(PinError::WrongPin { tries_left: left }) if left == tries_left));
    }
    let again = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    assert_eq!(tries_left(&again, "lena"), Some(1));
    assert!(again.verify_pin("lena", "000000").is_err());
    let blocked = again.verify_pin("lena", DEFAULT_PIN).map(|_| ()).unwrap_err();
    assert!(matches!(blocked, UseError::Pin(PinError::Blocked)));
    for _ in 0..20 {
        again.unblock("lena").unwrap();
    }
    assert!(again.verify_pin("lena", DEFAULT_PIN).is_ok());
    assert_eq!(tries_left(&cards, "lena"), Some(3));
}

#[test]
fn bernds_card_is_blocked_from_the_start_and_ottos_pin_is_his_own() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    assert_eq!(tries_left(&cards, "bernd"), Some(0));
    assert!(cards.verify_pin("bernd", DEFAULT_PIN).is_err());
    cards.unblock("bernd").unwrap();
    assert!(cards.verify_pin("bernd", DEFAULT_PIN).is_ok());
    assert!(cards.verify_pin("otto", DEFAULT_PIN).is_err());
    assert!(cards.verify_pin("otto", "19390700").is_ok());
}

#[test]
fn insurers_know_until_when_cards_are_valid_and_that_walters_is_over() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    let today = oidc::birthdate::calendar_day(identity.created_at);
    let tomorrow = identity.created_at.plus_seconds(DAY_SECONDS);
    for person in PEOPLE {
        let entry = cards.register_entry(person, identity.created_at);
        entry.check().unwrap();
        let is_over = entry.card_valid_until < today;
        assert_eq!(is_over, person.card == CardCondition::Expired, "{}", person.word);
        // Else each start would be a change in her history.
        let again = cards.register_entry(person, tomorrow);
        assert_eq!(entry.card_valid_until, again.card_valid_until);
    }
}

#[test]
fn what_is_no_card_is_not_found() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    for word in ["", "nobody", "LENA", "../lena"] {
        assert!(matches!(cards.card(word), Err(CardsError::Unknown(_))), "{word}");
    }
}

#[test]
fn a_card_made_on_the_fly_is_stable_and_unlike_every_other() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    let mut person = PEOPLE[0].data(NOW);
    person.kvnr = Kvnr::parse_shape("X123456789").unwrap();
    let card = cards.card_for(Insurer::Kleeblatt, &person).unwrap();
    assert_eq!(
        card.certificate(),
        cards.card_for(Insurer::Kleeblatt, &person).unwrap().certificate()
    );
    assert_ne!(card.certificate(), cards.card("lena").unwrap().certificate());
}

#[test]
fn a_typed_puk_is_counted_and_the_button_restores_its_uses() {
    let (identity, data) = data();
    let cards = Cards::open(&identity, data, &ForeignCards::default()).unwrap();
    assert!(cards.verify_pin("lena", "000000").is_err());
    let malformed = cards.unblock_with("lena", "1234").unwrap_err();
    assert!(matches!(malformed, UseError::Puk(PukError::Malformed)));
    for uses_left in (0..wallet::card::PUK_USES).rev() {
        let wrong = cards.unblock_with("lena", "00000000").unwrap_err();
        assert!(matches!(wrong, UseError::Puk(PukError::WrongPuk { uses_left: left }) if left == uses_left));
    }
    let used_up = cards.unblock_with("lena", PUK).unwrap_err();
    assert!(matches!(used_up, UseError::Puk(PukError::UsedUp)));
    assert_eq!(tries_left(&cards, "lena"), Some(2));
    cards.unblock("lena").unwrap();
    cards.unblock_with("lena", PUK).unwrap();
    assert_eq!(tries_left(&cards, "lena"), Some(3));
}
