//! A health card in memory: brainpoolP256r1 key, certificate, PIN with three tries, PUK.
//!
//! Behaves towards its holder like `PIN.CH` and `PrK.CH.AUT` of a real card: the key signs only after the PIN, the
//! third wrong PIN blocks it, the right one restores the tries, and the PUK unblocks. Openly fake: the key lies in
//! memory and in a file, so it proves the protocol and nothing about a person.
//!
//! Cards of gematik's test PKI come from PKCS#12 files ([`VirtualCard::load_p12`]).

use std::fmt;

use authenticator::health_card::UnverifiedCertificate;
use bp256::r1::BrainpoolP256r1;
use ecdsa::signature::Signer;
use jose::base64url;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::flow::card_message;

mod p12;
mod pem;
mod state;

pub use p12::P12Error;
pub use state::CardState;

/// Wrong PINs in a row that block the card.
pub const PIN_TRIES: u8 = 3;
/// Times the PUK may be used, right or wrong.
pub const PUK_USES: u8 = 10;
/// The PIN printed where any PIN does (cards from PKCS#12 files).
pub const ANY_PIN_EXAMPLE: &str = "123456";

pub(crate) type CardKey = ecdsa::SigningKey<BrainpoolP256r1>;

/// A card somebody can hold against a headless phone.
pub struct VirtualCard {
    key: CardKey,
    certificate: Vec<u8>,
    pin: PinRule,
    state: CardState,
}

/// What the card does with a PIN.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PinRule {
    /// Compares it and counts.
    Secret { pin: String, puk: Option<String> },
    /// A file of keys has no PIN of its own: every well-formed one will do.
    Any,
}

/// Why a card cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// No scalar of the curve.
    #[error("card: the private key must be a brainpoolP256r1 scalar")]
    Key,
    /// No certificate.
    #[error("card: the certificate must be X.509 version 3 in DER")]
    Certificate,
    /// They do not belong together.
    #[error("card: certificate and private key do not belong together")]
    KeyMismatch,
    /// PIN.
    #[error("card: the PIN must have 6 to 8 digits")]
    Pin,
    /// PUK.
    #[error("card: the PUK must have 8 digits")]
    Puk,
}

/// Why a PIN does not unlock the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Wrong.
    #[error("wrong PIN, {tries_left} tries left")]
    WrongPin {
        /// What is left; 0 means the card is blocked now.
        tries_left: u8,
    },
    /// No tries left; only the PUK helps.
    #[error("the card is blocked, unblock it with the PUK")]
    Blocked,
    /// Not 6 to 8 digits. Costs no try: a terminal would not send it.
    #[error("a PIN has 6 to 8 digits")]
    Malformed,
}

/// Why the PUK does not unblock the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PukError {
    /// Wrong.
    #[error("wrong PUK, {uses_left} uses left")]
    WrongPuk {
        /// What is left.
        uses_left: u8,
    },
    /// Used up: the insurer has to issue a new card.
    #[error("the PUK is used up")]
    UsedUp,
    /// Not eight digits.
    #[error("a PUK has 8 digits")]
    Malformed,
    /// This card has none.
    #[error("this card has no PUK")]
    None,
}

/// A card whose holder just typed the right PIN. Signs; is locked again when dropped.
pub struct UnlockedCard<'a> {
    card: &'a VirtualCard,
}

impl VirtualCard {
    /// A card from a private scalar (32 bytes, big-endian), its certificate in DER, PIN and PUK.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn new(scalar: &[u8; 32], certificate: &[u8], pin: &str, puk: Option<&str>) -> Result<Self, CardError> {
        check_digits(pin, 6..=8).ok_or(CardError::Pin)?;
        if let Some(puk) = puk {
            check_digits(puk, 8..=8).ok_or(CardError::Puk)?;
        }
        let key = CardKey::from_slice(scalar).map_err(|_| CardError::Key)?;
        Self::assemble(
            key,
            certificate,
            PinRule::Secret {
                pin: pin.to_owned(),
                puk: puk.map(str::to_owned),
            },
        )
    }

    /// A card from a PKCS#12 file such as gematik's test PKI publishes (password `00`).
    ///
    /// The PIN is not checked on such a card: any 6 to 8 digits unlock it, for example [`ANY_PIN_EXAMPLE`].
    ///
    /// # Errors
    /// [`P12Error`].
    pub fn load_p12(bytes: &[u8], password: &str) -> Result<Self, P12Error> {
        p12::load(bytes, password)
    }

    pub(crate) fn assemble(key: CardKey, certificate: &[u8], pin: PinRule) -> Result<Self, CardError> {
        let parsed = UnverifiedCertificate::parse(certificate).map_err(|_| CardError::Certificate)?;
        let point = key.verifying_key().to_sec1_point(false);
        if parsed.brainpool_point().as_deref() != Some(point.as_bytes()) {
            return Err(CardError::KeyMismatch);
        }
        Ok(Self {
            key,
            certificate: certificate.to_vec(),
            pin,
            state: CardState::default(),
        })
    }

    /// Checks the PIN, as the card does: counts wrong ones, restores the tries on the right one.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn verify_pin(&mut self, pin: &str) -> Result<UnlockedCard<'_>, PinError> {
        check_digits(pin, 6..=8).ok_or(PinError::Malformed)?;
        if self.state.pin_tries_left == 0 {
            return Err(PinError::Blocked);
        }
        match &self.pin {
            PinRule::Secret { pin: own, .. } if own != pin => {
                self.state.pin_tries_left -= 1;
                Err(PinError::WrongPin {
                    tries_left: self.state.pin_tries_left,
                })
            }
            PinRule::Secret { .. } | PinRule::Any => {
                self.state.pin_tries_left = PIN_TRIES;
                Ok(UnlockedCard { card: self })
            }
        }
    }

    /// Restores the PIN's tries with the PUK. Every attempt uses it up a little.
    ///
    /// # Errors
    /// [`PukError`].
    pub fn unblock(&mut self, puk: &str) -> Result<(), PukError> {
        let PinRule::Secret { puk: Some(own), .. } = &self.pin else {
            return Err(PukError::None);
        };
        check_digits(puk, 8..=8).ok_or(PukError::Malformed)?;
        self.state.puk_uses_left = self.state.puk_uses_left.checked_sub(1).ok_or(PukError::UsedUp)?;
        if own != puk {
            return Err(PukError::WrongPuk {
                uses_left: self.state.puk_uses_left,
            });
        }
        self.state.pin_tries_left = PIN_TRIES;
        Ok(())
    }

    /// The certificate in DER, readable without PIN as on a real card.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Tries left before the card blocks; 0 when it is blocked.
    #[must_use]
    pub fn pin_tries_left(&self) -> u8 {
        self.state.pin_tries_left
    }

    /// Whether only the PUK helps.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.state.pin_tries_left == 0
    }

    /// Whether the card checks its PIN; `false` for cards from PKCS#12 files.
    #[must_use]
    pub fn checks_pin(&self) -> bool {
        matches!(self.pin, PinRule::Secret { .. })
    }

    /// The counters, to be kept beside a card that is made anew at each start.
    #[must_use]
    pub fn state(&self) -> CardState {
        self.state
    }

    /// Puts kept counters back; larger ones than a new card's are cut.
    pub fn restore(&mut self, state: CardState) {
        self.state = CardState {
            pin_tries_left: state.pin_tries_left.min(PIN_TRIES),
            puk_uses_left: state.puk_uses_left.min(PUK_USES),
        };
    }
}

impl UnlockedCard<'_> {
    /// Answers a challenge: the JWS of `authenticator::health_card`, signed with BP256R1, r ‖ s in 64 bytes.
    #[must_use]
    pub fn sign_challenge(&self, challenge: &str) -> String {
        let mut token = card_message(challenge, &self.card.certificate);
        let signature: bp256::r1::ecdsa::Signature = self.card.key.sign(token.as_bytes());
        token.push('.');
        token.push_str(&base64url::encode(&signature.to_bytes()));
        token
    }
}

fn check_digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<()> {
    (length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
}

pub(crate) fn scalar_of(key: &CardKey) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(key.to_bytes().to_vec())
}

impl fmt::Debug for VirtualCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VirtualCard")
    }
}

impl fmt::Debug for UnlockedCard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnlockedCard")
    }
}

#[cfg(test)]
mod tests;
