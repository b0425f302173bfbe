#![allow(clippy::unwrap_used)]
use jose::{SoftwareKey, jws};

use super::super::{BINDING_TYP, BindingClaims, ClassEvidence};
use super::*;
use crate::level::Method;
use crate::policy::{DeviceClassRule, DeviceEvidence, Performed, Session};

const NOW: UnixTime = UnixTime(1_800_000_000);
const DAY: u64 = 86_400;
const ID: [u8; 16] = [5; 16];

fn policy() -> AuthenticationPolicy {
    let mut policy = AuthenticationPolicy {
        moving: Moving::On,
        ..AuthenticationPolicy::default()
    };
    policy.device_classes.push(DeviceClassRule {
        name: "claimed-high".into(),
        level: Acr::High,
        reconfirm_after_seconds: 100 * DAY,
        evidence: DeviceEvidence::Claimed,
        own_pages_only: false,
    });
    policy
}

fn request(key: &SoftwareKey, class: &str) -> BindingRequest {
    BindingRequest {
        device_id: [1; 16],
        person_id: [0; 16],
        public_key: key.public_key().clone(),
        name: "Neues Handy".into(),
        evidence: ClassEvidence::Claimed { class: class.into() },
        consented_to_substantial: true,
        hardware: None,
    }
}

fn proof(key: &SoftwareKey, id: &[u8]) -> String {
    let header = jws::SigningHeader {
        typ: Some(BINDING_TYP),
        ..Default::default()
    };
    let claims = BindingClaims {
        challenge_id: base64url::encode(id),
    };
    jws::sign(&header, &serde_json::to_vec(&claims).unwrap(), key).unwrap()
}

fn candidate(class: &str) -> Candidate {
    let key = SoftwareKey::generate("new").unwrap();
    Candidate::check(&request(&key, class), &proof(&key, &ID), &ID, Acr::High, &policy()).unwrap()
}

fn old(class: &str) -> DeviceKey {
    let voucher = Voucher {
        device_id: [3; 16],
        person_id: [2; 16],
        level: Acr::High,
        valid_until: UnixTime(u64::MAX),
        confirmed_at: NOW,
    };
    let mut device = candidate(class).bind(&voucher, &policy(), NOW).unwrap();
    device.device_id = [9; 16];
    device.inherited = None;
    device
}

fn card(at: UnixTime) -> Performed {
    Performed {
        method: Method::HealthCard,
        level: Acr::High,
        auth_time: at,
        consented_to_substantial: false,
        session: Session::Fresh,
    }
}

#[test]
fn a_new_phone_reaches_no_further_than_the_old_one_until_the_card_confirms_it() {
    let policy = policy();
    for (from, to, level, days) in [
        ("software", "software", Acr::Substantial, 1),
        // A stronger phone gets nothing from it.
        ("software", "claimed-high", Acr::Substantial, 1),
        // A weaker one keeps its own level and interval, from the old one's confirmation.
        ("claimed-high", "software", Acr::Substantial, 1),
        ("claimed-high", "claimed-high", Acr::High, 100),
    ] {
        let voucher = old(from).vouch(&policy, NOW.plus_seconds(DAY)).unwrap();
        let later = NOW.plus_seconds(DAY);
        let mut device = candidate(to).bind(&voucher, &policy, later).unwrap();
        assert_eq!(device.level(&policy), Some(level), "{from} to {to}");
        assert_eq!(
            device.valid_until(&policy),
            Some(NOW.plus_seconds(days * DAY)),
            "{from} to {to}"
        );
        assert_eq!(
            (device.person_id, device.confirmed_at, device.bound_at),
            ([2; 16], NOW, later)
        );
        assert_eq!(device.bound_by(), Some([9; 16]));
        // What is stored says the same.
        let stored = serde_json::to_string(&device).unwrap();
        assert!(serde_json::from_str::<DeviceKey>(&stored).unwrap() == device);
        // No block with the block code is escaped by moving.
        device.stands(false, Some(NOW));
        assert_eq!(device.standing(), Standing::Blocked);
        let confirmed = NOW.plus_seconds(2 * DAY);
        device.confirm(&card(confirmed)).unwrap();
        assert_eq!(device.bound_by(), None);
        let own = policy.device_class(to).unwrap();
        assert_eq!(device.level(&policy), Some(own.level));
        assert_eq!(
            device.valid_until(&policy),
            Some(confirmed.plus_seconds(own.reconfirm_after_seconds))
        );
    }
}

#[test]
fn a_device_that_may_not_enter_vouches_for_nobody() {
    let policy = policy();
    let vouch = |change: &dyn Fn(&mut DeviceKey), now| {
        let mut device = old("software");
        change(&mut device);
        device.vouch(&policy, now).map(drop)
    };
    assert_eq!(vouch(&|_| {}, NOW), Ok(()));
    assert_eq!(vouch(&|_| {}, NOW.plus_seconds(DAY)), Ok(()));
    let device = |error| Err(VoucherError::Device(error));
    assert_eq!(
        vouch(&|_| {}, NOW.plus_seconds(DAY + 1)),
        device(DeviceError::ReconfirmationDue)
    );
    assert_eq!(vouch(&|old| old.stands(true, None), NOW), device(DeviceError::Locked));
    assert_eq!(
        vouch(&|old| old.stands(false, Some(NOW)), NOW),
        device(DeviceError::Blocked)
    );
    assert_eq!(
        vouch(&|old| old.class = "gone".into(), NOW),
        device(DeviceError::ClassNotAdmitted)
    );
    assert_eq!(
        vouch(&|old| old.class = "passkey-own-pages".into(), NOW),
        Err(VoucherError::OwnPagesOnly)
    );
    let off = AuthenticationPolicy {
        moving: Moving::Off,
        ..policy.clone()
    };
    assert_eq!(old("software").vouch(&off, NOW), Err(VoucherError::Off));
}

#[test]
fn a_device_that_was_vouched_for_vouches_after_the_card_only() {
    let policy = policy();
    let voucher = old("software").vouch(&policy, NOW).unwrap();
    let mut second = candidate("software").bind(&voucher, &policy, NOW).unwrap();
    assert_eq!(second.vouch(&policy, NOW), Err(VoucherError::NotConfirmed));
    second.confirm(&card(NOW)).unwrap();
    assert!(second.vouch(&policy, NOW).is_ok());
}

#[test]
fn what_a_new_phone_brings_is_checked() {
    let policy = policy();
    let (key, other) = (
        SoftwareKey::generate("new").unwrap(),
        SoftwareKey::generate("other").unwrap(),
    );
    let check = |change: &dyn Fn(&mut BindingRequest), proof: &str, level| {
        let mut request = request(&key, "software");
        change(&mut request);
        Candidate::check(&request, proof, &ID, level, &policy).map(drop)
    };
    let good = proof(&key, &ID);
    assert_eq!(check(&|_| {}, &good, Acr::High), Ok(()));
    let class = |class: &str| ClassEvidence::Claimed { class: class.into() };
    type Changed<'a> = &'a dyn Fn(&mut BindingRequest);
    let cases: [(Changed<'_>, &str, Acr, BindingError); 9] = [
        (&|r| r.name = String::new(), &good, Acr::High, BindingError::Name),
        (
            &|r| r.evidence = class("unheard-of"),
            &good,
            Acr::High,
            BindingError::Class,
        ),
        (
            &|r| r.evidence = class("secure-element"),
            &good,
            Acr::High,
            BindingError::EvidenceMissing,
        ),
        (
            &|r| r.evidence = class("passkey"),
            &good,
            Acr::High,
            BindingError::PasskeyClass,
        ),
        (
            &|r| r.consented_to_substantial = false,
            &good,
            Acr::High,
            BindingError::ConsentMissing,
        ),
        // The class is high, the old device is not: she has to know.
        (
            &|r| {
                r.evidence = class("claimed-high");
                r.consented_to_substantial = false;
            },
            &good,
            Acr::Substantial,
            BindingError::ConsentMissing,
        ),
        (&|_| {}, &proof(&other, &ID), Acr::High, BindingError::ProofSignature),
        (&|_| {}, &proof(&key, &[6; 16]), Acr::High, BindingError::ProofChallenge),
        (&|_| {}, "x", Acr::High, BindingError::ProofForm),
    ];
    for (index, (change, proof, level, error)) in cases.into_iter().enumerate() {
        assert_eq!(check(change, proof, level), Err(error), "case {index}");
    }
}

#[test]
fn a_candidate_survives_its_bytes_and_nothing_else_is_one() {
    let policy = policy();
    let key = SoftwareKey::generate("new").unwrap();
    let mut request = request(&key, "software");
    request.name = "😀".repeat(64);
    request.hardware = Some(HardwareMark::new([8; 32]));
    let longest = Candidate::check(&request, &proof(&key, &ID), &ID, Acr::High, &policy).unwrap();
    for one in [longest, candidate("claimed-high")] {
        let bytes = one.to_bytes();
        assert!(bytes.len() <= 380, "{}", bytes.len());
        assert!(Candidate::from_bytes(&bytes, &policy) == Some(one));
        for length in 0..90 {
            assert!(Candidate::from_bytes(&bytes[..length], &policy).is_none(), "{length}");
        }
        for (at, value) in [(0, 2), (17, 5), (82, 0), (90, 0xff)] {
            let mut changed = bytes.clone();
            changed[at] ^= value.max(1);
            assert!(Candidate::from_bytes(&changed, &policy).is_none(), "byte {at}");
        }
        assert!(
            Candidate::from_bytes(
                &bytes,
                &AuthenticationPolicy {
                    device_classes: vec![],
                    ..policy.clone()
                }
            )
            .is_none()
        );
    }
}

#[test]
fn every_offer_has_a_name_of_its_own() {
    assert_eq!(move_id("offer"), move_id("offer"));
    assert_ne!(move_id("offer"), move_id("offer "));
    // The other half computes the same: the shared vectors hold one, too.
    assert_eq!(base64url::encode(&move_id("offer")).len(), 22);
}
