//! Moving to a new phone with the old one: whom an old device may vouch for, and how far.
//!
//! Trusted for: the new key signed this offer's identifier, its class is what the policy demands evidence for, and nothing about it reaches further
//! than the device that vouches: neither its level, nor the day the card is due, nor a block with the block code. Does not: compare the two digits,
//! ask the old device for its signature, or store anything. Why it is like this: `docs/adr/0021-moving-with-the-old-phone.md`.

use aws_lc_rs::digest;
use jose::jwk::P256PublicKey;
use jose::{UnixTime, base64url};
use serde::{Deserialize, Serialize};

use super::binding::{check_class, check_consent_to, check_name, check_proof};
use super::{BindingError, BindingRequest, BoundKey, DeviceError, DeviceKey, HardwareMark, Standing};
use crate::Reason;
use crate::level::Acr;
use crate::policy::{AuthenticationPolicy, Moving};

/// Sets the identifier of an offer apart from every other hash.
const OFFER_DOMAIN: &[u8] = b"healthid/device-move/v1\0";
const CLASS_TAG_BYTES: usize = 8;
const FORM: u8 = 1;
const CONSENTED: u8 = 1;
const MARKED: u8 = 2;

/// What a device that was bound by another one inherits, until a card login confirms it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inherited {
    /// Handle of the device that vouched, base64url.
    from: String,
    /// Its level.
    pub(super) level: Acr,
    /// Last second in which it logged in without the card.
    pub(super) until: UnixTime,
}

/// How far a device may vouch for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// The device that vouches.
    pub device_id: [u8; 16],
    /// Whose it is.
    pub person_id: [u8; 16],
    /// Most the new one may reach.
    pub level: Acr,
    /// Until then, at most, the new one logs in without the card.
    pub valid_until: UnixTime,
    confirmed_at: UnixTime,
}

/// A new phone that asks to be bound: its key signed, its class is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    device_id: [u8; 16],
    public_key: P256PublicKey,
    name: String,
    class: String,
    consented_to_substantial: bool,
    hardware: Option<HardwareMark>,
}

/// Why a device vouches for no other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoucherError {
    /// The insurer's policy.
    #[error("moving: this insurer binds a new phone with the card only (policy member 'move')")]
    Off,
    /// It was bound by another device itself.
    #[error(
        "moving: a device that was bound with another one vouches for no third one before a card login has confirmed it"
    )]
    NotConfirmed,
    /// It serves the insurer's own pages only.
    #[error("moving: a device for the insurer's own pages vouches for no other")]
    OwnPagesOnly,
    /// It could not log in either.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl VoucherError {
    /// As wallets are told.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Off | Self::NotConfirmed => Reason::CardLoginNeeded,
            Self::OwnPagesOnly => Reason::LevelTooLow,
            Self::Device(error) => error.reason(),
        }
    }
}

/// What an offer is called: both halves compute it from the offer's text. The new key signs it, and is attested over it.
#[must_use]
pub fn move_id(offer: &str) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(OFFER_DOMAIN);
    context.update(offer.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&context.finish().as_ref()[..16]);
    id
}

impl DeviceKey {
    /// How far it may vouch for a new phone now.
    ///
    /// # Errors
    /// [`VoucherError`], the first check that fails.
    pub fn vouch(&self, policy: &AuthenticationPolicy, now: UnixTime) -> Result<Voucher, VoucherError> {
        if policy.moving == Moving::Off {
            return Err(VoucherError::Off);
        }
        match self.standing {
            Standing::Free => {}
            Standing::Locked => return Err(DeviceError::Locked.into()),
            Standing::Blocked => return Err(DeviceError::Blocked.into()),
        }
        let class = policy.device_class(&self.class).ok_or(DeviceError::ClassNotAdmitted)?;
        if class.own_pages_only {
            return Err(VoucherError::OwnPagesOnly);
        }
        let (Some(level), Some(valid_until)) = (self.level(policy), self.valid_until(policy)) else {
            return Err(DeviceError::ClassNotAdmitted.into());
        };
        if now > valid_until {
            return Err(DeviceError::ReconfirmationDue.into());
        }
        if self.inherited.is_some() {
            return Err(VoucherError::NotConfirmed);
        }
        Ok(Voucher {
            device_id: self.device_id,
            person_id: self.person_id,
            level,
            valid_until,
            confirmed_at: self.confirmed_at,
        })
    }

    /// The handle of the device that vouched for it, while no card login has confirmed it.
    #[must_use]
    pub fn bound_by(&self) -> Option<[u8; 16]> {
        let inherited = self.inherited.as_ref()?;
        base64url::decode_array(&inherited.from).ok()
    }
}

impl Candidate {
    /// What a new phone brings, checked: name, class and what shows it, consent, and that the key is its own. `level`: the most it may reach.
    ///
    /// # Errors
    /// [`BindingError`], the first check that fails.
    pub fn check(
        request: &BindingRequest,
        proof: &str,
        move_id: &[u8; 16],
        level: Acr,
        policy: &AuthenticationPolicy,
    ) -> Result<Self, BindingError> {
        check_name(&request.name)?;
        let class = check_class(request, move_id, policy)?;
        check_consent_to(class.level.min(level), request.consented_to_substantial)?;
        check_proof(proof, move_id, &request.public_key)?;
        Ok(Self {
            device_id: request.device_id,
            public_key: request.public_key.clone(),
            name: request.name.clone(),
            class: class.name.clone(),
            consented_to_substantial: request.consented_to_substantial,
            hardware: request.hardware.clone(),
        })
    }

    /// Its handle-to-be.
    #[must_use]
    pub const fn device_id(&self) -> &[u8; 16] {
        &self.device_id
    }

    /// Its key.
    #[must_use]
    pub const fn public_key(&self) -> &P256PublicKey {
        &self.public_key
    }

    /// What the person calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The device as the provider stores it, once the old one has approved: confirmed when the old one was, and never good for more than that.
    ///
    /// # Errors
    /// [`BindingError::Class`] where its class is not admitted any more, [`BindingError::ConsentMissing`] where what is left of its level
    /// needs a consent that was not given.
    pub fn bind(
        self,
        voucher: &Voucher,
        policy: &AuthenticationPolicy,
        now: UnixTime,
    ) -> Result<DeviceKey, BindingError> {
        let class = policy.device_class(&self.class).ok_or(BindingError::Class)?;
        check_consent_to(class.level.min(voucher.level), self.consented_to_substantial)?;
        Ok(DeviceKey {
            device_id: self.device_id,
            person_id: voucher.person_id,
            key: BoundKey::P256(self.public_key),
            name: self.name,
            class: self.class,
            bound_at: now,
            confirmed_at: voucher.confirmed_at,
            consented_to_substantial: self.consented_to_substantial,
            counter: 0,
            passkey: None,
            pin: None,
            hardware: self.hardware,
            inherited: Some(Inherited {
                from: base64url::encode(&voucher.device_id),
                level: voucher.level,
                until: voucher.valid_until,
            }),
            standing: Standing::Free,
        })
    }

    /// Its bytes, for the row in which it waits: at most 380, whatever its name is.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&self.device_id);
        bytes.extend_from_slice(&self.public_key.to_uncompressed());
        bytes.extend_from_slice(&class_tag(&self.class));
        let consented = if self.consented_to_substantial { CONSENTED } else { 0 };
        bytes.push(consented | if self.hardware.is_some() { MARKED } else { 0 });
        if let Some(HardwareMark(mark)) = &self.hardware {
            bytes.extend_from_slice(mark);
        }
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else, and where its class is not admitted any more. Verifies nothing: whoever
    /// opened the row that holds it knows who wrote it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], policy: &AuthenticationPolicy) -> Option<Self> {
        let (&form, rest) = bytes.split_first()?;
        let (device_id, rest) = rest.split_first_chunk::<16>()?;
        let (point, rest) = rest.split_first_chunk::<65>()?;
        let (tag, rest) = rest.split_first_chunk::<CLASS_TAG_BYTES>()?;
        let (&flags, rest) = rest.split_first()?;
        if form != FORM || flags & !(CONSENTED | MARKED) != 0 {
            return None;
        }
        let (hardware, name) = if flags & MARKED == 0 {
            (None, rest)
        } else {
            let (mark, rest) = rest.split_first_chunk::<32>()?;
            (Some(HardwareMark(*mark)), rest)
        };
        let name = std::str::from_utf8(name).ok()?;
        check_name(name).ok()?;
        let class = policy
            .device_classes
            .iter()
            .find(|class| class_tag(&class.name) == *tag)?;
        Some(Self {
            device_id: *device_id,
            public_key: P256PublicKey::from_uncompressed(point).ok()?,
            name: name.to_owned(),
            class: class.name.clone(),
            consented_to_substantial: flags & CONSENTED != 0,
            hardware,
        })
    }
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Candidate")
    }
}

/// A class by a few bytes: a name may have two hundred and fifty.
fn class_tag(name: &str) -> [u8; CLASS_TAG_BYTES] {
    let mut tag = [0; CLASS_TAG_BYTES];
    tag.copy_from_slice(&digest::digest(&digest::SHA256, name.as_bytes()).as_ref()[..CLASS_TAG_BYTES]);
    tag
}

#[cfg(test)]
mod tests;
