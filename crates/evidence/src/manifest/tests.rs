#![allow(clippy::unwrap_used)]

mod admission;
mod approvals;
mod encoding;
mod log;

use std::collections::BTreeMap;

use jose::UnixTime;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::platform::{Measurement, PlatformId};
use crate::rehearsal::{MINIMUM_INCLUSION_SECONDS, QUORUM, Rehearsal};
use crate::transparency::{LogWriter, SigningKey};
use crate::verify::{CollateralDates, TcbStatus, VerifiedEvidence};

/// When manifests are put into the log.
const LOGGED: UnixTime = UnixTime(1_800_000_000);
/// When they hold.
const NOW: UnixTime = LOGGED.plus_seconds(MINIMUM_INCLUSION_SECONDS);

const BUILD: Measurement = Measurement::Sgx {
    mr_enclave: [0x51; 32],
    product_id: 7,
};

fn machine() -> PlatformId {
    PlatformId::new([0xaa; 16]).unwrap()
}

struct Fixture {
    _directory: TempDir,
    house: Rehearsal,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let house = Rehearsal::begin(directory.path(), "gesundheitsid-test").unwrap();
    Fixture {
        _directory: directory,
        house,
    }
}

impl Fixture {
    fn manifest(&self, number: u64) -> Manifest {
        self.house.manifest(number, &BUILD, (Platform::Sgx, &machine()), LOGGED)
    }

    fn verified(&self, logged: LoggedManifest) -> Result<ApprovedManifest, ManifestError> {
        ApprovedManifest::verify(&[logged], &self.house.trust(), None, NOW)
    }

    fn approved(&self, manifest: &Manifest) -> ApprovedManifest {
        self.verified(self.house.decide(manifest, LOGGED).unwrap()).unwrap()
    }

    /// The code that approvals by exactly these members are refused with.
    fn refusal(&self, members: &[&str]) -> &'static str {
        let envelope = self.house.approve(&self.manifest(1), members).unwrap();
        self.verified(self.house.publish(&envelope, LOGGED).unwrap())
            .unwrap_err()
            .code()
    }
}

#[test]
fn a_manifest_that_enough_approved_and_that_stands_in_the_log_holds() {
    let fixture = fixture();
    let manifest = fixture.manifest(1);
    let approved = fixture.approved(&manifest);
    assert_eq!(approved.manifest(), &manifest);
    assert_eq!(approved.hash(), manifest.hash());
    let names: Vec<_> = approved
        .approved_by()
        .iter()
        .map(|signer| signer.name.as_str())
        .collect();
    assert_eq!(names, QUORUM);
    assert_eq!(approved.witnesses().len(), 3);
    assert_eq!(approved.included_since(), LOGGED);
    assert!(!approved.is_emergency());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_quorum_is_the_threshold_with_its_roles_and_more_never_hurts(names in any_quorum()) {
        let set = RoleSet {
            at_least: BTreeMap::from([(OrganisationRole::Auditor, 1), (OrganisationRole::Insurer, 1)]),
            members: crate::rehearsal::MEMBERS
                .map(|(name, role)| Member {
                    key: jose::SoftwareKey::generate(name).unwrap().public_key().clone(),
                    name: name.to_owned(),
                    role,
                })
                .into(),
            threshold: 3,
        };
        let spoke: Vec<&Member> = names.iter().map(|name| set.member(name).unwrap()).collect();
        let has = |role| spoke.iter().any(|member| member.role == role);
        let expected = spoke.len() >= 3 && has(OrganisationRole::Auditor) && has(OrganisationRole::Insurer);
        prop_assert_eq!(set.check_quorum(spoke.iter().copied()).is_ok(), expected);
        // Twice the same people are the same people.
        let twice: Vec<&Member> = spoke.iter().chain(&spoke).copied().collect();
        prop_assert_eq!(set.check_quorum(twice).is_ok(), expected);
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse(&bytes);
        let _ = Envelope::parse(&bytes);
    }
}

fn any_quorum() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(crate::rehearsal::MEMBERS.map(|(name, _)| name).to_vec(), 0..=5)
}
