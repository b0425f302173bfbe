//! A specialist service's (Fachdienst's) half of GesundheitsID: the client library, the account of a token, two demo services.
//!
//! | Need | Take |
//! |---|---|
//! | log people in from a service of one's own | [`client::RelyingParty`] |
//! | show why a token was believed, and what it holds | [`explain`] |
//! | a running service with pages, for the sandbox | [`demo::DemoService`] |
//! | ask what runs at the identity provider | [`mod@evidence`] |
//!
//! **Trusted for:** a [`client::VerifiedIdToken`] was encrypted to this service, signed by a key that the Federation Master vouches for,
//! and answers the login it was asked for.
//!
//! **Does not:** read the clock (`now` is a parameter of every call), open files, keep a token longer than the caller does. TLS and HTTP
//! are [`transport`]'s.

pub mod client;
pub mod demo;
pub mod evidence;
pub mod explain;
pub mod language;

#[cfg(test)]
pub(crate) mod fake;
