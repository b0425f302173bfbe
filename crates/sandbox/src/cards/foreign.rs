//! Cards from files: gematik's test PKI, for example.

use authenticator::health_card::{RevokedCard, UnverifiedCertificate};
use authenticator::{Ik, Kvnr};
use vault::PersonData;
use wallet::card::{P12Error, VirtualCard};

use super::CardsError;

/// Password of the card files gematik's test PKI publishes.
pub const P12_PASSWORD: &str = "00";

/// A card read from a PKCS#12 file, to be played with beside the sandbox's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    /// What it is called here, such as its file name.
    pub label: String,
    /// PKCS#12.
    pub bytes: Vec<u8>,
    /// Its password.
    pub password: String,
}

/// Foreign cards and who vouches for them: gematik's test PKI, for example. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignCards {
    /// Certificates of authorities, DER or PEM, believed by the rules of gematik's test PKI.
    pub authorities: Vec<Vec<u8>>,
    /// Cards revoked by configuration.
    pub revoked: Vec<RevokedCard>,
    /// The cards.
    pub files: Vec<CardFile>,
}

/// A foreign card with what its certificate says.
pub(super) struct ForeignCard {
    pub(super) word: String,
    pub(super) name: String,
    pub(super) ik: Option<Ik>,
    kvnr: Option<Kvnr>,
    /// Serialised, so that each use has a card of its own.
    pub(super) card: String,
}

impl ForeignCard {
    pub(super) fn read(file: &CardFile) -> Result<Self, CardsError> {
        let refused = |error| CardsError::File {
            label: file.label.clone(),
            error,
        };
        let card = VirtualCard::load_p12(&file.bytes, &file.password).map_err(refused)?;
        let certificate =
            UnverifiedCertificate::parse(card.certificate()).map_err(|_| refused(P12Error::Certificate))?;
        let units = certificate.organizational_units();
        Ok(Self {
            word: word_of(&file.label),
            name: certificate.common_name().unwrap_or(&file.label).to_owned(),
            ik: units.iter().find_map(|unit| Ik::parse_shape(unit).ok()),
            kvnr: units.iter().find_map(|unit| Kvnr::parse_shape(unit).ok()),
            card: serde_json::to_string(&card).map_err(|_| refused(P12Error::Unreadable))?,
        })
    }

    /// What an insurer would know of its holder; `None` where the certificate names nobody.
    pub(super) fn data(&self) -> Option<PersonData> {
        let (given_name, family_name) = self.name.rsplit_once(' ').unwrap_or(("", &self.name));
        Some(PersonData {
            kvnr: self.kvnr.clone()?,
            ik: self.ik?,
            given_name: given_name.to_owned(),
            family_name: family_name.to_owned(),
            display_name: self.name.clone(),
            birthdate: String::new(),
            sex: String::new(),
            email: String::new(),
            card_valid_until: String::new(),
        })
    }
}

/// A file's label as a word: letters, digits and hyphens.
fn word_of(label: &str) -> String {
    let stem = label.strip_suffix(".p12").unwrap_or(label);
    stem.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}
