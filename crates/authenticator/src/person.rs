//! The proof that a person authenticated.

use std::fmt;

use jose::UnixTime;

use crate::identifier::{Ik, Kvnr};
use crate::level::{Acr, Method};
use crate::policy::{Performed, Session};

/// Somebody who just proved who she is. Only [`crate::health_card::verify`] (or
/// [`crate::health_card::verify_with_card`]) and [`crate::device::verify`] build it; there is no other constructor, no
/// serde and no way back from [`Performed`].
///
/// A test shortcut that logs people in without a card can therefore not produce one. The sandbox's shortcuts run a
/// real virtual card against the real provider instead, outside this crate.
///
/// ```compile_fail
/// use authenticator::AuthenticatedPerson;
/// fn forge(subject: authenticator::Subject) -> AuthenticatedPerson {
///     AuthenticatedPerson { subject, method: authenticator::Method::HealthCard }
/// }
/// ```
pub struct AuthenticatedPerson {
    subject: Subject,
    method: Method,
    level: Acr,
    auth_time: UnixTime,
    consented_to_substantial: bool,
}

/// Who it is, as far as the means of authentication knows.
#[derive(Clone, PartialEq, Eq)]
pub enum Subject {
    /// From a health card.
    Card {
        /// The person's number.
        kvnr: Kvnr,
        /// The insurer that issued the card.
        ik: Ik,
    },
    /// From a device key: the person it was bound to.
    Registered {
        /// The provider's internal identifier of the person.
        person_id: [u8; 16],
    },
}

impl AuthenticatedPerson {
    pub(crate) fn new(
        subject: Subject,
        method: Method,
        level: Acr,
        auth_time: UnixTime,
        consented_to_substantial: bool,
    ) -> Self {
        Self {
            subject,
            method,
            level,
            auth_time,
            consented_to_substantial,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The number on the card; `None` after a device login.
    #[must_use]
    pub fn kvnr(&self) -> Option<&Kvnr> {
        match &self.subject {
            Subject::Card { kvnr, .. } => Some(kvnr),
            Subject::Registered { .. } => None,
        }
    }

    /// The insurer on the card; `None` after a device login.
    #[must_use]
    pub fn ik(&self) -> Option<Ik> {
        match &self.subject {
            Subject::Card { ik, .. } => Some(*ik),
            Subject::Registered { .. } => None,
        }
    }

    /// The registered person; `None` after a card login.
    #[must_use]
    pub fn person_id(&self) -> Option<[u8; 16]> {
        match &self.subject {
            Subject::Card { .. } => None,
            Subject::Registered { person_id } => Some(*person_id),
        }
    }

    /// What happened.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The level it reaches by itself, before policy.
    #[must_use]
    pub fn level(&self) -> Acr {
        self.level
    }

    /// When it happened.
    #[must_use]
    pub fn auth_time(&self) -> UnixTime {
        self.auth_time
    }

    /// The same card login, taken as a guest login: nothing may be bound, no session kept. Leaves other methods as
    /// they are.
    #[must_use]
    pub fn into_guest(self) -> Self {
        match self.method {
            Method::HealthCard => Self {
                method: Method::GuestHealthCard,
                ..self
            },
            Method::GuestHealthCard | Method::IdentityCard | Method::DeviceKey => self,
        }
    }

    /// The facts that outlive this value in sealed login state.
    #[must_use]
    pub fn performed(&self) -> Performed {
        Performed {
            method: self.method,
            level: self.level,
            auth_time: self.auth_time,
            consented_to_substantial: self.consented_to_substantial,
            session: Session::Fresh,
        }
    }
}

impl fmt::Debug for AuthenticatedPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthenticatedPerson")
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}
