//! The policyholder's half: what an insurer's app needs to know of the protocol, and cards to play it with.

pub mod card;
