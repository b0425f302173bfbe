//! The words of the service's pages, in both languages.

use authenticator::{Acr, Amr};
use serde_json::Value;

use crate::language::Language;

macro_rules! texts {
    ($($name:ident: $german:literal, $english:literal;)+) => {
        /// Every fixed text of the pages.
        pub(super) struct Texts { $(pub(super) $name: &'static str,)+ }
        const GERMAN: Texts = Texts { $($name: $german,)+ };
        const ENGLISH: Texts = Texts { $($name: $english,)+ };
    };
}

texts! {
    skip: "Zum Inhalt springen", "Skip to content";
    sandbox: "Sandbox", "Sandbox";
    banner: "Erfundene Personen, erfundene Daten. Geben Sie hier nichts Echtes ein.", "Invented people, invented data. Do not enter anything real here.";
    languages: "Sprache", "Language";
    footer: "Ein Beispieldienst der healthid-Sandbox. Kein Angebot einer Krankenkasse oder Behörde.", "A sample service of the healthid sandbox. Not offered by any insurer or authority.";
    portal: "Zur Übersicht der Sandbox", "To the sandbox overview";
    start_title: "Anmelden", "Log in";
    start_intro: "Sie melden sich mit Ihrer GesundheitsID an. Dafür leitet dieser Dienst Sie zu Ihrer Krankenkasse weiter. Er erfährt nur, was Sie dort freigeben.", "You log in with your GesundheitsID. For this the service sends you to your health insurer. It learns only what you release there.";
    insurer: "Bei welcher Krankenkasse sind Sie versichert?", "Which health insurer are you with?";
    statutory: "gesetzliche Krankenkasse", "statutory insurer";
    private: "private Krankenversicherung", "private insurer";
    search: "Krankenkasse suchen", "Find your insurer";
    search_hint: "Teil des Namens genügt.", "Part of the name will do.";
    search_button: "Suchen", "Search";
    nothing_found: "Keine Krankenkasse mit diesem Namen gefunden.", "No insurer of that name found.";
    more_before: "Es gibt noch", "There are";
    more_after: "weitere. Bitte suchen Sie nach dem Namen.", "more. Please search by name.";
    options: "Weitere Einstellungen (für Entwicklerinnen und Entwickler)", "More settings (for developers)";
    level: "Vertrauensniveau", "Level of assurance";
    level_hint: "Wie sicher die Krankenkasse wissen soll, wer sich anmeldet (acr_values).", "How sure the insurer should be who is logging in (acr_values).";
    method: "Verfahren", "Method";
    method_hint: "Nur ein Wunsch an die Krankenkasse (amr).", "Only a wish to the insurer (amr).";
    method_any: "keine Vorgabe", "no preference";
    fresh: "Neu anmelden, auch wenn die Krankenkasse mich schon kennt", "Authenticate anew, even if the insurer knows me already";
    fresh_hint: "prompt=login und max_age=0", "prompt=login and max_age=0";
    consent: "Freigabe neu bestätigen", "Confirm the release anew";
    consent_hint: "prompt=consent", "prompt=consent";
    scopes: "Angefragte Bereiche (scope)", "Requested scopes";
    login_button: "Weiter zur Krankenkasse", "Continue to the insurer";
    already: "Sie sind schon angemeldet.", "You are logged in already.";
    to_account: "Zu Ihren Angaben", "To your data";
    list_failed: "Die Liste der Krankenkassen ist gerade nicht erreichbar. Bitte laden Sie die Seite in einer Minute neu.", "The list of insurers cannot be reached at the moment. Please reload the page in a minute.";
    forward_title: "Weiter zur Krankenkasse", "Continue to the insurer";
    forward_intro: "Alles ist vorbereitet. Auf der nächsten Seite melden Sie sich bei Ihrer Krankenkasse an und kommen danach hierher zurück.", "Everything is ready. On the next page you log in with your insurer, and then come back here.";
    forward_soon: "Die Weiterleitung gilt nur kurze Zeit.", "This link is good for a short time only.";
    welcome: "Guten Tag", "Good day";
    logged_in_with: "Angemeldet über", "Logged in through";
    released: "Das haben Sie freigegeben", "What you released";
    released_caption: "Freigegebene Angaben und ihre Werte", "Released data and their values";
    released_nothing: "Sie haben keine Angaben freigegeben. Der Dienst kennt nur Ihr Pseudonym.", "You released no data. The service only knows your pseudonym.";
    entry: "Angabe", "Item";
    value: "Wert", "Value";
    withheld: "Das weiß der Dienst nicht", "What the service does not know";
    withheld_intro: "Angefragt, aber nicht im Token: von Ihnen abgelehnt, oder der Krankenkasse nicht bekannt.", "Asked for, but not in the token: refused by you, or not known to the insurer.";
    how: "So haben Sie sich angemeldet", "How you logged in";
    at_time: "Zeitpunkt", "Time";
    pseudonym: "Ihr Pseudonym bei diesem Dienst", "Your pseudonym at this service";
    take_apart: "Das Token auseinandernehmen", "Take the token apart";
    logout: "Abmelden", "Log out";
    token_title: "Das Token, Schritt für Schritt", "The token, step by step";
    token_intro: "So kam Ihre Anmeldung hier an, und deshalb wurde ihr geglaubt. Ein Dienst im Betrieb zeigt und behält das nicht.", "This is how your login arrived, and why it was believed. A service in production neither shows nor keeps this.";
    evidence: "Was beim Identitätsdienst läuft", "What runs at the identity provider";
    evidence_intro: "Der Dienst hat eben nach dem Nachweis gefragt und ihn geprüft, wie es der Befehl „healthid verify“ tut.", "The service has just asked for evidence and judged it, as the command “healthid verify” does.";
    back_to_account: "Zurück zu Ihren Angaben", "Back to your data";
    back_to_start: "Zur Anmeldung", "To the login";
    support_own: "Support-Code dieses Dienstes", "This service's support code";
    support_provider: "Support-Code Ihrer Krankenkasse", "Your insurer's support code";
    support_hint: "Nennen Sie diesen Code, wenn Sie um Hilfe bitten.", "Mention this code when you ask for help.";
    technical: "Technische Einzelheiten", "Technical details";
}

impl Texts {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        }
    }
}

/// A level for people.
pub(super) fn level(acr: Acr, language: Language) -> &'static str {
    match acr {
        Acr::High => language.pick("hoch", "high"),
        Acr::Substantial => language.pick("substanziell", "substantial"),
    }
}

/// A method for people; unknown ones as they are.
pub(super) fn method(amr: &str, language: Language) -> String {
    let (german, english) = match Amr::parse(amr) {
        Some(Amr::HealthCard) => ("Gesundheitskarte mit PIN", "health card with PIN"),
        Some(Amr::IdentityCard) => ("Online-Ausweis", "identity card, online function"),
        Some(Amr::Sso) => ("bestehende Anmeldung", "existing login"),
        Some(Amr::GuestHealthCard) => ("Gesundheitskarte als Gast", "health card as a guest"),
        Some(Amr::Other) => (
            "anderes Verfahren, etwa ein gebundenes Gerät",
            "another method, such as a bound device",
        ),
        Some(Amr::WithConsent) => (
            "mit Einwilligung in ein niedrigeres Niveau",
            "with consent to a lower level",
        ),
        None => return amr.to_owned(),
    };
    language.pick(german, english).to_owned()
}

/// A claim's value for people.
pub(super) fn claim_value(name: &str, value: &Value, language: Language) -> String {
    let Some(text) = value.as_str() else {
        return value.to_string();
    };
    match (name, text) {
        ("urn:telematik:claims:geschlecht", "M") => language.pick("männlich", "male").to_owned(),
        ("urn:telematik:claims:geschlecht", "W") => language.pick("weiblich", "female").to_owned(),
        ("urn:telematik:claims:geschlecht", "D") => language.pick("divers", "diverse").to_owned(),
        ("urn:telematik:claims:geschlecht", "X") => language.pick("unbestimmt", "not specified").to_owned(),
        ("urn:telematik:claims:profession", "1.2.276.0.76.4.49") => {
            format!(
                "{} ({text})",
                language.pick("Versicherte oder Versicherter", "insured person")
            )
        }
        _ => text.to_owned(),
    }
}
