#![allow(clippy::unwrap_used, clippy::panic)]
mod enrolments;
mod inbox;
mod logins;
mod moves;
mod world;

pub(crate) use world::run_at_once;
