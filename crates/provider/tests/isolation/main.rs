//! One person's processing never shows in another's: a thousand people at once with faults and panics between them (attack 32), rows exchanged
//! between people, kinds, tenants and versions (attack 24), what a failed request leaves in memory (attack 33), and answers that are alike whoever they are
//! about (attack 49, their sizes and their work).
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../crash/child.rs"]
mod child;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod faults;
mod leftovers;
#[allow(dead_code)]
#[path = "../crash/process.rs"]
mod process;
mod rows;
#[allow(dead_code)]
#[path = "../canary/search.rs"]
mod search;
mod sizes;

/// As in the shipped program: what is freed is wiped.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);
