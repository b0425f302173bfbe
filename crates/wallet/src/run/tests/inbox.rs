//! What waits for a device, asked under the same.

use super::world::*;
use crate::flow::WaitingRequest;
use crate::run::*;

fn ask(world: &mut World, unlock: Unlock) -> Result<Vec<WaitingRequest>, RunError> {
    run_at_once(requests(world, ISSUER, unlock))
}

fn with_ticket() -> World {
    let mut world = world();
    world.keystore.ticket = Some("old ticket".to_owned());
    world
}

#[test]
fn a_look_is_signed_once_and_its_ticket_asks_from_then_on() {
    let mut world = world();
    let found = ask(&mut world, Unlock::IfNeeded).unwrap();
    assert_eq!((found.len(), found[0].login.as_str()), (1, "waiting"));
    let expected = [
        "load",
        "ticket",
        "sign",
        "arrived devices/requests",
        "keep_ticket new ticket",
    ];
    assert_eq!(world.log(), expected);
    for unlock in [Unlock::Never, Unlock::IfNeeded] {
        assert_eq!(ask(&mut world, unlock).unwrap(), found);
        assert_eq!(world.log(), ["load", "ticket", "arrived devices/requests"]);
    }
    let bodies = world.bodies("devices/requests");
    assert!(bodies[0]["look"].is_string() && bodies[0].get("ticket").is_none());
    assert_eq!(bodies[1], serde_json::json!({ "ticket": "new ticket" }));
    assert_eq!(
        world.keystore.record.as_ref().unwrap().counter,
        41,
        "looking counts nothing"
    );
}

#[test]
fn a_found_request_goes_on_with_the_number_of_the_other_device() {
    let mut world = world();
    let found = ask(&mut world, Unlock::IfNeeded).unwrap().remove(0);
    world.transport.other_device = true;
    world.person.choices = [Choice::Device].into();
    let number = Some("47".to_owned());
    world.person.decisions = [Decision::Approve {
        voluntary: vec![],
        remember: false,
        number,
    }]
    .into();
    let mut approval = Approval::resume(ISSUER, &found.client_id, &found.login);
    assert_eq!(run_at_once(approval.run(&mut world)), Ok(End::Done));
    assert_eq!(world.bodies("auth/challenge")[0]["login"], "waiting");
    assert_eq!(world.bodies("auth/consent")[0]["number"], "47");
}

#[test]
fn where_she_is_not_to_be_asked_the_key_does_not_sign() {
    let mut world = world();
    assert_eq!(ask(&mut world, Unlock::Never), Err(RunError::Locked));
    assert_eq!(world.log(), ["load", "ticket"]);
    // A ticket that is too old is as good as none.
    let mut world = with_ticket();
    world.faults([Fault::Refused("devices/requests", 400, "login-unknown")]);
    assert_eq!(ask(&mut world, Unlock::Never), Err(RunError::Locked));
    assert!(!RunError::Locked.ends());
    assert!(world.log().iter().all(|entry| entry != "sign"));
}

#[test]
fn a_ticket_that_is_too_old_is_replaced_with_a_signed_look() {
    let mut world = with_ticket();
    world.faults([Fault::Refused("devices/requests", 400, "login-unknown")]);
    assert_eq!(ask(&mut world, Unlock::IfNeeded).unwrap().len(), 1);
    assert_eq!(world.keystore.ticket.as_deref(), Some("new ticket"));
}

#[test]
fn any_other_refusal_is_told_and_signs_nothing() {
    for reason in ["device-unknown", "device-locked", "device-blocked", "too-many-tries"] {
        let mut world = with_ticket();
        world.faults([Fault::Refused("devices/requests", 403, reason)]);
        let Err(RunError::Flow(error)) = ask(&mut world, Unlock::IfNeeded) else {
            panic!("{reason}");
        };
        assert_eq!(error.reason().unwrap().as_str(), reason);
        assert_eq!(world.log(), ["load", "ticket", "arrived devices/requests"]);
        assert_eq!(world.keystore.ticket.as_deref(), Some("old ticket"));
    }
}

#[test]
fn a_lost_answer_is_asked_for_again_and_the_key_signs_once() {
    let mut world = world();
    world.faults((1..TRIES).map(|_| Fault::AnswerLost("devices/requests")));
    assert_eq!(ask(&mut world, Unlock::IfNeeded).unwrap().len(), 1);
    let bodies = world.bodies("devices/requests");
    assert_eq!((bodies.len(), &bodies[0]), (TRIES, &bodies[TRIES - 1]));
    assert_eq!(world.log().iter().filter(|entry| *entry == "sign").count(), 1);

    world.faults((0..TRIES).map(|_| Fault::NotSent("devices/requests")));
    let gone = ask(&mut world, Unlock::IfNeeded);
    assert_eq!(gone, Err(RunError::Unreachable("no network".to_owned())));
}

#[test]
fn a_device_that_is_not_bound_here_asks_nothing() {
    for elsewhere in [None, Some("https://other.example")] {
        let mut world = with_ticket();
        match (elsewhere, &mut world.keystore.record) {
            (Some(issuer), Some(record)) => record.issuer = issuer.to_owned(),
            (_, record) => *record = None,
        }
        assert_eq!(ask(&mut world, Unlock::IfNeeded), Err(RunError::NoDevice));
        assert_eq!(world.log(), ["load"]);
    }
}

#[test]
fn every_step_of_the_keystore_that_fails_is_told() {
    for step in ["load", "ticket", "sign", "keep_ticket"] {
        for error in [StepError::Cancelled, failed()] {
            let mut world = world();
            world.keystore.failing = [(step, error.clone())].into();
            assert_eq!(ask(&mut world, Unlock::IfNeeded), Err(RunError::Step(error)), "{step}");
            assert_eq!(ask(&mut world, Unlock::IfNeeded).unwrap().len(), 1, "{step}");
        }
    }
}
