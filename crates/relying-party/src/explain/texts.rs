//! The words of the account, in both languages.

use jiff::Timestamp;
use jose::UnixTime;

use super::{AskedBy, FactName, Standing, StepKind};
use crate::language::Language;

/// A moment as people write it, in universal time: `2026-11-21 19:39:04 UTC`.
pub fn moment(time: UnixTime) -> String {
    i64::try_from(time.0)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(
            || time.0.to_string(),
            |stamp| stamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
}

/// A claim's name for people; its wire name where there is none.
pub fn claim_label(name: &str, language: Language) -> &str {
    let (german, english) = match name {
        "iss" => ("Aussteller", "Issuer"),
        "sub" => ("Pseudonym bei diesem Dienst", "Pseudonym at this service"),
        "aud" => ("Empfänger", "Recipient"),
        "iat" => ("Ausgestellt", "Issued"),
        "exp" => ("Gültig bis", "Valid until"),
        "nbf" => ("Gültig ab", "Valid from"),
        "nonce" => ("Bindung an diese Anmeldung", "Binding to this login"),
        "acr" => ("Vertrauensniveau", "Level of assurance"),
        "amr" => ("Verfahren", "Method"),
        "auth_time" => ("Zeitpunkt der Anmeldung", "Time of authentication"),
        "urn:telematik:auth:consent" => ("Einwilligung in ein niedrigeres Niveau", "Consent to a lower level"),
        "urn:telematik:auth:interactive" => ("Anmeldung ohne Rückfrage", "Login without interaction"),
        "birthdate" => ("Geburtsdatum", "Date of birth"),
        "urn:telematik:claims:alter" => ("Alter", "Age"),
        "urn:telematik:claims:display_name" => ("Voller Name", "Full name"),
        "urn:telematik:claims:given_name" => ("Vorname", "Given name"),
        "urn:telematik:claims:family_name" => ("Nachname", "Family name"),
        "urn:telematik:claims:geschlecht" => ("Geschlecht", "Sex"),
        "urn:telematik:claims:email" => ("E-Mail-Adresse", "E-mail address"),
        "urn:telematik:claims:profession" => ("Rolle (OID)", "Role (OID)"),
        "urn:telematik:claims:id" => ("Krankenversichertennummer (KVNR)", "Health insurance number (KVNR)"),
        "urn:telematik:claims:organization" => (
            "Institutionskennzeichen der Kasse (IK)",
            "Insurer's institution code (IK)",
        ),
        other => (other, other),
    };
    language.pick(german, english)
}

impl StepKind {
    /// The step's heading.
    pub fn title(self, language: Language) -> &'static str {
        let (german, english) = match self {
            Self::OuterHeader => ("Der äußere Umschlag", "The outer envelope"),
            Self::OwnKey => ("Der Schlüssel, der ihn öffnete", "The key that opened it"),
            Self::InnerHeader => ("Der Kopf der Signatur", "The header of the signature"),
            Self::Certificate => ("Das Zertifikat darin", "The certificate inside"),
            Self::Signature => ("Die Signatur", "The signature"),
            Self::KeySet => (
                "Die signierte Schlüsselliste der Krankenkasse",
                "The insurer's signed key set",
            ),
            Self::OwnStatement => ("Die Selbstauskunft der Krankenkasse", "The insurer's own statement"),
            Self::StatementAbout => (
                "Was der Federation Master über sie sagt",
                "What the Federation Master says about it",
            ),
            Self::TrustAnchor => ("Der Vertrauensanker", "The trust anchor"),
            Self::Metadata => ("Wessen Wort gilt", "Whose word counts"),
            Self::Checks => ("Der Vergleich mit der Anfrage", "The comparison with the request"),
        };
        language.pick(german, english)
    }

    /// What happened in this step, in a sentence or two.
    pub fn account(self, language: Language) -> &'static str {
        let (german, english) = match self {
            Self::OuterHeader => (
                "Das Token ist verschlüsselt (JWE). Der Kopf sagt, wie, für welchen Schlüssel und in welcher Version. Er ist lesbar, aber \
                 gegen Veränderung geschützt.",
                "The token is encrypted (JWE). Its header says how, to which key and in which version. It can be read, but not changed.",
            ),
            Self::OwnKey => (
                "Der Dienst hat diesen Schlüssel in seinem eigenen Statement veröffentlicht. Nur er hat den privaten Teil.",
                "The service publishes this key in its own statement. Only the service holds the private half.",
            ),
            Self::InnerHeader => (
                "Im Umschlag steckt ein signiertes Token (JWS). Sein Kopf nennt Verfahren und Schlüssel. Er wählt den Schlüssel nur aus einer \
                 Liste, die der Dienst schon kennt; einen mitgebrachten nähme er nicht.",
                "Inside is a signed token (JWS). Its header names algorithm and key. It can only choose from a list the service already knows; a \
                 key brought along would not be accepted.",
            ),
            Self::Certificate => (
                "Das Zertifikat gibt dem Schlüssel einen Namen. Geprüft ist, dass es zum Schlüssel gehört; geglaubt wird dem Schlüssel wegen der \
                 folgenden Schritte.",
                "The certificate gives the key a name. It was checked to belong to the key; the key is believed because of the next steps.",
            ),
            Self::Signature => (
                "Die Signatur passt zu diesem Schlüssel aus der Schlüsselliste der Krankenkasse.",
                "The signature fits this key from the insurer's key set.",
            ),
            Self::KeySet => (
                "Die Liste ist ihrerseits signiert, mit einem Schlüssel, für den der Federation Master bürgt.",
                "The set is signed itself, with a key the Federation Master vouches for.",
            ),
            Self::OwnStatement => (
                "Hier beschreibt sich die Krankenkasse selbst: Adressen, Verfahren, Vorgesetzte. Höchstens 24 Stunden gültig.",
                "Here the insurer describes itself: addresses, methods, superiors. Valid for 24 hours at most.",
            ),
            Self::StatementAbout => (
                "Der Federation Master nennt die Schlüssel der Krankenkasse. Erst dadurch zählt, was sie selbst sagt.",
                "The Federation Master names the insurer's keys. Only that gives weight to what the insurer says itself.",
            ),
            Self::TrustAnchor => (
                "Hier endet die Kette: Diesen Schlüssel hat der Dienst außerhalb der Föderation erhalten und fest hinterlegt.",
                "Here the chain ends: the service received this key outside the federation and keeps it pinned.",
            ),
            Self::Metadata => (
                "Wo sich beide äußern, gilt der Federation Master. Alles Übrige steht so in der Selbstauskunft.",
                "Where both speak, the Federation Master counts. Everything else stands in the insurer's own statement.",
            ),
            Self::Checks => (
                "Zum Schluss wird das Token mit der Anfrage verglichen, auf die es antwortet.",
                "Finally the token is compared with the request it answers.",
            ),
        };
        language.pick(german, english)
    }
}

impl FactName {
    /// The fact's name for people; wire members keep theirs.
    pub fn label(&self, language: Language) -> &'static str {
        let (german, english) = match self {
            Self::Member(name) => (*name, *name),
            Self::KeyThumbprint => ("Fingerabdruck des Schlüssels", "Key thumbprint"),
            Self::VouchedBy => ("Dafür bürgt", "Vouched for by"),
            Self::SignedWith => ("Signiert mit Schlüssel", "Signed with key"),
            Self::Address => ("Abgerufen von", "Fetched from"),
            Self::ValidFrom => ("Gültig ab", "Valid from"),
            Self::ValidUntil => ("Gültig bis", "Valid until"),
            Self::Subject => ("Inhaber", "Subject"),
            Self::Issuer => ("Aussteller", "Issuer"),
            Self::Fingerprint => ("SHA-256 des Zertifikats", "SHA-256 of the certificate"),
            Self::KeyCount => ("Anzahl der Schlüssel", "Number of keys"),
            Self::Absent => ("Nicht vorhanden, zulässig", "Not there, which is allowed"),
            Self::Held => ("Erfüllt", "Holds"),
            Self::Note => ("Schritt", "Step"),
        };
        language.pick(german, english)
    }
}

impl AskedBy {
    /// Who asked, for people.
    pub fn label(&self, language: Language) -> String {
        match self {
            Self::Protocol => language.pick("gehört zu jedem Token", "part of every token").to_owned(),
            Self::Scope(scope) => format!("scope {scope}"),
            Self::ClaimsParameter => language.pick("Parameter claims", "claims parameter").to_owned(),
        }
    }
}

impl Standing {
    /// What the absence would have meant, for people.
    pub fn label(self, language: Language) -> &'static str {
        let (german, english) = match self {
            Self::Protocol => ("Protokoll", "protocol"),
            Self::Essential => ("notwendig", "essential"),
            Self::Voluntary => ("freiwillig", "voluntary"),
            Self::NotAsked => ("nicht angefragt", "not asked for"),
        };
        language.pick(german, english)
    }
}
