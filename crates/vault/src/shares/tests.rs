#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::hierarchy::{KeyMaterial, Purpose};
use crate::lock::{HsmHalf, Namespace, UnlockedRoot};
use store::TenantId;

use OrganisationRole::{Auditor, Insurer, Operator};

/// Three of five, with at least one insurer and one auditor.
fn policy() -> SharePolicy {
    let holders = vec![Insurer, Insurer, Operator, Operator, Auditor];
    SharePolicy::new(3, holders, vec![(Insurer, 1), (Auditor, 1)]).unwrap()
}

fn commitments(shares: &[Share]) -> Vec<[u8; 32]> {
    shares.iter().map(Share::commitment).collect()
}

fn copy(share: &Share) -> Share {
    Share::parse(&share.to_bytes()[..]).unwrap()
}

fn chosen(shares: &[Share], set: u32) -> Vec<Share> {
    let among = |number: u8| set & 1 << (number - 1) != 0;
    shares.iter().filter(|share| among(share.number)).map(copy).collect()
}

fn numbers(shares: &[Share]) -> Vec<u8> {
    shares.iter().map(Share::number).collect()
}

fn restored(shares: &[Share], of: &[Share], seed: &NamespaceSeed, policy: &SharePolicy) -> Result<(), ShareError> {
    let same = |found: &NamespaceSeed| found.bytes() == seed.bytes();
    combine(shares, policy, &commitments(of), same).map(drop)
}

#[test]
fn exactly_the_mixes_of_the_rule_restore_the_seed() {
    let (seed, policy) = (NamespaceSeed::generate(), policy());
    let shares = split(&seed, &policy).unwrap();
    let mut opening = 0;
    for set in 0..1_u32 << 5 {
        let some = chosen(&shares, set);
        let outcome = restored(&some, &shares, &seed, &policy);
        assert_eq!(
            outcome.is_ok(),
            policy.is_met_by(&numbers(&some)),
            "{:?}",
            numbers(&some)
        );
        opening += u32::from(outcome.is_ok());
    }
    // Of the sixteen sets of three and more: those with the auditor and an insurer.
    assert_eq!(opening, 5 + 4 + 1);
}

#[test]
fn rule_is_in_the_arithmetic_and_not_in_a_check() {
    // As above, with every check left out: whoever lacks the mix gets some other seed or none.
    let (seed, policy) = (NamespaceSeed::generate(), policy());
    let shares = split(&seed, &policy).unwrap();
    for set in 0..1_u32 << 5 {
        let some = chosen(&shares, set);
        let found = combine_whatever(&some, &policy).is_ok_and(|found| found.bytes() == seed.bytes());
        assert_eq!(found, policy.is_met_by(&numbers(&some)), "{:?}", numbers(&some));
    }
}

#[test]
fn attack_21_no_single_lock_derives_the_root() {
    let (namespace, policy) = (Namespace::parse("de.example").unwrap(), policy());
    let tenant = TenantId::from_bytes([1; 16]);
    let key =
        |root: &UnlockedRoot| -> KeyMaterial { root.root.derive(tenant, crate::Generation::FIRST, Purpose::Wrap) };
    let seed = NamespaceSeed::generate();
    let shares = split(&seed, &policy).unwrap();
    let half = || HsmHalf::new(Secret::copy_of(&[0x42; 32]));
    let right = key(&UnlockedRoot::from_locks(&namespace, &seed, &half()));
    let nothing = [0; 32];

    // The module's half alone: with no seed, with itself as the seed, with what too few shares combine to, with each share's
    // part as the seed.
    let mut guesses = vec![
        NamespaceSeed::from_bytes(&nothing),
        NamespaceSeed::from_bytes(half().bytes()),
    ];
    for set in 0..1_u32 << 5 {
        let some = chosen(&shares, set);
        if !policy.is_met_by(&numbers(&some)) {
            guesses.extend(combine_whatever(&some, &policy));
        }
    }
    for share in &shares {
        for part in [&share.of_all, &share.of_role] {
            guesses.push(NamespaceSeed::from_bytes(part[1..].try_into().unwrap()));
        }
    }
    assert!(guesses.len() > 10);
    for guess in &guesses {
        assert_ne!(*key(&UnlockedRoot::from_locks(&namespace, guess, &half())), *right);
    }

    // All shares, and no module: no half, the seed as the half, another module's half.
    for other in [nothing, *seed.bytes(), [0x43; 32]] {
        let other = HsmHalf::new(Secret::copy_of(&other));
        assert_ne!(*key(&UnlockedRoot::from_locks(&namespace, &seed, &other)), *right);
    }
    // Both locks in another namespace.
    let elsewhere = Namespace::parse("de.example.test").unwrap();
    assert_ne!(*key(&UnlockedRoot::from_locks(&elsewhere, &seed, &half())), *right);
    // Every mix of the rule, and the module.
    for set in 0..1_u32 << 5 {
        let some = chosen(&shares, set);
        if policy.is_met_by(&numbers(&some)) {
            let same = |found: &NamespaceSeed| seed.is_committed_by(&namespace, &found.commitment(&namespace));
            let restored = combine(&some, &policy, &commitments(&shares), same).unwrap();
            assert_eq!(*key(&UnlockedRoot::from_locks(&namespace, &restored, &half())), *right);
        }
    }
}

#[test]
fn wrong_share_is_named_by_its_number() {
    let (seed, policy) = (NamespaceSeed::generate(), policy());
    let shares = split(&seed, &policy).unwrap();
    let another = split(&NamespaceSeed::generate(), &policy).unwrap();
    let again = split(&seed, &policy).unwrap();
    for strangers in [&another, &again] {
        let mixed = [copy(&shares[0]), copy(&shares[2]), copy(&strangers[4])];
        assert_eq!(
            restored(&mixed, &shares, &seed, &policy),
            Err(ShareError::Wrong { number: 5 })
        );
    }
    for bit in 0..SHARE_BYTES * 8 {
        let mut bytes = shares[4].to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = Share::parse(&bytes[..]) {
            let mixed = [copy(&shares[0]), copy(&shares[2]), changed];
            assert!(matches!(
                restored(&mixed, &shares, &seed, &policy),
                Err(ShareError::Wrong { .. })
            ));
        }
    }
}

#[test]
fn too_few_twice_and_a_missing_role_are_told_apart() {
    let (seed, policy) = (NamespaceSeed::generate(), policy());
    let shares = split(&seed, &policy).unwrap();
    let take = |numbers: &[usize]| -> Result<(), ShareError> {
        let some: Vec<_> = numbers.iter().map(|number| copy(&shares[number - 1])).collect();
        restored(&some, &shares, &seed, &policy)
    };
    assert_eq!(take(&[1, 5]), Err(ShareError::TooFew { found: 2, needed: 3 }));
    assert_eq!(take(&[]), Err(ShareError::TooFew { found: 0, needed: 3 }));
    assert_eq!(take(&[1, 5, 5]), Err(ShareError::Twice { number: 5 }));
    let missing = |role| {
        Err(ShareError::RoleMissing {
            role,
            found: 0,
            needed: 1,
        })
    };
    assert_eq!(take(&[1, 2, 3, 4]), missing(Auditor));
    assert_eq!(take(&[3, 4, 5]), missing(Insurer));
    assert_eq!(take(&[1, 3, 5]), Ok(()));
}

#[test]
fn rules_that_are_none_are_refused() {
    let rule = |threshold, holders: &[OrganisationRole], minima: &[(OrganisationRole, usize)]| {
        SharePolicy::new(threshold, holders.to_vec(), minima.to_vec()).unwrap_err()
    };
    assert_eq!(rule(1, &[Insurer], &[]), PolicyError::Holders);
    assert_eq!(rule(2, &[Insurer; 17], &[]), PolicyError::Holders);
    assert_eq!(rule(1, &[Insurer; 3], &[]), PolicyError::Threshold);
    assert_eq!(rule(4, &[Insurer; 3], &[]), PolicyError::Threshold);
    assert_eq!(rule(2, &[Insurer; 3], &[(Auditor, 1)]), PolicyError::Minimum);
    assert_eq!(rule(2, &[Insurer; 3], &[(Insurer, 0)]), PolicyError::Minimum);
    assert_eq!(
        rule(2, &[Insurer; 3], &[(Insurer, 1), (Insurer, 1)]),
        PolicyError::Minimum
    );
    assert_eq!(
        rule(2, &[Insurer, Insurer, Auditor, Auditor], &[(Insurer, 2), (Auditor, 1)]),
        PolicyError::Minimum
    );
}

#[test]
fn shares_of_other_lengths_are_none_and_print_nothing() {
    for length in [0, 1, SHARE_BYTES - 1, SHARE_BYTES + 1] {
        assert_eq!(Share::parse(&vec![1; length]).unwrap_err(), ShareError::Malformed);
    }
    let share = &split(&NamespaceSeed::generate(), &policy()).unwrap()[0];
    assert_eq!(format!("{share:?}"), "Share");
}

fn any_policy() -> impl Strategy<Value = SharePolicy> {
    let role = proptest::sample::select(ROLES.to_vec());
    (
        proptest::collection::vec(role, 2..7),
        2_usize..7,
        [0_usize..3, 0..3, 0..3, 0..3],
    )
        .prop_filter_map("no rule", |(holders, threshold, least)| {
            let minima = ROLES.into_iter().zip(least).filter(|(_, least)| *least > 0);
            SharePolicy::new(threshold, holders, minima.collect()).ok()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn of_any_rule_exactly_its_mixes_open(policy in any_policy()) {
        let seed = NamespaceSeed::generate();
        let shares = split(&seed, &policy).unwrap();
        for set in 0..1_u32 << shares.len() {
            let some = chosen(&shares, set);
            let found = combine_whatever(&some, &policy).is_ok_and(|found| found.bytes() == seed.bytes());
            prop_assert_eq!(found, policy.is_met_by(&numbers(&some)));
            prop_assert_eq!(restored(&some, &shares, &seed, &policy).is_ok(), found);
        }
    }
}
