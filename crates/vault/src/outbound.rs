//! What may leave a person's scope.

use crate::error::{OpenError, PersonDataError, ScopeError, SealError};
use crate::login_state::SealedState;
use crate::moving::LookupKeys;
use crate::scope::{EncryptedToken, Erasure, PersonAnswer, RecordFacts};
use crate::seal::SealedChange;
use crate::vault::MovedLookup;

mod private {
    /// Nobody else says what may leave.
    pub trait Sealed {}
}

/// What a closure given to [`crate::Vault::with_person`] may return: things that are sealed or encrypted, an answer to the
/// person herself, facts the provider decides by, and nothing at all. A text or bytes are none of these.
pub trait Outbound: private::Sealed {}

macro_rules! outbound {
    ($($name:ty),* $(,)?) => { $(impl private::Sealed for $name {} impl Outbound for $name {})* };
}

outbound!(
    (),
    EncryptedToken,
    Erasure,
    SealedChange,
    SealedState,
    LookupKeys,
    MovedLookup,
    PersonAnswer,
    RecordFacts,
    ScopeError,
    OpenError,
    SealError,
    PersonDataError
);

impl<T: Outbound> private::Sealed for Option<T> {}
impl<T: Outbound> Outbound for Option<T> {}
impl<T: Outbound> private::Sealed for Vec<T> {}
impl<T: Outbound> Outbound for Vec<T> {}
impl<T: Outbound, E: Outbound> private::Sealed for Result<T, E> {}
impl<T: Outbound, E: Outbound> Outbound for Result<T, E> {}
impl<A: Outbound, B: Outbound> private::Sealed for (A, B) {}
impl<A: Outbound, B: Outbound> Outbound for (A, B) {}
impl<A: Outbound, B: Outbound, C: Outbound> private::Sealed for (A, B, C) {}
impl<A: Outbound, B: Outbound, C: Outbound> Outbound for (A, B, C) {}
