//! Enrolments and PINs under the same.

use super::world::*;
use crate::flow::{Bound, FlowError};
use crate::run::*;

fn run(enrolment: &mut Enrolment, world: &mut World) -> Result<Option<Bound>, RunError> {
    run_at_once(enrolment.run(world))
}

fn times(log: &[String], word: &str) -> usize {
    log.iter().filter(|entry| entry.starts_with(word)).count()
}

/// Somebody with her card.
fn with_card() -> World {
    let mut world = account_world();
    world.person.choices = [Choice::Card].into();
    world
}

#[test]
fn an_enrolment_asks_for_the_card_makes_a_key_and_keeps_one_record() {
    let mut world = with_card();
    let mut enrolment = enrolment();
    let bound = run(&mut enrolment, &mut world).unwrap().unwrap();
    assert_eq!((bound.record.device.as_str(), bound.record.counter), ("handle", 0));
    let expected = [
        "arrived auth/challenge",
        "arrived auth/jwks",
        // The old device is not offered: it cannot enrol another.
        "choose for My account with nothing",
        "hold_card",
        "arrived auth/card",
        "make_key",
        "sign_with_new_key",
        "arrived devices",
        "keep handle",
    ];
    assert_eq!(world.log(), expected);
    assert_eq!(world.keystore.record.as_ref(), Some(&bound.record));
    assert_eq!(run(&mut enrolment, &mut world), Ok(Some(bound)));
    assert_eq!(world.log().len(), 0, "a record is kept once");
}

#[test]
fn the_record_is_kept_once_however_often_an_answer_is_lost() {
    for path in ["auth/challenge", "auth/jwks", "auth/card", "devices"] {
        let mut world = with_card();
        world.faults((0..TRIES).map(|_| Fault::AnswerLost(path)));
        let mut enrolment = enrolment();
        let lost = run(&mut enrolment, &mut world).unwrap_err();
        assert!(matches!(lost, RunError::Unreachable(_)), "{path}");
        assert_eq!(world.keystore.record.as_ref().unwrap().device, "old handle");
        assert!(run(&mut enrolment, &mut world).unwrap().is_some(), "{path}");
        let bodies = world.bodies(path);
        assert_eq!(bodies.len(), TRIES + 1);
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}");
        let log = world.log();
        for once in ["hold_card", "make_key", "sign_with_new_key", "keep"] {
            assert_eq!(times(&log, once), 1, "{once} after {path}");
        }
    }
}

#[test]
fn a_record_that_cannot_be_kept_is_kept_by_the_next_run_and_nothing_is_bound_twice() {
    let mut world = with_card();
    world.keystore.failing = [("keep", failed()), ("keep", failed())].into();
    let mut enrolment = enrolment();
    for _ in 0..2 {
        assert_eq!(run(&mut enrolment, &mut world), Err(RunError::Step(failed())));
        assert_eq!(world.keystore.record.as_ref().unwrap().device, "old handle");
    }
    assert!(run(&mut enrolment, &mut world).unwrap().is_some());
    assert_eq!(world.bodies("devices").len(), 1);
    assert_eq!(times(&world.log(), "keep handle"), 1);
}

#[test]
fn she_can_decline_an_enrolment_at_every_step() {
    let mut world = with_card();
    world.person.choices = [Choice::Decline].into();
    let mut declined = enrolment();
    for _ in 0..2 {
        assert_eq!(run(&mut declined, &mut world), Ok(None));
    }
    assert_eq!(world.bodies("auth/consent").len(), 1);

    let mut world = with_card();
    world.person.choices = [Choice::Card, Choice::Device, Choice::Card].into();
    world.person.cards = [Err(StepError::Cancelled)].into();
    world.keystore.failing = [
        ("make_key", StepError::Cancelled),
        ("sign_with_new_key", StepError::Cancelled),
    ]
    .into();
    let mut enrolment = enrolment();
    let cancelled = Err(RunError::Step(StepError::Cancelled));
    // Card, device, key, signature: each is left, and each is asked for again.
    assert_eq!(run(&mut enrolment, &mut world), cancelled);
    assert_eq!(run(&mut enrolment, &mut world), Err(RunError::NoDevice));
    for _ in 0..2 {
        assert_eq!(run(&mut enrolment, &mut world), cancelled);
        assert_eq!(world.bodies("devices").len(), 0);
    }
    assert!(run(&mut enrolment, &mut world).unwrap().is_some());
    let log = world.log();
    assert_eq!((times(&log, "hold_card"), times(&log, "keep")), (2, 1), "{log:?}");
}

#[test]
fn after_a_refused_binding_another_key_is_made_in_the_same_login() {
    let mut world = with_card();
    world.faults([Fault::Refused("devices", 403, "too-many-devices")]);
    let mut enrolment = enrolment();
    let refused = run(&mut enrolment, &mut world).unwrap_err();
    assert!(!refused.ends() && !enrolment.is_over());
    assert!(run(&mut enrolment, &mut world).unwrap().is_some());
    let bodies = world.bodies("devices");
    assert_ne!(bodies[0]["public_key"], bodies[1]["public_key"]);
    assert_eq!(times(&world.log(), "hold_card"), 1);
}

#[test]
fn after_a_login_that_is_over_nothing_is_bound() {
    let mut world = with_card();
    world.faults([Fault::Refused("devices", 400, "login-expired")]);
    let mut enrolment = enrolment();
    assert!(run(&mut enrolment, &mut world).unwrap_err().ends());
    assert!(enrolment.is_over());
    assert_eq!(run(&mut enrolment, &mut world), Err(RunError::Over));
    assert_eq!(times(&world.log(), "make_key"), 1);
}

#[test]
fn a_lost_answer_costs_a_try_of_the_pin_once_and_a_new_pin_is_set_again() {
    let mut world = with_card();
    let mut enrolment = enrolment();
    let early = run_at_once(set_pin(&world.transport, enrolment.login(), "handle", "135790", draw));
    assert!(matches!(early, Err(RunError::Flow(FlowError::OutOfOrder { .. }))));
    run(&mut enrolment, &mut world).unwrap();

    world.faults([
        Fault::AnswerLost("devices/pin"),
        Fault::AnswerLost("devices/pin/evaluate"),
    ]);
    let set = run_at_once(set_pin(&world.transport, enrolment.login(), "handle", "135790", draw));
    assert_eq!(set.unwrap().1, 9);
    assert_eq!(world.bodies("devices/pin").len(), 2);
    let tried = run_at_once(try_pin(&world.transport, ISSUER, "handle", "135790", draw));
    assert!(matches!(tried, Err(RunError::Unreachable(_))));
    assert_eq!(world.bodies("devices/pin/evaluate").len(), 1);

    for none in ["", &"1".repeat(65)] {
        let refused = run_at_once(try_pin(&world.transport, ISSUER, "handle", none, draw));
        assert!(matches!(refused, Err(RunError::Pin(_))));
    }
}

fn draw(bytes: &mut [u8; 32]) {
    bytes.fill(7);
}
