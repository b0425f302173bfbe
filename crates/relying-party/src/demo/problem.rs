//! When something does not work: one page, plain words, a support code that stands in the log too.

use http::StatusCode;

use crate::client::{CallbackError, FederationError, IdTokenError, LoginError, ProviderRefusal, RedeemError};
use crate::language::Language;

/// What went wrong, as far as the person needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NotFound,
    ForeignForm,
    MalformedForm,
    NoInsurer,
    UnknownInsurer,
    FederationUnreachable,
    ProviderUnreachable,
    ProviderRefused,
    Declined,
    LoginLost,
    LevelTooLow,
    TokenRefused,
    Internal,
}

/// One problem: its kind, what a developer needs, what the provider said.
pub(super) struct Problem {
    pub(super) kind: Kind,
    /// For developers: the rule that was broken. Holds no personal data.
    pub(super) detail: Option<String>,
    pub(super) refusal: Option<ProviderRefusal>,
}

impl Kind {
    pub(super) fn status(self) -> StatusCode {
        match self {
            // The person said no, and that was understood.
            Self::Declined => StatusCode::OK,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ForeignForm | Self::LevelTooLow => StatusCode::FORBIDDEN,
            Self::MalformedForm | Self::NoInsurer | Self::UnknownInsurer | Self::LoginLost => StatusCode::BAD_REQUEST,
            Self::FederationUnreachable | Self::ProviderUnreachable | Self::ProviderRefused | Self::TokenRefused => {
                StatusCode::BAD_GATEWAY
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The event code in the log.
    pub(super) fn event(self) -> &'static str {
        match self {
            Self::NotFound => "service.not_found",
            Self::ForeignForm => "service.foreign_form",
            Self::MalformedForm => "service.malformed_form",
            Self::NoInsurer => "service.no_insurer",
            Self::UnknownInsurer => "service.unknown_insurer",
            Self::FederationUnreachable => "service.federation_unreachable",
            Self::ProviderUnreachable => "service.provider_unreachable",
            Self::ProviderRefused => "service.provider_refused",
            Self::Declined => "service.declined",
            Self::LoginLost => "service.login_lost",
            Self::LevelTooLow => "service.level_too_low",
            Self::TokenRefused => "service.token_refused",
            Self::Internal => "service.internal",
        }
    }

    pub(super) fn title(self, language: Language) -> &'static str {
        let (german, english) = match self {
            Self::NotFound => ("Diese Seite gibt es nicht", "There is no such page"),
            Self::ForeignForm => (
                "Diese Anfrage kam von einer anderen Seite",
                "This request came from another site",
            ),
            Self::MalformedForm => ("Die Eingaben waren nicht lesbar", "The form could not be read"),
            Self::NoInsurer => ("Bitte wählen Sie eine Krankenkasse", "Please choose an insurer"),
            Self::UnknownInsurer => ("Diese Krankenkasse ist nicht bekannt", "This insurer is not known"),
            Self::FederationUnreachable => (
                "Die Anmeldung ist gerade nicht möglich",
                "Logging in is not possible at the moment",
            ),
            Self::ProviderUnreachable => (
                "Ihre Krankenkasse ist gerade nicht erreichbar",
                "Your insurer cannot be reached",
            ),
            Self::ProviderRefused => (
                "Ihre Krankenkasse hat die Anmeldung abgelehnt",
                "Your insurer refused the login",
            ),
            Self::Declined => ("Sie haben die Anmeldung abgebrochen", "You cancelled the login"),
            Self::LoginLost => ("Diese Anmeldung ist hier nicht bekannt", "This login is not known here"),
            Self::LevelTooLow => (
                "Die Anmeldung war nicht sicher genug",
                "The login was not secure enough",
            ),
            Self::TokenRefused => (
                "Der Antwort Ihrer Krankenkasse war nicht zu trauen",
                "Your insurer's answer could not be trusted",
            ),
            Self::Internal => ("Hier ist etwas schiefgegangen", "Something went wrong here"),
        };
        language.pick(german, english)
    }

    pub(super) fn account(self, language: Language) -> &'static str {
        let (german, english) = match self {
            Self::NotFound => (
                "Vielleicht ist die Adresse unvollständig. Von der Anmeldung aus finden Sie alles Weitere.",
                "Perhaps the address is incomplete. Everything can be reached from the login page.",
            ),
            Self::ForeignForm => (
                "Zu Ihrem Schutz nimmt dieser Dienst nur Eingaben von seinen eigenen Seiten an.",
                "For your protection this service only accepts input from its own pages.",
            ),
            Self::MalformedForm | Self::Internal => (
                "Es wurde nichts übertragen. Bitte versuchen Sie es noch einmal.",
                "Nothing was transmitted. Please try again.",
            ),
            Self::NoInsurer => (
                "Ohne diese Angabe weiß der Dienst nicht, wohin er Sie leiten soll.",
                "Without it the service does not know where to send you.",
            ),
            Self::UnknownInsurer => (
                "Der Federation Master führt sie nicht. Bitte wählen Sie eine aus der Liste.",
                "The Federation Master does not list it. Please choose one from the list.",
            ),
            Self::FederationUnreachable => (
                "Eine Stelle, die für die Anmeldung gebraucht wird, antwortet nicht oder nicht richtig. Bitte versuchen Sie es später noch \
                 einmal.",
                "Something that logging in depends on does not answer, or not properly. Please try again later.",
            ),
            Self::ProviderUnreachable => (
                "Bitte versuchen Sie es später noch einmal. Ihre Daten sind nicht betroffen.",
                "Please try again later. Your data are not affected.",
            ),
            Self::ProviderRefused => (
                "Es wurden keine Angaben übermittelt. Der Grund steht unten, so wie die Krankenkasse ihn nennt.",
                "No data were transmitted. The reason stands below, as the insurer gives it.",
            ),
            Self::Declined => (
                "Es wurden keine Angaben übermittelt. Sie können sich jederzeit neu anmelden.",
                "No data were transmitted. You can log in again at any time.",
            ),
            Self::LoginLost => (
                "Sie wurde in einem anderen Browser begonnen, ist schon beendet, oder es ist zu viel Zeit vergangen. Bitte beginnen Sie neu, am \
                 besten im selben Browser.",
                "It was begun in another browser, is finished already, or too much time has passed. Please begin again, preferably in the same \
                 browser.",
            ),
            Self::LevelTooLow => (
                "Dieser Dienst braucht eine Anmeldung mit höherem Vertrauensniveau, zum Beispiel mit Gesundheitskarte und PIN.",
                "This service needs a login at a higher level of assurance, for example with health card and PIN.",
            ),
            Self::TokenRefused => (
                "Der Dienst hat sie geprüft und verworfen. Sie sind nicht angemeldet.",
                "The service checked it and threw it away. You are not logged in.",
            ),
        };
        language.pick(german, english)
    }
}

impl Problem {
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            detail: None,
            refusal: None,
        }
    }

    pub(super) fn with(kind: Kind, detail: impl ToString) -> Self {
        Self {
            kind,
            detail: Some(detail.to_string()),
            refusal: None,
        }
    }

    fn refused(refusal: &ProviderRefusal) -> Self {
        let kind = if refusal.error == "access_denied" {
            Kind::Declined
        } else {
            Kind::ProviderRefused
        };
        Self {
            kind,
            detail: None,
            refusal: Some(refusal.clone()),
        }
    }
}

impl From<FederationError> for Problem {
    fn from(error: FederationError) -> Self {
        let kind = match &error {
            FederationError::Issuer(_) | FederationError::NotRegistered { .. } => Kind::UnknownInsurer,
            _ => Kind::FederationUnreachable,
        };
        Self::with(kind, error)
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Federation(error) => error.into(),
            LoginError::Refused { refusal, .. } => Self {
                kind: Kind::ProviderRefused,
                detail: None,
                refusal: Some(refusal),
            },
            LoginError::NoAnswer(_) | LoginError::Answer => Self::with(Kind::ProviderUnreachable, error),
            LoginError::RedirectUri | LoginError::Randomness(_) | LoginError::Tls(_) => {
                Self::with(Kind::Internal, error)
            }
        }
    }
}

impl From<CallbackError> for Problem {
    fn from(error: CallbackError) -> Self {
        match &error {
            CallbackError::Refused(refusal) => Self::refused(refusal),
            CallbackError::Form(_) | CallbackError::State | CallbackError::Issuer | CallbackError::NoCode => {
                Self::with(Kind::LoginLost, error)
            }
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Federation(error) => error.into(),
            RedeemError::Refused { refusal, .. } => Self {
                kind: Kind::ProviderRefused,
                detail: None,
                refusal: Some(refusal),
            },
            RedeemError::NoAnswer(_) | RedeemError::Answer => Self::with(Kind::ProviderUnreachable, error),
            RedeemError::IdToken(IdTokenError::LevelTooLow { .. }) => Self::with(Kind::LevelTooLow, error),
            RedeemError::IdToken(_) => Self::with(Kind::TokenRefused, error),
            RedeemError::Tls(_) => Self::with(Kind::Internal, error),
        }
    }
}
