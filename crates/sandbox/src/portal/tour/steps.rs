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

/// The tour.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: text("Einen Dienst wählen", "Choose a service"),
        intro: text(
            "Sie wollen am Computer Ihre Patientenakte sehen. Die Akte kennt Sie noch nicht. Sie fragt Ihre Krankenkasse.",
            "You want to see your patient record on a computer. The record does not know you yet. It asks your insurer.",
        ),
        actions: &[
            go(
                "Öffnen Sie die Patientenakte. Das neue Fenster ist ab jetzt Ihr Computer.",
                "Open the patient record. The new window is your computer from now on.",
                Place::Service("/"),
                text("Patientenakte öffnen", "Open the patient record"),
            ),
            act(
                "Wählen Sie dort Musterkasse Leuchtturm und melden Sie sich an. Es erscheint eine Seite der Krankenkasse. Lassen Sie sie offen.",
                "Choose Musterkasse Leuchtturm there and log in. A page of the insurer appears. Leave it open.",
            ),
        ],
        checks: &[
            (
                Seen::ServiceOpened,
                text("Sie haben einen Dienst geöffnet.", "You opened a service."),
            ),
            (
                Seen::RequestPushed,
                text(
                    "Der Dienst hat der Krankenkasse seine Anfrage geschickt.",
                    "The service pushed its request to the insurer.",
                ),
            ),
            (
                Seen::LoginShown,
                text(
                    "Die Krankenkasse hat ihre Anmeldeseite gezeigt.",
                    "The insurer showed its login page.",
                ),
            ),
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
        title: text("Die Wallet als Telefon öffnen", "Open the wallet as your phone"),
        intro: text(
            "Ihr Ausweis liegt im Telefon. Hier spielt ein zweites Fenster das Telefon.",
            "Your identity lives in your phone. Here a second window plays the phone.",
        ),
        actions: &[go(
            "Öffnen Sie die Wallet. Machen Sie das Fenster schmal wie ein Telefon und stellen Sie es neben den Computer.",
            "Open the wallet. Make the window as narrow as a phone and place it beside the computer.",
            Place::Wallet(""),
            text("Telefon öffnen", "Open the phone"),
        )],
        checks: &[(
            Seen::WalletOpened,
            text("Die Wallet wurde geladen.", "The wallet was loaded."),
        )],
        messages: &[
            sent(
                "GET {insurer}/wallet/",
                "Dateien, die für alle gleich sind. Kein Cookie, keine fremde Adresse, eine strenge Content Security Policy.",
                "Files that are the same for everybody. No cookie, no foreign origin, a strict content security policy.",
                "CSP Level 3",
            ),
            sent(
                "GET {insurer}/.well-known/assetlinks.json",
                "Auf einem echten Telefon öffnet derselbe Link die App der Kasse, weil Adresse und App einander nennen. Diese Sandbox nennt keine App.",
                "On a real phone the same link opens the insurer's app, because address and app name each other. This sandbox names no app.",
                "A_22659, A_22660",
            ),
        ],
        learns: text(
            "Dass jemand die Wallet geladen hat.",
            "That somebody loaded the wallet.",
        ),
        stays_unknown: text(
            "Wer Sie sind, und dass Telefon und Computer zusammengehören.",
            "Who you are, and that phone and computer belong together.",
        ),
    },
    Step {
        title: text("Mit der Gesundheitskarte einrichten", "Set it up with the health card"),
        intro: text(
            "Einmal zeigen Sie dem Telefon Ihre Karte. Danach kennt die Krankenkasse das Telefon.",
            "Once you show your card to the phone. From then on the insurer knows the phone.",
        ),
        actions: &[
            act(
                "Am Telefon: Beginnen Sie und richten Sie dieses Gerät ein.",
                "On the phone: start, and set up this device.",
            ),
            act(
                "Nehmen Sie die virtuelle Karte von Lena Beispiel. Ihre PIN ist 123456.",
                "Take the virtual card of Lena Beispiel. Its PIN is 123456.",
            ),
        ],
        checks: &[
            (
                Seen::CardAnswered,
                text(
                    "Die Krankenkasse hat die Antwort einer Karte angenommen.",
                    "The insurer accepted a card's answer.",
                ),
            ),
            (
                Seen::DeviceBound,
                text("Ein Gerät ist eingerichtet.", "A device is bound."),
            ),
        ],
        messages: &[
            sent(
                "POST {insurer}/auth/challenge",
                "Die Krankenkasse signiert eine Aufgabe. Die Wallet prüft die Signatur, bevor irgendetwas antwortet.",
                "The insurer signs a challenge. The wallet verifies the signature before anything answers.",
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
                "POST {insurer}/devices",
                "Das Telefon erzeugt einen Schlüssel und beweist, dass es ihn hat. Im Browser kann ihn niemand auslesen, aber keine Hardware bezeugt das.",
                "The phone makes a key and proves that it has it. In a browser nobody can read it out, but no hardware attests to that.",
                "A_22978",
            ),
        ],
        learns: text(
            "Versichertennummer und Name von der Karte, den öffentlichen Schlüssel und den Namen des Geräts.",
            "Insurance number and name from the card, the public key and the name of the device.",
        ),
        stays_unknown: text("Die PIN und den privaten Schlüssel.", "The PIN and the private key."),
    },
    Step {
        title: text("Die Anmeldung bestätigen", "Approve the login"),
        intro: text(
            "Die Patientenakte wartet noch auf dem Computer. Jetzt antwortet das Telefon.",
            "The patient record is still waiting on the computer. Now the phone answers.",
        ),
        actions: &[
            act(
                "Am Computer: Gehen Sie auf der Seite der Krankenkasse weiter zur Gesundheitskarte. Die Kartenseite bietet „Mit der Wallet anmelden“ an. Dieser Link öffnet ein Fenster: Ihr Telefon, mit dieser Anmeldung.",
                "On the computer: go on from the insurer's page to the health card. The card page offers “Log in with the wallet”. That link opens a window: your phone, with this login.",
            ),
            act(
                "Sehen Sie, wer was wissen will. Was freiwillig ist, hat einen Schalter.",
                "See who wants to know what. What is voluntary has a switch.",
            ),
            act(
                "Wählen Sie „nicht wieder fragen“, damit es später etwas zurückzunehmen gibt, und bestätigen Sie.",
                "Choose “do not ask again”, so that there is something to take back later, and approve.",
            ),
        ],
        checks: &[
            (
                Seen::DeviceAnswered,
                text(
                    "Das eingerichtete Gerät hat geantwortet, ohne Karte.",
                    "The device that was set up has answered, without a card.",
                ),
            ),
            (
                Seen::Decided,
                text(
                    "Sie haben entschieden, was weitergegeben wird.",
                    "You decided what is released.",
                ),
            ),
        ],
        messages: &[
            sent(
                "POST {insurer}/auth/device",
                "Das Gerät signiert Aufgabe, Dienst, Zähler und Uhrzeit. Eine Kopie des Schlüssels fällt am Zähler auf.",
                "The device signs challenge, service, counter and time. A copy of the key shows by the counter.",
                "docs/wallet-core.md",
            ),
            sent(
                "POST {insurer}/auth/consent",
                "Was nötig ist, geht nur zusammen; was freiwillig ist, einzeln. Weitergegeben wird genau, was Sie bestätigen.",
                "What is required goes together or not at all; what is voluntary, one by one. What you approve is released, and nothing else.",
                "A_22832",
            ),
            sent(
                "302 {service}/return?code&state",
                "Der Code geht zum Browser, der gefragt hat. Er gilt einmal und kurz.",
                "The code goes to the browser that asked. It is good once, and not for long.",
                "A_22325-01, A_23007, A_23162",
            ),
        ],
        learns: text(
            "Dass Sie sich bei diesem Dienst anmelden, und was Sie ihm weitergeben.",
            "That you log in to this service, and what you release to it.",
        ),
        stays_unknown: text("Was Sie beim Dienst dann tun.", "What you do at the service then."),
    },
    Step {
        title: text("Am Computer angemeldet", "Logged in on the computer"),
        intro: text(
            "Der Dienst tauscht den Code gegen ein Token, das nur er lesen kann.",
            "The service exchanges the code for a token that nobody else can read.",
        ),
        actions: &[
            go(
                "Die Antwort ging in den Browser zurück, der gefragt hat. Hier gehören beide Fenster zu einem Browser, darum sind beide angemeldet. Sehen Sie, was die Akte über Lena erfahren hat.",
                "The answer went back to the browser that asked. Here both windows belong to one browser, so both are logged in. See what the record learned about Lena.",
                Place::Service("/account"),
                text("Patientenakte ansehen", "Look at the patient record"),
            ),
            go(
                "Sehen Sie sich das Token Schritt für Schritt an.",
                "Look at the token step by step.",
                Place::Service("/token"),
                text("Token ansehen", "Look at the token"),
            ),
        ],
        checks: &[
            (
                Seen::TokenIssued,
                text(
                    "Die Krankenkasse hat ein Token ausgestellt.",
                    "The insurer issued a token.",
                ),
            ),
            (
                Seen::LoggedIn,
                text(
                    "Der Dienst hat es geprüft und Sie angemeldet.",
                    "The service verified it and logged you in.",
                ),
            ),
        ],
        messages: &[
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
        title: text("In den Verlauf sehen", "Look at the history"),
        intro: text(
            "Alles, was mit Ihrer GesundheitsID geschah, steht im Verlauf. Er wird nur geöffnet, wenn Sie sich angemeldet haben.",
            "Everything that was done with your GesundheitsID is in the history. It is opened only after you have logged in.",
        ),
        actions: &[go(
            "Öffnen Sie am Telefon den Verlauf. Sie finden Anmeldung und Einrichtung, mit den Namen der Angaben, nicht mit den Werten.",
            "Open the history on the phone. You find login and set-up, with the names of what was shared, not the values.",
            Place::Wallet("#/history"),
            text("Verlauf öffnen", "Open the history"),
        )],
        checks: &[(
            Seen::HistoryRead,
            text("Sie haben den Verlauf gelesen.", "You read the history."),
        )],
        messages: &[sent(
            "POST {insurer}/account/history",
            "Dafür melden Sie sich bei Ihrer Krankenkasse an wie bei einem Dienst. Jeder Eintrag hängt am vorigen; fehlt einer, fällt es auf.",
            "For this you log in to your insurer as to a service. Each entry hangs on the one before; if one is missing, it shows.",
            "docs/wallet-core.md",
        )],
        learns: text(
            "Dass Sie in Ihren Verlauf gesehen haben.",
            "That you looked at your history.",
        ),
        stays_unknown: text(
            "Nichts weiter wird geteilt. Wer die Datenbank der Krankenkasse hat, aber nicht ihre Schlüssel, kann den Verlauf nicht lesen.",
            "Nothing more is shared. Whoever has the insurer's database, but not its keys, cannot read the history.",
        ),
    },
    Step {
        title: text("Die Zustimmung zurücknehmen", "Take the consent back"),
        intro: text(
            "Was Sie erlaubt haben, können Sie zurücknehmen. Beim nächsten Mal fragt die Krankenkasse wieder.",
            "What you allowed you can take back. Next time the insurer asks again.",
        ),
        actions: &[go(
            "Öffnen Sie am Telefon die Zustimmungen und nehmen Sie die für die Patientenakte zurück.",
            "Open the consents on the phone and take back the one for the patient record.",
            Place::Wallet("#/consents"),
            text("Zustimmungen öffnen", "Open the consents"),
        )],
        checks: &[(
            Seen::TakenBack,
            text(
                "Eine Zustimmung oder ein Gerät wurde zurückgenommen.",
                "A consent or a device was taken back.",
            ),
        )],
        messages: &[sent(
            "POST {insurer}/account/revoke",
            "Die Zustimmung ist sofort weg. Ein Zeuge außerhalb der Datenbank merkt sich das, damit keine alte Sicherung sie zurückholt.",
            "The consent is gone at once. A witness outside the database remembers that, so that no old backup brings it back.",
            "docs/adr/0008-freshness-ledger.md",
        )],
        learns: text("Was Sie zurückgenommen haben.", "What you took back."),
        stays_unknown: text(
            "Warum. Der Dienst erfährt nichts davon und behält, was er schon hat.",
            "Why. The service is not told, and keeps what it already has.",
        ),
    },
    Step {
        title: text("Wie es weitergeht", "Where to go next"),
        intro: text(
            "Das war eine ganze Anmeldung. Alles, was Sie gesehen haben, lief über das echte Protokoll; erfunden sind nur die Menschen, Karten und Kassen.",
            "That was a whole login. Everything you saw went over the real protocol; only people, cards and insurers are invented.",
        ),
        actions: &[
            go(
                "Ihr eigener Dienst in fünf Minuten: Er braucht eine Adresse mit https und ein Entity Statement.",
                "Your own service in five minutes: it needs an https address and an entity statement.",
                Place::Portal("/register"),
                text("Dienst anmelden", "Register a service"),
            ),
            go(
                "Andere Personen ausprobieren: gesperrte Karte, unbekanntes Geburtsdatum, falsche Kasse.",
                "Try other people: a blocked card, an unknown date of birth, another insurer.",
                Place::Portal("/#people"),
                text("Personen ansehen", "Look at the people"),
            ),
            go(
                "Ohne Browser: healthid login meldet jemanden von der Kommandozeile an. Alle Adressen stehen in sandbox.json.",
                "Without a browser: healthid login logs somebody in from the command line. All addresses are in sandbox.json.",
                Place::Portal("/sandbox.json"),
                text("sandbox.json öffnen", "Open sandbox.json"),
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
