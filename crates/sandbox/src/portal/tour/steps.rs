//! The steps of the tour: what to do, what can be seen of it, what goes over the wire, and who learns what.

use crate::people::Text;
use crate::watch::Seen;

/// One page of the tour.
pub(super) struct Step {
    pub(super) title: Text,
    pub(super) intro: Text,
    pub(super) actions: &'static [Action],
    pub(super) checks: &'static [(Seen, Text)],
    pub(super) messages: &'static [Message],
    /// What the insurer learns in this step; empty where there is nothing to learn.
    pub(super) learns: Text,
    /// What it does not learn.
    pub(super) stays_unknown: Text,
}

/// Something the visitor does.
pub(super) struct Action {
    pub(super) text: Text,
    pub(super) link: Option<(Place, Text)>,
}

/// Where a link leads. All but the portal's own open in a window of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A page of the demo service.
    Service(&'static str),
    /// The wallet, perhaps a place in it.
    Wallet(&'static str),
    /// A page of the portal.
    Portal(&'static str),
}

/// A message of the protocol.
pub(super) struct Message {
    pub(super) request: &'static str,
    pub(super) text: Text,
    /// Where it is written.
    pub(super) source: &'static str,
}

const fn text(de: &'static str, en: &'static str) -> Text {
    Text { de, en }
}

const fn act(de: &'static str, en: &'static str) -> Action {
    Action {
        text: text(de, en),
        link: None,
    }
}

const fn go(de: &'static str, en: &'static str, place: Place, label: Text) -> Action {
    Action {
        text: text(de, en),
        link: Some((place, label)),
    }
}

const fn sent(request: &'static str, de: &'static str, en: &'static str, source: &'static str) -> Message {
    Message {
        request,
        text: text(de, en),
        source,
    }
}

/// The tour. What stands outside the folded part is read in three minutes, screens of the parties included; `browser-tests/tour.test.js` counts.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: text("Am Computer: Die Akte fragt", "On the computer: the record asks"),
        intro: text(
            "Die Patientenakte weiß noch nicht, wer Lena ist.",
            "The patient record does not know yet who Lena is.",
        ),
        actions: &[
            go(
                "Das neue Fenster ist Lenas Computer.",
                "The new window is Lena’s computer.",
                Place::Service("/"),
                text("Patientenakte öffnen", "Open the patient record"),
            ),
            act(
                "Melden Sie sich dort mit Musterkasse Leuchtturm an.",
                "Log in there with Musterkasse Leuchtturm.",
            ),
        ],
        checks: &[
            (Seen::ServiceOpened, text("Dienst geöffnet", "service opened")),
            (
                Seen::RequestPushed,
                text("Anfrage an die Krankenkasse geschickt", "request pushed to the insurer"),
            ),
            (Seen::LoginShown, text("Anmeldeseite gezeigt", "login page shown")),
        ],
        messages: &[
            sent(
                "GET {federation master}/federation/listidps",
                "Der Dienst holt die signierte Liste der Krankenkassen.",
                "The service fetches the signed list of insurers.",
                "AF_10100",
            ),
            sent(
                "POST {insurer}/par",
                "Der Dienst schickt seine Anfrage unmittelbar, mit eigenem TLS-Zertifikat und PKCE. Er bekommt eine request_uri, die 90 Sekunden gilt.",
                "The service sends its request directly, with a TLS certificate of its own and PKCE. It gets a request_uri that is good for 90 seconds.",
                "RFC 9126, RFC 8705, RFC 7636, A_22991, A_22993",
            ),
            sent(
                "GET {service}/.well-known/openid-federation",
                "Kennt die Krankenkasse den Dienst noch nicht, holt sie sein Entity Statement und das des Federation Masters über ihn.",
                "If the insurer does not know the service yet, it fetches its entity statement and the Federation Master's about it.",
                "OpenID Federation 1.0, A_22650",
            ),
            sent(
                "GET {insurer}/auth?client_id&request_uri",
                "Der Browser trägt nur den Verweis. Was gefragt wird, steht nicht in der Adresse.",
                "The browser carries the reference only. What is asked for does not stand in the address.",
                "RFC 9126",
            ),
        ],
        learns: text(
            "Welcher Dienst nach welchen Angaben fragt, und von welcher Internetadresse ein Browser kommt.",
            "Which service asks for which data, and from which network address a browser comes.",
        ),
        stays_unknown: text("Wer Sie sind.", "Who you are."),
    },
    Step {
        title: text("Am Telefon: Lena stimmt zu", "On the phone: Lena approves"),
        intro: text(
            "Ein Handy scannt den Code; hier genügt ein Link.",
            "A phone scans the code; here a link will do.",
        ),
        actions: &[
            act(
                "Klicken Sie auf den Link unter dem Code.",
                "Click the link below the code.",
            ),
            act(
                "Am Telefon: „Ja, das war ich“, Karte von Lena Beispiel, PIN 123456.",
                "On the phone: “Yes, that was me”, card of Lena Beispiel, PIN 123456.",
            ),
            act(
                "Tippen Sie die Zahl vom Computer ein.",
                "Type the number from the computer.",
            ),
        ],
        checks: &[
            (Seen::WalletOpened, text("Wallet geladen", "wallet loaded")),
            (Seen::CardAnswered, text("Karte angenommen", "card accepted")),
            (Seen::Decided, text("Lena hat entschieden", "Lena has decided")),
        ],
        messages: &[
            sent(
                "GET {insurer}/auth/phone",
                "Die Seite am Computer zeigt alle zwanzig Sekunden einen neuen Code. Darin steht ein Login, mit dem man antworten kann und nichts bekommt.",
                "The page on the computer shows a new code every twenty seconds. In it is a login with which one can answer and gets nothing.",
                "A_22744, docs/adr/0015-where-two-devices-meet.md",
            ),
            sent(
                "POST {insurer}/auth/challenge",
                "Die Krankenkasse signiert eine Aufgabe. Die Wallet prüft die Signatur, bevor irgendetwas antwortet, und zeigt, welches Gerät fragt.",
                "The insurer signs a challenge. The wallet verifies the signature before anything answers, and shows which device asks.",
                "docs/wallet-core.md",
            ),
            sent(
                "POST {portal}/terminal/sign",
                "Die Karte prüft die PIN und signiert. Hier ist sie Software in der Sandbox; am Telefon geht das über NFC, und die PIN geht nur an die Karte.",
                "The card checks the PIN and signs. Here it is software in the sandbox; on a phone this goes over NFC, and the PIN goes to the card only.",
                "BP256R1, C.CH.AUT",
            ),
            sent(
                "POST {insurer}/auth/card",
                "Die Krankenkasse prüft Zertifikat, Aussteller, Sperrliste und Signatur und findet die Person.",
                "The insurer verifies certificate, issuer, revocation list and signature, and finds the person.",
                "docs/trust.md",
            ),
            sent(
                "POST {insurer}/auth/consent",
                "Mit der Zahl. Eine falsche beendet die Anmeldung auf beiden Geräten. Was nötig ist, geht nur zusammen; was freiwillig ist, einzeln.",
                "With the number. A wrong one ends the login on both devices. What is required goes together or not at all; what is voluntary, one by one.",
                "A_22832",
            ),
        ],
        learns: text(
            "Wer Lena ist, bei welchem Dienst sie sich anmeldet, und was sie ihm weitergibt.",
            "Who Lena is, to which service she logs in, and what she releases to it.",
        ),
        stays_unknown: text("Die PIN der Karte.", "The card’s PIN."),
    },
    Step {
        title: text("Am Computer: angemeldet", "On the computer: logged in"),
        intro: text(
            "Der Computer ist von selbst weitergegangen.",
            "The computer went on by itself.",
        ),
        actions: &[go(
            "Was hat die Akte erfahren?",
            "What has the record learned?",
            Place::Service("/account"),
            text("Patientenakte ansehen", "Look at the patient record"),
        )],
        checks: &[
            (Seen::TokenIssued, text("Token ausgestellt", "token issued")),
            (Seen::LoggedIn, text("Lena angemeldet", "Lena logged in")),
        ],
        messages: &[
            sent(
                "POST {insurer}/auth/return",
                "Nur der Browser, der gefragt hat, holt den Code: mit seinem Cookie und einmal.",
                "Only the browser that asked fetches the code: with its cookie, and once.",
                "A_22325-01, A_23007, A_23162",
            ),
            sent(
                "POST {insurer}/token",
                "Code und code_verifier, wieder mit dem TLS-Zertifikat des Dienstes.",
                "Code and code_verifier, again with the service's TLS certificate.",
                "RFC 6749, RFC 7636, RFC 8705",
            ),
            sent(
                "200 {\"id_token\": …}",
                "Signiert mit ES256, verschlüsselt mit ECDH-ES und A256GCM für diesen Dienst, fünf Minuten gültig.",
                "Signed with ES256, encrypted to this service with ECDH-ES and A256GCM, good for five minutes.",
                "RFC 7516, A_22316",
            ),
            sent(
                "sub",
                "Jeder Dienst bekommt einen anderen Namen für Sie. Zwei Dienste können daran nicht erkennen, dass es dieselbe Person ist.",
                "Each service gets another name for you. By it two services cannot tell that it is the same person.",
                "OpenID Connect Core 8.1",
            ),
        ],
        learns: text(
            "Dass der Dienst das Token abgeholt hat.",
            "That the service has fetched the token.",
        ),
        stays_unknown: text("Was in Ihrer Akte steht.", "What is in your record."),
    },
    Step {
        title: text("Wie es weitergeht", "Where to go next"),
        intro: text(
            "Das war eine ganze Anmeldung über das echte Protokoll. Erfunden sind nur Menschen, Karten und Kassen.",
            "That was a whole login over the real protocol. Only people, cards and insurers are invented.",
        ),
        actions: &[
            go(
                "Nie wieder die Karte: Richten Sie das Telefon ein.",
                "Never the card again: set up the phone.",
                Place::Wallet(""),
                text("Telefon öffnen", "Open the phone"),
            ),
            go(
                "Was geschah mit Lenas Daten?",
                "What was done with Lena’s data?",
                Place::Wallet("#/history"),
                text("Verlauf öffnen", "Open the history"),
            ),
            go(
                "Was steht im Token?",
                "What is in the token?",
                Place::Service("/token"),
                text("Token ansehen", "Look at the token"),
            ),
            go(
                "Schließen Sie Ihren eigenen Dienst an.",
                "Connect a service of your own.",
                Place::Portal("/register"),
                text("Dienst anmelden", "Register a service"),
            ),
        ],
        checks: &[],
        messages: &[sent(
            "healthid federation check {service}",
            "Holt das Entity Statement eines Dienstes, löst seine Vertrauenskette auf und nennt jeden Fehler.",
            "Fetches a service's entity statement, resolves its trust chain and names each defect.",
            "OpenID Federation 1.0",
        )],
        learns: text("", ""),
        stays_unknown: text("", ""),
    },
];
