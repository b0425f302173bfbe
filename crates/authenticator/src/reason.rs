//! Why an authenticator is refused, as a word that never changes: wallets map it to a sentence in the person's language.
//!
//! One vocabulary for both sides: the provider says it in every refusal of the authenticator API (`reason`), the wallet decides by it whether a
//! login goes on. `docs/wallet-core.md` shows the table; a test holds the page to this file.

use std::fmt;

mod mapping;

/// Whether the login a refusal was given in can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    /// The same question may be answered again: by another card, with a corrected value, or later.
    Yes,
    /// This login is over or was never there. The person begins anew at the service.
    No,
}

macro_rules! reasons {
    ($($name:ident $word:literal $goes_on:ident $meaning:literal),+ $(,)?) => {
        /// Why something was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name),+
        }

        impl Reason {
            /// Every reason, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// What happened, in one sentence for developers.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }

            /// Whether the login can go on.
            #[must_use]
            pub const fn goes_on(self) -> GoesOn {
                match self { $(Self::$name => GoesOn::$goes_on),+ }
            }
        }
    };
}

reasons! {
    LoginUnknown "login-unknown" No "The login or request is none of this provider's, was changed on the way, or is too old to be recognised.",
    LoginExpired "login-expired" No "The login or request was answered after its last second.",
    LoginOver "login-over" No "The login has ended already: it was completed, declined or aborted.",
    NoMoreTime "no-more-time" Yes "The person has been given more time as often as there is any.",
    ChallengeExpired "challenge-expired" No "The challenge was answered after its last second; asking for a new one goes on with the same login.",
    CardUnknown "card-unknown" Yes "The card is genuine, but this insurer has no insured person with it.",
    CardRevoked "card-revoked" Yes "The card was blocked by its insurer.",
    CardExpired "card-expired" Yes "The card is not valid any more, or not yet.",
    CardOtherInsurer "card-other-insurer" Yes "The card was issued by another insurer.",
    CardRefused "card-refused" Yes "The card's answer does not hold: signature, certificate or issuer.",
    DeviceUnknown "device-unknown" Yes "No device is bound under this name (any more), or the answer does not bear its signature.",
    DeviceLocked "device-locked" Yes "The person has locked this device.",
    DeviceBlocked "device-blocked" Yes "All devices of the person were blocked by her block code.",
    DeviceDue "device-due" Yes "The device has to be confirmed with the card again.",
    DeviceCloned "device-cloned" Yes "The device counts backwards: another one may have its key.",
    DeviceClock "device-clock" Yes "The device's clock is too far from the provider's.",
    DeviceNotAdmitted "device-not-admitted" Yes "The insurer does not admit devices of this class (any more).",
    ConsentMissing "consent-missing" Yes "A login without a card needs the person's consent to its lower level.",
    LevelTooLow "level-too-low" Yes "The service demands a higher level, another method or a fresher login than this one.",
    AttestationRefused "attestation-refused" Yes "The device's evidence is missing or does not reach what its class demands.",
    TooManyDevices "too-many-devices" Yes "The person has bound as many devices as she may.",
    TooManyTries "too-many-tries" Yes "An allowance is used up; retry_after says when there is one more.",
    PinLocked "pin-locked" Yes "The app's PIN was wrong too often; the card sets a new one.",
    CardLoginNeeded "card-login-needed" Yes "This needs a login with the card, just now.",
    NumberWrong "number-wrong" No "The number typed is not the one the asking page shows. The login has ended for both devices.",
    Aborted "aborted" No "The login was ended on the other device, by the person herself.",
    MoveOver "move-over" No "The move to a new phone has ended: its code is too old or was used by another phone, it was completed, or the person ended it. The old phone can show a new code.",
    CoolingOff "cooling-off" No "The person said that somebody was on the phone with her: for a while nothing is approved for another device.",
    OtherBrowser "other-browser" No "The login was begun in another browser.",
    Declined "declined" Yes "The device's signed answer says that the person declined.",
    MustNotAsk "must-not-ask" No "The service asked for an answer without a question to the person (prompt=none).",
    AccountClosed "account-closed" Yes "The person's health ID was closed.",
    ServiceUnknown "service-unknown" No "The service is not, or not properly, registered in the federation.",
    PushServiceUnknown "push-service-unknown" Yes "The address at which the device wants to be woken is at a push service that this insurer does not call.",
    NotFound "not-found" No "There is nothing under this name or at this address.",
    Malformed "malformed" No "The request is not what the interface expects: an error of the app.",
    Unavailable "unavailable" Yes "Something the provider depends on does not answer; later it may.",
    Internal "internal" Yes "The provider failed. Nothing was lost.",
}

impl Reason {
    /// Reads a word of the wire; `None` for one this version does not know.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_word_of_its_own_and_is_read_again() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            let word = reason.as_str();
            assert!(
                word.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()),
                "{word}"
            );
            assert_eq!(Reason::parse(word), Some(*reason));
            assert!(
                Reason::ALL[..index].iter().all(|earlier| earlier.as_str() != word),
                "{word}"
            );
            assert!(reason.meaning().ends_with('.'));
        }
    }

    #[test]
    fn what_is_no_reason_is_none() {
        for word in ["", "Internal", "INTERNAL", "internal ", "card_unknown", "tomorrow"] {
            assert_eq!(Reason::parse(word), None, "{word}");
        }
    }
}
