//! What a person reads when something does not go on: what happened, and what to do now. One pair for each reason and language.

use authenticator::Reason;

use super::Language;

type Sentences = (&'static str, &'static str);

pub(super) const fn sentences(language: Language, reason: Reason) -> Sentences {
    match language {
        Language::German => german(reason),
        Language::English => english(reason),
    }
}

const AGAIN: &str = "Gehen Sie zurück zum Dienst und beginnen Sie noch einmal.";
const LATER: &str = "Warten Sie einen Moment und laden Sie die Seite neu.";
const CARD: &str = "Melden Sie sich mit Ihrer Gesundheitskarte an.";

const fn german(reason: Reason) -> Sentences {
    match reason {
        Reason::LoginUnknown => ("Diese Anmeldung kennen wir nicht oder nicht mehr.", AGAIN),
        Reason::LoginExpired | Reason::ChallengeExpired => ("Die Zeit für diese Anmeldung ist abgelaufen.", AGAIN),
        Reason::LoginOver => (
            "Diese Anmeldung ist schon zu Ende. Vielleicht haben Sie zweimal getippt oder eine alte Seite geöffnet.",
            "Schauen Sie beim Dienst nach, ob Sie angemeldet sind. Wenn nicht, beginnen Sie dort noch einmal.",
        ),
        Reason::NoMoreTime => (
            "Mehr Zeit gibt es für diese Anmeldung nicht.",
            "Gehen Sie zurück und antworten Sie jetzt. Oder beginnen Sie beim Dienst noch einmal.",
        ),
        Reason::OtherBrowser => (
            "Diese Anmeldung wurde in einem anderen Browser begonnen.",
            "Machen Sie in dem anderen Browser weiter. Oder beginnen Sie hier beim Dienst noch einmal.",
        ),
        Reason::NumberWrong => (
            "Die Zahl war falsch. Zur Sicherheit ist diese Anmeldung auf beiden Geräten beendet.",
            "Beginnen Sie auf dem anderen Gerät noch einmal. Dort steht dann eine neue Zahl.",
        ),
        Reason::Aborted => ("Diese Anmeldung wurde auf dem Handy beendet.", AGAIN),
        Reason::CoolingOff => (
            "Sie haben gesagt, dass jemand mit Ihnen telefoniert. Zu Ihrer Sicherheit bestätigen wir gerade nichts für andere Geräte.",
            "Warten Sie eine halbe Stunde. Auf diesem Gerät können Sie sich weiter anmelden.",
        ),
        Reason::MoveOver => (
            "Dieser Umzug auf ein neues Handy ist zu Ende. Vielleicht war der Code zu alt.",
            "Lassen Sie sich auf dem alten Handy einen neuen Code zeigen. Mit der Karte geht es auch.",
        ),
        Reason::CardUnknown => (
            "Zu dieser Karte gibt es bei dieser Krankenkasse keine versicherte Person.",
            "Nehmen Sie Ihre neueste Karte. Oder fragen Sie Ihre Krankenkasse.",
        ),
        Reason::CardOtherInsurer => (
            "Diese Karte ist von einer anderen Krankenkasse.",
            "Wählen Sie beim Dienst Ihre eigene Krankenkasse.",
        ),
        Reason::CardRevoked => (
            "Diese Karte wurde gesperrt.",
            "Nehmen Sie Ihre neueste Karte. Oder fragen Sie Ihre Krankenkasse.",
        ),
        Reason::CardExpired => (
            "Diese Karte ist nicht mehr gültig oder noch nicht gültig.",
            "Nehmen Sie Ihre neueste Karte. Oder fragen Sie Ihre Krankenkasse.",
        ),
        Reason::CardRefused => (
            "Diese Karte konnten wir nicht prüfen.",
            "Versuchen Sie es noch einmal. Oder fragen Sie Ihre Krankenkasse.",
        ),
        Reason::DeviceUnknown => ("Dieses Gerät ist nicht mit Ihrer GesundheitsID verbunden.", CARD),
        Reason::DeviceLocked | Reason::DeviceBlocked => ("Dieses Gerät ist gesperrt.", CARD),
        Reason::DeviceDue => ("Dieses Gerät muss wieder mit der Karte bestätigt werden.", CARD),
        Reason::DeviceCloned => (
            "Vielleicht gibt es eine Kopie von diesem Gerät.",
            "Melden Sie sich mit Ihrer Gesundheitskarte an und entfernen Sie dieses Gerät.",
        ),
        Reason::DeviceClock => (
            "Die Uhr von diesem Gerät geht falsch.",
            "Stellen Sie Datum und Uhrzeit richtig und versuchen Sie es noch einmal.",
        ),
        Reason::DeviceNotAdmitted | Reason::AttestationRefused => {
            ("Ihre Krankenkasse lässt Geräte dieser Art nicht zu.", CARD)
        }
        Reason::ConsentMissing => ("Für die Anmeldung ohne Karte brauchen wir Ihre Zustimmung.", CARD),
        Reason::LevelTooLow | Reason::CardLoginNeeded => ("Dafür brauchen Sie Ihre Gesundheitskarte.", CARD),
        Reason::PinLocked => (
            "Die PIN der App war zu oft falsch.",
            "Setzen Sie mit Ihrer Gesundheitskarte eine neue PIN.",
        ),
        Reason::TooManyDevices => (
            "Sie haben so viele Geräte verbunden, wie möglich sind.",
            "Entfernen Sie zuerst ein Gerät.",
        ),
        Reason::TooManyTries => (
            "Das waren zu viele Versuche.",
            "Warten Sie ein paar Minuten und versuchen Sie es noch einmal.",
        ),
        Reason::Declined => ("Die Anmeldung wurde abgelehnt.", AGAIN),
        Reason::MustNotAsk => (
            "Der Dienst wollte eine Anmeldung ohne Frage an Sie. Das geht hier nicht.",
            AGAIN,
        ),
        Reason::AccountClosed => (
            "Diese GesundheitsID wurde gelöscht.",
            "Fragen Sie Ihre Krankenkasse, wenn Sie wieder eine möchten.",
        ),
        Reason::ServiceUnknown => (
            "Dieser Dienst ist nicht zugelassen, oder wir können ihn gerade nicht prüfen.",
            "Geben Sie dort keine Daten ein. Fragen Sie den Anbieter des Dienstes.",
        ),
        // Never on a page: only a wallet asks to be woken.
        Reason::PushServiceUnknown => (
            "Ihre Krankenkasse kann diesem Gerät keine Nachrichten schicken.",
            "Öffnen Sie die App, wenn Sie sich anmelden.",
        ),
        Reason::NotFound => (
            "Diese Seite oder dieser Eintrag ist nicht da.",
            "Gehen Sie zurück und beginnen Sie noch einmal.",
        ),
        Reason::Malformed => ("Die Seite hat etwas geschickt, das wir nicht verstehen.", AGAIN),
        Reason::Unavailable => ("Unser System antwortet gerade nicht. Es ist nichts verloren.", LATER),
        Reason::Internal => ("Bei uns ist ein Fehler passiert. Es ist nichts verloren.", LATER),
    }
}

const RESTART: &str = "Go back to the service and start again.";
const WAIT: &str = "Wait a moment and load the page again.";
const USE_CARD: &str = "Log in with your health card.";

const fn english(reason: Reason) -> Sentences {
    match reason {
        Reason::LoginUnknown => ("We do not know this login, or do not know it any more.", RESTART),
        Reason::LoginExpired | Reason::ChallengeExpired => ("The time for this login is over.", RESTART),
        Reason::LoginOver => (
            "This login has ended already. Perhaps you tapped twice or opened an old page.",
            "Look at the service whether you are logged in. If not, start again there.",
        ),
        Reason::NoMoreTime => (
            "There is no more time for this login.",
            "Go back and answer now. Or start again at the service.",
        ),
        Reason::OtherBrowser => (
            "This login was started in another browser.",
            "Go on in the other browser. Or start again at the service here.",
        ),
        Reason::NumberWrong => (
            "The number was wrong. To be safe, this login has ended on both devices.",
            "Start again on the other device. It will show a new number.",
        ),
        Reason::Aborted => ("This login was ended on the phone.", RESTART),
        Reason::CoolingOff => (
            "You said that somebody was on the phone with you. To keep you safe, we confirm nothing for other devices just now.",
            "Wait for half an hour. You can still log in on this device.",
        ),
        Reason::MoveOver => (
            "This move to a new phone has ended. Perhaps the code was too old.",
            "Let the old phone show you a new code. The card works, too.",
        ),
        Reason::CardUnknown => (
            "This insurer has no insured person with this card.",
            "Take your newest card. Or ask your insurer.",
        ),
        Reason::CardOtherInsurer => (
            "This card is from another insurer.",
            "Choose your own insurer at the service.",
        ),
        Reason::CardRevoked => ("This card was blocked.", "Take your newest card. Or ask your insurer."),
        Reason::CardExpired => (
            "This card is not valid any more, or not yet.",
            "Take your newest card. Or ask your insurer.",
        ),
        Reason::CardRefused => ("We could not check this card.", "Try again. Or ask your insurer."),
        Reason::DeviceUnknown => ("This device is not bound to your health ID.", USE_CARD),
        Reason::DeviceLocked | Reason::DeviceBlocked => ("This device is locked.", USE_CARD),
        Reason::DeviceDue => ("This device has to be confirmed with the card again.", USE_CARD),
        Reason::DeviceCloned => (
            "There may be a copy of this device.",
            "Log in with your health card and remove this device.",
        ),
        Reason::DeviceClock => (
            "The clock of this device is wrong.",
            "Set date and time, and try again.",
        ),
        Reason::DeviceNotAdmitted | Reason::AttestationRefused => {
            ("Your insurer does not admit devices of this kind.", USE_CARD)
        }
        Reason::ConsentMissing => ("For a login without a card we need your consent.", USE_CARD),
        Reason::LevelTooLow | Reason::CardLoginNeeded => ("You need your health card for this.", USE_CARD),
        Reason::PinLocked => (
            "The app's PIN was wrong too often.",
            "Set a new PIN with your health card.",
        ),
        Reason::TooManyDevices => ("You have bound as many devices as you can.", "Remove a device first."),
        Reason::TooManyTries => ("Those were too many tries.", "Wait a few minutes and try again."),
        Reason::Declined => ("The login was declined.", RESTART),
        Reason::MustNotAsk => (
            "The service wanted a login without asking you. That is not possible here.",
            RESTART,
        ),
        Reason::AccountClosed => ("This health ID was deleted.", "Ask your insurer if you want one again."),
        Reason::ServiceUnknown => (
            "This service is not admitted, or we cannot check it just now.",
            "Do not type anything there. Ask whoever runs the service.",
        ),
        Reason::PushServiceUnknown => (
            "Your insurer cannot send messages to this device.",
            "Open the app when you log in.",
        ),
        Reason::NotFound => ("This page or entry is not there.", "Go back and start again."),
        Reason::Malformed => ("The page sent something that we do not understand.", RESTART),
        Reason::Unavailable => ("Our system does not answer just now. Nothing was lost.", WAIT),
        Reason::Internal => ("Something failed on our side. Nothing was lost.", WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_says_what_happened_and_what_to_do_in_both_languages() {
        for reason in Reason::ALL {
            for language in Language::ALL {
                let (happened, next) = sentences(*language, *reason);
                for sentence in [happened, next] {
                    assert!(sentence.ends_with('.') && sentence.len() > 15, "{reason}: {sentence}");
                    // Short sentences, for who reads slowly.
                    for part in sentence.split(['.', '?']) {
                        assert!(part.split_whitespace().count() <= 18, "{reason}: {part}");
                    }
                }
                assert_ne!(happened, next);
            }
        }
    }
}
