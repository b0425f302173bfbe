//! A card on paper: its counters, and the whole card as a data file.

use jose::base64url;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::{CardKey, PIN_TRIES, PUK_USES, PinRule, VirtualCard, scalar_of};

/// What changes on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardState {
    /// Wrong PINs left; 0 is blocked.
    pub pin_tries_left: u8,
    /// PUK uses left.
    pub puk_uses_left: u8,
}

impl Default for CardState {
    fn default() -> Self {
        Self {
            pin_tries_left: PIN_TRIES,
            puk_uses_left: PUK_USES,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    /// Base64url scalar: this file is as good as the card.
    private_key: String,
    certificate: String,
    pin: PinRule,
    state: CardState,
}

impl Serialize for VirtualCard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CardFile {
            private_key: base64url::encode(&scalar_of(&self.key)),
            certificate: base64url::encode(&self.certificate),
            pin: self.pin.clone(),
            state: self.state,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for VirtualCard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let file = CardFile::deserialize(deserializer)?;
        let scalar = Zeroizing::new(base64url::decode(&file.private_key).map_err(D::Error::custom)?);
        let certificate = base64url::decode(&file.certificate).map_err(D::Error::custom)?;
        let key = CardKey::from_slice(&scalar).map_err(|_| D::Error::custom(super::CardError::Key))?;
        let mut card = Self::assemble(key, &certificate, file.pin).map_err(D::Error::custom)?;
        card.restore(file.state);
        Ok(card)
    }
}
