//! The right to open one person's record, once.

use std::fmt;

use authenticator::{AuthenticatedPerson, Subject};
use jose::UnixTime;
use store::{Key, Row, TenantId};

use crate::error::{CapabilityError, OpenError, SealError};
use crate::login_state::{Bearing, StateKind};
use crate::{PersonId, Vault};

/// Bytes a person takes in a state that carries her.
pub(crate) const PERSON_BYTES: usize = 16;

/// Work on a person's record without her being there. A closed list: a new task is a change to the vault, seen in review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackgroundTask {
    /// The insurer's register brings new data of a person.
    Import,
    /// Records move to a new key generation.
    Reseal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Login,
    Background(BackgroundTask),
}

/// The right to open the scope of one person of one tenant, for one purpose, once: [`Vault::with_person`] takes it away.
///
/// Three ways lead to one. [`Vault::capability_for`]: she authenticated just now. [`Vault::open_login`]: a sealed login
/// state that somebody with a capability sealed for her. [`Vault::background_capability`]: a task of a closed list, which
/// can neither mint a token nor answer.
///
/// ```compile_fail
/// fn twice(capability: &vault::PersonCapability) -> vault::PersonCapability {
///     capability.clone()
/// }
/// ```
pub struct PersonCapability {
    pub(crate) tenant: TenantId,
    pub(crate) person: PersonId,
    pub(crate) purpose: Purpose,
}

impl PersonCapability {
    /// Whose it is.
    #[must_use]
    pub const fn person_id(&self) -> PersonId {
        self.person
    }

    /// Which tenant's.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl fmt::Debug for PersonCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonCapability")
    }
}

impl Vault {
    /// The capability of somebody who authenticated.
    ///
    /// By card, the record found under one of [`Vault::lookup_keys`] of her number says which person it is: give it
    /// as `lookup`. By device key the proof says so itself, and `lookup` is not needed.
    ///
    /// # Errors
    /// [`CapabilityError::OtherPerson`] if the lookup record is missing or not the one of the number on the card.
    pub fn capability_for(
        &self,
        tenant: TenantId,
        proof: &AuthenticatedPerson,
        lookup: Option<&Row>,
    ) -> Result<PersonCapability, CapabilityError> {
        let person = self.person_of(tenant, proof.subject(), lookup)?;
        Ok(PersonCapability {
            tenant,
            person,
            purpose: Purpose::Login,
        })
    }

    fn person_of(
        &self,
        tenant: TenantId,
        subject: &Subject,
        lookup: Option<&Row>,
    ) -> Result<PersonId, CapabilityError> {
        match subject {
            Subject::Registered { person_id } => Ok(PersonId::from_bytes(*person_id)),
            Subject::Card { kvnr, .. } => {
                let row = lookup.ok_or(CapabilityError::OtherPerson)?;
                self.lookup_keys(tenant, kvnr)?
                    .iter()
                    .find_map(|key| self.open_lookup(key, row).ok())
                    .ok_or(CapabilityError::OtherPerson)
            }
        }
    }

    /// A capability for a task nobody logged in for.
    #[must_use]
    pub fn background_capability(&self, tenant: TenantId, person: PersonId, task: BackgroundTask) -> PersonCapability {
        PersonCapability {
            tenant,
            person,
            purpose: Purpose::Background(task),
        }
    }

    /// Seals a login state that carries the right to open the person's scope later, on any instance. `kind` must be a step
    /// after authentication: Authenticated, Code, Session, Move. Opened only by [`open_login`](Self::open_login).
    ///
    /// # Errors
    /// [`SealError`]; [`SealError::Failed`] for a background capability or a step before authentication.
    pub fn seal_login(
        &self,
        capability: &PersonCapability,
        kind: StateKind,
        now: UnixTime,
        content: &[u8],
    ) -> Result<String, SealError> {
        if capability.purpose != Purpose::Login || !follows_authentication(kind) {
            return Err(SealError::Failed);
        }
        let person = capability.person.as_bytes();
        self.login_states()
            .seal_bearing(Bearing::Person, capability.tenant, kind, now, person, content)
    }

    /// Opens what [`seal_login`](Self::seal_login) sealed: the right to the person's scope, and the content.
    ///
    /// # Errors
    /// [`CapabilityError`].
    pub fn open_login(
        &self,
        tenant: TenantId,
        kind: StateKind,
        now: UnixTime,
        sealed: &str,
    ) -> Result<(PersonCapability, Vec<u8>), CapabilityError> {
        if !follows_authentication(kind) {
            return Err(CapabilityError::NotAfterAuthentication);
        }
        let mut content = self
            .login_states()
            .open_bearing(Bearing::Person, tenant, kind, now, sealed)?;
        let person: [u8; PERSON_BYTES] = match content.first_chunk() {
            Some(person) => *person,
            None => return Err(CapabilityError::State(crate::StateError::TooShort)),
        };
        content.drain(..PERSON_BYTES);
        let person = PersonId::from_bytes(person);
        Ok((
            PersonCapability {
                tenant,
                person,
                purpose: Purpose::Login,
            },
            content,
        ))
    }

    /// The person a lookup record leads to.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::WrongKey`] for a key of another kind.
    pub fn open_lookup(&self, key: &Key, row: &Row) -> Result<PersonId, OpenError> {
        if key.kind() != store::Kind::Lookup {
            return Err(OpenError::WrongKey {
                expected: "lookup record",
            });
        }
        let content = self.open_tenant_record(key, row)?;
        content[..]
            .try_into()
            .map(PersonId::from_bytes)
            .map_err(|_| OpenError::Content)
    }
}

const fn follows_authentication(kind: StateKind) -> bool {
    matches!(
        kind,
        StateKind::Authenticated | StateKind::Code | StateKind::Session | StateKind::Move
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use authenticator::{Ik, Kvnr};
    use store::Write;

    use super::*;
    use crate::{PersonData, tenant_id};

    fn person(kvnr: &str) -> PersonData {
        PersonData {
            kvnr: Kvnr::parse(kvnr).unwrap(),
            ik: Ik::parse("109900019").unwrap(),
            given_name: String::new(),
            family_name: String::new(),
            display_name: String::new(),
            birthdate: String::new(),
            sex: String::new(),
            email: String::new(),
            card_valid_until: String::new(),
        }
    }

    #[test]
    fn card_leads_only_to_the_person_of_its_number() {
        let (vault, tenant) = (Vault::development([1; 32]), tenant_id("https://idp.example"));
        let [one, two] = ["Q000123451", "T902100070"].map(|kvnr| {
            let created = vault.create_person(tenant, &person(kvnr)).unwrap();
            let Some(Write::Put { sealed, .. }) = created.writes.into_iter().nth(1) else {
                panic!("lookup is second")
            };
            let card = Subject::Card {
                kvnr: Kvnr::parse(kvnr).unwrap(),
                ik: Ik::parse("109900019").unwrap(),
            };
            (
                created.id,
                card,
                Row {
                    version: 1,
                    sealed,
                    expires_at: None,
                },
            )
        });
        assert_eq!(vault.person_of(tenant, &one.1, Some(&one.2)), Ok(one.0));
        let refused = Err(CapabilityError::OtherPerson);
        assert_eq!(
            vault.person_of(tenant, &one.1, Some(&two.2)),
            refused,
            "somebody else's lookup record"
        );
        assert_eq!(vault.person_of(tenant, &one.1, None), refused, "not enrolled");
        assert_eq!(
            vault.person_of(tenant_id("https://other.example"), &one.1, Some(&one.2)),
            refused
        );
    }

    #[test]
    fn device_leads_to_its_person_whatever_is_looked_up() {
        let (vault, tenant) = (Vault::development([1; 32]), tenant_id("https://idp.example"));
        let device = Subject::Registered { person_id: [7; 16] };
        assert_eq!(
            vault.person_of(tenant, &device, None),
            Ok(PersonId::from_bytes([7; 16]))
        );
    }
}
