//! What a person is told: one sentence what is the matter, one what to do; what still works. German and English, B1.

use super::Check;

/// Words for a failed check, in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// German.
    pub de: &'static str,
    /// English.
    pub en: &'static str,
}

/// What still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// Everything, for as long as the strongest class is given.
    Everything,
    /// Logging in with the device, but the card is needed more often or for some services.
    CardMoreOften,
    /// Logging in with the card.
    CardOnly,
}

impl Remaining {
    /// Words for the person.
    #[must_use]
    pub const fn explanation(self) -> Explanation {
        match self {
            Self::Everything => Explanation {
                de: "Sie können sich mit diesem Handy anmelden.",
                en: "You can log in with this phone.",
            },
            Self::CardMoreOften => Explanation {
                de: "Sie können sich mit diesem Handy anmelden. Ihre Karte brauchen Sie dabei öfter.",
                en: "You can log in with this phone. You will need your card more often.",
            },
            Self::CardOnly => Explanation {
                de: "Mit Ihrer Gesundheitskarte können Sie sich weiter anmelden.",
                en: "You can still log in with your health card.",
            },
        }
    }
}

impl Check {
    /// Words for the person whose device failed this check.
    #[must_use]
    pub const fn explanation(self) -> Explanation {
        match self {
            Self::Statement => Explanation {
                de: "Wir konnten Ihr Handy nicht prüfen. Bitte starten Sie die App neu und versuchen Sie es noch einmal.",
                en: "We could not check your phone. Please restart the app and try again.",
            },
            Self::Maker => Explanation {
                de: "Für den Sicherheits-Speicher Ihres Handys bürgt kein Hersteller, den wir kennen.",
                en: "No maker we know vouches for your phone's key store.",
            },
            Self::CertificateDates => Explanation {
                de: "Die Sicherheits-Zertifikate Ihres Handys sind abgelaufen. Sie haben nichts falsch gemacht.",
                en: "Your phone's security certificates have expired. You did nothing wrong.",
            },
            Self::App => Explanation {
                de: "Diese App ist nicht die App Ihrer Krankenkasse oder sie ist zu alt. Bitte laden Sie die neueste App aus dem Store.",
                en: "This is not your insurer's app, or it is too old. Please install the newest app from the store.",
            },
            Self::VerifiedBoot => Explanation {
                de: "Das System Ihres Handys wurde verändert. Deshalb ist die Anmeldung mit diesem Handy nicht sicher.",
                en: "Your phone's system has been changed. Logging in with this phone is therefore not safe.",
            },
            Self::LockedBootloader => Explanation {
                de: "Das System Ihres Handys wurde entsperrt. Deshalb ist die Anmeldung mit diesem Handy nicht sicher.",
                en: "Your phone's system has been unlocked. Logging in with this phone is therefore not safe.",
            },
            Self::Revocation => Explanation {
                de: "Der Hersteller traut dem Sicherheits-Chip dieses Handys nicht mehr. Sie haben nichts falsch gemacht.",
                en: "The maker no longer trusts this phone's security chip. You did nothing wrong.",
            },
            Self::StatusList => Explanation {
                de: "Wir können Ihr Handy gerade nicht vollständig prüfen. Das liegt an uns. Bitte versuchen Sie es später noch einmal.",
                en: "We cannot check your phone completely right now. This is our fault. Please try again later.",
            },
            Self::Platform => Explanation {
                de: "Ihre Krankenkasse bietet diese Stufe für Ihr Handy nicht an.",
                en: "Your insurer does not offer this level for your kind of phone.",
            },
            Self::SecurityLevel => Explanation {
                de: "Ihr Handy hat keinen eigenen Sicherheits-Chip für die höchste Stufe.",
                en: "Your phone has no security chip of its own for the highest level.",
            },
            Self::PatchLevel => Explanation {
                de: "Das System Ihres Handys ist zu alt. Bitte machen Sie ein System-Update.",
                en: "Your phone's system is too old. Please update it.",
            },
            Self::UserAuthentication => Explanation {
                de: "Ihr Handy fragt nicht bei jeder Anmeldung nach PIN, Finger oder Gesicht. Bitte richten Sie die Bildschirm-Sperre ein.",
                en: "Your phone does not ask for PIN, finger or face at every login. Please set up the screen lock.",
            },
        }
    }
}
