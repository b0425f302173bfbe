//! A whole federation in one process: openly fake data, real protocol.

pub mod pki;
