//! What an insurer demands of an attested device, as data; and what follows from one attestation.
//!
//! The outcome is graded. A device that meets a class's demands may be bound in that class, attested. One that does not
//! is offered the next weaker class. One that meets none may still be bound in the class that needs no attestation,
//! unless what failed stands in [`AttestationPolicy::refuse`]: then no device key, and the card still works (A_23389: a
//! device whose protection is off is told so and refused). Every failed check is named, for each class it was asked
//! for, in words for the person too ([`Check::explanation`]).
//!
//! A refusal protects the person, not the provider: whoever sends no statement at all is judged nowhere and may bind an
//! unattested device, as every web wallet does. An insurer that wants none of those removes the class.

mod check;
mod explain;
mod judge;

use jose::jwk::P256PublicKey;
use serde::{Deserialize, Serialize};

pub use self::check::AttestationPolicyError;
pub use self::explain::{Explanation, Remaining};
pub use self::judge::{FailedCheck, Judgement, Verdict};
use super::android::description::SecurityLevel;
use super::apple;

/// Most classes, apps, digests, keys and versions of each list.
pub const MAX_ENTRIES: usize = 64;

/// One insurer's demands. Unknown members are refused; absent ones take the documented default.
///
/// ```
/// use authenticator::attestation::policy::AttestationPolicy;
/// use authenticator::policy::AuthenticationPolicy;
/// let policy: AttestationPolicy = serde_json::from_str("{}").unwrap();
/// assert!(policy.check(&AuthenticationPolicy::default()).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttestationPolicy {
    /// Classes that need an attestation, the strongest first. Default: [`ClassDemands::defaults`].
    pub classes: Vec<ClassDemands>,
    /// The class left to a device that meets none of them; it must need no attestation. `None`: no class at all.
    /// Default: `software`.
    pub unattested_class: Option<String>,
    /// Checks whose failure leaves no class at all, not even the unattested one. Default: the statement itself, boot
    /// state, bootloader and app.
    pub refuse: Vec<Check>,
    /// The insurer's apps on Android. Default: none, so that no device is attested until one is named.
    pub android_apps: Vec<AndroidApp>,
    /// The insurer's apps on iOS. Default: none.
    pub apple_apps: Vec<AppleApp>,
    /// Oldest status list believed, in seconds since it was fetched. Default: 172,800 (two days).
    pub status_list_max_age_seconds: u64,
}

/// What a device must show to be of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDemands {
    /// Name of the class, one of the authentication policy's with evidence `attested`.
    pub class: String,
    /// Demands on Android devices; absent: none is of this class.
    #[serde(default)]
    pub android: Option<AndroidDemands>,
    /// Demands on Apple's devices; absent: none is of this class.
    #[serde(default)]
    pub apple: Option<AppleDemands>,
}

/// Demands on an Android device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AndroidDemands {
    /// Where the key must live and who must say so, at least. Default: trusted execution environment.
    pub security_level: SecurityLevel,
    /// Whether the boot must have verified the system. Default: yes.
    pub verified_boot: Demand,
    /// Digests of boot keys, hexadecimal, under which a system of the owner's choice counts as verified too, such as
    /// those a maker of hardened systems publishes. Default: none.
    pub accepted_boot_keys: Vec<String>,
    /// Whether the bootloader must be locked. Default: yes.
    pub locked_bootloader: Demand,
    /// Greatest age of the system's patch level, in months. Default: 12; `null`: any. The patch levels of boot and vendor
    /// are not judged.
    pub max_patch_age_months: Option<u32>,
    /// How long one unlocking may serve, in seconds, as the hardware enforces it; 0: the person unlocks for every
    /// signature. Default: 0; `null`: the hardware need not ask at all.
    pub max_unlock_seconds: Option<u64>,
}

/// Whether something is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Yes.
    Required,
    /// No.
    Any,
}

/// Demands on an Apple device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppleDemands {
    /// Whether apps under development count. Default: no.
    pub development: Development,
}

/// Whether apps under development count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Development {
    /// Only apps from the store.
    #[default]
    Refused,
    /// Both: for test environments.
    Accepted,
}

/// An app on Android.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AndroidApp {
    /// Package name, such as `de.kasse.app`.
    pub package: String,
    /// SHA-256 digests of its signing certificates, hexadecimal. Every digest attested must be one of these.
    pub signing_digests: Vec<String>,
    /// Oldest `versionCode` admitted (A_22922). Default: 0.
    #[serde(default)]
    pub min_version: u64,
    /// Versions excluded one by one (A_22253). Default: none.
    #[serde(default)]
    pub excluded_versions: Vec<u64>,
}

/// An app on iOS. Its version is not attested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppleApp {
    /// Team identifier, ten characters.
    pub team_id: String,
    /// Bundle identifier, such as `de.kasse.app`.
    pub bundle_id: String,
}

impl AppleApp {
    /// SHA-256 of the app's identifier, as authenticator data names it.
    #[must_use]
    pub fn rp_id_hash(&self) -> [u8; 32] {
        apple::sha256(&[self.team_id.as_bytes(), b".", self.bundle_id.as_bytes()])
    }
}

/// One check of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The statement is sound: chain, challenge, key.
    Statement,
    /// A maker believed here vouches for the device.
    Maker,
    /// The certificates of the chain are valid at the moment of enrolment.
    CertificateDates,
    /// The attested app is the insurer's, in an admitted version.
    App,
    /// The boot verified the system.
    VerifiedBoot,
    /// The bootloader is locked.
    LockedBootloader,
    /// No attestation key of the chain stands on the status list.
    Revocation,
    /// The status list is there and recent.
    StatusList,
    /// The class admits the platform.
    Platform,
    /// The key lives where the class demands.
    SecurityLevel,
    /// The system is recent.
    PatchLevel,
    /// The hardware asks for the person's unlocking.
    UserAuthentication,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 12] = [
        Self::Statement,
        Self::Maker,
        Self::CertificateDates,
        Self::App,
        Self::VerifiedBoot,
        Self::LockedBootloader,
        Self::Revocation,
        Self::StatusList,
        Self::Platform,
        Self::SecurityLevel,
        Self::PatchLevel,
        Self::UserAuthentication,
    ];

    /// Stable code for logs, support and texts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Statement => "device-statement",
            Self::Maker => "device-maker",
            Self::CertificateDates => "device-certificate-dates",
            Self::App => "device-app",
            Self::VerifiedBoot => "device-verified-boot",
            Self::LockedBootloader => "device-locked-bootloader",
            Self::Revocation => "device-revocation",
            Self::StatusList => "device-status-list",
            Self::Platform => "device-platform",
            Self::SecurityLevel => "device-security-level",
            Self::PatchLevel => "device-patch-level",
            Self::UserAuthentication => "device-user-authentication",
        }
    }
}

/// Proof: a key that met the demands of a class. Made by [`AttestationPolicy::judge`] only; may become a device of that
/// class.
#[derive(Clone, PartialEq, Eq)]
pub struct AttestedDeviceKey {
    key: P256PublicKey,
    challenge: [u8; 32],
    class: String,
}

impl AttestedDeviceKey {
    /// For tests of what takes the proof.
    #[cfg(test)]
    pub(crate) fn unjudged(key: &P256PublicKey, challenge: [u8; 32], class: &str) -> Self {
        Self {
            key: key.clone(),
            challenge,
            class: class.to_owned(),
        }
    }

    /// The key to be bound.
    #[must_use]
    pub fn key(&self) -> &P256PublicKey {
        &self.key
    }

    /// The provider's nonce it was attested over.
    #[must_use]
    pub fn challenge(&self) -> &[u8; 32] {
        &self.challenge
    }

    /// Name of the class.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }
}

/// Prints the class only.
impl std::fmt::Debug for AttestedDeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AttestedDeviceKey({})", self.class)
    }
}

impl ClassDemands {
    /// `secure-element`: StrongBox, patched within 12 months. `hardware-keystore`: trusted execution environment, patched
    /// within 24 months, or an Apple device. Both: verified boot, locked bootloader, unlocking for every signature.
    ///
    /// Apple's devices are in the weaker class because the app vouches for the key, not the hardware (see
    /// [`crate::attestation`]); which class that deserves is the insurer's to say. The months are our choice
    /// (`docs/deviations.md`).
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        vec![
            Self {
                class: "secure-element".to_owned(),
                android: Some(AndroidDemands {
                    security_level: SecurityLevel::StrongBox,
                    ..AndroidDemands::default()
                }),
                apple: None,
            },
            Self {
                class: "hardware-keystore".to_owned(),
                android: Some(AndroidDemands {
                    max_patch_age_months: Some(24),
                    ..AndroidDemands::default()
                }),
                apple: Some(AppleDemands::default()),
            },
        ]
    }
}

impl Default for AndroidDemands {
    fn default() -> Self {
        Self {
            security_level: SecurityLevel::TrustedEnvironment,
            verified_boot: Demand::Required,
            accepted_boot_keys: Vec::new(),
            locked_bootloader: Demand::Required,
            max_patch_age_months: Some(12),
            max_unlock_seconds: Some(0),
        }
    }
}

#[allow(
    clippy::derivable_impls,
    reason = "the default of a demand is stated where it is documented"
)]
impl Default for AppleDemands {
    fn default() -> Self {
        Self {
            development: Development::Refused,
        }
    }
}

impl Default for AttestationPolicy {
    fn default() -> Self {
        Self {
            classes: ClassDemands::defaults(),
            unattested_class: Some("software".to_owned()),
            refuse: vec![
                Check::Statement,
                Check::App,
                Check::VerifiedBoot,
                Check::LockedBootloader,
            ],
            android_apps: Vec::new(),
            apple_apps: Vec::new(),
            status_list_max_age_seconds: 2 * 24 * 3600,
        }
    }
}

#[cfg(test)]
mod tests;
