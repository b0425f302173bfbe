//! One entry of a person's history: what was done with her data, when, by whom, and which *names* of data were shared. Never a value.
//!
//! Entries are written in one binary form of at most [`MAX_EVENT_BYTES`]; sealed, each has the same size.

use authenticator::{Acr, Method, policy::Performed};
use jose::UnixTime;
use oidc::{client::RelyingParty, login_state::DeviceUse, scope::ClaimSet};
use vault::MAX_EVENT_BYTES;

use super::chain::Link;
use crate::people::{MAX_IDENTIFIER_BYTES, MAX_SERVICE_NAME_BYTES, kept_identifier, kept_name};

const FORM: u8 = 1;
/// Form, event, by, level, method, time, link, shared, device, and the lengths of two texts.
const FIXED_BYTES: usize = 5 + 8 + Link::BYTES + 2 + 17 + 2;

const _: () = assert!(FIXED_BYTES + MAX_IDENTIFIER_BYTES + MAX_SERVICE_NAME_BYTES <= MAX_EVENT_BYTES);

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal => $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The word on the wire.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

codes! {
    /// What happened. The words are the wire's (`docs/wallet-core.md`, "Her history").
    Event {
        /// A service got a token about her.
        Login = 1 => "login",
        /// She said no to a service.
        Declined = 2 => "declined",
        /// She was known, and the login was refused all the same.
        Refused = 3 => "refused",
        /// She was known, and neither she nor the service went on.
        BrokenOff = 4 => "broken-off",
        /// Her own account was opened.
        AccountOpened = 5 => "account-opened",
        /// A device was bound.
        DeviceBound = 6 => "device-bound",
        /// A device was removed.
        DeviceRemoved = 7 => "device-removed",
        /// A device got another name.
        DeviceRenamed = 8 => "device-renamed",
        /// A device was locked.
        DeviceLocked = 9 => "device-locked",
        /// A device was unlocked.
        DeviceUnlocked = 10 => "device-unlocked",
        /// A device was confirmed with the card.
        DeviceConfirmed = 11 => "device-confirmed",
        /// A consent was taken back.
        ConsentRevoked = 12 => "consent-revoked",
        /// The insurer brought other data about her.
        DataChanged = 13 => "data-changed",
        /// Her account was handed out to her as a document.
        Exported = 14 => "exported",
        /// The PIN of a device was tried too often.
        PinLocked = 15 => "pin-locked",
        /// The card made a device's PIN good again.
        PinReset = 16 => "pin-reset",
        /// A code for an emergency was made.
        BlockCodeMade = 17 => "block-code-made",
        /// All devices were blocked with that code.
        Blocked = 18 => "blocked",
        /// She said that a login was not hers.
        NotMe = 19 => "not-me",
        /// She said that somebody was on the phone with her.
        PhoneCall = 20 => "phone-call",
        /// Somebody answered for her device with another key or an older counter.
        DeviceMisused = 21 => "device-misused",
        /// With this device she let a new phone be bound.
        DeviceMoved = 30 => "device-moved",
        /// She ended a move to a new phone, or typed a wrong number.
        MoveEnded = 31 => "move-ended",
    }
}

codes! {
    /// Who did it.
    By {
        /// Whoever held her card or device.
        You = 1 => "you",
        /// Her insurer.
        Insurer = 2 => "insurer",
        /// The provider itself.
        Provider = 3 => "provider",
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) event: Event,
    pub(crate) at: UnixTime,
    pub(crate) by: By,
    /// Identifier and name of the service.
    pub(crate) service: Option<(String, String)>,
    /// What was shared, or for a login that was not completed: what was asked for.
    pub(crate) shared: ClaimSet,
    pub(crate) method: Option<Method>,
    pub(crate) level: Option<Acr>,
    pub(crate) device: Option<[u8; 16]>,
}

impl Entry {
    /// Something she did herself.
    pub(crate) const fn of(event: Event, at: UnixTime) -> Self {
        Self {
            event,
            at,
            by: By::You,
            service: None,
            shared: ClaimSet::EMPTY,
            method: None,
            level: None,
            device: None,
        }
    }

    pub(crate) const fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    pub(crate) fn at_service(mut self, party: &RelyingParty) -> Self {
        self.service = Some((kept_identifier(party.client_id()), kept_name(party.name()).to_owned()));
        self
    }

    pub(crate) const fn sharing(mut self, claims: ClaimSet) -> Self {
        self.shared = claims;
        self
    }

    pub(crate) const fn proven(mut self, performed: &Performed) -> Self {
        self.method = Some(performed.method);
        self.level = Some(performed.level);
        self
    }

    pub(crate) fn with_device(mut self, used: Option<DeviceUse>) -> Self {
        self.device = used.map(|used| used.device_id);
        self
    }

    pub(crate) const fn about_device(mut self, device: [u8; 16]) -> Self {
        self.device = Some(device);
        self
    }

    pub(super) fn encode(&self, link: Link) -> Vec<u8> {
        let mut bytes = vec![
            FORM,
            self.event.code(),
            self.by.code(),
            self.level.map_or(0, level_code),
            self.method.map_or(0, method_code),
        ];
        bytes.extend_from_slice(&self.at.0.to_be_bytes());
        bytes.extend_from_slice(&link.to_bytes());
        bytes.extend_from_slice(&self.shared.bits().to_be_bytes());
        bytes.push(u8::from(self.device.is_some()));
        bytes.extend_from_slice(&self.device.unwrap_or_default());
        let (identifier, name) = match &self.service {
            Some((identifier, name)) => (identifier.as_str(), name.as_str()),
            None => ("", ""),
        };
        for (text, limit) in [(identifier, MAX_IDENTIFIER_BYTES), (name, MAX_SERVICE_NAME_BYTES)] {
            let text = &text[..text.floor_char_boundary(limit)];
            // Both limits are below 256.
            #[allow(clippy::cast_possible_truncation)]
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else. An event of a newer release is none either.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, Link)> {
        let (&[form, event, by, level, method], rest) = bytes.split_first_chunk()?;
        if form != FORM {
            return None;
        }
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (link, rest) = rest.split_first_chunk::<{ Link::BYTES }>()?;
        let (shared, rest) = rest.split_first_chunk::<2>()?;
        let (&has_device, rest) = rest.split_first()?;
        let (device, rest) = rest.split_first_chunk::<16>()?;
        let (identifier, rest) = text(rest)?;
        let (name, rest) = text(rest)?;
        if !rest.is_empty() || has_device > 1 {
            return None;
        }
        let entry = Self {
            event: Event::from_code(event)?,
            at: UnixTime(u64::from_be_bytes(*at)),
            by: By::from_code(by)?,
            service: (!identifier.is_empty()).then_some((identifier, name)),
            shared: ClaimSet::from_bits(u16::from_be_bytes(*shared))?,
            method: if method == 0 { None } else { Some(read_method(method)?) },
            level: if level == 0 { None } else { Some(read_level(level)?) },
            device: (has_device == 1).then_some(*device),
        };
        Some((entry, Link::from_bytes(*link)))
    }
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

const fn level_code(level: Acr) -> u8 {
    match level {
        Acr::Substantial => 1,
        Acr::High => 2,
    }
}

fn read_level(code: u8) -> Option<Acr> {
    Acr::ALL.into_iter().find(|level| level_code(*level) == code)
}

const METHODS: [Method; 4] = [
    Method::HealthCard,
    Method::GuestHealthCard,
    Method::IdentityCard,
    Method::DeviceKey,
];

const fn method_code(method: Method) -> u8 {
    match method {
        Method::HealthCard => 1,
        Method::GuestHealthCard => 2,
        Method::IdentityCard => 3,
        Method::DeviceKey => 4,
    }
}

fn read_method(code: u8) -> Option<Method> {
    METHODS.into_iter().find(|method| method_code(*method) == code)
}

/// The method on the wire.
pub(super) const fn method_word(method: Method) -> &'static str {
    match method {
        Method::HealthCard => "health-card",
        Method::GuestHealthCard => "guest-health-card",
        Method::IdentityCard => "identity-card",
        Method::DeviceKey => "device-key",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn entry(event: Event) -> Entry {
        Entry {
            service: Some(("a".repeat(MAX_IDENTIFIER_BYTES), "ü".repeat(MAX_SERVICE_NAME_BYTES / 2))),
            shared: ClaimSet::all(),
            method: Some(Method::GuestHealthCard),
            level: Some(Acr::High),
            device: Some([9; 16]),
            ..Entry::of(event, UnixTime(u64::MAX))
        }
    }

    const LINK: Link = Link {
        number: (1 << 44) - 1,
        before: (1 << 20) - 1,
        unsure: 255,
    };

    #[test]
    fn the_longest_entry_fits_and_every_entry_comes_back() {
        for event in Event::ALL {
            for by in By::ALL {
                let entry = entry(*event).by(*by);
                let bytes = entry.encode(LINK);
                assert!(bytes.len() <= MAX_EVENT_BYTES, "{}", bytes.len());
                assert_eq!(Entry::decode(&bytes), Some((entry, LINK)));
            }
        }
        for method in METHODS {
            let entry = Entry {
                method: Some(method),
                ..Entry::of(Event::Login, UnixTime(1))
            };
            assert_eq!(Entry::decode(&entry.encode(LINK)), Some((entry, LINK)));
        }
    }

    #[test]
    fn every_word_and_code_is_used_once() {
        let words: std::collections::BTreeSet<_> = Event::ALL.iter().map(|event| event.as_str()).collect();
        let codes: std::collections::BTreeSet<_> = Event::ALL.iter().map(|event| event.code()).collect();
        assert_eq!((words.len(), codes.len()), (Event::ALL.len(), Event::ALL.len()));
    }

    #[test]
    fn bytes_that_are_too_short_too_long_or_of_another_form_are_no_entry() {
        let bytes = entry(Event::Login).encode(LINK);
        for length in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(Entry::decode(&[&bytes[..], &[0]].concat()), None);
        for (at, value) in [(0, 2), (1, 0), (1, 200), (2, 9), (3, 3), (4, 9)] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert_eq!(Entry::decode(&changed), None, "{at} {value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Some((entry, link)) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode(link), bytes);
            }
        }
    }
}
