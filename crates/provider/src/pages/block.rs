//! The page of the block code: for a person without her phone, perhaps at somebody else's computer. It needs no login and no script.

use askama::Template;

use super::{Frame, Language};

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockState {
    /// It asks for the code.
    Asked,
    /// What was typed is nobody's code.
    UnknownCode,
    /// Done.
    Blocked,
}

/// The page.
#[derive(Template)]
#[template(path = "block.html")]
pub struct BlockPage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// Where it stands.
    pub state: BlockState,
    /// The insurer's support, for whoever has lost the code.
    pub contacts: &'a [String],
}

impl BlockPage<'_> {
    const fn words(&self) -> &'static Words {
        match self.frame.language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        }
    }
}

/// Sentences of the page.
struct Words {
    title: &'static str,
    intro: &'static str,
    code: &'static str,
    code_help: &'static str,
    button: &'static str,
    unknown: &'static str,
    no_code: &'static str,
    support: &'static str,
    blocked_title: &'static str,
    blocked: &'static str,
    next: &'static str,
    steps: [&'static str; 4],
}

const GERMAN: Words = Words {
    title: "Handy verloren? Alle Geräte sperren",
    intro: "Mit Ihrem Sperr-Code sperren Sie alle Geräte, die mit Ihrer GesundheitsID verbunden sind. Danach kann sich niemand mehr mit diesen Geräten anmelden. Ihre Gesundheitskarte bleibt gültig.",
    code: "Ihr Sperr-Code",
    code_help: "12 Buchstaben, zum Beispiel auf Ihrem Ausdruck. Groß oder klein und Striche sind egal.",
    button: "Alle Geräte jetzt sperren",
    unknown: "Diesen Code kennen wir nicht. Bitte prüfen Sie jeden Buchstaben. Haben Sie später einen neuen Code erstellt? Dann gilt nur der neue.",
    no_code: "Kein Code zur Hand? Melden Sie sich an einem anderen Gerät mit Ihrer Gesundheitskarte an und entfernen Sie dort das verlorene Gerät. Oder fragen Sie Ihre Krankenkasse:",
    support: "Hilfe Ihrer Krankenkasse",
    blocked_title: "Alle Ihre Geräte sind gesperrt",
    blocked: "Ab sofort kann sich niemand mehr mit Ihren Geräten anmelden. Auch angefangene Anmeldungen sind ungültig. Bei einem Dienst, bei dem Sie gerade angemeldet sind, melden Sie sich bitte dort ab.",
    next: "So geht es weiter",
    steps: [
        "Melden Sie sich mit Ihrer Gesundheitskarte bei „Meine GesundheitsID“ an. Das geht an jedem Gerät.",
        "Entfernen Sie das Gerät, das Sie verloren haben.",
        "Geben Sie die Geräte wieder frei, die Sie noch haben.",
        "Glauben Sie, dass jemand auch Ihre Karte hat? Dann lassen Sie die Karte bei Ihrer Krankenkasse sperren.",
    ],
};

const ENGLISH: Words = Words {
    title: "Lost your phone? Block all devices",
    intro: "With your block code you block every device that is bound to your health ID. Nobody can log in with these devices then. Your health card stays valid.",
    code: "Your block code",
    code_help: "12 letters, for example on your printout. Capital or small letters and hyphens do not matter.",
    button: "Block all devices now",
    unknown: "We do not know this code. Please check every letter. Did you make a new code later? Then only the new one counts.",
    no_code: "No code at hand? Log in with your health card on another device and remove the lost one there. Or ask your insurer:",
    support: "Help from your insurer",
    blocked_title: "All your devices are blocked",
    blocked: "From now on nobody can log in with your devices. Logins that had begun are void too. Where you are logged in to a service at the moment, please log out there.",
    next: "What happens next",
    steps: [
        "Log in to “My health ID” with your health card. Any device will do.",
        "Remove the device you have lost.",
        "Unlock the devices you still have.",
        "Do you think somebody has your card too? Then have your insurer block the card.",
    ],
};
