//! Whom the provider believes about phones: the makers' roots, further ones where the configuration says so, and the list of attestation keys that
//! are not to be believed any more.
//!
//! The list is fetched by others and read again every minute; its age is that of its file. Trusted for: a list that cannot be read does not take the
//! place of one that could. Does not: fetch anything.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use authenticator::attestation::{
    Roots, Trust,
    android::status::{StatusList, StatusListError},
};
use jose::UnixTime;
use thiserror::Error;

use crate::config::{UnreadableFile, read};

/// Why a list or a root is not believed.
#[derive(Debug, Error)]
pub enum DeviceTrustError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] UnreadableFile),
    /// It is no list.
    #[error("attestation.status_list: {0} [{code}]", code = .0.code())]
    StatusList(#[from] StatusListError),
    /// One of the further roots is no certificate.
    #[error("{0}: expected certificates, DER or PEM")]
    Root(&'static str),
}

/// Whom to believe now.
#[derive(Debug)]
pub struct DeviceTrust {
    status_list: Option<PathBuf>,
    current: RwLock<Arc<Trust>>,
}

impl DeviceTrust {
    /// The makers' roots, these further ones (DER or PEM: for phones of a test), and the list in this file.
    ///
    /// # Errors
    /// [`DeviceTrustError`].
    pub fn new(
        android_roots: &[Vec<u8>],
        apple_roots: &[Vec<u8>],
        status_list: Option<PathBuf>,
    ) -> Result<Self, DeviceTrustError> {
        let root = |member| move || DeviceTrustError::Root(member);
        if !android_roots.is_empty() || !apple_roots.is_empty() {
            tracing::warn!(
                event = "attestation_roots_added",
                "phones are believed under roots that are not their makers'"
            );
        }
        let trust = Trust {
            android: Roots::google()
                .and(android_roots)
                .ok_or_else(root("attestation.android_roots"))?,
            android_status: status_list.as_deref().map(read_list).transpose()?,
            apple: Roots::apple()
                .and(apple_roots)
                .ok_or_else(root("attestation.apple_roots"))?,
        };
        Ok(Self {
            status_list,
            current: RwLock::new(Arc::new(trust)),
        })
    }

    /// Whom to believe at this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Trust> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the list again, and says in the log if it cannot be: the one before stays, until the policy finds it too old. Call it every minute.
    pub fn look(&self) {
        let Some(path) = &self.status_list else { return };
        let kept = self.current();
        if fetched_at(path).is_some_and(|at| kept.android_status.as_ref().is_some_and(|list| list.fetched_at() == at)) {
            return;
        }
        match read_list(path) {
            Ok(list) => {
                let trust = Trust {
                    android_status: Some(list),
                    ..(*kept).clone()
                };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
            }
            Err(error) => {
                tracing::warn!(event = "attestation_list_unreadable", detail = %error, "the list read before stays in force");
            }
        }
    }
}

/// When the file was written, by its own word.
fn fetched_at(path: &Path) -> Option<UnixTime> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(UnixTime(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()))
}

fn read_list(path: &Path) -> Result<StatusList, DeviceTrustError> {
    let bytes = read("attestation.status_list", path)?;
    Ok(StatusList::parse(&bytes, fetched_at(path).unwrap_or(UnixTime(0)))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIST: &str = r#"{"entries":{"0f":{"status":"REVOKED"}}}"#;

    #[test]
    fn a_list_is_read_again_and_a_broken_one_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status.json");
        std::fs::write(&path, LIST).unwrap();
        let trust = DeviceTrust::new(&[], &[], Some(path.clone())).unwrap();
        let entries = || trust.current().android_status.as_ref().map(StatusList::len);
        assert_eq!(entries(), Some(1));
        let later = |seconds| UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let write = |text: &str, seconds: u64| {
            std::fs::write(&path, text).unwrap();
            std::fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(later(seconds))
                .unwrap();
            trust.look();
        };
        write(r#"{"entries":{}}"#, 1_800_000_000);
        assert_eq!(entries(), Some(0));
        assert_eq!(
            trust.current().android_status.as_ref().unwrap().fetched_at(),
            UnixTime(1_800_000_000)
        );
        for broken in ["", "{}", r#"{"entries":{"xyz":{"status":"REVOKED"}}}"#] {
            write(broken, 1_800_000_100);
            assert_eq!(entries(), Some(0), "{broken}");
        }
        std::fs::remove_file(&path).unwrap();
        trust.look();
        assert_eq!(entries(), Some(0));
        write(LIST, 1_800_000_200);
        assert_eq!(entries(), Some(1));
    }

    #[test]
    fn a_list_that_is_missing_or_broken_and_a_root_that_is_none_are_refused_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status.json");
        assert!(matches!(
            DeviceTrust::new(&[], &[], Some(path.clone())),
            Err(DeviceTrustError::File(_))
        ));
        std::fs::write(&path, "[]").unwrap();
        assert!(matches!(
            DeviceTrust::new(&[], &[], Some(path)),
            Err(DeviceTrustError::StatusList(_))
        ));
        for (android, apple) in [(vec![b"no".to_vec()], vec![]), (vec![], vec![b"no".to_vec()])] {
            assert!(matches!(
                DeviceTrust::new(&android, &apple, None),
                Err(DeviceTrustError::Root(_))
            ));
        }
    }
}
