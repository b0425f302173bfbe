//! How far the process hardens itself (room `harden`), and the files it needs afterwards.

use std::path::{Path, PathBuf};

use harden::{FileRules, SystemCallList, Wanted, Wish};
use serde::Deserialize;

use super::Config;

/// Controls that can be turned off where a platform stands in their way. What is off is told in the evidence; what is on
/// and fails keeps the process from starting.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HardeningConfig {
    /// Landlock: only the files this configuration names, and the store's directory.
    pub files: bool,
    /// seccomp: a system call the service never makes kills it.
    pub system_calls: bool,
    /// No page reaches a swap device. Needs `RLIMIT_MEMLOCK` unlimited, or `CAP_IPC_LOCK`.
    pub locked_memory: bool,
}

impl Default for HardeningConfig {
    fn default() -> Self {
        Self {
            files: true,
            system_calls: true,
            locked_memory: true,
        }
    }
}

impl Config {
    /// What to harden: call [`harden::apply`] with it before the first thread is started.
    #[must_use]
    pub fn hardening(&self, also_read: &[&Path]) -> Wanted {
        fn wish<T>(wanted: bool, value: T) -> Wish<T> {
            if wanted {
                Wish::Apply(value)
            } else {
                Wish::Leave("turned off in the configuration")
            }
        }
        let HardeningConfig {
            files,
            system_calls,
            locked_memory,
        } = self.hardening;
        Wanted {
            files: wish(files, self.file_rules(also_read)),
            system_calls: wish(system_calls, SystemCallList::provider()),
            locked_memory: wish(locked_memory, ()),
        }
    }

    /// Each file by its own name, so that a neighbour in the same directory stays closed. The store needs its directory: its
    /// journal stands beside it.
    fn file_rules(&self, also_read: &[&Path]) -> FileRules {
        let mut read: Vec<PathBuf> = also_read.iter().map(|path| path.to_path_buf()).collect();
        read.extend([
            self.tls.certificate.clone(),
            self.tls.key.clone(),
            self.vault.seed.clone(),
            self.federation_master.keys.clone(),
        ]);
        read.extend(self.federation_master.tls_roots.iter().cloned());
        read.extend(self.cards.crls.iter().cloned());
        read.extend(
            self.cards
                .authority
                .iter()
                .map(|authority| authority.certificate.clone()),
        );
        if let Some(certificates) = &self.certificates {
            // Read again and again, and replaced meanwhile: a rule for the file itself would end with the first one.
            read.push(directory_of(&certificates.feed));
        }
        for tenant in &self.tenant {
            read.push(tenant.logo.clone());
            if let Some(key) = &tenant.token_key {
                read.extend([key.pkcs8.clone(), key.certificate.clone()]);
            }
        }
        let beside = directory_of(&self.store.path);
        FileRules {
            read,
            write: vec![beside, self.freshness.directory.clone()],
            name_resolution: true,
        }
    }
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
