use proptest::prelude::*;

use super::*;

fn mixed() -> HardeningProfile {
    HardeningProfile::new(|control| match control {
        Control::LockedMemory => ControlState::NotApplicable(Reason::new("the container may lock 64 KiB")),
        Control::FileAccess => ControlState::Failed(Reason::new("Landlock is off")),
        _ => ControlState::Required,
    })
}

#[test]
fn a_profile_reads_back_as_it_was_written() {
    let profile = mixed();
    assert_eq!(HardeningProfile::parse(&profile.to_bytes()), Ok(profile.clone()));
    assert!(profile.to_bytes().len() <= MAX_PROFILE_BYTES);
    assert!(profile.is_in_force(Control::NonDumpable));
    assert!(!profile.is_in_force(Control::LockedMemory));
    assert_eq!(
        profile
            .failures()
            .map(|(control, reason)| (control, reason.as_str()))
            .collect::<Vec<_>>(),
        [(Control::FileAccess, "Landlock is off")]
    );
}

#[test]
fn every_changed_state_or_reason_changes_the_hash() {
    let mut hashes = std::collections::BTreeSet::from([mixed().hash()]);
    for control in Control::ALL {
        for state in [
            ControlState::Required,
            ControlState::NotApplicable(Reason::new("a")),
            ControlState::NotApplicable(Reason::new("b")),
            ControlState::Failed(Reason::new("a")),
        ] {
            let changed = mixed().with(control, state);
            assert_eq!(hashes.insert(changed.hash()), changed != mixed(), "{control}");
        }
    }
}

#[test]
fn each_malformed_profile_is_refused_for_its_own_reason() {
    let good = HardeningProfile::none("x").to_bytes();
    let at = |index: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[MAGIC.len() + index] = byte;
        bytes
    };
    let mut trailing = good.clone();
    trailing.push(0);
    let cases = [
        (Vec::new(), ProfileError::Headline),
        (b"healthid hardening profile 2\n".to_vec(), ProfileError::Headline),
        (MAGIC.to_vec(), ProfileError::Truncated),
        (at(0, 6), ProfileError::Incomplete),
        (at(0, 8), ProfileError::Incomplete),
        (at(1, 2), ProfileError::Incomplete),
        (at(1, 99), ProfileError::Incomplete),
        (at(2, 3), ProfileError::State),
        (at(2, 0), ProfileError::Reason),
        (at(3, 0), ProfileError::Reason),
        (at(3, 255), ProfileError::Truncated),
        (at(4, b'\n'), ProfileError::Reason),
        (at(4, 0x1b), ProfileError::Reason),
        (at(4, 0x80), ProfileError::Reason),
        (good[..good.len() - 1].to_vec(), ProfileError::Truncated),
        (trailing, ProfileError::TrailingBytes),
    ];
    for (bytes, expected) in cases {
        assert_eq!(HardeningProfile::parse(&bytes), Err(expected), "{bytes:?}");
    }
}

#[test]
fn a_reason_is_made_short_and_printable() {
    assert_eq!(Reason::new("a\u{1b}[31mb\nß").as_str(), "a?[31mb??");
    assert_eq!(Reason::new("").as_str(), "unstated");
    assert_eq!(Reason::new(&"x".repeat(1000)).as_str().len(), MAX_REASON_BYTES);
}

#[test]
fn names_and_numbers_are_unique() {
    let names: std::collections::BTreeSet<_> = Control::ALL.map(Control::name).into();
    let numbers: std::collections::BTreeSet<_> = Control::ALL.map(Control::number).into();
    assert_eq!((names.len(), numbers.len()), (Control::ALL.len(), Control::ALL.len()));
}

proptest! {
    #[test]
    fn whatever_is_accepted_encodes_to_the_same_bytes(tail in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..60, index in 0usize..40, byte: u8) {
        let mut bytes = mixed().to_bytes();
        let at = MAGIC.len() + index;
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        bytes.extend(&tail);
        if let Ok(profile) = HardeningProfile::parse(&bytes) {
            prop_assert_eq!(profile.to_bytes(), bytes);
        }
    }
}
