//! Binding evidence to what it is shown for: a key forward, an instance, one connection.
//!
//! A quote alone is a certificate anybody can pass on. So it commits to an instance's own key ([`InstanceStatement`]),
//! and that key signs every single connection it is shown on ([`ConnectionProof`]): the client's nonce, the server's TLS
//! key, the TLS exporter of this session, and the role label of the signer. Who relays the evidence over a connection of
//! his own has another exporter; who reflects a client's proof has another label; who holds a stolen TLS key lacks the
//! instance key. In-handshake binding to a key and a nonce alone is known to be broken (CVE-2026-33697).
//!
//! **Trusted for:** a [`BoundInstance`] is at the other end of exactly this TLS session.
//!
//! **Does not:** open sockets or read exporters (`transport` does), produce quotes (the module `produce` does).

mod connection;
mod instance;
mod join;
mod quote_schedule;

pub use connection::{BoundInstance, ConnectionProof, EXPORTER_LABEL, Endpoint, Session, verify_connection};
pub use instance::{BindingError, InstanceStatement, MAX_LOCK_NAME_CHARACTERS, QuoteAge};
pub use join::join_report_data;
pub use quote_schedule::{Ask, QuoteSchedule};

#[cfg(test)]
mod tests;
