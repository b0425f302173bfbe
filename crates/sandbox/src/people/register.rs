//! The people.

use super::{Birth, CardCondition, DEFAULT_PIN, Person, Text};
use crate::insurers::Insurer::{Kleeblatt, Leuchtturm};

/// An unremarkable person to begin the others from.
const NOBODY: Person = Person {
    word: "",
    insurer: Leuchtturm,
    kvnr_stem: "",
    given_name: "",
    family_name: "",
    display_name: "",
    birth: Birth::On(""),
    sex: "",
    email: "",
    card: CardCondition::Good,
    pin: DEFAULT_PIN,
    device_class: "secure-element",
    special: Text { de: "", en: "" },
};

/// Everybody, the one to begin with first.
pub const PEOPLE: &[Person] = &[
    Person {
        word: "lena",
        kvnr_stem: "L00010203",
        given_name: "Lena",
        family_name: "Beispiel",
        display_name: "Lena Beispiel",
        birth: Birth::On("1991-05-14"),
        sex: "W",
        email: "lena.beispiel@post.example",
        special: Text {
            de: "Alles wie im Lehrbuch. Gut für den Anfang.",
            en: "Everything by the book. A good start.",
        },
        ..NOBODY
    },
    Person {
        word: "ada",
        kvnr_stem: "Q00012345",
        given_name: "Ada-Liv",
        family_name: "Musterfrau-Öztürk",
        display_name: "Dr. Ada-Liv Musterfrau-Öztürk",
        birth: Birth::On("1984-02-29"),
        sex: "D",
        email: "ada-liv@musterfrau.example",
        special: Text {
            de: "Titel, Doppelname mit Umlaut, geboren am 29. Februar, Geschlecht D.",
            en: "Title, double name with umlauts, born on 29 February, sex D.",
        },
        ..NOBODY
    },
    Person {
        word: "juergen",
        kvnr_stem: "J00020031",
        given_name: "Jürgen",
        family_name: "Groß-Weiß",
        display_name: "Jürgen Groß-Weiß",
        birth: Birth::On("1957-11-30"),
        sex: "M",
        special: Text {
            de: "Umlaut und ß im Namen, keine Mailadresse: der Anspruch fehlt im Token.",
            en: "Umlaut and ß in the name, no mail address: that claim is missing from the token.",
        },
        ..NOBODY
    },
    Person {
        word: "fiona",
        insurer: Kleeblatt,
        kvnr_stem: "F00033071",
        given_name: "Fiona",
        family_name: "O’Neill-D'Souza",
        display_name: "Fiona O’Neill-D'Souza",
        birth: Birth::On("1979-08-03"),
        sex: "W",
        email: "fiona.o'neill@kueste.example",
        special: Text {
            de: "Zwei Arten von Apostroph im Namen, einer in der Mailadresse.",
            en: "Two kinds of apostrophe in the name, one in the mail address.",
        },
        ..NOBODY
    },
    Person {
        word: "maximiliane",
        insurer: Kleeblatt,
        kvnr_stem: "M00047110",
        given_name: "Maximiliane Alexandra Friederike Wilhelmine",
        family_name: "Freifrau von und zu Hohenbeispiel-Musterhausen genannt Langenname",
        display_name: "Prof. Dr. med. Dr. h. c. mult. Maximiliane Alexandra Friederike Wilhelmine Freifrau von und zu \
                       Hohenbeispiel-Musterhausen genannt Langenname",
        birth: Birth::On("1948-12-24"),
        sex: "W",
        email: "maximiliane.alexandra.friederike.wilhelmine@sehr-lange-domain-fuer-sehr-lange-namen.hohenbeispiel.example",
        special: Text {
            de: "Sehr langer Name mit Titeln und Zusätzen.",
            en: "A very long name with titles and affixes.",
        },
        ..NOBODY
    },
    Person {
        word: "kim",
        kvnr_stem: "K00058204",
        given_name: "Kim",
        family_name: "Nguyễn",
        display_name: "Kim Nguyễn",
        birth: Birth::On("1996-01-01"),
        sex: "X",
        special: Text {
            de: "Geschlecht X, Buchstabe außerhalb von Latin-1, keine Mailadresse.",
            en: "Sex X, a letter outside Latin-1, no mail address.",
        },
        ..NOBODY
    },
    Person {
        word: "hatice",
        insurer: Kleeblatt,
        kvnr_stem: "H00060512",
        given_name: "Hatice",
        family_name: "Yıldız",
        display_name: "Hatice Yıldız",
        birth: Birth::On("1951-00-00"),
        sex: "W",
        email: "familie.yildiz@post.example",
        special: Text {
            de: "Nur das Geburtsjahr ist bekannt: kein Alter im Token.",
            en: "Only the year of birth is known: no age in the token.",
        },
        ..NOBODY
    },
    Person {
        word: "otto",
        kvnr_stem: "O00071939",
        given_name: "Otto",
        family_name: "Altmann",
        display_name: "Otto Altmann",
        birth: Birth::On("1939-07-00"),
        sex: "M",
        pin: "19390700",
        special: Text {
            de: "Geburtstag unbekannt, nur Monat und Jahr. Eigene PIN mit acht Ziffern: 19390700.",
            en: "Day of birth unknown, only month and year. A PIN of his own with eight digits: 19390700.",
        },
        ..NOBODY
    },
    Person {
        word: "jonas",
        insurer: Kleeblatt,
        kvnr_stem: "J00082215",
        given_name: "Jonas",
        family_name: "Morgenstern",
        display_name: "Jonas Morgenstern",
        birth: Birth::YearsAgoTomorrow(16),
        sex: "M",
        email: "familie@morgenstern.example",
        special: Text {
            de: "15 Jahre, wird morgen 16. Seine Schwester Emma ist woanders versichert.",
            en: "15 years old, turns 16 tomorrow. His sister Emma is insured elsewhere.",
        },
        ..NOBODY
    },
    Person {
        word: "emma",
        kvnr_stem: "E00082216",
        given_name: "Emma",
        family_name: "Morgenstern",
        display_name: "Emma Morgenstern",
        birth: Birth::YearsAgoToday(16),
        sex: "W",
        email: "familie@morgenstern.example",
        special: Text {
            de: "Wird heute 16. Gleiche Familie und Mailadresse wie Jonas, andere Kasse.",
            en: "Turns 16 today. Same family and mail address as Jonas, another insurer.",
        },
        ..NOBODY
    },
    Person {
        word: "stefan",
        insurer: Kleeblatt,
        kvnr_stem: "S00090816",
        given_name: "Stefan",
        family_name: "Altgerät",
        display_name: "Stefan Altgerät",
        birth: Birth::On("1968-03-19"),
        sex: "M",
        email: "stefan@altgeraet.example",
        device_class: "software",
        special: Text {
            de: "Altes Telefon: daran gebunden erreicht er nur die Stufe „substanziell“, mit der Karte „hoch“.",
            en: "An old phone: bound to it he only reaches the level substantial, with the card high.",
        },
        ..NOBODY
    },
    Person {
        word: "bernd",
        insurer: Kleeblatt,
        kvnr_stem: "B00101333",
        given_name: "Bernd",
        family_name: "Vergesslich",
        display_name: "Bernd Vergesslich",
        birth: Birth::On("1972-06-06"),
        sex: "M",
        email: "bernd@vergesslich.example",
        card: CardCondition::PinBlocked,
        special: Text {
            de: "Karte gesperrt: dreimal die falsche PIN. Hier hilft ein Knopf.",
            en: "Card blocked: the wrong PIN three times. A button helps here.",
        },
        ..NOBODY
    },
    Person {
        word: "renate",
        kvnr_stem: "R00110404",
        given_name: "Renate",
        family_name: "Verloren",
        display_name: "Renate Verloren",
        birth: Birth::On("1963-09-21"),
        sex: "W",
        email: "renate@verloren.example",
        card: CardCondition::Revoked,
        special: Text {
            de: "Karte als verloren gemeldet: steht auf der Sperrliste und wird abgelehnt.",
            en: "Card reported lost: it is on the revocation list and is refused.",
        },
        ..NOBODY
    },
    Person {
        word: "walter",
        kvnr_stem: "W00121944",
        given_name: "Walter",
        family_name: "Abgelaufen",
        display_name: "Walter Abgelaufen",
        birth: Birth::On("1944-04-04"),
        sex: "M",
        card: CardCondition::Expired,
        special: Text {
            de: "Karte seit einem Jahr abgelaufen: wird abgelehnt.",
            en: "Card expired a year ago: it is refused.",
        },
        ..NOBODY
    },
    Person {
        word: "yasmin",
        kvnr_stem: "Y00130777",
        given_name: "Yasmin",
        family_name: "Wechsel",
        display_name: "Yasmin Wechsel",
        birth: Birth::On("1988-10-10"),
        sex: "W",
        email: "yasmin@wechsel.example",
        card: CardCondition::IssuedBy(Kleeblatt),
        special: Text {
            de: "Kasse gewechselt, hält noch die alte Karte von Kleeblatt: wird abgelehnt.",
            en: "Changed insurer and still holds the old card from Kleeblatt: it is refused.",
        },
        ..NOBODY
    },
];
