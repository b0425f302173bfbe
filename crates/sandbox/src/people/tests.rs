#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use super::*;

/// 2028-02-29.
const LEAP_DAY: UnixTime = UnixTime(1_835_438_400);
/// 2026-07-01.
const NOW: UnixTime = UnixTime(1_782_864_000);

#[test]
fn everybody_has_data_the_vault_takes() {
    for person in PEOPLE {
        person.data(NOW).check().unwrap();
        assert!(person.kvnr().check_digit_fits(), "{}", person.word);
        assert!(
            !person.special.de.is_empty() && !person.special.en.is_empty(),
            "{}",
            person.word
        );
    }
}

#[test]
fn nobody_shares_a_number_or_a_word() {
    let numbers: BTreeSet<_> = PEOPLE.iter().map(|person| person.kvnr().as_str().to_owned()).collect();
    let words: BTreeSet<_> = PEOPLE.iter().map(|person| person.word).collect();
    assert_eq!(numbers.len(), PEOPLE.len());
    assert_eq!(words.len(), PEOPLE.len());
    for person in PEOPLE {
        assert_eq!(Person::find(person.word), Some(person));
        assert_eq!(Person::find(person.kvnr().as_str()), Some(person));
    }
    assert_eq!(Person::find("nobody"), None);
    assert_eq!(Person::find(""), None);
}

#[test]
fn both_insurers_have_people_and_every_card_condition_occurs() {
    for insurer in Insurer::ALL {
        assert!(PEOPLE.iter().filter(|person| person.insurer == insurer).count() >= 5);
    }
    for condition in [
        CardCondition::Good,
        CardCondition::PinBlocked,
        CardCondition::Revoked,
        CardCondition::Expired,
        CardCondition::IssuedBy(Insurer::Kleeblatt),
    ] {
        assert!(PEOPLE.iter().any(|person| person.card == condition), "{condition:?}");
    }
}

#[test]
fn jonas_is_fifteen_until_tomorrow_and_emma_sixteen_since_today() {
    for now in [NOW, LEAP_DAY] {
        let age = |word| {
            let date = Person::find(word).unwrap().birth.date(now);
            oidc::birthdate::Birthdate::parse(&date).unwrap().age_at(now)
        };
        assert_eq!(age("jonas"), Some(15));
        assert_eq!(age("emma"), Some(16));
    }
}

#[test]
fn a_birthday_on_a_leap_day_is_moved_where_there_was_none() {
    assert_eq!(years_before(LEAP_DAY, 16), "2012-02-29");
    assert_eq!(years_before(LEAP_DAY, 15), "2013-02-28");
}
