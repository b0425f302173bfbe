//! Where a person's rows stand: keyed names that do not show whose they are.
//!
//! The ids of her devices begin with one keyed hash of her handle, those of her consents with another, those of her events with
//! another for each day. So whoever has the database sees groups of rows, and neither whose they are nor which of them belong
//! together (`docs/adr/0011-what-rows-tell.md`). The vault finds all of a group by one range.

use store::{Key, Kind, RowGroup, TenantId};

use crate::vault::keyed_index;
use crate::{KeyAbsent, PersonId, Vault};

/// Seconds of one day of events.
pub const DAY_SECONDS: u64 = 24 * 3_600;

/// A group of one person's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Her devices.
    Devices,
    /// Her remembered consents.
    Consents,
    /// The events of her history that expire on this day, in days since 1970.
    EventsUntil(u32),
}

impl Vault {
    /// What the ids of these rows of hers begin with. Never changes.
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold the tenant's keys.
    pub fn row_group(&self, tenant: TenantId, person: &PersonId, rows: Rows) -> Result<RowGroup, KeyAbsent> {
        let key = self.tenant(tenant)?;
        let (label, day): (&[u8], Option<[u8; 4]>) = match rows {
            Rows::Devices => (b"device", None),
            Rows::Consents => (b"consnt", None),
            Rows::EventsUntil(day) => (b"events", Some(day.to_be_bytes())),
        };
        let keyed = keyed_index(
            &key.row_group,
            &[label, person.as_bytes(), day.as_ref().map_or(&[], |day| &day[..])],
        );
        let mut group = [0; 16];
        group.copy_from_slice(&keyed.as_bytes()[..16]);
        // The day stands in clear: the expiry beside it does too, and so a group can be recognised by its id alone.
        if let Some(day) = day {
            group[..4].copy_from_slice(&day);
        }
        Ok(RowGroup::from_keyed_hash(group))
    }

    /// Where a device of hers stands.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn device_key(&self, tenant: TenantId, person: &PersonId, device: &[u8; 16]) -> Result<Key, KeyAbsent> {
        Ok(Key::device(
            tenant,
            &self.row_group(tenant, person, Rows::Devices)?,
            device,
        ))
    }

    /// Where her decision about a service stands.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn consent_key(&self, tenant: TenantId, person: &PersonId, client_id: &str) -> Result<Key, KeyAbsent> {
        let service = self.service_index(tenant, person, client_id)?;
        Ok(Key::consent(
            tenant,
            &self.row_group(tenant, person, Rows::Consents)?,
            &service,
        ))
    }

    /// Where an event of hers stands that is kept until this day.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn event_key(
        &self,
        tenant: TenantId,
        person: &PersonId,
        until_day: u32,
        event: &[u8; 16],
    ) -> Result<Key, KeyAbsent> {
        let group = self.row_group(tenant, person, Rows::EventsUntil(until_day))?;
        Ok(Key::audit(tenant, &group, event))
    }

    /// Whether a key names a device, consent or event of this person.
    pub(crate) fn is_hers(&self, tenant: TenantId, person: &PersonId, key: &Key) -> Result<bool, KeyAbsent> {
        let rows = match (key.kind(), key.id().first_chunk::<4>()) {
            (Kind::Device, _) => Rows::Devices,
            (Kind::Consent, _) => Rows::Consents,
            (Kind::Audit, Some(day)) => Rows::EventsUntil(u32::from_be_bytes(*day)),
            _ => return Ok(false),
        };
        Ok(key.tenant() == &tenant && key.id().starts_with(self.row_group(tenant, person, rows)?.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tenant_id;

    #[test]
    fn group_differs_by_person_kind_day_tenant_and_root_and_shows_no_handle() {
        let (vault, other_root) = (Vault::development([1; 32]), Vault::development([2; 32]));
        let (here, elsewhere) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let (one, two) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let mut groups = Vec::new();
        for rows in [
            Rows::Devices,
            Rows::Consents,
            Rows::EventsUntil(7),
            Rows::EventsUntil(8),
        ] {
            for (vault, tenant, person) in [
                (&vault, here, one),
                (&vault, here, two),
                (&vault, elsewhere, one),
                (&other_root, here, one),
            ] {
                let group = vault.row_group(tenant, &person, rows).unwrap();
                assert_eq!(group, vault.row_group(tenant, &person, rows).unwrap());
                // Also behind the day of an event's group, nothing is shared.
                groups.push(group.as_bytes()[4..].to_vec());
                assert!(!group.as_bytes().windows(4).any(|part| part == &person.as_bytes()[..4]));
            }
        }
        let different: std::collections::BTreeSet<_> = groups.iter().collect();
        assert_eq!(different.len(), groups.len());
    }

    #[test]
    fn rows_are_recognised_by_whoever_has_the_key() {
        let vault = Vault::development([1; 32]);
        let tenant = tenant_id("https://one.example");
        let (one, two) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let keys = [
            vault.device_key(tenant, &one, &[5; 16]).unwrap(),
            vault.consent_key(tenant, &one, "https://epa.example").unwrap(),
            vault.event_key(tenant, &one, 20_000, &[5; 16]).unwrap(),
        ];
        for key in keys {
            assert_eq!(vault.is_hers(tenant, &one, &key), Ok(true));
            assert_eq!(vault.is_hers(tenant, &two, &key), Ok(false));
            let elsewhere = Key::new(key.kind(), tenant_id("https://two.example"), key.id()).unwrap();
            assert_eq!(vault.is_hers(tenant, &one, &elsewhere), Ok(false));
        }
        assert_eq!(vault.is_hers(tenant, &one, &one.identity_key(tenant)), Ok(false));
        // Hers as a device is not hers as an event: the groups of two kinds have nothing to do with each other.
        let as_event = Key::new(Kind::Audit, tenant, keys[0].id()).unwrap();
        assert_eq!(vault.is_hers(tenant, &one, &as_event), Ok(false));
    }
}
