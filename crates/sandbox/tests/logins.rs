//! Whole logins over real sockets: both insurers, both services, by card and by device, and the ways they end otherwise.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use authenticator::Acr;
use common::{run, sandbox};
use relying_party::client::{CallbackError, LevelRule, LoginOptions};
use sandbox::headless::{Decision, Headless, HeadlessError, Means};
use sandbox::insurers::Insurer;
use sandbox::people::{CardCondition, PEOPLE, Person};
use sandbox::services::Service;
use wallet::card::PinError;
use wallet::flow::FlowError;
use wallet::phone::{BindingWish, PhoneError, TakeBack};

use sandbox::cards::UseError;

const ID: &str = "urn:telematik:claims:id";
const EMAIL: &str = "urn:telematik:claims:email";

fn headless() -> Headless {
    Headless::with(sandbox()).unwrap()
}

fn person(word: &str) -> &'static Person {
    Person::find(word).unwrap()
}

fn means(person: &'static Person) -> Means<'static> {
    Means::Person {
        word: person.word,
        pin: person.pin,
    }
}

#[test]
fn everybody_with_a_good_card_logs_in_at_both_services() {
    run(async {
        let headless = headless();
        for person in PEOPLE.iter().filter(|person| person.card == CardCondition::Good) {
            for service in Service::ALL {
                let options = Headless::options(service, None);
                let login = headless
                    .log_in(service, person.insurer, &options, means(person), &Decision::ApproveAll)
                    .await
                    .unwrap();
                let token = login.token;
                assert_eq!(token.text_claim(ID), Some(person.kvnr().as_str()));
                assert_eq!(
                    token.text_claim("urn:telematik:claims:display_name"),
                    Some(person.display_name)
                );
                assert_eq!(
                    token.text_claim(EMAIL),
                    Some(person.email).filter(|email| !email.is_empty())
                );
                assert_eq!(token.acr(), Acr::High);
                assert_eq!(token.amr(), ["urn:telematik:auth:eGK"]);
            }
        }
    });
}

#[test]
fn partial_birthdates_and_ages_arrive_as_the_register_allows() {
    run(async {
        let headless = headless();
        for (word, birthdate, age) in [
            ("ada", Some("1984-02-29"), true),
            ("hatice", Some("1951"), false),
            ("otto", Some("1939"), false),
        ] {
            let person = person(word);
            let options = Headless::options(Service::Record, None);
            let login = headless
                .log_in(
                    Service::Record,
                    person.insurer,
                    &options,
                    means(person),
                    &Decision::ApproveAll,
                )
                .await
                .unwrap();
            assert_eq!(login.token.text_claim("birthdate"), birthdate, "{word}");
            assert_eq!(
                login.token.text_claim("urn:telematik:claims:alter").is_some(),
                age,
                "{word}"
            );
        }
    });
}

#[test]
fn a_person_has_one_pseudonym_at_a_service_and_another_at_the_next() {
    run(async {
        let headless = headless();
        let mut subjects = Vec::new();
        for service in [Service::Record, Service::Record, Service::Prescription] {
            let options = Headless::options(service, None);
            let login = headless
                .log_in(
                    service,
                    Insurer::Leuchtturm,
                    &options,
                    means(person("lena")),
                    &Decision::ApproveAll,
                )
                .await
                .unwrap();
            subjects.push(login.token.subject().to_owned());
        }
        assert_eq!(subjects[0], subjects[1]);
        assert_ne!(subjects[0], subjects[2]);
        assert!(
            subjects
                .iter()
                .all(|subject| !subject.contains(person("lena").kvnr().as_str()))
        );
    });
}

#[test]
fn cards_that_are_not_good_are_refused_each_for_its_own_reason() {
    run(async {
        let headless = headless();
        for (word, reason) in [
            ("renate", "revoked"),
            ("walter", "expired"),
            ("yasmin", "another insurer"),
        ] {
            let person = person(word);
            let options = Headless::options(Service::Record, None);
            let refused = headless
                .log_in(
                    Service::Record,
                    person.insurer,
                    &options,
                    means(person),
                    &Decision::ApproveAll,
                )
                .await
                .unwrap_err();
            let HeadlessError::Phone(PhoneError::Flow(FlowError::Refused { error, description, .. })) = refused else {
                panic!("{word}: {refused}");
            };
            assert_eq!(error, "access_denied");
            assert!(
                description.contains(reason) && description.contains("support code"),
                "{description}"
            );
        }
    });
}

#[test]
fn a_card_of_one_insurer_does_not_open_the_other() {
    run(async {
        let options = Headless::options(Service::Record, None);
        let refused = headless()
            .log_in(
                Service::Record,
                Insurer::Kleeblatt,
                &options,
                means(person("lena")),
                &Decision::ApproveAll,
            )
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                HeadlessError::Phone(PhoneError::Flow(FlowError::Refused { status: 403, .. }))
            ),
            "{refused}"
        );
    });
}

#[test]
fn three_wrong_pins_block_the_card_until_it_is_unblocked() {
    run(async {
        // A sandbox of its own: another test's right PIN would give this card its tries back.
        let own = sandbox::Sandbox::start(common::options()).await.unwrap();
        let headless = Headless::with(&own).unwrap();
        let options = Headless::options(Service::Prescription, None);
        let with = async |pin: &'static str| {
            let kim = Means::Person { word: "kim", pin };
            let decision = Decision::ApproveAll;
            headless
                .log_in(Service::Prescription, Insurer::Leuchtturm, &options, kim, &decision)
                .await
        };
        for left in [2, 1, 0] {
            let refused = with("000000").await.unwrap_err();
            let HeadlessError::Use(UseError::Pin(PinError::WrongPin { tries_left })) = refused else {
                panic!("{refused}");
            };
            assert_eq!(tries_left, left);
        }
        let blocked = with("123456").await.unwrap_err();
        assert!(
            matches!(blocked, HeadlessError::Use(UseError::Pin(PinError::Blocked))),
            "{blocked}"
        );
        headless.cards().unblock("kim").unwrap();
        assert!(with("123456").await.is_ok());
        own.stop().await;
    });
}

#[test]
fn voluntary_claims_can_be_refused_and_essential_ones_only_with_the_login() {
    run(async {
        let headless = headless();
        let options = Headless::options(Service::Prescription, None);
        let lena = person("lena");
        let without = |name: &str| Decision::ApproveWithout(vec![name.to_owned()]);
        let login = headless
            .log_in(
                Service::Prescription,
                lena.insurer,
                &options,
                means(lena),
                &without(EMAIL),
            )
            .await
            .unwrap();
        assert!(login.token.text_claim(EMAIL).is_none());
        assert!(login.token.text_claim(ID).is_some());
        let refused = headless
            .log_in(Service::Prescription, lena.insurer, &options, means(lena), &without(ID))
            .await
            .unwrap_err();
        assert!(matches!(refused, HeadlessError::Essential(_)), "{refused}");
        let declined = headless
            .log_in(
                Service::Prescription,
                lena.insurer,
                &options,
                means(lena),
                &Decision::Decline,
            )
            .await
            .unwrap_err();
        let HeadlessError::Callback(CallbackError::Refused(refusal)) = declined else {
            panic!("{declined}");
        };
        assert_eq!(refusal.error, "access_denied");
    });
}

#[test]
fn a_bound_phone_logs_in_without_the_card_until_it_is_taken_back() {
    run(async {
        let headless = headless();
        let emma = person("emma");
        let wish = BindingWish {
            name: "Emmas Handy",
            class: emma.device_class,
            consent_to_substantial: false,
            hardware: None,
        };
        let mut device = headless.bind(emma.insurer, emma.word, emma.pin, &wish).await.unwrap();
        let options = Headless::options(Service::Record, None);
        for _ in 0..2 {
            let means = Means::Device(&mut device);
            let login = headless
                .log_in(Service::Record, emma.insurer, &options, means, &Decision::ApproveAll)
                .await
                .unwrap();
            assert_eq!(login.token.text_claim(ID), Some(emma.kvnr().as_str()));
            assert_eq!(login.token.amr(), ["urn:telematik:auth:other"]);
            assert_eq!(login.token.acr(), Acr::High);
        }

        let phone = headless.phone(emma.insurer);
        let mut card = headless.cards().card(emma.word).unwrap();
        let opened = phone.open_account(headless.now()).await.unwrap();
        let answered = opened
            .answer_with_card(&card.verify_pin(emma.pin).unwrap())
            .await
            .unwrap();
        let account = answered.account().await.unwrap();
        assert_eq!(account.devices.len(), 1);
        assert_eq!(account.devices[0].name, "Emmas Handy");
        answered
            .take_back(TakeBack::Device(&account.devices[0].id))
            .await
            .unwrap();
        assert!(answered.account().await.unwrap().devices.is_empty());

        let means = Means::Device(&mut device);
        let refused = headless
            .log_in(Service::Record, emma.insurer, &options, means, &Decision::ApproveAll)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                HeadlessError::Phone(PhoneError::Flow(FlowError::Refused { .. }))
            ),
            "{refused}"
        );
    });
}

#[test]
fn an_old_phone_reaches_substantial_only_and_a_service_that_insists_on_high_is_told() {
    run(async {
        let headless = headless();
        let stefan = person("stefan");
        let wish = BindingWish {
            name: "Altes Telefon",
            class: stefan.device_class,
            consent_to_substantial: true,
            hardware: None,
        };
        let mut device = headless
            .bind(stefan.insurer, stefan.word, stefan.pin, &wish)
            .await
            .unwrap();
        let options = LoginOptions {
            acr: Acr::Substantial,
            level_rule: LevelRule::AtLeast,
            ..LoginOptions::default()
        };
        let login = headless
            .log_in(
                Service::Record,
                stefan.insurer,
                &options,
                Means::Device(&mut device),
                &Decision::ApproveAll,
            )
            .await
            .unwrap();
        assert_eq!(login.token.acr(), Acr::Substantial);
        let insisting = Headless::options(Service::Prescription, None);
        let refused = headless
            .log_in(
                Service::Prescription,
                stefan.insurer,
                &insisting,
                Means::Device(&mut device),
                &Decision::ApproveAll,
            )
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                HeadlessError::Phone(PhoneError::Flow(FlowError::Refused { status: 403, .. }))
            ),
            "{refused}"
        );
    });
}

#[test]
fn a_phone_of_one_insurer_answers_no_login_of_the_other() {
    run(async {
        let running = sandbox();
        let headless = headless();
        let options = Headless::options(Service::Record, None);
        let issuer = &running.addresses().insurer(Insurer::Kleeblatt).issuer;
        let party = running.service(Service::Record).party();
        let begun = party.begin_login(issuer, &options, running.now()).await.unwrap();
        let phone = headless.phone(Insurer::Leuchtturm);
        let refused = phone.open(&begun.authorization_url, running.now()).await.unwrap_err();
        assert!(
            matches!(refused, PhoneError::Flow(FlowError::Refused { status: 400, .. })),
            "{refused}"
        );
    });
}

#[test]
fn another_process_finds_everything_in_the_data_directory() {
    run(async {
        let description = sandbox().description().clone();
        let elsewhere = Headless::at(description).unwrap();
        let options = Headless::options(Service::Record, None);
        let lena = person("lena");
        let login = elsewhere
            .log_in(
                Service::Record,
                lena.insurer,
                &options,
                means(lena),
                &Decision::ApproveAll,
            )
            .await
            .unwrap();
        assert_eq!(login.token.text_claim(ID), Some(lena.kvnr().as_str()));
    });
}
