#![allow(clippy::unwrap_used, clippy::panic)]
mod enrolments;
mod logins;
mod world;

pub(crate) use world::run_at_once;
