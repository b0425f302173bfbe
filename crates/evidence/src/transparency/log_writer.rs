//! Writes a log into a directory: tiles, entry bundles and the checkpoint, as C2SP tlog-tiles serves them.

use std::fs;
use std::path::PathBuf;

use tlog_tiles::{Error as TlogError, Hash, HashReader, Tile};
use tlog_tiles::{record_hash, stored_hash_index, stored_hashes_for_record_hash, tree_hash};

use super::log_reader::{Stored, TILE_HEIGHT, TILE_WIDTH, bundle_path, tile_path};
use super::{LogReader, LogView, LogWriterError, MAX_ENTRY_BYTES, MAX_TREE_SIZE, SignedCheckpoint, SigningKey};

/// Writes a log into a directory, and proves what it wrote.
#[derive(Debug)]
pub struct LogWriter {
    reader: LogReader,
    key: SigningKey,
}

impl LogWriter {
    /// A log in `directory`, signed with `key`, whose name is the log's. The directory may be empty.
    ///
    /// # Errors
    /// [`LogWriterError`] when the directory holds a log that is not this key's, or a damaged one.
    pub fn open(directory: impl Into<PathBuf>, key: SigningKey) -> Result<Self, LogWriterError> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        let reader = LogReader::open(directory, key.public().clone())?;
        Ok(Self { reader, key })
    }

    /// What was written, to read and prove.
    #[must_use]
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Adds an entry, signs the new checkpoint, and answers the entry's index.
    ///
    /// # Errors
    /// As [`LogWriter::append_all`].
    pub fn append(&self, entry: &[u8]) -> Result<u64, LogWriterError> {
        self.append_all(&[entry])
    }

    /// Adds entries, signs one new checkpoint, and answers the first entry's index.
    ///
    /// Tiles and bundles are written before the checkpoint, so a crash leaves the old log, and adding again writes the
    /// same paths again.
    ///
    /// # Errors
    /// [`LogWriterError`].
    pub fn append_all(&self, entries: &[&[u8]]) -> Result<u64, LogWriterError> {
        let is_length = |entry: &&[u8]| (1..=MAX_ENTRY_BYTES).contains(&entry.len());
        if entries.is_empty() || !entries.iter().all(is_length) {
            return Err(LogWriterError::EntryLength);
        }
        let old = self.reader.view()?;
        let first = old.map_or(0, |view| view.size);
        let size = first.saturating_add(entries.len() as u64);
        if size > MAX_TREE_SIZE {
            return Err(LogWriterError::OutOfRange);
        }
        let mut grown = Grown {
            old: old.map(|view| self.reader.stored(view)),
            first: stored_hash_index(0, first),
            added: Vec::new(),
        };
        for (index, entry) in (first..).zip(entries) {
            let added = stored_hashes_for_record_hash(index, record_hash(entry), &grown)
                .map_err(|_| LogWriterError::Damaged)?;
            grown.added.extend(added);
        }
        for tile in Tile::new_tiles(TILE_HEIGHT, first, size) {
            let data = tile.read_data(&grown).map_err(|_| LogWriterError::Damaged)?;
            self.reader.write(&tile_path(&tile), &data)?;
        }
        self.write_bundles(first, entries)?;
        let root = tree_hash(size, &grown).map_err(|_| LogWriterError::Damaged)?;
        let checkpoint = SignedCheckpoint::sign(LogView { root: root.0, size }, &self.key)?;
        self.reader.write("checkpoint", checkpoint.note().encode().as_bytes())?;
        Ok(first)
    }

    /// The bundles that `entries` fall into, the first one continued where it stands.
    fn write_bundles(&self, first: u64, entries: &[&[u8]]) -> Result<(), LogWriterError> {
        let width = first % TILE_WIDTH;
        let mut bytes = match width {
            0 => Vec::new(),
            width => fs::read(self.reader.directory.join(bundle_path(first / TILE_WIDTH, width)))?,
        };
        for (index, entry) in (first..).zip(entries) {
            // `append_all` has looked at the length.
            let length = u16::try_from(entry.len()).map_err(|_| LogWriterError::EntryLength)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(entry);
            let width = index % TILE_WIDTH + 1;
            let is_last = index + 1 == first + entries.len() as u64;
            if is_last || width == TILE_WIDTH {
                self.reader.write(&bundle_path(index / TILE_WIDTH, width), &bytes)?;
                bytes.clear();
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }
}

/// The hashes of a tree that one entry was just added to.
struct Grown<'a> {
    old: Option<Stored<'a>>,
    first: u64,
    added: Vec<Hash>,
}

impl HashReader for Grown<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TlogError> {
        let old: Vec<u64> = indexes.iter().copied().filter(|index| *index < self.first).collect();
        let mut old = match &self.old {
            Some(stored) => stored.read_hashes(&old)?,
            None if old.is_empty() => Vec::new(),
            None => return Err(TlogError::IndexesNotInTree),
        }
        .into_iter();
        indexes
            .iter()
            .map(|index| match index.checked_sub(self.first) {
                None => old.next(),
                Some(new) => usize::try_from(new).ok().and_then(|new| self.added.get(new)).copied(),
            })
            .map(|hash| hash.ok_or(TlogError::IndexesNotInTree))
            .collect()
    }
}
