//! The log: what may run is public before it runs, and cannot be made unpublic.
//!
//! Formats: C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-cosignature (Ed25519, `cosignature/v1`); Merkle tree
//! as in RFC 6962 §2.1. Tiles, tree arithmetic and the checkpoint's body come from the `tlog_tiles` library; notes and
//! cosignatures are ours.
//!
//! **Trusted for:** a [`CosignedCheckpoint`] carries the log's signature and at least the threshold of different
//! witnesses' cosignatures; an entry that [`CosignedCheckpoint::check_included`] accepts stands in that tree;
//! [`LogView::check_consistent`] accepts only two views of one growing log; a [`Witness`] never cosigns two trees that
//! contradict each other, as long as its state file is kept.
//!
//! **Does not:** speak HTTP. A [`LogWriter`] writes files that any web server can serve as they are; witnesses are
//! asked through whatever carries bytes. One writer at a time: the files are not locked.

mod checkpoint;
mod error;
mod keys;
mod log_reader;
mod log_writer;
mod note;
mod witness;

pub use checkpoint::{
    CosignedCheckpoint, InclusionProof, LogView, MAX_PROOF_HASHES, SignedCheckpoint, VerifiedCheckpoint,
};
pub use error::LogError;
pub use keys::{KeyFileError, NamedKey, SigningKey};
pub use log_reader::{LogReader, LogWriterError, MAX_TREE_SIZE};
pub use log_writer::LogWriter;
pub use note::{MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note};
pub use witness::{CosignRequest, Witness, WitnessError};

/// Longest entry in bytes: an entry's length is written in two bytes (C2SP tlog-tiles, "Log entries").
pub const MAX_ENTRY_BYTES: usize = 65_535;

#[cfg(test)]
mod tests;
