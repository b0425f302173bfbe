//! The words of the portal, in both languages.

use relying_party::language::Language;

macro_rules! texts {
    ($($name:ident: $german:literal, $english:literal;)+) => {
        /// Every fixed text of the portal.
        pub(crate) struct Texts { $(pub(crate) $name: &'static str,)+ }
        const GERMAN: Texts = Texts { $($name: $german,)+ };
        const ENGLISH: Texts = Texts { $($name: $english,)+ };
    };
}

texts! {
    skip: "Zum Inhalt springen", "Skip to content";
    banner: "Alle Personen, Karten und Kassen hier sind erfunden. Geben Sie nichts Echtes ein.", "All people, cards and insurers here are invented. Do not enter anything real.";
    languages: "Sprache", "Language";
    footer: "Eine Föderation zum Ausprobieren, auf diesem Rechner. Kein Angebot einer Krankenkasse oder Behörde.", "A federation to try things out, on this computer. Not offered by any insurer or authority.";
    home: "healthid-Sandbox", "healthid sandbox";
    back_home: "Zur Übersicht", "To the overview";

    start_title: "Eine ganze GesundheitsID-Föderation, auf diesem Rechner", "A whole GesundheitsID federation, on this computer";
    start_intro: "Hier laufen ein Federation Master, zwei Krankenkassen und zwei Dienste. Sie sprechen miteinander wie im Betrieb: mit Entity Statements, Pushed Authorization Requests, beidseitigem TLS und verschlüsselten Tokens. Nur die Menschen sind erfunden.", "Here run a Federation Master, two health insurers and two services. They talk to each other as in production: with entity statements, pushed authorization requests, mutual TLS and encrypted tokens. Only the people are invented.";
    steps_title: "In drei Schritten anmelden", "Log in in three steps";
    step_service: "Öffnen Sie einen Dienst und wählen Sie eine Krankenkasse.", "Open a service and choose an insurer.";
    step_card: "Bestätigen Sie mit der Wallet im zweiten Fenster oder mit einer virtuellen Gesundheitskarte: zwei Wege, siehe unten.", "Approve with the wallet in a second window, or with a virtual health card: two ways, see below.";
    step_consent: "Sehen Sie, was der Dienst wissen will, schalten Sie ein, was Sie freiwillig teilen, und bestätigen Sie.", "See what the service wants to know, switch on what you share of your own will, and confirm.";
    step_after: "Danach zeigt der Dienst, was er erfahren hat, und nimmt das Token Schritt für Schritt auseinander.", "Then the service shows what it learned, and takes the token apart step by step.";
    open_service: "Öffnen:", "Open:";
    ways_title: "Zwei Wege", "Two ways";
    way_wallet_title: "Mit der Wallet", "With the wallet";
    way_wallet: "Ein zweites Fenster spielt Ihr Telefon. Auf der Anmeldeseite der Krankenkasse steht unter dem QR-Code ein Link dorthin. Im Telefon bestätigen Sie, im ersten Fenster sind Sie angemeldet.", "A second window plays your phone. On the insurer’s login page, below the QR code, a link leads there. You approve on the phone, and are logged in in the first window.";
    way_wallet_window: "Richten Sie das Telefon einmal mit einer virtuellen Gesundheitskarte ein; danach melden Sie sich ohne Karte an. Der Link öffnet ein neues Fenster: Machen Sie es schmal wie ein Telefon.", "Set the phone up once with a virtual health card; from then on you log in without the card. The link opens a new window: make it as narrow as a phone.";
    way_wallet_open: "Telefon öffnen:", "Open the phone:";
    way_card_title: "Mit einer Kartenseite", "With a card page";
    way_card: "Am schnellsten: Die Anmeldeseite der Krankenkasse führt zu einer Seite, auf der Sie eine Karte wählen. Die PIN steht daneben. Kein zweites Fenster, kein JavaScript.", "The quickest: the insurer’s login page leads to a page where you choose a card. Its PIN stands beside it. No second window, no JavaScript.";
    new_window: "(öffnet ein neues Fenster)", "(opens a new window)";
    tour_name: "Rundgang", "Tour";
    tour_offer: "Drei Minuten Rundgang", "A tour of three minutes";
    tour_offer_intro: "Ein Dienst fragt, Ihr Telefon bestätigt in einem zweiten Fenster, im ersten sind Sie angemeldet. Für Entwickler steht daneben, was über die Leitung geht.", "A service asks, your phone approves in a second window, in the first you are logged in. For developers it says beside it what goes over the wire.";
    tour_title: "In drei Minuten durch eine Anmeldung", "Through a login in three minutes";
    tour_intro: "Sie spielen Lena. Sie öffnet am Computer ihre Patientenakte und bestätigt mit dem Telefon.", "You play Lena. She opens her patient record on a computer and approves with her phone.";
    tour_windows: "Computer und Telefon sind zwei weitere Fenster. Das Telefon braucht JavaScript.", "Computer and phone are two more windows. The phone needs JavaScript.";
    tour_honest: "„Erledigt“ heißt: Diese Sandbox hat es seit dem Beginn des Rundgangs wirklich gesehen. Sie unterscheidet keine Menschen: Sind mehrere hier, kann es jemand anders gewesen sein.", "“Done” means: this sandbox has really seen it since the tour began. It does not tell people apart: if several are here, it may have been somebody else.";
    tour_begin: "Rundgang beginnen", "Begin the tour";
    tour_step: "Schritt", "Step";
    tour_of: "von", "of";
    tour_seen_title: "Was geschehen ist", "What has happened";
    tour_seen: "erledigt", "done";
    tour_not_seen: "noch nicht", "not yet";
    tour_all_seen: "Alles erledigt.", "All done.";
    tour_again: "Nachsehen", "Look again";
    tour_next: "Weiter", "Next";
    tour_skip: "Trotzdem weiter", "Go on anyway";
    tour_before: "Zurück", "Back";
    tour_steps: "Schritte des Rundgangs", "Steps of the tour";
    tour_wire: "Für Entwickler", "For developers";
    tour_learns: "Die Krankenkasse erfährt:", "The insurer learns:";
    tour_unknown: "Sie erfährt nicht:", "It does not learn:";
    people_title: "Wer zum Ausprobieren da ist", "Who is there to try";
    people_intro: "Jede Person steht für einen Fall, den ein Dienst kennen sollte.", "Each person stands for a case a service should know.";
    person: "Person", "Person";
    insurer: "Krankenkasse", "Insurer";
    special: "Besonderheit", "What is special";
    pin: "PIN", "PIN";
    account_title: "Konto bei der Krankenkasse", "Account with the insurer";
    account_intro: "Was gemerkt und welches Gerät gebunden ist, sehen und widerrufen Versicherte bei ihrer Kasse:", "What is remembered and which devices are bound, insured people see and take back at their insurer:";
    parties_title: "Wer zur Föderation gehört", "Who belongs to the federation";
    parties_intro: "Wie der Federation Master sie kennt. Hinter jedem Namen steht sein Entity Statement, auseinandergenommen.", "As the Federation Master knows them. Behind each name stands its entity statement, taken apart.";
    party: "Name", "Name";
    kind: "Art", "Kind";
    state: "Zustand", "State";
    kind_master: "Federation Master", "Federation Master";
    kind_idp: "Identity Provider", "identity provider";
    kind_rp: "Dienst", "service";
    state_active: "dabei", "in";
    state_unreachable: "nicht erreichbar", "not reachable";
    state_locked: "gesperrt", "locked";
    own_title: "Ihr eigener Dienst", "Your own service";
    own_intro: "Ihr Dienst kann in Sekunden mitmachen: Er braucht eine Adresse mit https und ein Entity Statement.", "Your service can join in seconds: it needs an https address and an entity statement.";
    own_button: "Dienst anmelden", "Register a service";
    tools_title: "Für Werkzeuge", "For tools";
    tools_addresses: "Alle Adressen als JSON", "All addresses as JSON";
    tools_ca: "Zertifizierungsstelle für TLS (PEM)", "Certificate authority for TLS (PEM)";
    tools_idps: "Liste der Krankenkassen, signiert", "List of insurers, signed";

    card_title: "Gesundheitskarte vorhalten", "Hold your health card to the phone";
    card_for: "Anmeldung bei", "Login to";
    card_with: "mit der GesundheitsID von", "with the GesundheitsID of";
    card_intro: "Am Telefon hielten Sie jetzt Ihre Karte an. Hier wählen Sie eine virtuelle.", "On a phone you would now hold your card to it. Here you choose a virtual one.";
    card_wallet: "Lieber mit der Wallet? Sie öffnet sich in einem neuen Fenster als Ihr Telefon, mit dieser Anmeldung.", "Rather with the wallet? It opens in a new window as your phone, with this login.";
    card_wallet_open: "Mit der Wallet anmelden", "Log in with the wallet";
    card_choose: "Welche Karte?", "Which card?";
    card_others: "Karten anderer Kassen (werden abgelehnt)", "Cards of other insurers (will be refused)";
    card_of: "Karte von", "Card by";
    card_foreign: "Karte aus einer Datei", "Card from a file";
    card_foreign_special: "Karte einer fremden Zertifizierungsstelle. Jede PIN mit sechs bis acht Ziffern öffnet sie.", "Card of a foreign authority. Any PIN of six to eight digits opens it.";
    card_pin: "PIN der Karte", "PIN of the card";
    card_pin_hint: "Sechs bis acht Ziffern. Wo nichts anderes steht: 123456.", "Six to eight digits. Where nothing else is said: 123456.";
    card_button: "Anmelden", "Log in";
    card_blocked_tag: "gesperrt", "blocked";
    card_two_left: "noch 2 Versuche", "2 tries left";
    card_one_left: "noch 1 Versuch", "1 try left";
    pin_wrong: "Diese PIN stimmt nicht.", "This PIN is wrong.";
    pin_two_left: "Sie haben noch 2 Versuche. Nach der dritten falschen PIN sperrt sich die Karte, wie eine echte.", "You have 2 tries left. After the third wrong PIN the card blocks itself, like a real one.";
    pin_one_left: "Sie haben noch 1 Versuch. Danach sperrt sich die Karte, wie eine echte.", "You have 1 try left. After that the card blocks itself, like a real one.";
    pin_malformed: "Eine PIN hat sechs bis acht Ziffern. Das hat keinen Versuch gekostet.", "A PIN has six to eight digits. This cost no try.";
    pin_blocked: "Die Karte ist gesperrt: Die PIN war dreimal falsch.", "The card is blocked: the PIN was wrong three times.";
    pin_blocked_help: "Im Leben hilft jetzt nur die PUK aus dem Brief der Krankenkasse. In der Sandbox genügt ein Knopf.", "In real life only the PUK from the insurer's letter helps now. In the sandbox a button is enough.";
    unblock_button: "Karte entsperren", "Unblock the card";
    unblocked: "Die Karte ist entsperrt. Sie haben wieder drei Versuche.", "The card is unblocked. You have three tries again.";
    refused_title: "Die Krankenkasse nimmt diese Karte nicht an", "The insurer does not accept this card";
    refused_intro: "Das ist kein Fehler der Sandbox: So antwortet die Krankenkasse auf diese Karte.", "This is not a fault of the sandbox: it is how the insurer answers to this card.";
    refused_reason: "Begründung der Krankenkasse", "The insurer's reason";
    refused_other: "Andere Karte wählen", "Choose another card";

    problem_title: "Hier geht es nicht weiter", "This leads nowhere";
    problem_login_title: "Diese Anmeldung ist nicht mehr gültig", "This login is not valid any more";
    problem_login: "Anmeldungen gelten nur einige Minuten. Bitte beginnen Sie beim Dienst von vorn.", "Logins are good for a few minutes only. Please begin anew at the service.";
    problem_missing: "Der Adresse fehlt etwas. Diese Seite öffnet man nicht von Hand: Ein Dienst und eine Krankenkasse führen zu ihr.", "Something is missing in the address. This page is not opened by hand: a service and an insurer lead to it.";
    problem_not_found: "Unter dieser Adresse gibt es nichts.", "There is nothing at this address.";
    problem_foreign_form: "Dieses Formular wurde nicht von dieser Seite gesendet.", "This form was not sent from this page.";
    problem_insurer: "Die Krankenkasse antwortet nicht wie erwartet.", "The insurer does not answer as expected.";
    problem_internal: "In der Sandbox ist etwas schiefgegangen.", "Something went wrong in the sandbox.";
    technical: "Technische Einzelheiten", "Technical details";

    statement_title: "Entity Statement von", "Entity statement of";
    statement_raw: "Das Dokument selbst", "The document itself";
    statement_header: "Kopf", "Header";
    statement_body: "Inhalt", "Body";
    statement_chain: "Vertrauenskette bis zum Federation Master", "Trust chain up to the Federation Master";
    statement_chain_intro: "So prüft die Gegenseite dieses Dokument, Schritt für Schritt (auf Englisch, wie im Protokoll).", "This is how the other side verifies this document, step by step.";
    statement_chain_holds: "Die Kette hält.", "The chain holds.";
    statement_chain_broken: "Die Kette hält nicht:", "The chain does not hold:";
    statement_missing: "Unter dieser Adresse war kein Entity Statement zu holen:", "No entity statement could be fetched at this address:";
    statement_findings: "Was der Federation Master beanstandet", "What the Federation Master finds wrong";

    register_title: "Eigenen Dienst anmelden", "Register your own service";
    register_intro: "Der Federation Master holt Ihr Entity Statement, übernimmt daraus, was Sie hier leer lassen, und sagt genau, was nicht stimmt. Eine erneute Anmeldung ersetzt die frühere.", "The Federation Master fetches your entity statement, takes from it what you leave empty here, and says exactly what is wrong. Registering again replaces the former registration.";
    register_entity: "Entity Identifier", "Entity identifier";
    register_entity_hint: "Adresse mit https, ohne Schrägstrich am Ende, etwa https://localhost:9001. Zertifikat von der Stelle der Sandbox, oder starten Sie sie mit --trust-ca.", "https address without slash at the end, such as https://localhost:9001. Certificate by the sandbox's authority, or start it with --trust-ca.";
    register_name: "Name der Organisation", "Name of the organisation";
    register_optional: "Leer lassen: aus dem Entity Statement.", "Leave empty: from the entity statement.";
    register_keys: "Öffentliche Schlüssel (JWK Set)", "Public keys (JWK set)";
    register_redirects: "Redirect-URIs", "Redirect URIs";
    register_redirects_hint: "Eine je Zeile. Leer lassen: aus dem Entity Statement.", "One per line. Leave empty: from the entity statement.";
    register_scopes: "Scopes", "Scopes";
    register_scopes_hint: "Mit Leerzeichen getrennt. Leer lassen: aus dem Entity Statement.", "Separated by spaces. Leave empty: from the entity statement.";
    register_button: "Anmelden", "Register";
    register_refused: "So kann der Dienst nicht mitmachen", "The service cannot join like this";
    register_expected: "Erwartet", "Expected";
    register_found: "Gefunden", "Found";
    register_unreadable: "Nicht lesbar:", "Not readable:";
    registered_title: "Der Dienst gehört jetzt zur Föderation", "The service now belongs to the federation";
    registered_good: "Sein Entity Statement wurde geholt und geprüft. Es ist alles in Ordnung.", "Its entity statement was fetched and checked. All is well.";
    registered_findings: "Er ist angemeldet, aber an seinem Entity Statement stimmt etwas nicht. Der Federation Master prüft jede Minute neu.", "It is registered, but something is wrong with its entity statement. The Federation Master checks again every minute.";
}

impl Texts {
    pub(crate) const fn of(language: Language) -> &'static Self {
        match language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        }
    }
}
