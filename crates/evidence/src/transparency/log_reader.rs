//! A log in a directory, as whoever keeps a copy reads it: a witness, a monitor, a verifier that remembers.
//!
//! With the writer the one place of this module that touches files. What is needed to prove is read from the tiles and
//! checked against the root of the checkpoint, which the log signed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tlog_tiles::{Error as TlogError, Hash, HashReader, Tile, TileHashReader, TileReader};
use tlog_tiles::{prove_record, prove_tree, tree_hash};

use super::{InclusionProof, LogError, LogView, NamedKey, Note, SignedCheckpoint};

/// Greatest number of entries. Far more than manifests ever need, and small enough for all tree arithmetic.
pub const MAX_TREE_SIZE: u64 = 1 << 40;

/// Tiles are 2^8 hashes wide (C2SP tlog-tiles).
pub(super) const TILE_HEIGHT: u8 = 8;
pub(super) const TILE_WIDTH: u64 = 256;
const HASH_BYTES: usize = 32;

/// Why the log was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogWriterError {
    /// A file could not be read or written.
    #[error("log: {0}")]
    Io(#[from] io::Error),
    /// The checkpoint in the directory is not this log's.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The tiles do not lead to the checkpoint's root, or are not there.
    #[error("log: the tiles do not lead to the checkpoint")]
    Damaged,
    /// An entry that is empty or too long.
    #[error("log: expected an entry of 1 to 65535 bytes")]
    EntryLength,
    /// No such entry or size.
    #[error("log: there is no such entry or tree size")]
    OutOfRange,
}

/// Reads a log from a directory, and proves what stands there.
#[derive(Debug)]
pub struct LogReader {
    pub(super) directory: PathBuf,
    log: NamedKey,
}

impl LogReader {
    /// The log of that key in `directory`, which may be empty.
    ///
    /// # Errors
    /// [`LogWriterError`] when the directory holds a log that is not this key's, or a damaged one.
    pub fn open(directory: impl Into<PathBuf>, log: NamedKey) -> Result<Self, LogWriterError> {
        let reader = Self {
            directory: directory.into(),
            log,
        };
        if let Some(view) = reader.view()? {
            let root = tree_hash(view.size, &reader.stored(view)).map_err(|_| LogWriterError::Damaged)?;
            if root.0 != view.root {
                return Err(LogWriterError::Damaged);
            }
        }
        Ok(reader)
    }

    /// The tree the checkpoint in the directory speaks of; `None` for an empty log.
    ///
    /// # Errors
    /// [`LogWriterError::Io`], [`LogWriterError::Log`].
    pub fn view(&self) -> Result<Option<LogView>, LogWriterError> {
        let Some(note) = self.checkpoint()? else {
            return Ok(None);
        };
        Ok(Some(SignedCheckpoint::parse(&note)?.verify(&self.log)?.view()))
    }

    /// The signed note in the directory, with the cosignatures added so far.
    ///
    /// # Errors
    /// [`LogWriterError::Io`].
    pub fn checkpoint(&self) -> Result<Option<String>, LogWriterError> {
        match fs::read_to_string(self.directory.join("checkpoint")) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a witness's signature line to the checkpoint in the directory. Needs no key: whoever reads judges it.
    ///
    /// # Errors
    /// [`LogWriterError`].
    pub fn add_cosignature(&self, line: &str) -> Result<(), LogWriterError> {
        let note = self.checkpoint()?.ok_or(LogWriterError::OutOfRange)?;
        let mut note = Note::parse(&note)?;
        note.add_lines(line)?;
        self.write("checkpoint", note.encode().as_bytes())
    }

    /// An entry as it was added.
    ///
    /// # Errors
    /// [`LogWriterError::OutOfRange`], [`LogWriterError::Damaged`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogWriterError> {
        let size = self.view()?.map_or(0, |view| view.size);
        if index >= size {
            return Err(LogWriterError::OutOfRange);
        }
        let bundle = index / TILE_WIDTH;
        let width = (size - bundle * TILE_WIDTH).min(TILE_WIDTH);
        let bytes = fs::read(self.directory.join(bundle_path(bundle, width)))?;
        let mut rest = &bytes[..];
        for _ in 0..index % TILE_WIDTH {
            rest = split_entry(rest).ok_or(LogWriterError::Damaged)?.1;
        }
        Ok(split_entry(rest).ok_or(LogWriterError::Damaged)?.0.to_vec())
    }

    /// The path from an entry to the current root.
    ///
    /// # Errors
    /// [`LogWriterError::OutOfRange`], [`LogWriterError::Damaged`].
    pub fn prove_inclusion(&self, index: u64) -> Result<InclusionProof, LogWriterError> {
        let view = self.view()?.ok_or(LogWriterError::OutOfRange)?;
        if index >= view.size {
            return Err(LogWriterError::OutOfRange);
        }
        let path = prove_record(view.size, index, &self.stored(view)).map_err(|_| LogWriterError::Damaged)?;
        Ok(InclusionProof {
            index,
            path: path.into_iter().map(|hash| hash.0).collect(),
        })
    }

    /// The proof that the current tree contains the one of `old_size` entries; empty for 0 and for the current size.
    ///
    /// # Errors
    /// [`LogWriterError::OutOfRange`], [`LogWriterError::Damaged`].
    pub fn prove_consistency(&self, old_size: u64) -> Result<Vec<[u8; 32]>, LogWriterError> {
        let view = self.view()?.ok_or(LogWriterError::OutOfRange)?;
        if old_size > view.size {
            return Err(LogWriterError::OutOfRange);
        }
        if old_size == 0 {
            return Ok(Vec::new());
        }
        let proof = prove_tree(view.size, old_size, &self.stored(view)).map_err(|_| LogWriterError::Damaged)?;
        Ok(proof.into_iter().map(|hash| hash.0).collect())
    }

    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), LogWriterError> {
        let path = self.directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(write_whole(&path, bytes)?)
    }

    pub(super) fn stored(&self, view: LogView) -> Stored<'_> {
        Stored {
            directory: &self.directory,
            view,
        }
    }
}

/// Writes a file so that a crash leaves the old or the new content, never a part.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&new, path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// `tile/<L>/<N>[.p/<W>]`. The library writes the height into the path, as Go's checksum database does.
pub(super) fn tile_path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

/// `tile/entries/<N>[.p/<W>]`.
pub(super) fn bundle_path(bundle: u64, width: u64) -> String {
    // `width` is 1 to 256.
    let mut tile = Tile::new(TILE_HEIGHT, 0, bundle, u32::try_from(width).unwrap_or(1), false);
    tile.set_is_data();
    tile.path().replacen("tile/8/data/", "tile/entries/", 1)
}

/// The hashes of a tree, read from its tiles and checked against its root.
pub(super) struct Stored<'a> {
    directory: &'a Path,
    view: LogView,
}

impl HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TlogError> {
        if indexes.is_empty() {
            return Ok(Vec::new());
        }
        TileHashReader::new(self.view.size, Hash(self.view.root), self).read_hashes(indexes)
    }
}

impl TileReader for Stored<'_> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, TlogError> {
        tiles
            .iter()
            .map(|tile| {
                let data = fs::read(self.directory.join(tile_path(tile))).map_err(|_| TlogError::InvalidTile)?;
                if data.len() == tile.width() as usize * HASH_BYTES {
                    Ok(data)
                } else {
                    Err(TlogError::InvalidTile)
                }
            })
            .collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}
