//! Keys in a directory: one PKCS#8 PEM file for each, readable by the owner only, and a file that says which of them are published.
//!
//! For development and sandboxes. A production master's key stays in a security module behind [`jose::Signer`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jose::SoftwareKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{DEFAULT_KID, MasterKeys, RolloverError};
use crate::durable_file::{self, Readers};

const INDEX: &str = "keys.json";
const PEM_LABEL: &str = "PRIVATE KEY";
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// Why keys could not be read or written.
#[derive(Debug, Error)]
pub enum KeyDirectoryError {
    /// The file system refused.
    #[error("key directory: {0}")]
    Io(#[from] io::Error),
    /// A key file is readable by others.
    #[error("key directory: a key file is readable by others, expected permissions 0600")]
    ReadableByOthers,
    /// A file is not what it should be.
    #[error("key directory: {0} is not readable, expected {1}")]
    Malformed(&'static str, &'static str),
    /// A `kid` that cannot be a file name.
    #[error("key directory: kid must be 1 to 64 letters, digits, '-', '_' or '.', and begin with a letter or digit")]
    Kid,
    /// No key could be made.
    #[error("key directory: key could not be made: {0}")]
    Key(#[from] jose::KeyError),
    /// A step of a rollover was refused.
    #[error(transparent)]
    Rollover(#[from] RolloverError),
}

/// The published keys, the signing one first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    published: Vec<String>,
}

/// A directory of keys.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    path: PathBuf,
}

impl KeyDirectory {
    /// Opens the directory, and makes it with a first key ([`DEFAULT_KID`]) when there is none.
    ///
    /// # Errors
    /// [`KeyDirectoryError`].
    pub fn open_or_create(path: impl Into<PathBuf>) -> Result<(Self, MasterKeys), KeyDirectoryError> {
        let directory = Self { path: path.into() };
        std::fs::create_dir_all(&directory.path)?;
        if !directory.path.join(INDEX).exists() {
            let key = directory.generate(DEFAULT_KID)?;
            let keys = MasterKeys::new(Arc::new(key));
            directory.save_index(&keys)?;
            return Ok((directory, keys));
        }
        let keys = directory.load()?;
        Ok((directory, keys))
    }

    /// Makes a key and writes its file; publishing it is another step.
    ///
    /// # Errors
    /// [`KeyDirectoryError`].
    pub fn generate(&self, kid: &str) -> Result<SoftwareKey, KeyDirectoryError> {
        let path = self.key_path(kid)?;
        if path.exists() {
            return Err(RolloverError::KidTaken.into());
        }
        let key = SoftwareKey::generate(kid)?;
        let der = key.to_pkcs8_der();
        let pem = der::pem::encode_string(PEM_LABEL, der::pem::LineEnding::LF, &der)
            .map_err(|_| KeyDirectoryError::Malformed("new key", "PKCS#8 PEM"))?;
        durable_file::replace(&path, Zeroizing::new(pem).as_bytes(), Readers::Owner)?;
        Ok(key)
    }

    /// Writes down which keys are published.
    ///
    /// # Errors
    /// [`KeyDirectoryError::Io`].
    pub fn save_index(&self, keys: &MasterKeys) -> Result<(), KeyDirectoryError> {
        let index = Index {
            published: keys.keys.iter().map(|key| key.kid().to_owned()).collect(),
        };
        let text = serde_json::to_vec_pretty(&index)
            .map_err(|_| KeyDirectoryError::Malformed(INDEX, "a list of key identifiers"))?;
        durable_file::replace(&self.path.join(INDEX), &text, Readers::Everyone)?;
        Ok(())
    }

    fn load(&self) -> Result<MasterKeys, KeyDirectoryError> {
        let malformed = KeyDirectoryError::Malformed(INDEX, "a list of at least one key identifier");
        let Ok(index) = serde_json::from_slice::<Index>(&read(&self.path.join(INDEX))?) else {
            return Err(malformed);
        };
        let mut kids = index.published.iter();
        let mut keys = MasterKeys::new(Arc::new(self.load_key(kids.next().ok_or(malformed)?)?));
        for kid in kids {
            keys.announce(Arc::new(self.load_key(kid)?))?;
        }
        Ok(keys)
    }

    fn load_key(&self, kid: &str) -> Result<SoftwareKey, KeyDirectoryError> {
        let path = self.key_path(kid)?;
        if durable_file::others_may_read(&path)? {
            return Err(KeyDirectoryError::ReadableByOthers);
        }
        let malformed = || KeyDirectoryError::Malformed("key file", "a P-256 PRIVATE KEY in PKCS#8 PEM");
        let pem = Zeroizing::new(read(&path)?);
        let (label, der) = der::pem::decode_vec(&pem).map_err(|_| malformed())?;
        let der = Zeroizing::new(der);
        if label != PEM_LABEL {
            return Err(malformed());
        }
        SoftwareKey::from_pkcs8_der(kid, &der).map_err(|_| malformed())
    }

    fn key_path(&self, kid: &str) -> Result<PathBuf, KeyDirectoryError> {
        let first = kid.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let all = kid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !first || !all || kid.len() > 64 {
            return Err(KeyDirectoryError::Kid);
        }
        Ok(self.path.join(format!("{kid}.pem")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyDirectoryError> {
    if std::fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(KeyDirectoryError::Malformed("file", "at most 16 KiB"));
    }
    Ok(std::fs::read(path)?)
}
