//! fedmaster
