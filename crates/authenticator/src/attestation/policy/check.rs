//! What serde cannot see about an attestation policy.

use super::{AppleApp, AttestationPolicy, MAX_ENTRIES};
use crate::attestation::android::description::SecurityLevel;
use crate::policy::{AuthenticationPolicy, DeviceEvidence};

/// Why a policy is no policy. Shown by a configuration check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationPolicyError {
    /// More than [`MAX_ENTRIES`] in a list.
    #[error("attestation: at most {MAX_ENTRIES} entries in each list")]
    TooManyEntries,
    /// A class stands twice.
    #[error("attestation.classes: {0:?} stands twice")]
    DuplicateClass(String),
    /// A class is unknown to the authentication policy, or needs no attestation there.
    #[error("attestation.classes: {0:?} is no device class with evidence = \"attested\"")]
    AttestedClass(String),
    /// The class for the unattested is unknown, or needs an attestation.
    #[error("attestation.unattested_class: {0:?} is no device class with evidence = \"claimed\"")]
    UnattestedClass(String),
    /// Software attests nothing.
    #[error("attestation.classes: security_level of {0:?} must be trusted-environment or strong-box")]
    SecurityLevel(String),
    /// A digest or boot key is not 32 bytes in hexadecimal.
    #[error("attestation: signing_digests and accepted_boot_keys must be 64 hexadecimal digits")]
    Digest,
    /// An app without name or signer.
    #[error("attestation: an app needs package and signing_digests, or team_id and bundle_id")]
    App,
}

impl AttestationPolicy {
    /// Checks what serde cannot, and that its classes are those of the authentication policy.
    ///
    /// # Errors
    /// The first defect, as [`AttestationPolicyError`].
    pub fn check(&self, authentication: &AuthenticationPolicy) -> Result<(), AttestationPolicyError> {
        self.check_lengths()?;
        let has_evidence = |name: &str, evidence| {
            authentication
                .device_class(name)
                .is_some_and(|class| class.evidence == evidence)
        };
        for (index, demands) in self.classes.iter().enumerate() {
            let name = &demands.class;
            if self.classes.iter().skip(index + 1).any(|other| other.class == *name) {
                return Err(AttestationPolicyError::DuplicateClass(name.clone()));
            }
            if !has_evidence(name, DeviceEvidence::Attested) {
                return Err(AttestationPolicyError::AttestedClass(name.clone()));
            }
            if let Some(android) = &demands.android {
                if android.security_level == SecurityLevel::Software {
                    return Err(AttestationPolicyError::SecurityLevel(name.clone()));
                }
                check_digests(&android.accepted_boot_keys)?;
            }
        }
        if let Some(name) = &self.unattested_class
            && !has_evidence(name, DeviceEvidence::Claimed)
        {
            return Err(AttestationPolicyError::UnattestedClass(name.clone()));
        }
        for app in &self.android_apps {
            if app.package.is_empty() || app.signing_digests.is_empty() {
                return Err(AttestationPolicyError::App);
            }
            check_digests(&app.signing_digests)?;
        }
        let nameless = |app: &AppleApp| app.team_id.is_empty() || app.bundle_id.is_empty();
        if self.apple_apps.iter().any(nameless) {
            return Err(AttestationPolicyError::App);
        }
        Ok(())
    }

    fn check_lengths(&self) -> Result<(), AttestationPolicyError> {
        let android = self.classes.iter().filter_map(|demands| demands.android.as_ref());
        let apps = self.android_apps.iter();
        let longest = [
            self.classes.len(),
            self.refuse.len(),
            self.android_apps.len(),
            self.apple_apps.len(),
        ]
        .into_iter()
        .chain(android.map(|demands| demands.accepted_boot_keys.len()))
        .chain(apps.map(|app| app.signing_digests.len().max(app.excluded_versions.len())))
        .max();
        match longest {
            Some(length) if length > MAX_ENTRIES => Err(AttestationPolicyError::TooManyEntries),
            _ => Ok(()),
        }
    }
}

fn check_digests(digests: &[String]) -> Result<(), AttestationPolicyError> {
    let is_digest = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digests.iter().all(is_digest) {
        Ok(())
    } else {
        Err(AttestationPolicyError::Digest)
    }
}
