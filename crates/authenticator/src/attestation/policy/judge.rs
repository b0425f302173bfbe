//! From facts to a class: which checks failed, for which class, and what is left.

use der::DateTime;
use jose::UnixTime;

use super::{
    AndroidDemands, AttestationPolicy, AttestedDeviceKey, Check, ClassDemands, Demand, Development, Remaining,
};
use crate::attestation::android::authorizations::{RootOfTrust, Tag, VerifiedBootState};
use crate::attestation::apple::Environment;
use crate::attestation::{
    AndroidError, AndroidFacts, AppleError, AppleFacts, AttestationError, ChainError, Facts, VerifiedKeyAttestation,
};

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedCheck {
    /// The class it was asked for; `None` where the statement itself failed.
    pub class: Option<String>,
    /// The check.
    pub check: Check,
}

/// What may be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The key, as a device of its class.
    Attested(AttestedDeviceKey),
    /// A device of this class, which needs no attestation.
    Unattested {
        /// Name of the class.
        class: String,
    },
    /// No device key. The card still works.
    Refused,
}

/// What follows from one attestation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What may be bound.
    pub verdict: Verdict,
    /// Why no stronger class was reached, in the order of the classes; empty for the strongest.
    pub failed: Vec<FailedCheck>,
}

impl Judgement {
    /// What still works, for the person.
    #[must_use]
    pub fn remaining(&self) -> Remaining {
        match self.verdict {
            Verdict::Attested(_) if self.failed.is_empty() => Remaining::Everything,
            Verdict::Attested(_) | Verdict::Unattested { .. } => Remaining::CardMoreOften,
            Verdict::Refused => Remaining::CardOnly,
        }
    }
}

impl AttestationPolicy {
    /// Judges what [`crate::attestation::verify`] answered, at the moment of enrolment.
    ///
    /// A refused statement is judged too: what an honest phone may meet (a chain that has expired, an unknown maker, a key
    /// store in software) has checks of its own, everything else fails [`Check::Statement`].
    #[must_use]
    pub fn judge(&self, attestation: &Result<VerifiedKeyAttestation, AttestationError>, now: UnixTime) -> Judgement {
        let attestation = match attestation {
            Ok(attestation) => attestation,
            Err(error) => {
                let check = check_of(*error);
                return Judgement {
                    verdict: self.without_class(&[check]),
                    failed: vec![FailedCheck { class: None, check }],
                };
            }
        };
        let mut failed = Vec::new();
        // What the weakest class misses decides whether anything is left.
        let mut weakest = vec![Check::Platform];
        for demands in &self.classes {
            weakest = self.failed_checks(demands, attestation.facts(), now);
            if weakest.is_empty() {
                let key = AttestedDeviceKey {
                    key: attestation.key().clone(),
                    challenge: *attestation.challenge(),
                    class: demands.class.clone(),
                };
                return Judgement {
                    verdict: Verdict::Attested(key),
                    failed,
                };
            }
            failed.extend(weakest.iter().map(|check| FailedCheck {
                class: Some(demands.class.clone()),
                check: *check,
            }));
        }
        Judgement {
            verdict: self.without_class(&weakest),
            failed,
        }
    }

    fn without_class(&self, failed: &[Check]) -> Verdict {
        match &self.unattested_class {
            Some(class) if !failed.iter().any(|check| self.refuse.contains(check)) => {
                Verdict::Unattested { class: class.clone() }
            }
            _ => Verdict::Refused,
        }
    }

    fn failed_checks(&self, demands: &ClassDemands, facts: &Facts, now: UnixTime) -> Vec<Check> {
        let results = match facts {
            Facts::Android(facts) => self.judge_android(demands.android.as_ref(), facts, now),
            Facts::Apple(facts) => {
                let platform = demands.apple.as_ref();
                let accepts_development = platform.is_some_and(|d| d.development == Development::Accepted);
                let environment = facts.environment == Environment::Production || accepts_development;
                vec![
                    (Check::App, environment && self.is_our_apple_app(facts)),
                    (Check::Platform, platform.is_some()),
                ]
            }
        };
        let failed = results.into_iter().filter(|(_, passed)| !passed);
        failed.map(|(check, _)| check).collect()
    }

    /// Every check with its result. Where a class admits no Android device, what every class would ask is judged all
    /// the same, so that a broken device is not left a weaker class by an empty demand.
    fn judge_android(
        &self,
        demands: Option<&AndroidDemands>,
        facts: &AndroidFacts,
        now: UnixTime,
    ) -> Vec<(Check, bool)> {
        let least = AndroidDemands::default();
        let asked = demands.unwrap_or(&least);
        let description = &facts.description;
        let root_of_trust = description.hardware_enforced.root_of_trust();
        let list_is_recent = facts.status_list_fetched_at.is_some_and(|fetched_at| {
            fetched_at <= now && now.seconds_since(fetched_at) <= self.status_list_max_age_seconds
        });
        vec![
            (Check::App, self.is_our_android_app(facts)),
            (
                Check::VerifiedBoot,
                asked.verified_boot == Demand::Any || root_of_trust.is_some_and(|root| asked.admits_boot(root)),
            ),
            (
                Check::LockedBootloader,
                asked.locked_bootloader == Demand::Any || root_of_trust.is_some_and(|root| root.device_locked),
            ),
            (Check::Revocation, facts.listed.is_none()),
            (Check::StatusList, list_is_recent),
            (Check::Platform, demands.is_some()),
            (
                Check::SecurityLevel,
                description.security_level() >= asked.security_level,
            ),
            (Check::PatchLevel, asked.admits_patch_level(facts, now)),
            (Check::UserAuthentication, asked.admits_unlocking(facts)),
        ]
    }

    fn is_our_android_app(&self, facts: &AndroidFacts) -> bool {
        // The system writes it, so it stands among what software enforces.
        let Some(id) = facts.description.software_enforced.application_id() else {
            return false;
        };
        self.android_apps.iter().any(|app| {
            let is_package = id.packages.iter().any(|package| {
                package.name == app.package
                    && package.version >= app.min_version
                    && !app.excluded_versions.contains(&package.version)
            });
            let is_signer = |digest: &Vec<u8>| app.signing_digests.iter().any(|known| is_hexadecimal_of(known, digest));
            is_package && !id.signatures.is_empty() && id.signatures.iter().all(is_signer)
        })
    }

    fn is_our_apple_app(&self, facts: &AppleFacts) -> bool {
        self.apple_apps.iter().any(|app| app.rp_id_hash() == facts.rp_id_hash)
    }
}

impl AndroidDemands {
    fn admits_boot(&self, root: &RootOfTrust) -> bool {
        match root.verified_boot_state {
            VerifiedBootState::Verified => true,
            VerifiedBootState::SelfSigned => self
                .accepted_boot_keys
                .iter()
                .any(|key| is_hexadecimal_of(key, &root.verified_boot_key)),
            VerifiedBootState::Unverified | VerifiedBootState::Failed => false,
        }
    }

    fn admits_patch_level(&self, facts: &AndroidFacts, now: UnixTime) -> bool {
        let Some(limit) = self.max_patch_age_months else {
            return true;
        };
        let list = &facts.description.hardware_enforced;
        let patched = list.integer(Tag::OS_PATCH_LEVEL).and_then(months_of_patch_level);
        let (Some(patched), Some(now)) = (patched, months_of(now)) else {
            return false;
        };
        // Makers date a patch level ahead by a month or two; further ahead it is nonsense.
        patched <= now + 3 && now.saturating_sub(patched) <= u64::from(limit)
    }

    /// Only what the hardware enforces counts.
    fn admits_unlocking(&self, facts: &AndroidFacts) -> bool {
        let Some(limit) = self.max_unlock_seconds else {
            return true;
        };
        let hardware = &facts.description.hardware_enforced;
        let software = &facts.description.software_enforced;
        // Whoever takes an unlocked phone out of a pocket would have the key.
        let on_body = [hardware, software]
            .iter()
            .any(|list| list.contains(Tag::ALLOW_WHILE_ON_BODY));
        let asks = hardware.integer(Tag::USER_AUTH_TYPE).is_some_and(|kinds| kinds != 0);
        let seconds = hardware.integer(Tag::AUTH_TIMEOUT).unwrap_or(0);
        asks && !hardware.contains(Tag::NO_AUTH_REQUIRED) && !on_body && seconds <= limit
    }
}

fn check_of(error: AttestationError) -> Check {
    match error {
        AttestationError::Android(AndroidError::SoftwareOnly) => Check::SecurityLevel,
        AttestationError::Android(AndroidError::Chain(error)) | AttestationError::Apple(AppleError::Chain(error)) => {
            match error {
                ChainError::Expired { .. } | ChainError::NotYetValid { .. } => Check::CertificateDates,
                ChainError::UnknownRoot => Check::Maker,
                _ => Check::Statement,
            }
        }
        AttestationError::Android(_) | AttestationError::Apple(_) => Check::Statement,
    }
}

/// Months since year 0 of `YYYYMM` or, as some devices write it, `YYYYMMDD`.
fn months_of_patch_level(level: u64) -> Option<u64> {
    let level = if level >= 10_000_000 { level / 100 } else { level };
    let (year, month) = (level / 100, level % 100);
    ((2015..10_000).contains(&year) && (1..=12).contains(&month)).then_some(year * 12 + month)
}

fn months_of(now: UnixTime) -> Option<u64> {
    let date = DateTime::from_unix_duration(std::time::Duration::from_secs(now.0)).ok()?;
    Some(u64::from(date.year()) * 12 + u64::from(date.month()))
}

/// Both are public: no need for constant time.
fn is_hexadecimal_of(text: &str, bytes: &[u8]) -> bool {
    let written: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.eq_ignore_ascii_case(&written)
}
