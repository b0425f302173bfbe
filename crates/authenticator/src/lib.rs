//! How a person proves who she is: health card and PIN, device keys, passkeys and what their
//! makers attest about them, levels and the policy that rules them; and which apps open an insurer's links.
//!
//! Trusted for: an [`AuthenticatedPerson`] exists only after a signature was verified here, over a challenge this
//! provider issued, with a key that a trusted authority or an earlier card login vouches for.
//!
//! Does not: read a clock, draw randomness, open files or sockets, keep state, log. Single use of a challenge is
//! enforced where the login is redeemed, on [`challenge::Challenge::login_id`].

pub mod app_links;
pub mod attestation;
pub mod challenge;
pub mod device;
pub mod health_card;
pub mod identifier;
pub mod level;
pub mod passkey;
mod person;
pub mod pin;
pub mod policy;
mod reason;

pub use identifier::{Ik, IkError, Kvnr, KvnrError};
pub use level::{Acr, Amr, IdTokenVersion, Method};
pub use person::{AuthenticatedPerson, Subject};
pub use reason::{GoesOn, Reason};

// The sandbox's certificate writer, alone: it can write what is wrong in one point.
#[cfg(test)]
#[allow(dead_code)]
#[path = "../../sandbox/src/pki/x509.rs"]
mod certificate_writer;
