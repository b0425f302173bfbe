//! Files the configuration names.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Largest file the configuration names, in bytes: a bundle of TLS roots, manifests.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A file that cannot be read.
#[derive(Debug, Error)]
#[error("{member} ({}): {reason}", path.display())]
pub struct UnreadableFile {
    /// Which key names it.
    pub member: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Reads a file that a key of the configuration names.
pub(crate) fn read(member: &'static str, path: &Path) -> Result<Vec<u8>, UnreadableFile> {
    let file = |reason: String| UnreadableFile {
        member,
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path).map_err(|error| file(error.to_string()))?.len();
    if length > MAX_FILE_BYTES {
        return Err(file(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    std::fs::read(path).map_err(|error| file(error.to_string()))
}
