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
