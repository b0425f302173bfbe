//! A whole federation in one process: openly fake data, real protocol.
//!
//! Federation Master, one provider with two insurers, two demo services, virtual health cards, and a portal to begin at. Everything speaks
//! over real sockets, TLS and mutual TLS included; only people, cards and authorities are invented.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use sandbox::{Sandbox, SandboxOptions};
//!
//! let running = Sandbox::start(SandboxOptions::default()).await?;
//! println!("open {}", running.description().portal);
//! running.stop().await;
//! # Ok(()) }
//! ```
//!
//! **Trusted for** nothing: it plays every role, the person's included. **Does not** belong in production: no part of it is linked into
//! `healthid-provider`.

pub mod addresses;
mod attestation;
pub mod cards;
pub mod certificates;
pub mod data;
pub mod description;
mod error;
pub mod headless;
pub mod insurers;
mod pem;
pub mod people;
pub mod pki;
mod portal;
pub mod rehearsal;
pub mod rollover;
mod sandbox;
pub mod service_keys;
pub mod services;
mod shortcuts;
mod watch;
mod welcome;

pub use error::StartError;
pub use portal::TOOL_HEADER;
/// For whoever starts a sandbox in a process of its own: a library does not change the whole process.
pub use provider::telemetry::quiet_panics;
pub use sandbox::{BuiltFrom, RunningSandbox, Sandbox, SandboxOptions};
pub use welcome::welcome;
