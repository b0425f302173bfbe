//! Killing the provider between any two steps of a login, and in the middle of a commit: no acknowledged enrolment is lost, no code is used
//! twice, and every login goes on after the restart.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod child;
// Shared with the canary test.
#[allow(dead_code)]
mod process;

use serde_json::Value;
use transport::HttpResponse;

use common::{Answered, Challenged, Device, HIGH_CLASS, Insurer, Push, wire};
use process::{Halt, World};

/// A login as far as it has come.
#[derive(Default)]
struct Progress {
    request_uri: Option<String>,
    challenged: Option<Challenged>,
    answered: Option<Answered>,
    code: Option<String>,
}

const STEPS: usize = 5;

impl Progress {
    /// The next step, as one request.
    async fn step(&mut self, world: &World, at: &Insurer, push: &Push, number: usize) {
        let (harness, service) = (&world.harness, &world.service);
        match number {
            0 => self.request_uri = Some(harness.pushed(at, service, push).await),
            1 => {
                let request_uri = self.request_uri.as_ref().unwrap();
                let answer = harness.challenge(at, &service.client_id, request_uri).await;
                self.challenged = Some(harness.read_challenge(&service.client_id, &answer));
            }
            2 => {
                let challenged = self.challenged.as_ref().unwrap();
                let answer = harness.answer_with_card(at, challenged, &world.ada).await;
                self.answered = Some(harness.read_answer(&service.client_id, &answer));
            }
            3 => {
                let answered = self.answered.as_ref().unwrap();
                self.code = Some(harness.approved_and_remembered(at, answered, &[]).await);
            }
            _ => {
                let code = self.code.as_ref().unwrap();
                harness.redeemed(at, service, push, code).await;
            }
        }
    }
}

fn assert_spent(answer: &HttpResponse) {
    let body = wire::json(answer, 400);
    assert_eq!(body["error"], "invalid_grant");
}

/// A device login from beginning to end.
async fn log_in_by_device(world: &World, at: &Insurer, device: &mut Device) {
    let (harness, service) = (&world.harness, &world.service);
    let push = service.request(harness);
    let answered = harness.authenticated_by_device(at, service, &push, device).await;
    let code = harness.approved(at, &answered, None).await;
    harness.redeemed(at, service, &push, &code).await;
}

#[tokio::test]
async fn a_login_survives_a_kill_after_each_of_its_steps() {
    let world = World::new().await;
    let mut process = world.start(None);
    for killed_after in 0..STEPS {
        let push = world.service.request(&world.harness);
        let mut progress = Progress::default();
        for number in 0..STEPS {
            progress.step(&world, process.insurer(), &push, number).await;
            if number == killed_after {
                process.kill();
                process = world.start(None);
            }
        }
        // The token was given once, whatever happened before or after.
        let code = progress.code.unwrap();
        assert_spent(&world.service.redeem(process.insurer(), &push, &code).await);
    }
    // Killed after each and every step.
    let push = world.service.request(&world.harness);
    let mut progress = Progress::default();
    for number in 0..STEPS {
        progress.step(&world, process.insurer(), &push, number).await;
        process.kill();
        process = world.start(None);
    }
    let code = progress.code.unwrap();
    assert_spent(&world.service.redeem(process.insurer(), &push, &code).await);
    // The decision was remembered with the first redemption and is still there.
    let answered = world
        .harness
        .authenticated(process.insurer(), &world.service, &push, &world.ada)
        .await;
    assert!(answered.is_remembered());
}

#[tokio::test]
async fn an_acknowledged_enrolment_survives_a_kill() {
    let world = World::new().await;
    let mut process = world.start(None);
    let mut device = world
        .harness
        .bound(process.insurer(), &world.service, &world.ada, HIGH_CLASS)
        .await;
    for _ in 0..2 {
        process.kill();
        process = world.start(None);
        log_in_by_device(&world, process.insurer(), &mut device).await;
    }
}

#[tokio::test]
async fn a_kill_right_after_a_login_does_not_make_a_device_count_again() {
    let world = World::new().await;
    let mut process = world.start(None);
    let mut device = world
        .harness
        .bound(process.insurer(), &world.service, &world.ada, HIGH_CLASS)
        .await;
    for _ in 0..3 {
        log_in_by_device(&world, process.insurer(), &mut device).await;
    }
    // Nothing was flushed to the register: the claims on the logins say how far the device has counted.
    process.kill();
    process = world.start_as_it_is();
    let mut copied = Device::unbound();
    copied.key = jose::SoftwareKey::from_pkcs8_der("device", &device.key.to_pkcs8_der()).unwrap();
    (copied.handle, copied.counter) = (device.handle.clone(), device.counter - 1);
    let push = world.service.request(&world.harness);
    let challenged = world.harness.challenged(process.insurer(), &world.service, &push).await;
    let answer = world
        .harness
        .answer_with_device(process.insurer(), &challenged, &mut copied)
        .await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    log_in_by_device(&world, process.insurer(), &mut device).await;
}

#[tokio::test]
async fn a_code_is_still_good_when_the_process_died_before_its_commit() {
    let world = World::new().await;
    let mut process = world.start(Some(Halt::Before));
    let push = world.service.request(&world.harness);
    let code = world
        .harness
        .code(process.insurer(), &world.service, &push, &world.ada)
        .await;
    let fields = world.service.redemption(&push, &code);
    let at = process.insurer().clone();
    process.killed_during(world.service.try_redeem(&at, &fields)).await;
    process = world.start(None);
    let answer = world.service.redeem(process.insurer(), &push, &code).await;
    world.harness.token(&world.service, &answer);
    assert_spent(&world.service.redeem(process.insurer(), &push, &code).await);
}

#[tokio::test]
async fn a_code_is_spent_when_the_process_died_after_its_commit() {
    let world = World::new().await;
    let mut process = world.start(Some(Halt::After));
    let push = world.service.request(&world.harness);
    let code = world
        .harness
        .code(process.insurer(), &world.service, &push, &world.ada)
        .await;
    let fields = world.service.redemption(&push, &code);
    let at = process.insurer().clone();
    process.killed_during(world.service.try_redeem(&at, &fields)).await;
    process = world.start(None);
    assert_spent(&world.service.redeem(process.insurer(), &push, &code).await);
    // The person begins anew at the service, and that works.
    world.harness.login(process.insurer(), &world.service, &world.ada).await;
}

#[tokio::test]
async fn a_burnt_code_stays_burnt() {
    let world = World::new().await;
    for halt in [Halt::Before, Halt::After] {
        let mut process = world.start(Some(halt));
        let push = world.service.request(&world.harness);
        let code = world
            .harness
            .code(process.insurer(), &world.service, &push, &world.ada)
            .await;
        let wrong = world
            .service
            .redemption(&push, &code)
            .with("code_verifier", &"x".repeat(43));
        let at = process.insurer().clone();
        process.killed_during(world.service.try_redeem(&at, &wrong)).await;
        process = world.start(None);
        let answer = world.service.redeem(process.insurer(), &push, &code).await;
        match halt {
            // Nobody was told that it is used up, and it is not.
            Halt::Before => drop(world.harness.token(&world.service, &answer)),
            _ => assert_spent(&answer),
        }
        process.kill();
    }
}

#[tokio::test]
async fn an_enrolment_that_was_never_acknowledged_can_be_tried_again() {
    let world = World::new().await;
    for halt in [Halt::Before, Halt::After] {
        let mut process = world.start(Some(halt));
        let push = world.service.request(&world.harness);
        let challenged = world.harness.challenged(process.insurer(), &world.service, &push).await;
        let answer = world
            .harness
            .answer_with_card(process.insurer(), &challenged, &world.ada)
            .await;
        let answered = world.harness.read_answer(&world.service.client_id, &answer);
        let mut device = Device::unbound();
        let binding = device.binding(&challenged, &answered, HIGH_CLASS);
        let at = process.insurer().clone();
        process.killed_during(world.try_bind(&at, &binding)).await;
        process = world.start(None);
        // The login it happened in is still open, for the same key.
        let bound = world.try_bind(process.insurer(), &binding).await.unwrap();
        device.handle = wire::json(&bound, 201)["device"].as_str().unwrap().to_owned();
        let code = world.harness.approved(process.insurer(), &answered, None).await;
        world
            .harness
            .redeemed(process.insurer(), &world.service, &push, &code)
            .await;
        log_in_by_device(&world, process.insurer(), &mut device).await;
        process.kill();
    }
}

/// Codes ready to be redeemed, and bindings ready to be sent.
async fn prepared(world: &World, at: &Insurer, number: usize) -> (Vec<(Push, String)>, Vec<(Device, Value)>) {
    let (mut codes, mut bindings) = (Vec::new(), Vec::new());
    for _ in 0..number {
        let push = world.service.request(&world.harness);
        let challenged = world.harness.challenged(at, &world.service, &push).await;
        let answer = world.harness.answer_with_card(at, &challenged, &world.ada).await;
        let answered = world.harness.read_answer(&world.service.client_id, &answer);
        let device = Device::unbound();
        let binding = device.binding(&challenged, &answered, HIGH_CLASS);
        bindings.push((device, binding));
        codes.push((push, world.harness.approved(at, &answered, None).await));
    }
    (codes, bindings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_a_storm_of_commits_loses_nothing_acknowledged_and_spends_no_code_twice() {
    const LOGINS: usize = 5;
    let world = std::sync::Arc::new(World::new().await);
    for killed_after in [1, 4, 7] {
        let mut process = world.start(None);
        let at = process.insurer().clone();
        let (codes, bindings) = prepared(&world, &at, LOGINS).await;
        let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
        for (number, (push, code)) in codes.iter().enumerate() {
            let (world, at, answered) = (std::sync::Arc::clone(&world), at.clone(), answered.clone());
            let fields = world.service.redemption(push, code);
            tokio::spawn(async move {
                let answer = world.service.try_redeem(&at, &fields).await;
                let _ = answered.send((Some(number), None, answer));
            });
        }
        for (number, (_, binding)) in bindings.iter().enumerate() {
            let (world, at, answered) = (std::sync::Arc::clone(&world), at.clone(), answered.clone());
            let binding = binding.clone();
            tokio::spawn(async move {
                let answer = world.try_bind(&at, &binding).await;
                let _ = answered.send((None, Some(number), answer));
            });
        }
        drop(answered);
        let mut tokens = [0; LOGINS];
        let mut handles: Vec<Option<String>> = vec![None; LOGINS];
        let mut seen = 0;
        while let Some((code, binding, answer)) = answers.recv().await {
            seen += 1;
            if seen == killed_after {
                process.kill();
            }
            let Some(answer) = answer else { continue };
            match (code, binding) {
                (Some(number), _) => {
                    wire::json(&answer, 200);
                    tokens[number] += 1;
                }
                (_, Some(number)) => {
                    let handle = wire::json(&answer, 201)["device"].as_str().unwrap().to_owned();
                    handles[number] = Some(handle);
                }
                (None, None) => {}
            }
        }
        assert_eq!(seen, 2 * LOGINS);
        process = world.start(None);
        let at = process.insurer();
        for (number, (push, code)) in codes.iter().enumerate() {
            for _ in 0..2 {
                let answer = world.service.redeem(at, push, code).await;
                if answer.status == 200 {
                    tokens[number] += 1;
                } else {
                    assert_spent(&answer);
                }
            }
        }
        // A token whose commit was durable and whose answer never left is lost; a second one there never is.
        assert!(tokens.iter().all(|number| *number <= 1), "{tokens:?}");
        for ((mut device, _), handle) in bindings.into_iter().zip(handles) {
            if let Some(handle) = handle {
                device.handle = handle;
                log_in_by_device(&world, at, &mut device).await;
            }
        }
        // As many devices as a person may have would be too many for the next round.
        world.forget(&mut process);
    }
}

#[tokio::test]
async fn the_first_keys_survive_a_kill_at_their_commit() {
    let world = World::new().await;
    for halt in [Halt::Before, Halt::After] {
        world.clear();
        let mut process = world.start_bare(halt);
        let url = format!("{}/jwks", process.insurer().issuer);
        let client = world.harness.app().clone();
        process
            .killed_during(async move { client.get(&url, &[]).await.ok() })
            .await;
        process = world.start(None);
        let keys = |process: &process::Process| {
            let url = format!("{}/jwks", process.insurer().issuer);
            let client = world.harness.app().clone();
            async move { common::part(&client.get(&url, &[]).await.unwrap().text(), 1)["keys"].clone() }
        };
        let first = keys(&process).await;
        assert_eq!(first.as_array().unwrap().len(), 2);
        process.kill();
        process = world.start(None);
        assert_eq!(keys(&process).await, first);
        process.kill();
    }
}

#[tokio::test]
async fn a_kill_between_register_and_database_leaves_a_deletion_whole_or_not_begun() {
    let world = World::new().await;
    for halt in [Halt::BeforeStep, Halt::AfterStep, Halt::Before, Halt::After] {
        world.clear();
        let mut process = world.start_deleting(halt);
        process.killed_during(std::future::ready(None)).await;
        // Whether the database has heard of it or not: what the register has taken is true, and what it has not is not.
        process = world.start_as_it_is();
        let at = process.insurer().clone();
        let push = world.service.request(&world.harness);
        let challenged = world.harness.challenged(&at, &world.service, &push).await;
        let answer = world.harness.answer_with_card(&at, &challenged, &world.ada).await;
        assert_eq!(
            answer.status,
            if halt == Halt::BeforeStep { 200 } else { 403 },
            "{halt:?}"
        );
        process.kill();
        // Nothing is stuck: the insurer takes her in again, she binds a device, and it logs in after another kill.
        process = world.start(None);
        let at = process.insurer().clone();
        let mut device = world.harness.bound(&at, &world.service, &world.ada, HIGH_CLASS).await;
        process.kill();
        process = world.start_as_it_is();
        log_in_by_device(&world, process.insurer(), &mut device).await;
        process.kill();
    }
}
