//! What the types refuse, as examples that must not compile. Each differs from the first, which compiles, by the one thing
//! its heading says; so a refusal has no other cause.
//!
//! # This compiles
//!
//! ```
//! use store::{Key, Row};
//! use vault::{Outbound, PersonCapability, PersonScope, SealedChange, ScopeError, Vault};
//!
//! fn two(vault: &Vault, one: PersonCapability, other: PersonCapability, identity: &Row, device: Key, row: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| -> Result<SealedChange, ScopeError> {
//!         let record = scope.open_record(&device, row)?;
//!         let _ = vault.with_person(other, identity, |other| {
//!             let _ = other.claims().given_name().len();
//!         });
//!         scope.seal_record(device, Some(row.version), &record, None)
//!     });
//! }
//! ```
//!
//! # Claims do not leave the closure
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn leak(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| scope.claims());
//! }
//! ```
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, PersonClaims, Vault};
//!
//! fn leak(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let mut kept: Option<&PersonClaims<'_>> = None;
//!     let _ = vault.with_person(one, identity, |scope| kept = Some(scope.claims()));
//! }
//! ```
//!
//! # Not even as a text
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn leak(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| scope.claims().given_name().to_owned());
//! }
//! ```
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn leak(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| scope.claims().birthdate().len());
//! }
//! ```
//!
//! # An opened record does not leave the closure
//!
//! ```compile_fail
//! use store::{Key, Row};
//! use vault::{PersonCapability, Vault};
//!
//! fn leak(vault: &Vault, one: PersonCapability, identity: &Row, device: Key, row: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| scope.open_record(&device, row));
//! }
//! ```
//!
//! # One person's record is not sealed for another
//!
//! ```compile_fail
//! use store::{Key, Row};
//! use vault::{Outbound, PersonCapability, PersonScope, SealedChange, ScopeError, Vault};
//!
//! fn two(vault: &Vault, one: PersonCapability, other: PersonCapability, identity: &Row, device: Key, row: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| -> Result<SealedChange, ScopeError> {
//!         let record = scope.open_record(&device, row)?;
//!         let _ = vault.with_person(other, identity, |other| {
//!             let _ = other.seal_record(device, Some(row.version), &record, None);
//!         });
//!         scope.seal_record(device, Some(row.version), &record, None)
//!     });
//! }
//! ```
//!
//! # A scope does not leave its thread
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn send(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| {
//!         std::thread::scope(|threads| {
//!             threads.spawn(|| drop(scope.person_id()));
//!         });
//!     });
//! }
//! ```
//!
//! # A capability is not made, copied or used twice
//!
//! ```compile_fail
//! use vault::{PersonCapability, PersonId};
//! fn forge(tenant: store::TenantId, person: PersonId) -> PersonCapability {
//!     PersonCapability { tenant, person }
//! }
//! ```
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn twice(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |_| ());
//!     let _ = vault.with_person(one, identity, |_| ());
//! }
//! ```
//!
//! # Nothing prints or serialises a person
//!
//! ```compile_fail
//! fn print(claims: &vault::PersonClaims<'_>) -> String {
//!     format!("{claims:?}")
//! }
//! ```
//!
//! ```compile_fail
//! fn print(record: &vault::Plaintext<'_>) -> String {
//!     format!("{record:?}")
//! }
//! ```
//!
//! ```compile_fail
//! fn print(data: &vault::PersonData) -> String {
//!     format!("{data}")
//! }
//! ```
//!
//! ```compile_fail
//! fn write(data: &vault::PersonData) -> Vec<u8> {
//!     serde_json::to_vec(data).unwrap()
//! }
//! ```
//!
//! # Nobody else says what may leave
//!
//! ```compile_fail
//! struct Mine(String);
//! impl vault::Outbound for Mine {}
//! ```
//!
//! # Nor does any of them become JSON
//!
//! ```compile_fail
//! fn write(claims: &vault::PersonClaims<'_>) -> Vec<u8> {
//!     serde_json::to_vec(claims).unwrap()
//! }
//! ```
//!
//! ```compile_fail
//! fn write(record: &vault::Plaintext<'_>) -> Vec<u8> {
//!     serde_json::to_vec(record).unwrap()
//! }
//! ```
//!
//! # Not even an error may carry her data out
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn leak(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| -> Result<(), String> {
//!         Err(scope.claims().given_name().to_owned())
//!     });
//! }
//! ```
//!
//! # Nor do claims or an opened record leave its thread
//!
//! ```compile_fail
//! use store::Row;
//! use vault::{PersonCapability, Vault};
//!
//! fn send(vault: &Vault, one: PersonCapability, identity: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| {
//!         let claims = scope.claims();
//!         std::thread::scope(|threads| {
//!             threads.spawn(|| claims.given_name().len());
//!         });
//!     });
//! }
//! ```
//!
//! ```compile_fail
//! use store::{Key, Row};
//! use vault::{PersonCapability, Vault};
//!
//! fn send(vault: &Vault, one: PersonCapability, identity: &Row, device: Key, row: &Row) {
//!     let _ = vault.with_person(one, identity, |scope| {
//!         if let Ok(record) = scope.open_record(&device, row) {
//!             std::thread::scope(|threads| {
//!                 threads.spawn(|| record.bytes().len());
//!             });
//!         }
//!     });
//! }
//! ```
//!
//! # Keys: this compiles
//!
//! ```
//! use vault::{HsmHalf, Namespace, NamespaceSeed, UnlockedRoot, Vault};
//!
//! fn open(namespace: &Namespace, seed: &NamespaceSeed, half: &HsmHalf) -> Vault {
//!     let root = UnlockedRoot::from_locks(namespace, seed, half);
//!     let _ = format!("{root:?} {seed:?} {half:?}"); // their names only
//!     Vault::open(root)
//! }
//! ```
//!
//! # A root is not opened by one lock
//!
//! ```compile_fail
//! use vault::{HsmHalf, Namespace, NamespaceSeed, UnlockedRoot, Vault};
//!
//! fn open(namespace: &Namespace, seed: &NamespaceSeed) -> Vault {
//!     Vault::open(UnlockedRoot::from_locks(namespace, seed, None))
//! }
//! ```
//!
//! ```compile_fail
//! use vault::{HsmHalf, Namespace, NamespaceSeed, UnlockedRoot, Vault};
//!
//! fn open(namespace: &Namespace, half: &HsmHalf) -> Vault {
//!     Vault::open(UnlockedRoot::from_locks(namespace, half, half))
//! }
//! ```
//!
//! # Neither half is made of bytes from anywhere
//!
//! ```compile_fail
//! fn forge(bytes: &[u8; 32]) -> vault::NamespaceSeed {
//!     vault::NamespaceSeed::from_bytes(bytes)
//! }
//! ```
//!
//! ```compile_fail
//! fn forge(bytes: vault::secret_memory::Secret<32>) -> vault::HsmHalf {
//!     vault::HsmHalf::new(bytes)
//! }
//! ```
//!
//! # Seeds, shares and bundles are not copied, and their bytes are not read
//!
//! ```compile_fail
//! fn copy(seed: &vault::NamespaceSeed) -> vault::NamespaceSeed {
//!     seed.clone()
//! }
//! ```
//!
//! ```compile_fail
//! fn read(seed: &vault::NamespaceSeed) -> [u8; 32] {
//!     *seed.bytes()
//! }
//! ```
//!
//! ```compile_fail
//! fn read(share: &vault::shares::Share) -> Vec<u8> {
//!     share.to_bytes().to_vec()
//! }
//! ```
//!
//! ```compile_fail
//! fn read(bundle: &vault::TenantBundle) -> Vec<u8> {
//!     bundle.to_bytes().to_vec()
//! }
//! ```
//!
//! # A setup is not attested by whoever says so
//!
//! ```compile_fail
//! use vault::ceremony::{AttestedSetup, SetupOffer};
//! fn forge(offer: SetupOffer, share_set: evidence::manifest::RoleSet) -> AttestedSetup {
//!     AttestedSetup { offer, share_set }
//! }
//! ```
//!
//! # Keys are forwarded to admitted instances only
//!
//! ```compile_fail
//! use vault::ceremony::{Donor, Forward, JoinRequest};
//! fn forward(donor: &mut Donor<'_>, request: &JoinRequest, seed: &vault::NamespaceSeed) {
//!     let _ = donor.forward(request, request, Forward::Seed(seed), jose::UnixTime(0));
//! }
//! ```
