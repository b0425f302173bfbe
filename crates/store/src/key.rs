//! What a record is called: kind, tenant, id.

use std::fmt;

use crate::StoreError;

/// Longest id of any kind, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// One insurer's wall: 16 bytes derived from its stable name. No query crosses it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId([u8; 16]);

impl TenantId {
    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantId(")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

/// Result of a keyed hash (HMAC-SHA-256) over something that must not be stored: 32 bytes that say nothing
/// without the key. The room `vault` makes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindIndex([u8; 32]);

impl BlindIndex {
    /// Takes the output of a keyed hash. Never an unkeyed hash of personal data: the health insurance numbers
    /// are few enough to be tried one by one.
    #[must_use]
    pub const fn from_keyed_hash(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex")
    }
}

/// What the ids of one person's records of one kind begin with: a keyed hash of her handle, another one for each kind, so that
/// without the key nobody sees which groups are the same person's. The room `vault` makes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowGroup([u8; 16]);

impl RowGroup {
    /// Takes 16 bytes that say nothing without the key they were made with. Never a person's handle: it would join what is
    /// kept apart (`docs/adr/0011-what-rows-tell.md`).
    #[must_use]
    pub const fn from_keyed_hash(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowGroup")
    }
}

/// How long records of a kind stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until deleted, or until an expiry if the record carries one.
    UntilDeleted,
    /// Written once, with an expiry; kept in slots of this many seconds that are dropped whole.
    Slots {
        /// Length of one slot.
        seconds: u64,
    },
}

/// Which table a record belongs to. Fixes the length of the id, the size of the body and the lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A person's claims. Id: person, 16 bytes.
    Identity,
    /// From a keyed index to a person. Id: [`BlindIndex`], 32 bytes.
    Lookup,
    /// A device key bound to a person. Id: [`RowGroup`] of her devices, 16 bytes, then device, 16 bytes.
    Device,
    /// A remembered consent. Id: [`RowGroup`] of her consents, 16 bytes, then the service as [`BlindIndex`], 32 bytes.
    Consent,
    /// An event of a person's history. Id: [`RowGroup`] of her events of one day, 16 bytes, then event, 16 bytes. Monthly slots.
    Audit,
    /// Something that may happen once, and what has to be kept of it until it is written elsewhere. Id: login, 16 bytes.
    /// Hourly slots.
    SingleUse,
    /// A tenant's own signing key or certificate. Id: 1 to 64 bytes.
    TenantKey,
    /// Housekeeping. Id: 1 to 64 bytes.
    Meta,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Lookup,
        Self::Device,
        Self::Consent,
        Self::Audit,
        Self::SingleUse,
        Self::TenantKey,
        Self::Meta,
    ];

    /// Most bytes a sealed body of this kind may have. Identity records stay below 1.9 KB so that pages are not
    /// wasted and nothing overflows (`spec/performance.md` 3.3). How long a body of a kind really is, is the room `vault`'s business:
    /// each has one size.
    #[must_use]
    pub const fn max_sealed_bytes(self) -> usize {
        match self {
            Self::Identity => 1_900,
            Self::Lookup => 128,
            Self::Device => 1_088,
            Self::Consent => 512,
            Self::Audit | Self::SingleUse => 640,
            Self::TenantKey => 8_192,
            Self::Meta => 4_096,
        }
    }

    /// How long records of this kind stay.
    #[must_use]
    pub const fn lifetime(self) -> Lifetime {
        match self {
            Self::SingleUse => Lifetime::Slots { seconds: 3_600 },
            Self::Audit => Lifetime::Slots {
                seconds: 30 * 24 * 3_600,
            },
            _ => Lifetime::UntilDeleted,
        }
    }

    fn check_id_length(self, found: usize) -> Result<(), StoreError> {
        let (fits, expected) = match self {
            Self::Identity | Self::SingleUse => (found == 16, "16"),
            Self::Lookup | Self::Device | Self::Audit => (found == 32, "32"),
            Self::Consent => (found == 48, "48"),
            Self::TenantKey | Self::Meta => ((1..=MAX_ID_BYTES).contains(&found), "1 to 64"),
        };
        if fits {
            Ok(())
        } else {
            Err(StoreError::IdLength {
                kind: self,
                expected,
                found,
            })
        }
    }
}

/// Name of a record: kind, tenant, id. Ordered by kind, then tenant, then id bytes.
///
/// Ids of everything that belongs to a person have one fixed length of random or keyed bytes, so that a health
/// insurance number (10 characters) cannot become a key by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    kind: Kind,
    tenant: TenantId,
    length: u8,
    id: [u8; MAX_ID_BYTES],
}

impl Key {
    /// A key of any kind.
    ///
    /// # Errors
    /// [`StoreError::IdLength`] if the id does not have the length the kind demands.
    pub fn new(kind: Kind, tenant: TenantId, id: impl AsRef<[u8]>) -> Result<Self, StoreError> {
        let id = id.as_ref();
        kind.check_id_length(id.len())?;
        Ok(Self::build(kind, tenant, &[id]))
    }

    /// Key of a person's claims.
    #[must_use]
    pub fn identity(tenant: TenantId, person: &[u8; 16]) -> Self {
        Self::build(Kind::Identity, tenant, &[person])
    }

    /// Key from a keyed index to a person.
    #[must_use]
    pub fn lookup(tenant: TenantId, index: &BlindIndex) -> Self {
        Self::build(Kind::Lookup, tenant, &[&index.0])
    }

    /// Key of a person's device.
    #[must_use]
    pub fn device(tenant: TenantId, hers: &RowGroup, device: &[u8; 16]) -> Self {
        Self::build(Kind::Device, tenant, &[&hers.0, device])
    }

    /// Key of a person's consent for a service. The service is a keyed index so that the table does not tell
    /// which services a person uses (A_23018).
    #[must_use]
    pub fn consent(tenant: TenantId, hers: &RowGroup, service: &BlindIndex) -> Self {
        Self::build(Kind::Consent, tenant, &[&hers.0, &service.0])
    }

    /// Key of an event in a person's history.
    #[must_use]
    pub fn audit(tenant: TenantId, hers: &RowGroup, event: &[u8; 16]) -> Self {
        Self::build(Kind::Audit, tenant, &[&hers.0, event])
    }

    /// Key of something that may happen once.
    #[must_use]
    pub fn single_use(tenant: TenantId, login: &[u8; 16]) -> Self {
        Self::build(Kind::SingleUse, tenant, &[login])
    }

    /// Kind of the record.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Tenant the record belongs to.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The id, as many bytes as the kind demands.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.id[..usize::from(self.length)]
    }

    /// A key that may never be stored, to begin a listing at; `None` if no id can be so long.
    pub(crate) fn bound(kind: Kind, tenant: TenantId, id: &[u8]) -> Option<Self> {
        (id.len() <= MAX_ID_BYTES).then(|| Self::build(kind, tenant, &[id]))
    }

    /// Callers have checked the length: the parts fit [`MAX_ID_BYTES`].
    fn build(kind: Kind, tenant: TenantId, parts: &[&[u8]]) -> Self {
        let mut id = [0; MAX_ID_BYTES];
        let mut length = 0;
        for part in parts {
            id[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        #[allow(clippy::cast_possible_truncation)] // at most 64
        Self {
            kind,
            tenant,
            length: length as u8,
            id,
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.kind, self.tenant, self.id()).cmp(&(other.kind, other.tenant, other.id()))
    }
}

/// Prints the kind only: which person a key names is not for logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.kind)
    }
}
