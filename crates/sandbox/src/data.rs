//! The sandbox's data directory: secrets, certificates, database, counters.
//!
//! | File | What |
//! |---|---|
//! | `sandbox.json` | addresses, for tools; no secret |
//! | `ca.pem` | the TLS authority, to be trusted by whoever calls |
//! | `identity.json` | the seed everything is derived from, ports, when it was made: 0600 |
//! | `provider.sqlite` | the provider's sealed records |
//! | `fedmaster/` | the Federation Master's keys and registrations |
//! | `services/…` | keys of the demo services: 0600 |
//! | `cards.json` | tries left on the virtual cards: 0600 |
//!
//! Everything is invented, and whoever reads the directory can play everybody in it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jose::{UnixTime, base64url};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::addresses::{PageScheme, Ports};

/// File names.
pub const DESCRIPTION_FILE: &str = "sandbox.json";
/// The TLS authority.
pub const CA_FILE: &str = "ca.pem";
/// What `healthid verify` pins.
pub const EVIDENCE_PINS_FILE: &str = "evidence-pins.json";
const IDENTITY_FILE: &str = "identity.json";
const IDENTITY_VERSION: u32 = 1;
/// Largest file of our own that is read back.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is not ours, or of another version.
    #[error("{}: not a sandbox's file of version {IDENTITY_VERSION}; use another directory, or remove it", .0.display())]
    Malformed(PathBuf),
    /// The directory belongs to a sandbox with other addresses.
    #[error(
        "{}: this data belongs to a sandbox with other addresses ({found}, asked for {asked}); start it with the same --port-base, --domain and --https, or use another directory",
        path.display()
    )]
    OtherAddresses {
        /// The directory.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What was asked for.
        asked: String,
    },
}

/// A data directory, temporary or kept.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    temporary: Option<TempDir>,
}

/// What a sandbox is, whatever the process.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    version: u32,
    seed: String,
    /// When it was made; cards and authorities count from here.
    pub created_at: UnixTime,
    /// Its ports.
    pub ports: Ports,
    /// Its domain.
    pub domain: String,
    /// How pages are served.
    pub pages: PageScheme,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// A new one, with a fresh seed.
    #[must_use]
    pub fn new(created_at: UnixTime, ports: Ports, domain: &str, pages: PageScheme) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        vault::random(&mut *seed);
        Self {
            version: IDENTITY_VERSION,
            seed: base64url::encode(&*seed),
            created_at,
            ports,
            domain: domain.to_owned(),
            pages,
        }
    }

    /// A secret of 32 bytes that follows from the seed and a label.
    #[must_use]
    pub fn secret(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut hash = Sha256::new();
        hash.update(b"healthid sandbox 1\0");
        hash.update(self.seed.as_bytes());
        hash.update(b"\0");
        hash.update(label.as_bytes());
        Zeroizing::new(hash.finalize().into())
    }

    /// The addresses in words, to compare and to show.
    #[must_use]
    pub fn addresses_in_words(&self) -> String {
        let Self {
            ports, domain, pages, ..
        } = self;
        let scheme = match pages {
            PageScheme::Http => "pages over http",
            PageScheme::Https => "pages over https",
        };
        format!(
            "{domain}, ports {} to {}, {scheme}",
            ports.portal, ports.prescription_pages
        )
    }
}

impl DataDir {
    /// A directory that is removed when this is dropped.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn temporary() -> Result<Self, DataError> {
        let temporary = tempfile::Builder::new()
            .prefix("healthid-sandbox-")
            .tempdir()
            .map_err(|error| io_error(Path::new("temporary directory"), error))?;
        Ok(Self {
            path: temporary.path().to_owned(),
            temporary: Some(temporary),
        })
    }

    /// A directory that stays; made if it is not there, for the owner only.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn kept(path: impl Into<PathBuf>) -> Result<Self, DataError> {
        let path = path.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| io_error(&path, error))?;
        let path = path.canonicalize().map_err(|error| io_error(&path, error))?;
        Ok(Self { path, temporary: None })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it goes with the process.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// A file or directory in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The identity of the sandbox whose data this is.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn identity(&self) -> Result<Option<Identity>, DataError> {
        let identity: Option<Identity> = self.read_json(IDENTITY_FILE)?;
        match identity {
            Some(identity) if identity.version != IDENTITY_VERSION => {
                Err(DataError::Malformed(self.file(IDENTITY_FILE)))
            }
            identity => Ok(identity),
        }
    }

    /// Keeps the identity.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn keep_identity(&self, identity: &Identity) -> Result<(), DataError> {
        self.write_secret_json(IDENTITY_FILE, identity)
    }

    /// Reads a JSON file; `None` if there is none.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn read_json<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, DataError> {
        let path = self.file(name);
        let size = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&path, error)),
            Ok(metadata) => metadata.len(),
        };
        if size > MAX_FILE_BYTES {
            return Err(DataError::Malformed(path));
        }
        let bytes = fs::read(&path).map_err(|error| io_error(&path, error))?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| DataError::Malformed(path))
    }

    /// Replaces a JSON file nobody else may read.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn write_secret_json(&self, name: &str, content: &impl Serialize) -> Result<(), DataError> {
        let path = self.file(name);
        let bytes = serde_json::to_vec_pretty(content).map_err(|error| io_error(&path, error.into()))?;
        replace(&path, &bytes, 0o600)
    }

    /// Replaces a file everybody may read.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn write_public(&self, name: &str, content: &[u8]) -> Result<(), DataError> {
        replace(&self.file(name), content, 0o644)
    }
}

/// Readers see the old file or the new one, never half of one.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), DataError> {
    let written = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(content)?;
        drop(file);
        fs::rename(new, path)
    };
    written().map_err(|error| io_error(path, error))
}

fn io_error(path: &Path, error: io::Error) -> DataError {
    DataError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_for_the_owner_and_survive() {
        let data = DataDir::temporary().unwrap();
        assert!(data.identity().unwrap().is_none());
        let identity = Identity::new(UnixTime(7), Ports::from_base(8400), "localhost", PageScheme::Http);
        data.keep_identity(&identity).unwrap();
        data.keep_identity(&identity).unwrap();
        let again = data.identity().unwrap().unwrap();
        assert_eq!(again.secret("vault"), identity.secret("vault"));
        assert_ne!(again.secret("vault"), identity.secret("cards"));
        let mode = fs::metadata(data.file(IDENTITY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_strangers_file_is_not_taken_for_an_identity() {
        let data = DataDir::temporary().unwrap();
        for content in ["", "{}", r#"{"version":2}"#] {
            data.write_public(IDENTITY_FILE, content.as_bytes()).unwrap();
            assert!(matches!(data.identity(), Err(DataError::Malformed(_))), "{content}");
        }
    }

    #[test]
    fn a_temporary_directory_goes_and_a_kept_one_stays() {
        let outer = DataDir::temporary().unwrap();
        let kept = outer.file("kept");
        drop(DataDir::kept(&kept).unwrap());
        assert!(kept.is_dir());
        let path = outer.path().to_owned();
        drop(outer);
        assert!(!path.exists());
    }
}
