//! Invented insured people with cards.

use std::sync::{Mutex, PoisonError};

use authenticator::{Ik, Kvnr};
use vault::PersonData;
use wallet::card::VirtualCard;

use super::{HOST_IK, Harness, Insurer, PATH_IK, pki};

pub struct Person {
    pub kvnr: &'static str,
    pub ik: &'static str,
    card: Mutex<VirtualCard>,
}

impl Person {
    /// Insured at the insurer with the path.
    pub fn ada() -> Self {
        Self::new("Q000123451", PATH_IK, 31)
    }

    /// Insured at the same insurer.
    pub fn zoe() -> Self {
        Self::new("Z121212125", PATH_IK, 32)
    }

    /// Insured at the insurer with its own host.
    pub fn tom() -> Self {
        Self::new("T902100070", HOST_IK, 33)
    }

    pub fn new(kvnr: &'static str, ik: &'static str, card: u8) -> Self {
        Self::with_card(kvnr, ik, pki::card(card, ik, kvnr))
    }

    pub fn with_card(kvnr: &'static str, ik: &'static str, card: VirtualCard) -> Self {
        Self {
            kvnr,
            ik,
            card: Mutex::new(card),
        }
    }

    pub fn data(&self) -> PersonData {
        PersonData {
            kvnr: Kvnr::parse(self.kvnr).unwrap(),
            ik: Ik::parse(self.ik).unwrap(),
            given_name: "Ada-Liv".to_owned(),
            family_name: "Musterfrau-Öztürk".to_owned(),
            display_name: "Dr. Ada-Liv Musterfrau-Öztürk".to_owned(),
            birthdate: "1984-02-29".to_owned(),
            sex: "D".to_owned(),
            email: "ada-liv@post.example".to_owned(),
            card_valid_until: "2031-07-31".to_owned(),
        }
    }

    /// The card's answer to a challenge, after the right PIN.
    pub fn sign(&self, challenge: &str) -> String {
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        card.verify_pin(pki::PIN).unwrap().sign_challenge(challenge)
    }
}

impl Harness {
    /// The insurer knows this person from now on, or her changed data.
    pub async fn import(&self, insurer: &Insurer, data: &PersonData) -> vault::PersonId {
        for secret in [
            data.kvnr.as_str(),
            &data.given_name,
            &data.family_name,
            &data.birthdate,
            &data.email,
        ] {
            if !secret.is_empty() {
                self.secret(secret);
            }
        }
        self.provider()
            .import_person(&insurer.issuer, data.clone())
            .await
            .unwrap()
    }

    /// Ada, known to the insurer with the path.
    pub async fn ada(&self) -> Person {
        let ada = Person::ada();
        self.import(&self.path, &ada.data()).await;
        ada
    }
}

/// People with numbers of their own.
pub fn crowd(number: usize) -> Vec<Person> {
    (0..)
        .filter_map(|candidate: u32| {
            let text = format!("C{:08}", 10_000_000 + candidate / 10);
            let text = format!("{text}{}", candidate % 10);
            authenticator::Kvnr::parse(&text).ok()?;
            Some(text)
        })
        .take(number)
        .enumerate()
        .map(|(number, kvnr)| {
            let card = u8::try_from(101 + number % 60).unwrap();
            Person::new(Box::leak(kvnr.into_boxed_str()), PATH_IK, card)
        })
        .collect()
}
