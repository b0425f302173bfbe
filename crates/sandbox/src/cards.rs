//! The virtual health cards of the sandbox: made of the seed whenever one is needed, only their counters are kept.
//!
//! Openly fake, and real in form: key on brainpoolP256r1, certificate by the sandbox's card authority, PIN with three tries.

mod foreign;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use authenticator::Ik;
use authenticator::health_card::{AuthorityRules, CardTrust, CheckDigits, Revocation, TrustError};
use jose::UnixTime;
use sha2::{Digest, Sha256};
use vault::PersonData;
use wallet::card::{CardState, P12Error, PinError, PukError, VirtualCard};
use zeroize::Zeroizing;

use crate::data::{DataDir, DataError, Identity};
use crate::insurers::Insurer;
use crate::people::{CardCondition, DEFAULT_PIN, PEOPLE, PUK, Person};
use crate::pki::{self, CARD_DAYS, CardHolder, EgkAuthority, PkiError};

use foreign::ForeignCard;
pub use foreign::{CardFile, ForeignCards, P12_PASSWORD};

const COUNTERS_FILE: &str = "cards.json";
const DAY_SECONDS: u64 = 86_400;
/// The card authority is older than every card, expired ones included.
const AUTHORITY_AGE_SECONDS: u64 = 7 * 365 * DAY_SECONDS;
/// A good card was issued this long before the sandbox was made.
const CARD_AGE_SECONDS: u64 = 400 * DAY_SECONDS;
/// An expired card, valid for five years, was issued this long before.
const EXPIRED_CARD_AGE_SECONDS: u64 = 6 * 365 * DAY_SECONDS;
/// The revocation list is for sandboxes that run long.
const LIST_VALID_SECONDS: u64 = 365 * DAY_SECONDS;
/// Serial number of the first person's card.
const FIRST_SERIAL: u64 = 0x0010_0000;
/// Why there are no cards.
#[derive(Debug, thiserror::Error)]
pub enum CardsError {
    /// The authority could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A card could not be made.
    #[error(transparent)]
    Card(#[from] wallet::card::CardError),
    /// A card file is refused.
    #[error("{label}: {error}")]
    File {
        /// Which.
        label: String,
        /// Why.
        error: P12Error,
    },
    /// Trust material is refused.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The counters could not be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No such card.
    #[error("no such card: {0}")]
    Unknown(String),
}

/// Why a card does not sign.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// The PIN.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The PUK.
    #[error(transparent)]
    Puk(#[from] PukError),
    /// Everything else.
    #[error(transparent)]
    Cards(#[from] CardsError),
}

/// A card as pages and lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEntry {
    /// Names it: the person's word, or one made of the file's label.
    pub word: String,
    /// Whose it is.
    pub name: String,
    /// Whose insurer issued it; `None` for foreign cards.
    pub insurer: Option<Insurer>,
    /// The invented person; `None` for foreign cards.
    pub person: Option<&'static Person>,
    /// Tries left; `None` for cards that check no PIN.
    pub tries_left: Option<u8>,
}

/// All cards of a sandbox.
pub struct Cards {
    authority: EgkAuthority,
    seed: Zeroizing<[u8; 32]>,
    created_at: UnixTime,
    data: Arc<DataDir>,
    foreign: Vec<ForeignCard>,
    /// One change of the counters at a time.
    counters: Mutex<()>,
}

type Counters = BTreeMap<String, CardState>;

impl std::fmt::Debug for Cards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cards")
    }
}

impl Cards {
    /// The cards of the sandbox with this identity and data.
    ///
    /// # Errors
    /// [`CardsError`].
    pub fn open(identity: &Identity, data: Arc<DataDir>, foreign: &ForeignCards) -> Result<Self, CardsError> {
        let seed = identity.secret("health cards");
        let authority = EgkAuthority::from_seed(&seed, identity.created_at.minus_seconds(AUTHORITY_AGE_SECONDS))?;
        Ok(Self {
            authority,
            seed,
            created_at: identity.created_at,
            data,
            foreign: foreign.files.iter().map(ForeignCard::read).collect::<Result<_, _>>()?,
            counters: Mutex::new(()),
        })
    }

    /// Whom the insurers believe: the sandbox's authority with its revocation list as of `now`, and the foreign ones.
    ///
    /// # Errors
    /// [`CardsError`].
    pub fn trust(&self, foreign: &ForeignCards, now: UnixTime) -> Result<CardTrust, CardsError> {
        let mut trust = CardTrust::new();
        let rules = AuthorityRules {
            // Test suites of services use numbers whose check digits do not fit, and cards are made for them on the fly.
            check_digits: CheckDigits::ShapeOnly,
            revocation: Revocation::ListRequired,
        };
        trust.add_authority(self.authority.certificate(), rules)?;
        let revoked: Vec<(u64, UnixTime)> = (FIRST_SERIAL..)
            .zip(PEOPLE)
            .filter(|(_, person)| person.card == CardCondition::Revoked)
            .map(|(serial, _)| (serial, self.created_at.minus_seconds(30 * DAY_SECONDS)))
            .collect();
        let list = self
            .authority
            .issue_crl(&revoked, now.0, now, now.plus_seconds(LIST_VALID_SECONDS))?;
        trust.add_crl(&list)?;
        for authority in &foreign.authorities {
            trust.add_authority(authority, AuthorityRules::gematik_test_pki())?;
        }
        for card in &foreign.revoked {
            trust.revoke(card)?;
        }
        Ok(trust)
    }

    /// The card authority's certificate, DER.
    #[must_use]
    pub fn authority_certificate(&self) -> &[u8] {
        self.authority.certificate()
    }

    /// Every card, the sandbox's own first.
    ///
    /// # Errors
    /// [`CardsError::Data`].
    pub fn list(&self) -> Result<Vec<CardEntry>, CardsError> {
        let counters = self.read_counters()?;
        let own = PEOPLE.iter().map(|person| CardEntry {
            word: person.word.to_owned(),
            name: person.display_name.to_owned(),
            insurer: Some(person.card_insurer()),
            person: Some(person),
            tries_left: Some(state_of(person, &counters).pin_tries_left),
        });
        let foreign = self.foreign.iter().map(|card| CardEntry {
            word: card.word.clone(),
            name: card.name.clone(),
            insurer: None,
            person: None,
            tries_left: None,
        });
        Ok(own.chain(foreign).collect())
    }

    /// A copy of a card with its counters, for a phone that holds it.
    ///
    /// # Errors
    /// [`CardsError`].
    pub fn card(&self, word: &str) -> Result<VirtualCard, CardsError> {
        if let Some(foreign) = self.foreign.iter().find(|card| card.word == word) {
            return serde_json::from_str(&foreign.card).map_err(|_| CardsError::Unknown(word.to_owned()));
        }
        let (serial, person) = (FIRST_SERIAL..)
            .zip(PEOPLE)
            .find(|(_, person)| person.word == word)
            .ok_or_else(|| CardsError::Unknown(word.to_owned()))?;
        let mut card = self.make(person, serial)?;
        card.restore(state_of(person, &self.read_counters()?));
        Ok(card)
    }

    /// Tries a PIN and keeps what that did to the counter. The card that comes back takes the same PIN again.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn verify_pin(&self, word: &str, pin: &str) -> Result<VirtualCard, UseError> {
        let _one_at_a_time = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut card = self.card(word)?;
        let before = card.state();
        let outcome = card.verify_pin(pin).map(|_| ());
        if card.checks_pin() && card.state() != before {
            self.keep(word, card.state())?;
        }
        outcome?;
        Ok(card)
    }

    /// Restores a card's tries, as its holder does with the PUK.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn unblock(&self, word: &str) -> Result<(), UseError> {
        let _one_at_a_time = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut card = self.card(word)?;
        if card.checks_pin() {
            // A button of the sandbox must not wear out: the PUK's own counter begins anew.
            card.restore(CardState {
                puk_uses_left: wallet::card::PUK_USES,
                ..card.state()
            });
            card.unblock(PUK)?;
            self.keep(word, card.state())?;
        }
        Ok(())
    }

    /// Restores a card's tries with the PUK its holder typed, which is counted as on a real card.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn unblock_with(&self, word: &str, puk: &str) -> Result<(), UseError> {
        let _one_at_a_time = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut card = self.card(word)?;
        if !card.checks_pin() {
            return Ok(());
        }
        let before = card.state();
        let outcome = card.unblock(puk);
        if card.state() != before {
            self.keep(word, card.state())?;
        }
        Ok(outcome?)
    }

    /// A card for somebody who is not in the register, with the default PIN.
    ///
    /// # Errors
    /// [`CardsError`].
    pub fn card_for(&self, insurer: Insurer, data: &PersonData) -> Result<VirtualCard, CardsError> {
        let digest = Sha256::digest(data.kvnr.as_str().as_bytes());
        let serial = digest
            .iter()
            .take(8)
            .fold(0, |serial: u64, byte| serial << 8 | u64::from(*byte))
            // Above every serial of the register, positive as a DER integer.
            & 0x7fff_ffff_ffff_ffff
            | 0x4000_0000_0000_0000;
        self.issue(
            insurer,
            data,
            serial,
            self.created_at.minus_seconds(CARD_AGE_SECONDS),
            DEFAULT_PIN,
        )
    }

    /// The institution codes on foreign cards: to be accepted, so that each card is refused for its own reason only.
    #[must_use]
    pub fn foreign_iks(&self) -> Vec<Ik> {
        self.foreign.iter().filter_map(|card| card.ik).collect()
    }

    /// What an insurer would know of the holders of foreign cards: the name on the card. Several cards may be one person's.
    #[must_use]
    pub fn foreign_people(&self) -> Vec<PersonData> {
        let mut people: Vec<PersonData> = Vec::new();
        for data in self.foreign.iter().filter_map(ForeignCard::data) {
            if people.iter().all(|known| known.kvnr != data.kvnr) {
                people.push(data);
            }
        }
        people
    }

    /// What her insurer knows of her at `now`, with the last whole day on which her card's certificate is valid: the same day however
    /// often the sandbox is started.
    #[must_use]
    pub fn register_entry(&self, person: &Person, now: UnixTime) -> PersonData {
        let mut data = person.data(now);
        let end = self.issued_at(person).plus_seconds(CARD_DAYS * DAY_SECONDS);
        data.card_valid_until = oidc::birthdate::calendar_day(end.minus_seconds(DAY_SECONDS));
        data
    }

    fn issued_at(&self, person: &Person) -> UnixTime {
        let age = match person.card {
            CardCondition::Expired => EXPIRED_CARD_AGE_SECONDS,
            _ => CARD_AGE_SECONDS,
        };
        self.created_at.minus_seconds(age)
    }

    fn make(&self, person: &Person, serial: u64) -> Result<VirtualCard, CardsError> {
        let data = person.data(self.created_at);
        self.issue(person.card_insurer(), &data, serial, self.issued_at(person), person.pin)
    }

    fn issue(
        &self,
        insurer: Insurer,
        data: &PersonData,
        serial: u64,
        not_before: UnixTime,
        pin: &str,
    ) -> Result<VirtualCard, CardsError> {
        let scalar = Zeroizing::new(pki::derive_scalar(&self.seed, &format!("card {}", data.kvnr.as_str())));
        let holder = CardHolder {
            insurer: insurer.name(),
            ik: &insurer.ik(),
            kvnr: &data.kvnr,
            given_name: &data.given_name,
            family_name: &data.family_name,
            display_name: &data.display_name,
        };
        let certificate = self.authority.issue_card(&holder, &scalar, serial, not_before)?;
        Ok(VirtualCard::new(&scalar, &certificate, pin, Some(PUK))?)
    }

    fn read_counters(&self) -> Result<Counters, CardsError> {
        Ok(self.data.read_json(COUNTERS_FILE)?.unwrap_or_default())
    }

    fn keep(&self, word: &str, state: CardState) -> Result<(), CardsError> {
        let mut counters = self.read_counters()?;
        counters.insert(word.to_owned(), state);
        Ok(self.data.write_secret_json(COUNTERS_FILE, &counters)?)
    }
}

/// The counters as kept, or as the register has them.
fn state_of(person: &Person, counters: &Counters) -> CardState {
    let begin = match person.card {
        CardCondition::PinBlocked => CardState {
            pin_tries_left: 0,
            ..CardState::default()
        },
        _ => CardState::default(),
    };
    counters.get(person.word).copied().unwrap_or(begin)
}

#[cfg(test)]
mod tests;
