//! A whole federation in one process: openly fake data, real protocol.

pub mod addresses;
pub mod cards;
pub mod data;
pub mod insurers;
pub mod people;
pub mod pki;
pub mod services;
