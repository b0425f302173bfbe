//! What a request that failed leaves in the memory of the process: nothing of the person's (attack 33).
//!
//! The provider runs in a process of its own that has never been told the names: it finds them in the database, behind its keys, each time a scope is
//! opened. When every request has been answered, all of its memory is searched, freed or not.

use jose::base64url;
use serde_json::json;

use crate::common::{Insurer, PATH_IK, Person, wire};
use crate::process::{Canary, Process, World};
use crate::search::Search;

/// Her names are drawn: what stands in the test itself stands in the provider's process, which is the same program.
fn canary() -> Canary {
    let person = crate::common::crowd(1).remove(0);
    let drawn = || base64url::encode(&provider::rng::bytes::<60>(&provider::rng::SystemRng));
    Canary {
        kvnr: person.kvnr.to_owned(),
        ik: PATH_IK.to_owned(),
        card: 101,
        given_name: drawn(),
        family_name: drawn(),
        email: drawn(),
    }
}

/// The second half of each: an allocator writes its own into the beginning of what was freed.
fn search(canary: &Canary) -> Search {
    let half = |text: &str| text.as_bytes()[text.len() / 2..].to_vec();
    Search::new([
        ("given name".to_owned(), half(&canary.given_name)),
        ("family name".to_owned(), half(&canary.family_name)),
        ("email".to_owned(), half(&canary.email)),
    ])
}

/// Everything that opens her scope and then fails, and everything that fails beside it.
async fn malicious(world: &World, at: &Insurer, person: &Person) {
    let (harness, service) = (&world.harness, &world.service);
    let push = service.request(harness);
    let challenged = harness.challenged(at, service, &push).await;
    let answer = harness.answer_with_card(at, &challenged, person).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    // A code redeemed again and again: her record is opened, an event is sealed, and the commit is refused.
    let code = harness.approved_and_remembered(at, &answered, &[]).await;
    wire::json(&service.redeem(at, &push, &code).await, 200);
    for _ in 0..5 {
        wire::json(&service.redeem(at, &push, &code).await, 400);
    }
    // Her account: opened with her decision in it, then taken back by names that are not hers.
    let issuer = format!("https://localhost/{PATH_IK}");
    let begun = harness.api(at, "/auth/challenge", &json!({"client_id": issuer})).await;
    let challenged = harness.read_challenge(&issuer, &begun);
    let answer = harness.answer_with_card(at, &challenged, person).await;
    let login = harness.read_answer(&issuer, &answer).login;
    let overview = harness.api(at, "/account/overview", &json!({"login": login})).await;
    // It hands her name to her, through buffers of HTTP and TLS.
    let overview = wire::json(&overview, 200);
    assert!(!overview["cards"][0]["name"].as_str().unwrap().is_empty());
    assert_eq!(overview["consents"].as_array().unwrap().len(), 1);
    for what in [
        json!({"login": login, "device": "A".repeat(43)}),
        json!({"login": login, "consent": "A".repeat(64)}),
        json!({"login": login, "consent": "x".repeat(40_000)}),
    ] {
        assert!(harness.api(at, "/account/revoke", &what).await.status >= 400);
    }
    // Her own login as fuel for everything that is refused.
    for body in [
        json!({"client_id": service.client_id, "login": answered.login, "decision": "approve", "claims": vec!["x"; 5_000]}),
        json!({"client_id": service.client_id, "login": answered.login, "public_key": {}, "name": "x".repeat(9_000), "class": "", "proof": ""}),
        json!({"client_id": service.client_id, "login": answered.login, "response": "x".repeat(30_000)}),
    ] {
        for path in ["/auth/consent", "/devices", "/auth/card", "/auth/device"] {
            assert!(harness.api(at, path, &body).await.status >= 400, "{path}");
        }
    }
}

#[tokio::test]
async fn a_failed_request_leaves_nothing_of_the_person_in_memory() {
    let world = World::new().await;
    let canary = canary();
    let log = tempfile::tempdir().unwrap();
    let search = search(&canary);
    // Who takes the people in has them in memory: the search finds what is there.
    let mut importing: Process = world.start_with_canaries(std::slice::from_ref(&canary), &log.path().join("log"));
    let (found, _) = search.memory(importing.id());
    assert!(found.len() >= 3, "{found:?}");
    importing.kill();
    let process = world.start_as_it_is();
    let kvnr: &'static str = Box::leak(canary.kvnr.clone().into_boxed_str());
    let person = Person::new(kvnr, PATH_IK, canary.card);
    malicious(&world, process.insurer(), &person).await;
    let (found, searched) = search.memory(process.id());
    assert!(searched > 10_000_000, "{searched}");
    assert!(found.is_empty(), "{found:?}");
}
