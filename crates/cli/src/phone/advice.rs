//! What to do after a refusal of the phone's own commands: one sentence for each reason.

use authenticator::Reason;
use wallet::phone::PhoneError;

/// The error with what to do now, where there is more to do than what it says.
pub(super) fn advised(error: PhoneError) -> anyhow::Error {
    match to_do(&error) {
        Some(advice) => anyhow::anyhow!("{error}. {advice}"),
        None => error.into(),
    }
}

fn to_do(error: &PhoneError) -> Option<&'static str> {
    match error {
        PhoneError::Unreachable(_) => Some("Run the same command again; nothing was lost."),
        PhoneError::NoDevice => Some("Bind a phone at this insurer: `healthid phone bind --out FILE`."),
        PhoneError::Over => Some("Begin anew."),
        PhoneError::Flow(error) => error.reason().and_then(after),
        PhoneError::Step(_) | PhoneError::Locked | PhoneError::Pin(_) => None,
    }
}

fn after(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::DeviceUnknown | Reason::DeviceCloned | Reason::DeviceNotAdmitted => {
            "Bind the phone anew with the card: `healthid phone bind --out FILE`."
        }
        Reason::DeviceLocked | Reason::DeviceBlocked => "Unlock it with the card on the insurer's account page.",
        Reason::DeviceDue => "Confirm it with the card, or bind it anew: `healthid phone bind --out FILE`.",
        Reason::DeviceClock => "Set the clock of this machine.",
        Reason::LoginUnknown
        | Reason::LoginExpired
        | Reason::LoginOver
        | Reason::ChallengeExpired
        | Reason::NumberWrong
        | Reason::Aborted
        | Reason::OtherBrowser
        | Reason::MustNotAsk => "Begin the login anew where it was begun.",
        Reason::MoveOver => "Let the old phone make a new offer: `healthid phone move out --device FILE`.",
        Reason::CoolingOff => "Wait half an hour, or take the card.",
        Reason::LevelTooLow | Reason::CardLoginNeeded | Reason::AttestationRefused | Reason::ConsentMissing => {
            "Take the card: `healthid phone bind --out FILE`."
        }
        Reason::TooManyDevices => {
            "Take one back first: `healthid phone account`, then `healthid phone revoke --bound-device ID`."
        }
        Reason::TooManyTries | Reason::Unavailable | Reason::Internal => {
            "Wait a little and run the same command again."
        }
        Reason::CardUnknown
        | Reason::CardRevoked
        | Reason::CardExpired
        | Reason::CardOtherInsurer
        | Reason::CardRefused
        | Reason::AccountClosed => "Ask the insurer: another card is needed.",
        Reason::NoMoreTime
        | Reason::PinLocked
        | Reason::PushServiceUnknown
        | Reason::Declined
        | Reason::ServiceUnknown
        | Reason::NotFound
        | Reason::Malformed => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_something_about_is_told_with_a_sentence() {
        let over = advised(PhoneError::Over).to_string();
        assert_eq!(over, "it is over: begin a new one. Begin anew.");
        for reason in Reason::ALL {
            if let Some(sentence) = after(*reason) {
                assert!(sentence.ends_with('.') && sentence.len() > 20, "{reason}: {sentence}");
            }
        }
    }
}
