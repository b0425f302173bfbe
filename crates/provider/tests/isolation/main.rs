//! One person's processing never shows in another's: a thousand people at once with faults and panics between them (attack 32), rows exchanged
//! between people, kinds, tenants and versions (attack 24), and answers that are alike whoever they are about (attack 49, their sizes).
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod faults;
mod rows;
mod sizes;
