//! How far the process hardens itself (room `harden`), and the files it needs afterwards.

use std::path::{Path, PathBuf};

use evidence::produce::PlatformPaths;
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

/// What the process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It answers people and services, or works on their records.
    Serving,
    /// It holds the namespace seed and hands keys on. It opens no record and no listener.
    Root,
}

impl Config {
    /// What to harden: call [`harden::apply`] with it before the first thread is started.
    #[must_use]
    pub fn hardening(&self, work: Work, also_read: &[&Path]) -> Wanted {
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
            files: wish(files, self.file_rules(work, also_read)),
            system_calls: wish(system_calls, SystemCallList::provider()),
            locked_memory: wish(locked_memory, ()),
        }
    }

    /// Each file by its own name, so that a neighbour in the same directory stays closed. The store needs its directory: its
    /// journal stands beside it.
    fn file_rules(&self, work: Work, also_read: &[&Path]) -> FileRules {
        let mut rules = self.key_rules(work);
        rules.read.extend(also_read.iter().map(|path| path.to_path_buf()));
        if work == Work::Serving {
            self.serving_rules(&mut rules);
        }
        rules
    }

    /// What opens the vault, and what vouches for the instance.
    fn key_rules(&self, work: Work) -> FileRules {
        let mut rules = FileRules {
            read: self.vault.seed.iter().cloned().collect(),
            // A module may stand at the other end of a network.
            name_resolution: true,
            ..FileRules::default()
        };
        let (read, write) = (&mut rules.read, &mut rules.write);
        write.extend(self.vault.exchange.iter().cloned());
        if work == Work::Root {
            // A genesis makes them. Whatever is missing afterwards, reading will say.
            let left = self.vault.genesis.iter().chain(&self.vault.wrapped_half);
            read.extend(left.filter(|path| path.exists()).cloned());
        }
        if let Some(hsm) = &self.vault.hsm {
            read.push(hsm.pin_file.clone());
            read.extend(hsm.library_reads.iter().cloned());
            write.extend(hsm.library_writes.iter().cloned());
        }
        if let Some(evidence) = &self.evidence {
            // Replaced while we run: a rule for the file itself would end with the first one.
            read.push(directory_of(&evidence.manifests));
            read.push(evidence.pins.clone());
            read.extend(evidence.collateral.as_deref().map(directory_of));
            read.extend(evidence.tpm_certificates.iter().cloned());
            let PlatformPaths {
                attestation,
                tsm,
                tpm,
                event_log,
            } = PlatformPaths::linux();
            write.extend([attestation, tsm, tpm].into_iter().filter(|path| path.exists()));
            read.extend(Some(event_log).filter(|path| path.exists()));
        }
        rules
    }

    fn serving_rules(&self, rules: &mut FileRules) {
        let read = &mut rules.read;
        read.extend([
            self.tls.certificate.clone(),
            self.tls.key.clone(),
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
        if let Some(attestation) = &self.attestation {
            // As the feed below.
            read.push(directory_of(&attestation.status_list));
            read.extend(
                attestation
                    .android_roots
                    .iter()
                    .chain(&attestation.apple_roots)
                    .cloned(),
            );
        }
        if let Some(certificates) = &self.certificates {
            // Read again and again, and replaced meanwhile: a rule for the file itself would end with the first one.
            read.push(directory_of(&certificates.feed));
        }
        for tenant in &self.tenant {
            read.push(tenant.logo.clone());
            if let Some(key) = &tenant.token_key {
                read.push(key.certificate.clone());
                read.extend(key.pkcs8.iter().cloned());
            }
        }
        rules
            .write
            .extend([directory_of(&self.store.path), self.freshness.directory.clone()]);
    }
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
