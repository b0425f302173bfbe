//! What a sealed record is bound to.
//!
//! A record opened with other associated data than it was sealed with is refused: it cannot be moved to another person,
//! kind, id, tenant, or passed off as another version of itself.

use store::{Key, Kind, TenantId};

use crate::Generation;

/// Version of the layout below and of every sealed form; part of the associated data.
pub(crate) const SCHEMA: u8 = 1;

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// A person's data key.
    DataKey,
    /// A record of a person, under her data key.
    PersonRecord,
    /// A record of a tenant, under the tenant's key.
    TenantRecord,
    /// The data key a person had before, while her records move to the new one.
    OlderDataKey,
    /// A person's claims while there is an older data key beside hers: whoever takes it away is noticed.
    ClaimsInRotation,
}

const fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Identity => 1,
        Kind::Lookup => 2,
        Kind::Device => 3,
        Kind::Consent => 4,
        Kind::Audit => 5,
        Kind::SingleUse => 6,
        Kind::TenantKey => 7,
        Kind::Meta => 8,
    }
}

/// Domain, schema, tenant, person, kind, record id, version, generation. Every field but the id has a fixed length, and
/// the id's length precedes it.
fn associated_data(
    domain: Domain,
    tenant: TenantId,
    person: &[u8; 16],
    kind: u8,
    id: &[u8],
    version: u64,
    generation: Generation,
) -> Vec<u8> {
    let domain: &[u8; 12] = match domain {
        Domain::DataKey => b"healthid/key",
        Domain::PersonRecord => b"healthid/per",
        Domain::TenantRecord => b"healthid/ten",
        Domain::OlderDataKey => b"healthid/old",
        Domain::ClaimsInRotation => b"healthid/rot",
    };
    let mut data = Vec::with_capacity(12 + 1 + 16 + 16 + 1 + 8 + 4 + 1 + id.len());
    data.extend_from_slice(domain);
    data.push(SCHEMA);
    data.extend_from_slice(tenant.as_bytes());
    data.extend_from_slice(person);
    data.push(kind);
    data.extend_from_slice(&version.to_be_bytes());
    data.extend_from_slice(&generation.0.to_be_bytes());
    #[allow(clippy::cast_possible_truncation)] // ids have at most 64 bytes
    data.push(id.len() as u8);
    data.extend_from_slice(id);
    data
}

/// For a person's data key. Not bound to a version: the same wrapped key stands in every version of the record.
pub(crate) fn of_data_key(tenant: TenantId, person: &[u8; 16], generation: Generation) -> Vec<u8> {
    associated_data(Domain::DataKey, tenant, person, 0, &[], 0, generation)
}

/// For the data key before it, during a rotation.
pub(crate) fn of_older_data_key(tenant: TenantId, person: &[u8; 16], generation: Generation) -> Vec<u8> {
    associated_data(Domain::OlderDataKey, tenant, person, 0, &[], 0, generation)
}

/// For a person's claims during a rotation of her data key.
pub(crate) fn of_claims_in_rotation(key: &Key, person: &[u8; 16], version: u64, generation: Generation) -> Vec<u8> {
    let kind = kind_code(key.kind());
    associated_data(
        Domain::ClaimsInRotation,
        *key.tenant(),
        person,
        kind,
        key.id(),
        version,
        generation,
    )
}

/// For a record under a person's data key.
pub(crate) fn of_person_record(key: &Key, person: &[u8; 16], version: u64, generation: Generation) -> Vec<u8> {
    let kind = kind_code(key.kind());
    associated_data(
        Domain::PersonRecord,
        *key.tenant(),
        person,
        kind,
        key.id(),
        version,
        generation,
    )
}

/// For a record under a tenant's key.
pub(crate) fn of_tenant_record(key: &Key, version: u64, generation: Generation) -> Vec<u8> {
    let kind = kind_code(key.kind());
    associated_data(
        Domain::TenantRecord,
        *key.tenant(),
        &[0; 16],
        kind,
        key.id(),
        version,
        generation,
    )
}
