//! Moves to a new phone under the same, each half alone.

use super::world::*;
use crate::flow::{Bound, EndWhy, FlowError};
use crate::run::*;

fn times(log: &[String], word: &str) -> usize {
    log.iter().filter(|entry| entry.starts_with(word)).count()
}

/// The old phone, of somebody who answers with it.
fn old() -> World {
    let mut world = account_world();
    world.person.choices = [Choice::Device].into();
    world.states(["open", "asked", "asked", "asked"]);
    world
}

fn typed(number: &str) -> Result<Compared, StepError> {
    Ok(Compared::Number(number.to_owned()))
}

/// Somebody who types the right number, as often as she is asked.
fn comparing() -> Screen {
    Screen {
        compared: [typed("47"), typed("47"), typed("47")].into(),
        ..Screen::default()
    }
}

fn go_out(out: &mut MoveOut, world: &mut World, screen: &mut Screen) -> Result<MoveEnd, RunError> {
    run_at_once(out.run(world, screen))
}

fn moved() -> Result<MoveEnd, RunError> {
    Ok(MoveEnd::Moved {
        device: "new handle".to_owned(),
        name: "Neues Handy".to_owned(),
    })
}

#[test]
fn the_old_phone_answers_offers_compares_and_signs() {
    let (mut world, mut screen) = (old(), comparing());
    let mut out = MoveOut::begin(ISSUER);
    assert_eq!(go_out(&mut out, &mut world, &mut screen), moved());
    assert_eq!(screen.shown, ["offer", "offer", "Neues Handy on Android"]);
    let log = world.log();
    let signed: Vec<&str> = log
        .iter()
        .map(String::as_str)
        .filter(|entry| entry.starts_with("count") || *entry == "sign")
        .collect();
    assert_eq!(signed, ["count 42", "sign", "count 43", "sign"]);
    let approved = &world.bodies("devices/move/approve")[0];
    assert_eq!(
        (&approved["number"], &approved["device"]),
        (&"47".into(), &"old handle".into())
    );
    assert_eq!(go_out(&mut out, &mut world, &mut screen), moved());
    assert_eq!(world.log().len(), 0, "a move that ended does nothing more");
}

#[test]
fn lost_answers_of_the_old_phone_are_asked_for_again_and_nothing_is_signed_twice() {
    for path in ["devices/move", "devices/move/state", "devices/move/approve"] {
        let (mut world, mut screen) = (old(), comparing());
        world.faults((0..TRIES).map(|_| Fault::AnswerLost(path)));
        let mut out = MoveOut::begin(ISSUER);
        let lost = go_out(&mut out, &mut world, &mut screen).unwrap_err();
        assert!(matches!(lost, RunError::Unreachable(_)), "{path}");
        assert!(!out.is_over());
        assert_eq!(go_out(&mut out, &mut world, &mut screen), moved(), "{path}");
        let log = world.log();
        assert_eq!(
            (times(&log, "choose"), times(&log, "count 43"), times(&log, "count 44")),
            (1, 1, 0),
            "{path}"
        );
        let bodies = world.bodies("devices/move/approve");
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}");
    }
}

#[test]
fn a_refused_approval_is_asked_about_anew_with_a_new_number_of_the_counter() {
    let (mut world, mut screen) = (old(), comparing());
    world.faults([Fault::Refused("devices/move/approve", 503, "unavailable")]);
    let mut out = MoveOut::begin(ISSUER);
    assert!(!go_out(&mut out, &mut world, &mut screen).unwrap_err().ends());
    assert_eq!(go_out(&mut out, &mut world, &mut screen), moved());
    assert_eq!(times(&screen.shown, "Neues Handy"), 2);
    assert_eq!(times(&world.log(), "count"), 3);
}

#[test]
fn a_step_she_did_not_do_is_asked_again_and_the_counter_is_kept_before_the_key_signs() {
    for step in ["count", "sign"] {
        let (mut world, mut screen) = (old(), comparing());
        // The offer is left, the comparison is left, a number is none, the key is not unlocked.
        screen.offers = [Err(StepError::Cancelled)].into();
        screen.compared.push_front(Err(failed()));
        screen.compared.insert(1, typed("4"));
        let mut out = MoveOut::begin(ISSUER);
        let cancelled = go_out(&mut out, &mut world, &mut screen);
        assert_eq!(cancelled, Err(RunError::Step(StepError::Cancelled)));
        assert_eq!(go_out(&mut out, &mut world, &mut screen), Err(RunError::Step(failed())));
        assert_eq!(go_out(&mut out, &mut world, &mut screen), Err(FlowError::Number.into()));
        world.keystore.failing = [(step, failed())].into();
        assert_eq!(go_out(&mut out, &mut world, &mut screen), Err(RunError::Step(failed())));
        assert_eq!(world.bodies("devices/move/approve").len(), 0);
        world.states(["asked"]);
        assert_eq!(go_out(&mut out, &mut world, &mut screen), moved());
    }
}

#[test]
fn she_can_end_a_move_while_the_code_is_shown_and_while_she_compares() {
    let ends = [
        (Ok(Shown::End(EndWhy::Declined)), None, "declined"),
        (Ok(Shown::Still), Some(EndWhy::NotMe), "not-me"),
        (Ok(Shown::Still), Some(EndWhy::PhoneCall), "phone-call"),
    ];
    for (offer, compared, why) in ends {
        let mut world = old();
        let mut screen = Screen {
            offers: [offer].into(),
            compared: compared.map(|why| Ok(Compared::End(why))).into_iter().collect(),
            ..Screen::default()
        };
        world.faults((0..TRIES).map(|_| Fault::AnswerLost("devices/move/end")));
        let mut out = MoveOut::begin(ISSUER);
        assert!(go_out(&mut out, &mut world, &mut screen).is_err());
        assert_eq!(go_out(&mut out, &mut world, &mut screen), Ok(MoveEnd::Ended));
        assert_eq!(world.bodies("devices/move/end")[TRIES]["why"], why);
        assert_eq!(times(&world.log(), "sign"), 1, "only the login");
    }
    let mut world = old();
    world.person.choices = [Choice::Decline].into();
    let ended = go_out(&mut MoveOut::begin(ISSUER), &mut world, &mut Screen::default());
    assert_eq!(ended, Ok(MoveEnd::Ended));
    assert_eq!(world.bodies("devices/move").len(), 0);
}

#[test]
fn a_login_that_is_offered_nothing_and_a_move_that_ended_are_over() {
    let refusals = [
        ("devices/move", 403, "level-too-low"),
        ("devices/move", 403, "card-login-needed"),
        ("devices/move", 403, "cooling-off"),
        ("devices/move/state", 400, "move-over"),
        ("devices/move/approve", 403, "number-wrong"),
        ("devices/move/approve", 403, "aborted"),
    ];
    for (path, status, reason) in refusals {
        let (mut world, mut screen) = (old(), comparing());
        world.faults([Fault::Refused(path, status, reason)]);
        let mut out = MoveOut::begin(ISSUER);
        let Err(RunError::Flow(error)) = go_out(&mut out, &mut world, &mut screen) else {
            panic!("{reason}");
        };
        assert_eq!(error.reason().unwrap().as_str(), reason);
        assert!(out.is_over(), "{reason}");
        assert_eq!(go_out(&mut out, &mut world, &mut screen), Err(RunError::Over));
    }
    // Trouble at the provider is not the end.
    let (mut world, mut screen) = (old(), comparing());
    world.faults([Fault::Refused("devices/move", 503, "unavailable")]);
    let mut out = MoveOut::begin(ISSUER);
    assert!(go_out(&mut out, &mut world, &mut screen).is_err());
    assert_eq!(go_out(&mut out, &mut world, &mut screen), moved());
}

fn go_in(into: &mut MoveIn, world: &mut World, screen: &mut Screen) -> Result<Bound, RunError> {
    run_at_once(into.run(world, screen))
}

/// The new phone, bound to nobody.
fn new() -> World {
    let mut world = account_world();
    world.keystore.record = None;
    world.states(["waiting"]);
    world
}

fn taken() -> MoveIn {
    MoveIn::begin(ISSUER, "offer", wish())
}

#[test]
fn the_new_phone_brings_a_key_shows_the_number_and_keeps_one_record() {
    let (mut world, mut screen) = (new(), Screen::default());
    let mut into = taken();
    let bound = go_in(&mut into, &mut world, &mut screen).unwrap();
    assert_eq!((bound.record.device.as_str(), bound.record.counter), ("new handle", 0));
    assert_eq!(screen.shown, ["47", "47"]);
    let expected = [
        "make_key",
        "sign_with_new_key",
        "arrived devices/move/accept",
        "arrived devices/move/state",
        "arrived devices/move/state",
        "keep new handle",
    ];
    assert_eq!(world.log(), expected);
    assert_eq!(go_in(&mut into, &mut world, &mut screen), Ok(bound));
    assert_eq!(world.log().len(), 0, "a record is kept once");
}

#[test]
fn lost_answers_of_the_new_phone_are_asked_for_again_with_the_same_key() {
    for path in ["devices/move/accept", "devices/move/state"] {
        let (mut world, mut screen) = (new(), Screen::default());
        world.faults((0..TRIES).map(|_| Fault::AnswerLost(path)));
        let mut into = taken();
        assert!(matches!(
            go_in(&mut into, &mut world, &mut screen),
            Err(RunError::Unreachable(_))
        ));
        assert!(go_in(&mut into, &mut world, &mut screen).is_ok(), "{path}");
        let log = world.log();
        for once in ["make_key", "sign_with_new_key", "keep"] {
            assert_eq!(times(&log, once), 1, "{once} after {path}");
        }
    }
}

#[test]
fn what_she_left_and_what_could_not_be_kept_is_done_by_the_next_run() {
    let (mut world, mut screen) = (new(), Screen::default());
    screen.numbers = [StepError::Cancelled].into();
    world.keystore.failing = [
        ("make_key", failed()),
        ("sign_with_new_key", failed()),
        ("keep", failed()),
    ]
    .into();
    let mut into = taken();
    for left in [failed(), failed(), StepError::Cancelled, failed()] {
        assert_eq!(go_in(&mut into, &mut world, &mut screen), Err(RunError::Step(left)));
    }
    assert!(world.keystore.record.is_none());
    assert!(go_in(&mut into, &mut world, &mut screen).is_ok());
    assert_eq!(world.bodies("devices/move/accept").len(), 1);
}

#[test]
fn what_was_refused_is_brought_anew_and_trouble_keeps_the_key() {
    for (status, reason, keys) in [
        (403, "attestation-refused", 2),
        (400, "consent-missing", 2),
        (429, "too-many-tries", 1),
        (503, "unavailable", 1),
    ] {
        let (mut world, mut screen) = (new(), Screen::default());
        world.faults([Fault::Refused("devices/move/accept", status, reason)]);
        let mut into = taken();
        assert!(go_in(&mut into, &mut world, &mut screen).is_err());
        assert!(go_in(&mut into, &mut world, &mut screen).is_ok(), "{reason}");
        assert_eq!(times(&world.log(), "make_key"), keys, "{reason}");
    }
}

#[test]
fn an_offer_that_is_over_binds_nothing() {
    for path in ["devices/move/accept", "devices/move/state"] {
        for reason in ["move-over", "aborted", "number-wrong"] {
            let (mut world, mut screen) = (new(), Screen::default());
            world.faults([Fault::Refused(path, 400, reason)]);
            let mut into = taken();
            assert!(go_in(&mut into, &mut world, &mut screen).unwrap_err().ends());
            assert!(into.is_over());
            assert_eq!(go_in(&mut into, &mut world, &mut screen), Err(RunError::Over));
            assert_eq!(times(&world.log(), "keep"), 0);
        }
    }
}
