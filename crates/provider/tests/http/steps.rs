//! From challenge to consent: the time of each step, whose state it is, and who is denied.

use serde_json::json;

use super::authorize::authorization_url;
use crate::common::{Harness, Person, Redirect, wire};

async fn open(harness: &Harness, client_id: &str, request_uri: &str) -> transport::HttpResponse {
    let url = authorization_url(&harness.path, client_id, request_uri);
    harness.app().get(&url, &[]).await.unwrap()
}

#[tokio::test]
async fn each_step_has_its_time() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    // The challenge: 180 seconds (and 10 for clocks).
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    harness.clock.advance(180);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    harness.clock.advance(11);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    // A new challenge for the same login, as long as that lives: 900 seconds.
    let body = json!({"client_id": service.client_id, "login": challenged.login});
    harness.clock.advance(709);
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    let again = harness.read_challenge(&service.client_id, &answer);
    harness.clock.advance(1);
    let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    let answer = harness.answer_with_card(&harness.path, &again, &ada).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    // The decision: 600 seconds after authentication, of which 721 are gone.
    let answer = harness
        .decide(&harness.path, &answered, &json!({"decision": "approve"}))
        .await;
    wire::assert_refused(&answer, 400, "invalid_request");
}

#[tokio::test]
async fn a_state_of_one_step_is_refused_at_every_other() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let push = service.request(&harness);
    let request_uri = harness.pushed(&harness.path, &service, &push).await;
    let sealed = request_uri.rsplit(':').next().unwrap().to_owned();
    let answer = harness.challenge(&harness.path, &service.client_id, &request_uri).await;
    let challenged = harness.read_challenge(&service.client_id, &answer);
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let code = harness.approved(&harness.path, &answered, None).await;
    for (number, state) in [&sealed, &challenged.login, &answered.login, &code]
        .into_iter()
        .enumerate()
    {
        let client_id = service.client_id.as_str();
        if number != 0 {
            let uri = format!("urn:ietf:params:oauth:request_uri:{state}");
            wire::assert_refused(&open(&harness, client_id, &uri).await, 400, "invalid_request");
        }
        if number != 1 {
            let body = json!({"client_id": client_id, "login": state});
            let answer = harness.api(&harness.path, "/auth/challenge", &body).await;
            wire::assert_refused(&answer, 400, "invalid_request");
            let body = json!({"client_id": client_id, "login": state, "response": ada.sign(&challenged.challenge)});
            let answer = harness.api(&harness.path, "/auth/card", &body).await;
            wire::assert_refused(&answer, 400, "invalid_request");
        }
        if number != 2 {
            let body = json!({"client_id": client_id, "login": state, "decision": "approve"});
            let answer = harness.api(&harness.path, "/auth/consent", &body).await;
            wire::assert_refused(&answer, 400, "invalid_request");
        }
        if number != 3 {
            let answer = service.redeem(&harness.path, &push, state).await;
            wire::assert_refused(&answer, 400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn an_answer_to_another_logins_challenge_is_refused() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let mine = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let theirs = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let crossed = crate::common::Challenged {
        challenge: theirs.challenge.clone(),
        ..mine.clone()
    };
    let answer = harness.answer_with_card(&harness.path, &crossed, &ada).await;
    wire::assert_refused(&answer, 400, "invalid_request");
    // A login without a challenge takes no answer at all.
    let request_uri = harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    let page = open(&harness, &service.client_id, &request_uri).await.text();
    let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
    let unchallenged = crate::common::Challenged {
        login: harness.secret(link.value("login").unwrap()),
        ..mine
    };
    let answer = harness.answer_with_card(&harness.path, &unchallenged, &ada).await;
    let refused = wire::assert_refused(&answer, 400, "invalid_request");
    assert!(refused.description.contains("no challenge"));
}

#[tokio::test]
async fn every_card_that_proves_nobody_here_is_denied() {
    use crate::common::{HOST_IK, PATH_IK, pki};
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    let strangers = [
        ("unknown to the insurer", Person::zoe(), "no insured person"),
        (
            "another insurer's",
            Person::new("T902100070", HOST_IK, 33),
            "another insurer",
        ),
        (
            "revoked",
            Person::with_card(
                "Q000123451",
                PATH_IK,
                pki::card(pki::REVOKED_SERIAL, PATH_IK, "Q000123451"),
            ),
            "revoked",
        ),
        (
            "forged",
            Person::with_card("Q000123451", PATH_IK, pki::forged_card(40, PATH_IK, "Q000123451")),
            "signature",
        ),
        (
            "wrong check digit",
            Person::with_card("Q000123452", PATH_IK, pki::card(41, PATH_IK, "Q000123452")),
            "check digit",
        ),
    ];
    for (name, person, word) in strangers {
        harness.secret(person.kvnr);
        let challenged = harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await;
        let answer = harness.answer_with_card(&harness.path, &challenged, &person).await;
        let refused = wire::assert_refused(&answer, 403, "access_denied");
        assert!(refused.description.contains(word), "{name}: {}", refused.description);
        assert!(!refused.description.contains(person.kvnr));
    }
}
