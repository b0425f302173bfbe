//! Hardening under attack: a victim process that holds a secret, an attacker that reads it by every way there is, and the
//! victim itself, taken over, trying what it never does.

#![allow(clippy::unwrap_used)]

mod crash;
mod memory;
mod processes;
mod reach;
