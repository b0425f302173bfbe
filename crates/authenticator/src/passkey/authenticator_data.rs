//! Authenticator data (§6.1): what the authenticator says about the person, itself and its key.

use super::{MAX_AUTHENTICATOR_DATA_BYTES, MAX_CREDENTIAL_ID_BYTES, PasskeyError, cose, hash};
use crate::attestation::cbor::Item;
use crate::device::BoundKey;

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// Authenticator data, well formed.
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: [u8; 32],
    flags: u8,
    pub(super) counter: u32,
    pub(super) attested: Option<AttestedCredential<'a>>,
}

/// A new credential (§6.5.2).
pub(super) struct AttestedCredential<'a> {
    pub(super) aaguid: [u8; 16],
    pub(super) id: &'a [u8],
    pub(super) key: BoundKey,
}

impl<'a> AuthenticatorData<'a> {
    /// Reads it. Total; nothing may follow.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, PasskeyError> {
        let malformed = PasskeyError::AuthenticatorData;
        if bytes.len() > MAX_AUTHENTICATOR_DATA_BYTES {
            return Err(malformed);
        }
        let fixed = || {
            let (rp_id_hash, rest) = bytes.split_first_chunk::<32>()?;
            let (flags, rest) = rest.split_first()?;
            let (counter, rest) = rest.split_first_chunk::<4>()?;
            Some((*rp_id_hash, *flags, u32::from_be_bytes(*counter), rest))
        };
        let (rp_id_hash, flags, counter, mut rest) = fixed().ok_or(PasskeyError::AuthenticatorData)?;
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (credential, behind) = AttestedCredential::parse(rest)?;
            attested = Some(credential);
            rest = behind;
        }
        // Extensions are not asked for and not looked at; what a PRF yields never comes here in clear.
        let extensions_fit = match flags & EXTENSIONS {
            0 => rest.is_empty(),
            _ => matches!(Item::parse(rest), Some(Item::Map(_))),
        };
        if !extensions_fit {
            return Err(malformed);
        }
        Ok(Self {
            rp_id_hash,
            flags,
            counter,
            attested,
        })
    }

    /// Steps 14 to 18 of §7.1, 16 to 20 of §7.2.
    pub(super) fn check(&self, rp_id: &str) -> Result<(), PasskeyError> {
        if self.rp_id_hash != hash(&[rp_id.as_bytes()]) {
            return Err(PasskeyError::RpId);
        }
        if self.flags & PRESENT == 0 {
            return Err(PasskeyError::UserPresence);
        }
        if self.flags & VERIFIED == 0 {
            return Err(PasskeyError::UserVerification);
        }
        if self.flags & BACKED_UP != 0 && !self.is_backup_eligible() {
            return Err(PasskeyError::BackupFlags);
        }
        Ok(())
    }

    /// Whether the key may be copied elsewhere by its authenticator's maker (§6.1.3).
    pub(super) const fn is_backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }
}

impl<'a> AttestedCredential<'a> {
    fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), PasskeyError> {
        let fixed = || {
            let (aaguid, rest) = bytes.split_first_chunk::<16>()?;
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (id, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let (key, rest) = Item::parse_first(rest)?;
            Some((*aaguid, id, key, rest))
        };
        let (aaguid, id, key, rest) = fixed().ok_or(PasskeyError::AuthenticatorData)?;
        if !(1..=MAX_CREDENTIAL_ID_BYTES).contains(&id.len()) {
            return Err(PasskeyError::CredentialId);
        }
        let key = cose::key(&key).ok_or(PasskeyError::Algorithm)?;
        Ok((Self { aaguid, id, key }, rest))
    }
}
