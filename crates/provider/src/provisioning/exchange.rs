//! The exchange directory: files between an instance and whoever carries them. The courier is nobody's friend: he may lose, change, repeat and invent
//! files, and everything that counts is signed or sealed. What he can do is keep an instance waiting.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Longest file that is read, in bytes: evidence, manifests, a transcript.
pub(super) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Most entries of one directory that are looked at in one round, and most of them that count.
const MAX_ENTRIES: usize = 65_536;
const MAX_NAMES: usize = 1_024;

/// Why a file was not exchanged.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub struct ExchangeError {
    /// Which file or directory.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> ExchangeError {
    move |error| ExchangeError {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// A directory of the exchange, or a file of whose.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The exchange directory itself. Tries whether it can be written.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn open(path: &Path) -> Result<Self, ExchangeError> {
        let folder = Self(path.to_owned());
        let probe = path.join(".probe");
        let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
        match written {
            Ok(()) => Ok(folder),
            Err(error) => Err(ExchangeError {
                path: path.to_owned(),
                reason: format!(
                    "{error}; it must be a directory this user can write, of which couriers can read and write what is in it"
                ),
            }),
        }
    }

    /// A directory that is there, to be read.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn inside(&self, name: &str) -> Self {
        Self(self.0.join(name))
    }

    /// Makes a new directory inside.
    pub(super) fn create(&self, name: &str) -> Result<Self, ExchangeError> {
        let path = self.0.join(name);
        DirBuilder::new().mode(0o770).create(&path).map_err(failed(&path))?;
        Ok(Self(path))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// A file that must be there.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ExchangeError> {
        let path = self.0.join(name);
        let length = fs::metadata(&path).map_err(failed(&path))?.len();
        if length > MAX_FILE_BYTES {
            return Err(ExchangeError {
                path,
                reason: format!("longer than {MAX_FILE_BYTES} bytes"),
            });
        }
        fs::read(&path).map_err(failed(&path))
    }

    /// Writes a file at once: nobody reads half of it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), ExchangeError> {
        let (path, part) = (self.0.join(name), self.0.join(format!(".{name}.part")));
        fs::write(&part, content)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(failed(&path))
    }

    /// Writes a file unless somebody else has.
    pub(super) fn write_first(&self, name: &str, content: &[u8]) -> Result<(), ExchangeError> {
        let path = self.0.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => file.write_all(content).map_err(failed(&path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(failed(&path)(error)),
        }
    }

    /// Names of files or directories inside, of this form, sorted.
    pub(super) fn names(&self, prefix: &str, suffix: &str) -> Result<Vec<String>, ExchangeError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed(&self.0))?.take(MAX_ENTRIES) {
            let name = entry.map_err(failed(&self.0))?.file_name();
            if let Some(name) = name.to_str()
                && name.starts_with(prefix)
                && name.ends_with(suffix)
                && names.len() < MAX_NAMES
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Takes a directory away with what is in it. Whoever cannot, leaves it.
    pub(super) fn remove(self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a name from a file can name something inside the exchange and nothing else.
pub(super) fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Letters for a name nobody else has.
pub(super) fn some_name(prefix: &str) -> String {
    let mut bytes = [0; 8];
    vault::random(&mut bytes);
    bytes
        .iter()
        .fold(prefix.to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_written_is_refused_before_anything_begins() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Folder::open(directory.path()).is_ok());
        let missing = Folder::open(&directory.path().join("missing")).unwrap_err();
        assert!(missing.to_string().contains("must be a directory"), "{missing}");
        let file = directory.path().join("file");
        fs::write(&file, b"x").unwrap();
        assert!(Folder::open(&file).is_err());
    }

    #[test]
    fn the_first_to_write_a_file_wins() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::open(directory.path()).unwrap();
        folder.write_first("nonce.json", b"one").unwrap();
        folder.write_first("nonce.json", b"two").unwrap();
        assert_eq!(folder.read("nonce.json").unwrap(), b"one");
        folder.write("nonce.json", b"three").unwrap();
        assert_eq!(folder.read("nonce.json").unwrap(), b"three");
        assert_eq!(folder.names("", ".json").unwrap(), ["nonce.json"]);
    }

    #[test]
    fn what_lies_about_hides_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::open(directory.path()).unwrap();
        for number in 0..=MAX_NAMES {
            fs::write(directory.path().join(format!("donor-{number}")), b"").unwrap();
        }
        fs::write(directory.path().join("join-1"), b"").unwrap();
        assert_eq!(folder.names("join-", "").unwrap(), ["join-1"]);
        assert_eq!(folder.names("donor-", "").unwrap().len(), MAX_NAMES);
    }

    #[test]
    fn a_file_longer_than_admitted_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::open(directory.path()).unwrap();
        let file = fs::File::create(directory.path().join("long")).unwrap();
        file.set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(folder.read("long").unwrap_err().to_string().contains("longer than"));
        assert!(folder.read("absent").is_err());
    }

    #[test]
    fn names_from_files_lead_nowhere_else() {
        assert!(is_plain(&some_name("donor-")));
        assert_ne!(some_name("donor-"), some_name("donor-"));
        for bad in ["", "..", "a/b", "/etc", "a.b", "A", "ä", "a\0", &"a".repeat(65)] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
