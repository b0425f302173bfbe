//! The policy as data, and the words for people.
#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use super::super::*;
use super::policy;
use crate::policy::AuthenticationPolicy;

fn defect(change: impl FnOnce(&mut AttestationPolicy)) -> Result<(), AttestationPolicyError> {
    let mut policy = policy();
    change(&mut policy);
    policy.check(&AuthenticationPolicy::default())
}

#[test]
fn defects_of_a_policy_are_named() {
    use AttestationPolicyError as Error;
    assert_eq!(defect(|_| ()), Ok(()));
    let android = |p: &mut AttestationPolicy, change: fn(&mut AndroidDemands)| {
        change(p.classes[0].android.as_mut().unwrap());
    };
    let twice = Error::DuplicateClass("hardware-keystore".into());
    assert_eq!(defect(|p| p.classes[0].class = "hardware-keystore".into()), Err(twice));
    let claimed = Error::AttestedClass("software".into());
    assert_eq!(defect(|p| p.classes[0].class = "software".into()), Err(claimed));
    assert_eq!(
        defect(|p| p.classes[0].class = "wooden".into()),
        Err(Error::AttestedClass("wooden".into()))
    );
    let attested = Error::UnattestedClass("secure-element".into());
    assert_eq!(
        defect(|p| p.unattested_class = Some("secure-element".into())),
        Err(attested)
    );
    assert_eq!(
        defect(|p| android(p, |d| d.security_level = SecurityLevel::Software)),
        Err(Error::SecurityLevel("secure-element".into()))
    );
    assert_eq!(
        defect(|p| android(p, |d| d.accepted_boot_keys = vec!["05".repeat(31)])),
        Err(Error::Digest)
    );
    assert_eq!(
        defect(|p| p.android_apps[0].signing_digests = vec!["zz".repeat(32)]),
        Err(Error::Digest)
    );
    assert_eq!(defect(|p| p.android_apps[0].signing_digests.clear()), Err(Error::App));
    assert_eq!(defect(|p| p.android_apps[0].package.clear()), Err(Error::App));
    assert_eq!(defect(|p| p.apple_apps[0].team_id.clear()), Err(Error::App));
    let many = MAX_ENTRIES + 1;
    assert_eq!(
        defect(|p| p.android_apps[0].excluded_versions = vec![1; many]),
        Err(Error::TooManyEntries)
    );
    assert_eq!(
        defect(|p| p.refuse = vec![Check::App; many]),
        Err(Error::TooManyEntries)
    );
    assert_eq!(
        defect(|p| android(p, |d| d.accepted_boot_keys = vec!["05".repeat(32); 65])),
        Err(Error::TooManyEntries)
    );
}

#[test]
fn unknown_members_are_refused_and_absent_ones_take_their_default() {
    for text in [
        r#"{"class":[]}"#,
        r#"{"classes":[{"class":"secure-element","android":{"min_level":"strong-box"}}]}"#,
        r#"{"classes":[{"class":"secure-element","windows":{}}]}"#,
        r#"{"classes":[{"class":"secure-element","android":{"security_level":"StrongBox"}}]}"#,
        r#"{"refuse":["everything"]}"#,
        r#"{"android_apps":[{"package":"a"}]}"#,
        r#"{"apple_apps":[{"team_id":"a","bundle_id":"b","version":1}]}"#,
    ] {
        assert!(serde_json::from_str::<AttestationPolicy>(text).is_err(), "{text}");
    }
    let text = r#"{"classes":[{"class":"hardware-keystore","android":{"max_unlock_seconds":null}}]}"#;
    let policy: AttestationPolicy = serde_json::from_str(text).unwrap();
    let android = policy.classes[0].android.as_ref().unwrap();
    assert_eq!(
        (android.max_unlock_seconds, android.max_patch_age_months),
        (None, Some(12))
    );
    assert_eq!(policy.classes[0].apple, None);
    let written = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<AttestationPolicy>(&written).unwrap(), policy);
}

#[test]
fn every_check_has_a_code_and_words_of_its_own_in_both_languages() {
    let words = Check::ALL.map(|check| check.explanation());
    let distinct = |texts: Vec<&str>| texts.into_iter().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(words.iter().map(|w| w.de).collect()), Check::ALL.len());
    assert_eq!(distinct(words.iter().map(|w| w.en).collect()), Check::ALL.len());
    assert_eq!(
        distinct(Check::ALL.iter().map(|c| c.code()).collect()),
        Check::ALL.len()
    );
    for check in Check::ALL {
        let name = serde_json::to_value(check).unwrap();
        assert_eq!(format!("device-{}", name.as_str().unwrap()), check.code());
    }
    // Level B1: no sentence of more than 20 words.
    for text in words.iter().flat_map(|w| [w.de, w.en]) {
        for sentence in text.split_inclusive(['.', '?']) {
            assert!(sentence.split_whitespace().count() <= 20, "{sentence}");
        }
    }
    assert_eq!(
        Remaining::CardOnly.explanation().en,
        "You can still log in with your health card."
    );
}
