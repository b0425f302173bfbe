//! The account's pages for people without the wallet: what is remembered, her devices, her cards and her block code. They need no script.

use askama::Template;
use serde::Deserialize;

use super::{Frame, Language};

/// One service the person has decided about.
pub struct ConsentLine {
    /// Names the record.
    pub id: String,
    /// The service.
    pub service: String,
    /// What is shared, in words.
    pub shared: Vec<&'static str>,
    /// When she decided, `YYYY-MM-DD`.
    pub decided_on: String,
}

/// What stands against a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// Nothing.
    Free,
    /// Locked by hand.
    Locked,
    /// Blocked with the block code, perhaps locked by hand as well.
    Blocked,
}

/// One device bound to the person.
pub struct DeviceLine {
    /// Names the record.
    pub id: String,
    /// Her name for it.
    pub name: String,
    /// Whether it answers with a passkey, or else with the key of an app.
    pub is_passkey: bool,
    /// Card needed again from, `YYYY-MM-DD`; `None` where its class is not admitted any more.
    pub valid_until: Option<String>,
    /// When it was used last, `YYYY-MM-DD`; `None` where her history does not say.
    pub last_used: Option<String>,
    /// What stands against it.
    pub stands: Stands,
}

/// A card, as her insurer's register says.
#[derive(Deserialize)]
pub struct CardLine {
    /// Who has issued it.
    pub insurer: String,
    /// Whose it is.
    pub name: String,
    /// Its last day, `YYYY-MM-DD`; `None` where the insurer did not say.
    pub valid_until: Option<String>,
}

/// What the page says above everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Nothing.
    None,
    /// What she wished is done.
    Done,
    /// Her block code was made already: by this very form, or after it was shown.
    CodeMade,
    /// Her login was too old.
    Expired,
}

/// A block code in force.
pub struct MadeCode {
    /// In seconds since 1970: names it, without telling it.
    pub set_at: u64,
    /// `YYYY-MM-DD`.
    pub made_on: String,
}

/// The person's account.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// Goes to the authenticator, before the person is known.
    pub authenticator_link: Option<String>,
    /// The authenticated login, once she is.
    pub login: Option<&'a str>,
    /// Decisions remembered.
    pub consents: Vec<ConsentLine>,
    /// Devices bound.
    pub devices: Vec<DeviceLine>,
    /// Whether this login may unlock them.
    pub may_unlock: bool,
    /// Her block code, where she has one.
    pub block_code: Option<MadeCode>,
    /// Whether this login may put another one in its place.
    pub may_replace_code: bool,
    /// Her cards.
    pub cards: Vec<CardLine>,
    /// What is said first.
    pub notice: Notice,
    /// The frame that says how long this page works.
    pub time: String,
}

impl AccountPage<'_> {
    const fn words(&self) -> &'static Words {
        words(self.frame.language)
    }
}

/// A new block code, shown this once, on a page that can be printed.
#[derive(Template)]
#[template(path = "code.html")]
pub struct CodePage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// As she writes it down.
    pub code: &'a str,
    /// `YYYY-MM-DD`.
    pub made_on: String,
    /// Leads back to the account.
    pub back: String,
}

impl CodePage<'_> {
    const fn words(&self) -> &'static Words {
        words(self.frame.language)
    }
}

/// Sentences of both pages: the wallet's, wherever it has one.
struct Words {
    kind: &'static str,
    kind_key: &'static str,
    kind_passkey: &'static str,
    last_use: &'static str,
    never: &'static str,
    not_admitted: &'static str,
    locked: &'static str,
    blocked: &'static str,
    lock: &'static str,
    lock_help: &'static str,
    unlock: &'static str,
    unlock_needs_card: &'static str,
    rename: &'static str,
    rename_label: &'static str,
    rename_save: &'static str,
    remove: &'static str,
    remove_help: &'static str,
    remove_yes: &'static str,
    cards: &'static str,
    card_of: &'static str,
    card_name: &'static str,
    card_until: &'static str,
    card_unknown: &'static str,
    code_made: &'static str,
    expired: &'static str,
    code: &'static str,
    code_help: &'static str,
    code_none: &'static str,
    code_of: &'static str,
    code_make: &'static str,
    code_renew: &'static str,
    code_renew_help: &'static str,
    code_needs_card: &'static str,
    block: &'static str,
    new_title: &'static str,
    new_label: &'static str,
    new_of: &'static str,
    new_help: &'static str,
    new_print: &'static str,
    new_where: &'static str,
}

const fn words(language: Language) -> &'static Words {
    match language {
        Language::German => &GERMAN,
        Language::English => &ENGLISH,
    }
}

const GERMAN: Words = Words {
    kind: "Art",
    kind_key: "App auf einem Gerät",
    kind_passkey: "Passkey",
    last_use: "Zuletzt benutzt",
    never: "Noch nie",
    not_admitted: "Dieses Gerät lässt Ihre Krankenkasse nicht mehr zu. Entfernen Sie es und richten Sie ein anderes ein.",
    locked: "Gesperrt",
    blocked: "Mit dem Sperr-Code gesperrt",
    lock: "Sperren",
    lock_help: "Sperren Sie das Gerät, dann kann sich niemand mehr damit anmelden. Mit Ihrer Karte geben Sie es wieder frei.",
    unlock: "Freigeben",
    unlock_needs_card: "Freigeben können Sie das Gerät nur mit Ihrer Karte. Melden Sie sich dafür hier noch einmal mit der Karte an.",
    rename: "Umbenennen",
    rename_label: "Neuer Name",
    rename_save: "Name speichern",
    remove: "Entfernen",
    remove_help: "Niemand kann sich damit mehr anmelden. Zum Zurückholen richten Sie es mit der Karte neu ein.",
    remove_yes: "Ja, entfernen",
    cards: "Karten",
    card_of: "Karte von",
    card_name: "Name",
    card_until: "Gültig bis",
    card_unknown: "Das hat Ihre Krankenkasse nicht gesagt.",
    code_made: "Ihr Sperr-Code ist schon erstellt. Wir zeigen ihn nur einmal. Haben Sie ihn nicht gesehen? Dann erstellen Sie mit Ihrer Karte einen neuen.",
    expired: "Die Zeit für diese Anmeldung ist um. Es wurde nichts geändert. Melden Sie sich hier noch einmal an.",
    code: "Sperr-Code",
    code_help: "Verlieren Sie ein Gerät? Mit dem Sperr-Code sperren Sie alle Ihre Geräte sofort, ohne Anmeldung.",
    code_none: "Sie haben noch keinen Sperr-Code.",
    code_of: "Sie haben einen Sperr-Code vom",
    code_make: "Sperr-Code erstellen",
    code_renew: "Neuen Sperr-Code erstellen",
    code_renew_help: "Der alte Code gilt dann nicht mehr.",
    code_needs_card: "Einen neuen Sperr-Code erstellen Sie nur mit Ihrer Karte. Melden Sie sich dafür hier noch einmal mit der Karte an.",
    block: "Handy verloren? Alle Geräte sperren",
    new_title: "Schreiben Sie diesen Sperr-Code auf",
    new_label: "Ihr Sperr-Code",
    new_of: "Erstellt am",
    new_help: "Verlieren Sie ein Gerät? Mit diesem Code sperren Sie alle Ihre Geräte sofort, ohne Anmeldung. Legen Sie den Zettel nicht zum Handy. Wir zeigen den Code nur jetzt.",
    new_print: "Sie können diese Seite auch drucken.",
    new_where: "Auf dieser Seite geben Sie den Code ein:",
};

const ENGLISH: Words = Words {
    kind: "Kind",
    kind_key: "App on a device",
    kind_passkey: "Passkey",
    last_use: "Last used",
    never: "Not yet",
    not_admitted: "Your insurer does not admit this device any more. Remove it and set up another one.",
    locked: "Locked",
    blocked: "Locked with the block code",
    lock: "Lock",
    lock_help: "If you lock the device, nobody can log in with it any more. You unlock it with your card.",
    unlock: "Unlock",
    unlock_needs_card: "You can unlock the device only with your card. To do so, log in here again with the card.",
    rename: "Rename",
    rename_label: "New name",
    rename_save: "Save name",
    remove: "Remove",
    remove_help: "Nobody can log in with it any more. To get it back, set it up again with the card.",
    remove_yes: "Yes, remove",
    cards: "Cards",
    card_of: "Card of",
    card_name: "Name",
    card_until: "Valid until",
    card_unknown: "Your insurer did not say.",
    code_made: "Your block code has been made already. We show it only once. Did you not see it? Then make a new one with your card.",
    expired: "The time for this login is over. Nothing was changed. Log in here again.",
    code: "Block code",
    code_help: "Have you lost a device? With the block code you lock all your devices at once, without logging in.",
    code_none: "You have no block code yet.",
    code_of: "You have a block code from",
    code_make: "Make a block code",
    code_renew: "Make a new block code",
    code_renew_help: "The old code is then no longer valid.",
    code_needs_card: "You can make a new block code only with your card. To do so, log in here again with the card.",
    block: "Lost your phone? Lock all devices",
    new_title: "Write down this block code",
    new_label: "Your block code",
    new_of: "Made on",
    new_help: "Have you lost a device? With this code you lock all your devices at once, without logging in. Do not keep the note with your phone. We show the code only now.",
    new_print: "You can print this page, too.",
    new_where: "Enter the code on this page:",
};
