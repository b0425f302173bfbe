//! Keys and personal data: the one room that holds either in clear.
//!
//! * [`Vault`] owns the key hierarchy. What lies under it is derived per tenant, purpose and generation.
//! * [`UnlockedRoot`] is the root, opened by both locks: a seed that only a quorum of holders restores ([`shares`]) and a half that
//!   only a hardware security module unwraps ([`hsm`]). [`ceremony`] makes the seed, hands it on, and brings it back.
//! * [`TenantBundle`] holds one tenant's keys, for an instance that serves that tenant and no other.
//! * [`Succession`] leads from one root to the next. [`secret_memory`] is where keys stand.
//! * [`Vault::with_person`] opens one person's record inside a scope. Her data leaves it sealed, as an encrypted token,
//!   or as an answer to herself; two people's data cannot meet (types inside, associated data outside).
//! * [`PersonCapability`] is the right to open a scope. It exists only after a verified authentication, out of a sealed
//!   login state that descends from one, or for a named background task.
//! * [`LoginStateSealer`] seals what a login carries from one request to the next.
//! * [`freshness`] names, counts and seals the facts that must never go back, whatever becomes of the database.
//! * [`TenantKey`] and [`TenantSigners`] hold a tenant's signing keys: in the module, or sealed.
//!
//! Trusted for: whoever has the stored bytes but not the root learns sizes, times and access pattern, and can neither
//! read, change nor exchange a record unnoticed. He can bring back an *older state of the same record*; what that cannot
//! undo stands in the freshness ledger (`docs/adr/0008-freshness-ledger.md`). With the `development` lock
//! ([`Vault::lock_name`]) the operator holds the root and is not excluded from anything. `quorum+hsm` takes the root out of
//! every file; whoever reads this process's memory still has it, unless a trusted execution environment is around it.
//!
//! Does not: touch network, HTTP, SQL or the clock; decide what may be released.
//!
//! What the types cannot do: Rust has no way to keep a closure from copying bytes it can read into a variable outside.
//! The scope makes that a visible act in one closure, not an accident.

mod associated_data;
mod block_code;
mod capability;
pub mod ceremony;
mod claim;
mod error;
pub mod freshness;
#[cfg(fuzzing)]
pub mod fuzzing;
mod generations;
mod hierarchy;
pub mod hsm;
mod inbox;
mod key_source;
mod left;
mod lock;
mod login_state;
mod moving;
#[cfg(doctest)]
mod must_not_compile;
mod outbound;
mod person;
mod person_encoding;
mod random;
mod records;
mod rendezvous;
mod row_names;
mod row_size;
mod scope;
mod seal;
pub mod secret_memory;
pub mod shares;
mod signing_key;
mod subscription;
mod succession;
mod tenant_bundle;
mod tenant_keys;
mod vault;
#[cfg(feature = "count-work")]
pub mod work;

pub use block_code::{BLOCK_CODE_LETTERS, BlockCode};
pub use capability::{BackgroundTask, PersonCapability};
pub use claim::{Carried, MAX_BEGUN_BYTES};
pub use error::{CapabilityError, OpenError, PersonDataError, ScopeError, SealError, StateError};
pub use generations::{Generations, MAX_GENERATIONS};
pub use hierarchy::Generation;
pub use inbox::MAX_INBOX_BYTES;
pub use key_source::KeyAbsent;
pub use lock::{HsmHalf, MAX_NAMESPACE_BYTES, Namespace, NamespaceError, NamespaceSeed, UnlockedRoot};
pub use login_state::{LoginStateSealer, MAX_STATE_BYTES, STATE_OVERHEAD_BYTES, SealedState, StateKind};
pub use moving::LookupKeys;
pub use outbound::Outbound;
pub use person::{
    MAX_BIRTHDATE_BYTES, MAX_DISPLAY_NAME_BYTES, MAX_EMAIL_BYTES, MAX_NAME_BYTES, NewPerson, PersonClaims, PersonData,
    PersonId,
};
pub use random::{random, uuid_v7};
pub use rendezvous::MAX_RENDEZVOUS_BYTES;
pub use row_names::{DAY_SECONDS, Rows};
pub use row_size::{MAX_CONSENT_BYTES, MAX_DEVICE_BYTES, MAX_EVENT_BYTES};
pub use scope::{EncryptedToken, Erasure, Mint, PersonAnswer, PersonScope, Plaintext, RecordFacts};
pub use seal::SealedChange;
pub use signing_key::{KeyRole, KeyState, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, TenantKey, TenantSigners};
pub use succession::{MAX_SUCCESSION_BYTES, Succession, SuccessionError};
pub use tenant_bundle::{BundleError, MAX_BUNDLE_BYTES, TenantBundle};
pub use vault::{MovedLookup, Vault, tenant_id};
