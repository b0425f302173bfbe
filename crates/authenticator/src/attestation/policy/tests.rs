#![allow(clippy::unwrap_used)]
use jose::UnixTime;

use super::*;
use crate::attestation::android::description::KeyDescription;
use crate::attestation::android::status::{KeyStatus, ListedCertificate, StatusReason};
use crate::attestation::apple::Environment;
use crate::attestation::test_pki::{DAY, NOW, NULL, element, integer, key, octets, sequence, set, tagged};
use crate::attestation::{
    AndroidError, AndroidFacts, AppleError, AppleFacts, AttestationError, ChainError, Facts, VerifiedKeyAttestation,
};

mod data;

/// [`NOW`] is in January 2027.
const PATCHED: u64 = 202_612;
const SIGNER: [u8; 32] = [9; 32];
const BOOT_KEY: [u8; 32] = [5; 32];
const PACKAGE: &[u8] = b"de.kasse.app";

/// What a phone says about itself; a test changes one thing.
struct Phone {
    /// Where the key lives.
    level: u8,
    /// Who says so, where it is somebody else.
    attester_level: Option<u8>,
    boot_state: u8,
    locked: bool,
    has_root_of_trust: bool,
    patch_level: Option<u64>,
    /// Tags about unlocking, in the hardware's list.
    unlocking: Vec<(u32, Vec<u8>)>,
    software: Vec<(u32, Vec<u8>)>,
    packages: Vec<(&'static [u8], u64)>,
    signers: Vec<[u8; 32]>,
    listed: Option<ListedCertificate>,
    list_fetched_at: Option<UnixTime>,
}

impl Phone {
    fn sound() -> Self {
        Self {
            level: 2,
            attester_level: None,
            boot_state: 0,
            locked: true,
            has_root_of_trust: true,
            patch_level: Some(PATCHED),
            unlocking: vec![(504, integer(2))],
            software: Vec::new(),
            packages: vec![(PACKAGE, 12)],
            signers: vec![SIGNER],
            listed: None,
            list_fetched_at: Some(NOW.minus_seconds(3600)),
        }
    }

    fn facts(&self) -> Facts {
        let list = |tags: &[(u32, Vec<u8>)]| {
            let tags: Vec<Vec<u8>> = tags.iter().map(|(number, value)| tagged(*number, value)).collect();
            sequence(&[&tags.concat()])
        };
        let packages: Vec<Vec<u8>> = self
            .packages
            .iter()
            .map(|(name, version)| sequence(&[&octets(name), &integer(*version)]))
            .collect();
        let signers: Vec<Vec<u8>> = self.signers.iter().map(|digest| octets(digest)).collect();
        let mut software = self.software.clone();
        software.push((709, octets(&sequence(&[&set(&packages), &set(&signers)]))));
        let mut hardware = self.unlocking.clone();
        if self.has_root_of_trust {
            let locked = if self.locked { 0xff } else { 0x00 };
            let state = element(0x0a, &[self.boot_state]);
            let root = sequence(&[&octets(&BOOT_KEY), &element(0x01, &[locked]), &state, &octets(&[6; 32])]);
            hardware.push((704, root));
        }
        if let Some(level) = self.patch_level {
            hardware.push((706, integer(level)));
        }
        let level = |level| element(0x0a, &[level]);
        let description = sequence(&[
            &integer(300),
            &level(self.attester_level.unwrap_or(self.level)),
            &integer(300),
            &level(self.level),
            &octets(&[]),
            &octets(&[]),
            &list(&software),
            &list(&hardware),
        ]);
        Facts::Android(AndroidFacts {
            description: KeyDescription::parse(&description).unwrap(),
            provisioning: None,
            listed: self.listed,
            status_list_fetched_at: self.list_fetched_at,
        })
    }
}

fn iphone(app: &AppleApp, environment: Environment) -> Facts {
    Facts::Apple(AppleFacts {
        rp_id_hash: app.rp_id_hash(),
        environment,
        app_attest_key: key(3).public_key().clone(),
    })
}

fn apple_app() -> AppleApp {
    AppleApp {
        team_id: "0352187391".into(),
        bundle_id: "de.kasse.app".into(),
    }
}

fn policy() -> AttestationPolicy {
    AttestationPolicy {
        android_apps: vec![AndroidApp {
            package: "de.kasse.app".into(),
            signing_digests: vec!["09".repeat(32)],
            min_version: 10,
            excluded_versions: vec![11],
        }],
        apple_apps: vec![apple_app()],
        ..AttestationPolicy::default()
    }
}

fn attestation(facts: Facts) -> Result<VerifiedKeyAttestation, AttestationError> {
    Ok(VerifiedKeyAttestation {
        key: key(4).public_key().clone(),
        challenge: [7; 32],
        facts,
    })
}

/// The class reached, whether attested, and the failed checks as `class: code`.
fn judged(policy: &AttestationPolicy, facts: Facts) -> (String, Vec<String>) {
    let judgement = policy.judge(&attestation(facts), NOW);
    let verdict = match judgement.verdict {
        Verdict::Attested(key) => format!("attested {}", key.class()),
        Verdict::Unattested { class } => format!("unattested {class}"),
        Verdict::Refused => "refused".to_owned(),
    };
    let failed = judgement.failed.iter().map(|failed| {
        let class = failed.class.as_deref().unwrap_or("-");
        format!("{class}: {}", failed.check.code())
    });
    (verdict, failed.collect())
}

fn phone(change: impl FnOnce(&mut Phone)) -> (String, Vec<String>) {
    let mut phone = Phone::sound();
    change(&mut phone);
    judged(&policy(), phone.facts())
}

/// A phone that fails the same check for both classes.
fn both(verdict: &str, code: &str) -> (String, Vec<String>) {
    let failed = ["secure-element", "hardware-keystore"].map(|class| format!("{class}: {code}"));
    (verdict.to_owned(), failed.to_vec())
}

#[test]
fn a_sound_phone_reaches_the_strongest_class_with_its_own_key() {
    let attestation = attestation(Phone::sound().facts());
    let judgement = policy().judge(&attestation, NOW);
    assert_eq!(
        (judgement.failed.len(), judgement.remaining()),
        (0, Remaining::Everything)
    );
    let Verdict::Attested(device) = judgement.verdict else {
        panic!("attested")
    };
    assert_eq!((device.class(), device.challenge()), ("secure-element", &[7; 32]));
    assert_eq!(device.key(), key(4).public_key());
}

#[test]
fn a_phone_without_security_chip_reaches_the_weaker_class_and_is_told_why() {
    let expected = vec!["secure-element: device-security-level".to_owned()];
    let weaker = ("attested hardware-keystore".to_owned(), expected);
    assert_eq!(phone(|p| p.level = 1), weaker);
    assert_eq!(
        phone(|p| p.attester_level = Some(1)),
        weaker,
        "a weaker environment says so"
    );
    let judgement = {
        let mut tee = Phone::sound();
        tee.level = 1;
        policy().judge(&attestation(tee.facts()), NOW)
    };
    assert_eq!(judgement.remaining(), Remaining::CardMoreOften);
}

#[test]
fn an_unlocked_or_changed_system_leaves_the_card_only() {
    assert_eq!(phone(|p| p.locked = false), both("refused", "device-locked-bootloader"));
    for state in [1, 2, 3] {
        assert_eq!(
            phone(|p| p.boot_state = state),
            both("refused", "device-verified-boot"),
            "{state}"
        );
    }
    let (verdict, failed) = phone(|p| p.has_root_of_trust = false);
    assert_eq!((verdict.as_str(), failed.len()), ("refused", 4), "{failed:?}");
    let mut unlocked = Phone::sound();
    unlocked.locked = false;
    let judgement = policy().judge(&attestation(unlocked.facts()), NOW);
    assert_eq!(judgement.remaining(), Remaining::CardOnly);
}

#[test]
fn a_system_of_the_owners_choice_counts_where_the_policy_names_its_key() {
    let mut policy = policy();
    for class in &mut policy.classes {
        class.android.as_mut().unwrap().accepted_boot_keys = vec!["05".repeat(32)];
    }
    let with_state = |state| {
        let mut phone = Phone::sound();
        phone.boot_state = state;
        judged(&policy, phone.facts()).0
    };
    assert_eq!(with_state(1), "attested secure-element");
    for state in [2, 3] {
        assert_eq!(
            with_state(state),
            "refused",
            "the key of a system that was not verified says nothing"
        );
    }
}

#[test]
fn only_the_insurers_app_in_an_admitted_version_counts() {
    let refused = || both("refused", "device-app");
    assert_eq!(phone(|p| p.packages = vec![(b"de.other.app", 12)]), refused());
    assert_eq!(phone(|p| p.packages = Vec::new()), refused());
    assert_eq!(phone(|p| p.signers = vec![[8; 32]]), refused());
    assert_eq!(phone(|p| p.signers = Vec::new()), refused(), "nobody signed it");
    assert_eq!(
        phone(|p| p.signers = vec![SIGNER, [8; 32]]),
        refused(),
        "somebody else signed it too"
    );
    assert_eq!(
        phone(|p| p.packages = vec![(PACKAGE, 9)]),
        refused(),
        "too old (A_22922)"
    );
    assert_eq!(
        phone(|p| p.packages = vec![(PACKAGE, 11)]),
        refused(),
        "excluded (A_22253)"
    );
    let nobody = AttestationPolicy::default();
    assert_eq!(judged(&nobody, Phone::sound().facts()).0, "refused", "no app is named");
}

#[test]
fn what_an_honest_phone_may_lack_leaves_the_unattested_class() {
    let weaker = |code| both("unattested software", code);
    let listed = |status| ListedCertificate {
        status,
        reason: StatusReason::KeyCompromise,
    };
    for status in [KeyStatus::Revoked, KeyStatus::Suspended, KeyStatus::Other] {
        assert_eq!(phone(|p| p.listed = Some(listed(status))), weaker("device-revocation"));
    }
    assert_eq!(phone(|p| p.list_fetched_at = None), weaker("device-status-list"));
    let two_days = 2 * DAY;
    assert_eq!(
        phone(|p| p.list_fetched_at = Some(NOW.minus_seconds(two_days))).1.len(),
        0
    );
    assert_eq!(
        phone(|p| p.list_fetched_at = Some(NOW.minus_seconds(two_days + 1))),
        weaker("device-status-list")
    );
    assert_eq!(
        phone(|p| p.list_fetched_at = Some(NOW.plus_seconds(1))),
        weaker("device-status-list"),
        "from the future"
    );
}

#[test]
fn patch_levels_are_judged_by_their_age_in_months() {
    let class = |level| phone(|p| p.patch_level = level).0;
    for (level, expected) in [
        (Some(202_701), "attested secure-element"),
        (Some(20_270_105), "attested secure-element"),
        (Some(202_704), "attested secure-element"),
        (Some(202_601), "attested secure-element"),
        (Some(202_512), "attested hardware-keystore"),
        (Some(202_501), "attested hardware-keystore"),
        (Some(202_412), "unattested software"),
        (Some(202_705), "unattested software"),
        (Some(202_700), "unattested software"),
        (Some(202_613), "unattested software"),
        (Some(0), "unattested software"),
        (Some(u64::MAX), "unattested software"),
        (None, "unattested software"),
    ] {
        assert_eq!(class(level), expected, "{level:?}");
    }
    let mut any = policy();
    for demands in &mut any.classes {
        demands.android.as_mut().unwrap().max_patch_age_months = None;
    }
    let mut old = Phone::sound();
    old.patch_level = Some(201_809);
    assert_eq!(judged(&any, old.facts()).0, "attested secure-element");
}

#[test]
fn the_hardware_must_ask_for_the_person() {
    let weaker = both("unattested software", "device-user-authentication");
    for (unlocking, why) in [
        (vec![], "says nothing"),
        (vec![(503, NULL.to_vec())], "asks nobody"),
        (
            vec![(503, NULL.to_vec()), (504, integer(2))],
            "asks nobody, and somebody",
        ),
        (vec![(504, integer(0))], "asks for nothing"),
        (
            vec![(504, integer(2)), (505, integer(1))],
            "one unlocking serves for a second",
        ),
        (
            vec![(504, integer(2)), (506, NULL.to_vec())],
            "serves while on the body",
        ),
    ] {
        assert_eq!(phone(|p| p.unlocking = unlocking), weaker, "{why}");
    }
    assert_eq!(
        phone(|p| p.software = vec![(506, NULL.to_vec())]),
        weaker,
        "serves while on the body, as the system sees to it"
    );
    assert_eq!(
        phone(|p| {
            p.unlocking = Vec::new();
            p.software = vec![(504, integer(2))];
        }),
        weaker,
        "only the system asks"
    );
    let mut patient = policy();
    for demands in &mut patient.classes {
        demands.android.as_mut().unwrap().max_unlock_seconds = Some(30);
    }
    let with_seconds = |seconds| {
        let mut phone = Phone::sound();
        phone.unlocking = vec![(504, integer(3)), (505, integer(seconds))];
        judged(&patient, phone.facts()).0
    };
    assert_eq!(with_seconds(30), "attested secure-element");
    assert_eq!(with_seconds(31), "unattested software");
}

#[test]
fn apples_devices_are_judged_by_app_and_environment() {
    let strongest = "secure-element: device-platform".to_owned();
    let production = || iphone(&apple_app(), Environment::Production);
    assert_eq!(
        judged(&policy(), production()),
        ("attested hardware-keystore".to_owned(), vec![strongest.clone()])
    );
    let development = || iphone(&apple_app(), Environment::Development);
    let (verdict, failed) = judged(&policy(), development());
    assert_eq!(verdict, "refused");
    assert!(
        failed.contains(&"hardware-keystore: device-app".to_owned()),
        "{failed:?}"
    );
    let mut lenient = policy();
    lenient.classes[1].apple.as_mut().unwrap().development = Development::Accepted;
    assert_eq!(judged(&lenient, development()).0, "attested hardware-keystore");
    let other = AppleApp {
        bundle_id: "de.kasse.other".into(),
        ..apple_app()
    };
    assert_eq!(judged(&policy(), iphone(&other, Environment::Production)).0, "refused");
    let mut raised = policy();
    raised.classes[0].apple = Some(AppleDemands::default());
    assert_eq!(judged(&raised, production()).0, "attested secure-element");
}

#[test]
fn a_class_without_demands_on_a_platform_admits_none_of_it_and_hides_nothing() {
    let mut apple_only = policy();
    for class in &mut apple_only.classes {
        class.android = None;
        class.apple = Some(AppleDemands::default());
    }
    assert_eq!(judged(&apple_only, Phone::sound().facts()).0, "unattested software");
    let mut unlocked = Phone::sound();
    unlocked.locked = false;
    assert_eq!(judged(&apple_only, unlocked.facts()).0, "refused");
}

#[test]
fn a_refused_statement_is_judged_by_what_it_lacks() {
    let judged = |error: AttestationError| {
        let judgement = policy().judge(&Err(error), NOW);
        (judgement.verdict, judgement.failed[0].check)
    };
    let android = AttestationError::Android;
    let software = Verdict::Unattested {
        class: "software".into(),
    };
    for (error, check) in [
        (
            android(ChainError::Expired { index: 1 }.into()),
            Check::CertificateDates,
        ),
        (
            android(ChainError::NotYetValid { index: 1 }.into()),
            Check::CertificateDates,
        ),
        (android(ChainError::UnknownRoot.into()), Check::Maker),
        (android(AndroidError::SoftwareOnly), Check::SecurityLevel),
        (
            AppleError::from(ChainError::Expired { index: 0 }).into(),
            Check::CertificateDates,
        ),
    ] {
        assert_eq!(judged(error), (software.clone(), check), "{error}");
    }
    for error in [
        android(ChainError::Signature { index: 0 }.into()),
        android(AndroidError::Challenge),
        android(AndroidError::Key),
        android(AndroidError::ExtensionAboveLeaf { index: 1 }),
        android(AndroidError::LevelNotCertified),
        android(AndroidError::Origin),
        AppleError::Nonce.into(),
        AppleError::CounterAtAttestation.into(),
    ] {
        assert_eq!(judged(error), (Verdict::Refused, Check::Statement), "{error}");
    }
}

#[test]
fn an_insurer_may_leave_nothing_to_the_unattested() {
    let strict = AttestationPolicy {
        unattested_class: None,
        ..policy()
    };
    let mut old = Phone::sound();
    old.patch_level = Some(201_809);
    assert_eq!(judged(&strict, old.facts()).0, "refused");
    let lenient = AttestationPolicy {
        refuse: Vec::new(),
        ..policy()
    };
    let mut unlocked = Phone::sound();
    unlocked.locked = false;
    assert_eq!(judged(&lenient, unlocked.facts()).0, "unattested software");
}

#[test]
fn proofs_print_no_key() {
    let attestation = attestation(Phone::sound().facts());
    let judgement = policy().judge(&attestation, NOW);
    let printed = format!("{attestation:?} {judgement:?}");
    assert_eq!(
        printed,
        "Ok(VerifiedKeyAttestation) Judgement { verdict: Attested(AttestedDeviceKey(secure-element)), failed: [] }"
    );
}
