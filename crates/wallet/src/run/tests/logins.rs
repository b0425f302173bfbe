//! Logins under a network, a keystore, a clock and a person that fail.

use authenticator::Reason;

use super::world::*;
use crate::flow::{AbortWhy, FlowError};
use crate::run::*;

fn went_back() -> Result<End, RunError> {
    let address = "https://epa.example/cb?code=x".to_owned();
    Ok(End::GoBack { address })
}

fn run(approval: &mut Approval, world: &mut World) -> Result<End, RunError> {
    run_at_once(approval.run(world))
}

/// The words of a log that begin like this.
fn times(log: &[String], word: &str) -> usize {
    log.iter().filter(|entry| entry.starts_with(word)).count()
}

const CANCELLED: Result<End, RunError> = Err(RunError::Step(StepError::Cancelled));

#[test]
fn a_login_goes_from_the_address_to_the_address() {
    let mut world = world();
    world.person.choices = [Choice::Device].into();
    world.person.decisions = [approve()].into();
    let mut approval = approval();
    assert_eq!(run(&mut approval, &mut world), went_back());
    let expected = [
        "arrived auth/challenge",
        "arrived auth/jwks",
        "load",
        "choose for Akte with Handy",
        "count 42",
        "sign",
        "arrived auth/device",
        "decide for Akte",
        "arrived auth/consent",
    ];
    assert_eq!(world.log(), expected);
    assert_eq!(run(&mut approval, &mut world), went_back());
    assert_eq!(world.log().len(), 0, "a login that ended does nothing more");
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_request_and_nobody_is_asked_twice() {
    for path in ["auth/challenge", "auth/jwks", "auth/device", "auth/consent"] {
        for lost in 1..TRIES {
            let mut world = world();
            world.person.choices = [Choice::Device].into();
            world.person.decisions = [approve()].into();
            world.faults((0..lost).map(|_| Fault::AnswerLost(path)));
            assert_eq!(run(&mut approval(), &mut world), went_back(), "{path}");
            let bodies = world.bodies(path);
            assert_eq!(bodies.len(), lost + 1, "{path}");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}");
            let log = world.log();
            for once in ["choose", "count", "sign", "decide"] {
                assert_eq!(times(&log, once), 1, "{once} after {path}");
            }
        }
    }
}

#[test]
fn a_network_that_is_gone_stops_the_run_and_running_again_sends_the_same() {
    for path in ["auth/challenge", "auth/jwks", "auth/card", "auth/consent"] {
        let mut world = world();
        world.person.choices = [Choice::Card].into();
        world.person.decisions = [approve()].into();
        world.faults((0..TRIES).map(|_| Fault::NotSent(path)));
        let mut approval = approval();
        let unreachable = RunError::Unreachable("no network".to_owned());
        assert_eq!(run(&mut approval, &mut world), Err(unreachable), "{path}");
        assert!(!approval.is_over());
        assert_eq!(world.bodies(path).len(), 0);
        assert_eq!(run(&mut approval, &mut world), went_back(), "{path}");
        let log = world.log();
        for once in ["choose", "hold_card", "decide"] {
            assert_eq!(times(&log, once), 1, "{once} after {path}");
        }
    }
}

#[test]
fn the_counter_is_kept_before_the_key_signs_even_when_the_network_dies() {
    let mut world = world();
    world.person.choices = [Choice::Device, Choice::Device].into();
    world.faults((0..TRIES).map(|_| Fault::NotSent("auth/device")));
    let died = run(&mut approval(), &mut world);
    assert!(matches!(died, Err(RunError::Unreachable(_))));
    let log = world.log();
    let at = |word: &str| log.iter().position(|entry| entry.starts_with(word)).unwrap();
    assert!(at("count 42") < at("sign"), "{log:?}");
    assert_eq!(world.keystore.record.as_ref().unwrap().counter, 42);
    // The process died; the next login does not reuse the number.
    run(&mut approval(), &mut world).unwrap_err();
    assert_eq!(times(&world.log(), "count 43"), 1);
}

#[test]
fn nothing_is_signed_where_the_counter_cannot_be_kept() {
    let mut world = world();
    world.person.choices = [Choice::Device, Choice::Device].into();
    world.person.decisions = [approve()].into();
    world.keystore.failing = [("count", failed())].into();
    let mut approval = approval();
    assert_eq!(run(&mut approval, &mut world), Err(RunError::Step(failed())));
    let log = world.log();
    assert_eq!(times(&log, "sign"), 0, "{log:?}");
    assert_eq!(times(&log, "arrived auth/device"), 0);
    assert_eq!(run(&mut approval, &mut world), went_back());
    assert_eq!(times(&world.log(), "count 42"), 1);
}

#[test]
fn a_key_that_was_not_unlocked_is_asked_again_and_its_number_is_not_used_twice() {
    let mut world = world();
    world.person.choices = [Choice::Device, Choice::Device].into();
    world.person.decisions = [approve()].into();
    world.keystore.failing = [("sign", StepError::Cancelled)].into();
    let mut approval = approval();
    assert_eq!(run(&mut approval, &mut world), CANCELLED);
    assert_eq!(run(&mut approval, &mut world), went_back());
    let log = world.log();
    assert_eq!((times(&log, "count 42"), times(&log, "count 43")), (1, 1), "{log:?}");
    assert_eq!(times(&log, "arrived auth/device"), 1);
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_no_missing_device() {
    let mut world = world();
    world.person.choices = [Choice::Card].into();
    world.keystore.failing = [("load", failed())].into();
    let mut approval = approval();
    assert_eq!(run(&mut approval, &mut world), Err(RunError::Step(failed())));
    assert_eq!(times(&world.log(), "choose"), 0);
}

#[test]
fn a_device_that_is_not_bound_here_is_neither_offered_nor_used() {
    for elsewhere in [None, Some("https://other.example")] {
        let mut world = world();
        world.person.choices = [Choice::Device, Choice::Card].into();
        world.person.decisions = [approve()].into();
        match (elsewhere, &mut world.keystore.record) {
            (Some(issuer), Some(record)) => record.issuer = issuer.to_owned(),
            (_, record) => *record = None,
        }
        let mut approval = approval();
        assert_eq!(run(&mut approval, &mut world), Err(RunError::NoDevice));
        assert_eq!(run(&mut approval, &mut world), went_back());
        let log = world.log();
        assert_eq!(times(&log, "choose for Akte with nothing"), 2, "{log:?}");
        assert_eq!(times(&log, "count"), 0);
    }
}

#[test]
fn she_can_decline_at_every_step() {
    // What she is shown is left open: nothing happened, and it is asked again.
    let mut world = world();
    let mut approval = super::world::approval();
    assert_eq!(run(&mut approval, &mut world), CANCELLED);
    world.person.choices = [Choice::Card, Choice::Decline].into();
    world.person.cards = [Err(StepError::Cancelled)].into();
    // She takes the card away.
    assert_eq!(run(&mut approval, &mut world), CANCELLED);
    assert_eq!(world.bodies("auth/card").len(), 0);
    // She declines before she said who she is.
    assert_eq!(run(&mut approval, &mut world), went_back());
    let sent = world.bodies("auth/consent");
    assert_eq!((sent.len(), &sent[0]["decision"]), (1, &"decline".into()));

    // She declines when she sees what is asked for.
    let mut world = super::world::world();
    let mut approval = super::world::approval();
    world.person.choices = [Choice::Card].into();
    assert_eq!(run(&mut approval, &mut world), CANCELLED);
    world.person.decisions = [Decision::Decline].into();
    assert_eq!(run(&mut approval, &mut world), went_back());
    let sent = world.bodies("auth/consent");
    assert_eq!((sent.len(), &sent[0]["decision"]), (1, &"decline".into()));
    assert_eq!(times(&world.log(), "hold_card"), 1);
}

#[test]
fn a_declined_login_whose_answer_is_refused_is_over_and_does_not_ask_again() {
    let mut world = world();
    world.person.choices = [Choice::Decline, Choice::Card].into();
    world.faults([Fault::Refused("auth/consent", 503, "unavailable")]);
    let mut approval = approval();
    let refused = run(&mut approval, &mut world).unwrap_err();
    assert!(matches!(refused, RunError::Flow(FlowError::Refused { .. })));
    assert!(approval.is_over());
    assert_eq!(run(&mut approval, &mut world), Err(RunError::Over));
    assert_eq!(times(&world.log(), "choose"), 1);
}

#[test]
fn not_my_login_ends_it_at_either_question() {
    for (choice, decision) in [
        (Choice::Abort(AbortWhy::NotMe), None),
        (Choice::Card, Some(Decision::Abort(AbortWhy::PhoneCall))),
    ] {
        let mut world = world();
        world.person.choices = [choice].into();
        world.person.decisions = decision.into_iter().collect();
        assert_eq!(run(&mut approval(), &mut world), Ok(End::Done));
        assert_eq!(world.bodies("auth/abort").len(), 1);
        assert_eq!(world.bodies("auth/consent").len(), 0);
    }
}

#[test]
fn a_login_of_another_device_needs_the_number_and_opens_nothing_here() {
    let mut world = world();
    world.transport.other_device = true;
    world.person.choices = [Choice::Card].into();
    let with = |number: &str| Decision::Approve {
        voluntary: Vec::new(),
        remember: false,
        number: Some(number.to_owned()),
    };
    world.person.decisions = [approve(), with("4"), with("47")].into();
    let mut approval = Approval::resume(ISSUER, SERVICE, "shown");
    for _ in 0..2 {
        assert_eq!(run(&mut approval, &mut world), Err(RunError::Flow(FlowError::Number)));
    }
    assert_eq!(run(&mut approval, &mut world), Ok(End::Done));
    assert_eq!(world.bodies("auth/consent")[0]["number"], "47");
    assert_eq!(times(&world.log(), "hold_card"), 1);
}

#[test]
fn after_a_refusal_she_is_asked_again_and_after_the_end_nobody_is() {
    let mut world = world();
    world.person.choices = [Choice::Card, Choice::Device].into();
    world.person.decisions = [approve(), approve()].into();
    world.faults([
        Fault::Refused("auth/card", 403, "card-revoked"),
        Fault::Refused("auth/consent", 503, "unavailable"),
    ]);
    let mut approval = approval();
    let reason = |result: Result<End, RunError>| match result {
        Err(RunError::Flow(error)) => error.reason(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(run(&mut approval, &mut world)), Some(Reason::CardRevoked));
    assert_eq!(reason(run(&mut approval, &mut world)), Some(Reason::Unavailable));
    assert_eq!(run(&mut approval, &mut world), went_back());
    let log = world.log();
    assert_eq!((times(&log, "choose"), times(&log, "decide")), (2, 2), "{log:?}");

    let mut world = super::world::world();
    world.person.choices = [Choice::Card, Choice::Card].into();
    world.faults([Fault::Refused("auth/card", 400, "login-expired")]);
    let mut approval = super::world::approval();
    assert_eq!(reason(run(&mut approval, &mut world)), Some(Reason::LoginExpired));
    assert!(approval.is_over());
    assert_eq!(run(&mut approval, &mut world), Err(RunError::Over));
    assert_eq!(times(&world.log(), "hold_card"), 1);
}

#[test]
fn a_clock_that_is_wrong_at_the_challenge_ends_the_login_before_anybody_is_asked() {
    for wrong in [UnixTime(0), NOW.plus_seconds(86_400 * 365)] {
        let mut world = world();
        world.person.choices = [Choice::Device].into();
        world.clock = Times([wrong].into_iter().collect::<std::collections::VecDeque<_>>().into());
        let mut approval = approval();
        let refused = run(&mut approval, &mut world).unwrap_err();
        assert!(matches!(refused, RunError::Flow(FlowError::Challenge(_))), "{refused}");
        assert!(refused.ends() && approval.is_over());
        assert_eq!(world.log(), ["arrived auth/challenge", "arrived auth/jwks"]);
    }
}

#[test]
fn a_clock_that_jumps_costs_a_number_and_not_the_login() {
    let mut world = world();
    world.person.choices = [Choice::Device, Choice::Device].into();
    world.person.decisions = [approve()].into();
    let far = NOW.plus_seconds(86_400);
    // Challenge, keys, choice: there it jumps, and is right again afterwards.
    world.clock = Times(std::sync::Mutex::new([NOW, NOW, far, NOW].into()));
    world.faults([Fault::Refused("auth/device", 403, "device-clock")]);
    let mut approval = approval();
    let refused = run(&mut approval, &mut world).unwrap_err();
    assert!(matches!(refused, RunError::Flow(error) if error.reason() == Some(Reason::DeviceClock)));
    assert_eq!(run(&mut approval, &mut world), went_back());
    let said = world.bodies("auth/device").into_iter().map(|body| {
        let token = body["response"].as_str().unwrap().to_owned();
        let payload = jose::base64url::decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        (claims["time"].as_u64().unwrap(), claims["counter"].as_u64().unwrap())
    });
    assert_eq!(said.collect::<Vec<_>>(), [(far.0, 42), (NOW.0, 43)]);
}

#[test]
fn in_her_account_a_devices_answer_is_never_sent_twice() {
    let mut world = account_world();
    world.person.choices = [Choice::Device, Choice::Device].into();
    world.faults([Fault::AnswerLost("auth/device")]);
    let mut account = Approval::account(ISSUER);
    let lost = run_at_once(account.answer(&mut world)).unwrap_err();
    assert!(matches!(lost, RunError::Unreachable(_)));
    assert!(run_at_once(account.answer(&mut world)).unwrap().is_some());
    let bodies = world.bodies("auth/device");
    assert_eq!(bodies.len(), 2);
    assert_ne!(bodies[0]["response"], bodies[1]["response"]);
    let log = world.log();
    assert_eq!((times(&log, "count 42"), times(&log, "count 43")), (1, 1));
}
