//! Every flow there is, for one person whose number, names and address are hers alone.

use std::sync::Arc;

use provider::clock::{Clock, SystemClock};
use serde_json::json;

use crate::common::{self, Device, HIGH_CLASS, Harness, Insurer, Person, Service, members, wire};
use crate::process::Canary;

/// What every person's flows share: a service, and somebody who knows the steps (its own provider is not used).
pub struct Stage {
    pub harness: Harness,
    pub service: Service,
}

/// What to search for: a name for the message, and the bytes.
pub type Secret = (String, Vec<u8>);

fn secret(what: &str, text: &str) -> Secret {
    (what.to_owned(), text.as_bytes().to_vec())
}

/// What an insurer knows of somebody.
pub fn personal(canary: &Canary) -> Vec<Secret> {
    vec![
        secret("number", &canary.kvnr),
        secret("given name", &canary.given_name),
        secret("family name", &canary.family_name),
        secret("email", &canary.email),
    ]
}

/// All of it, one after the other. Gives what only she and the service know afterwards.
pub async fn every_flow(stage: Arc<Stage>, at: Insurer, canary: Canary) -> Vec<Secret> {
    let kvnr: &'static str = Box::leak(canary.kvnr.clone().into_boxed_str());
    let card = common::pki::card_at(SystemClock.now(), canary.card, at.ik, kvnr);
    let person = Person::with_card(kvnr, at.ik, card);
    let (mut device, mut secrets) = by_card(&stage, &at, &canary, &person).await;
    secrets.extend(by_device(&stage, &at, &mut device).await);
    secrets.extend(account(&stage, &at, &person).await);
    refusals(&stage, &at, &canary, kvnr).await;
    secrets
}

/// By card, with everything released and remembered, and a device bound on the way.
async fn by_card(stage: &Stage, at: &Insurer, canary: &Canary, person: &Person) -> (Device, Vec<Secret>) {
    let Stage { harness, service } = stage;
    let push = service.request(harness);
    let challenged = harness.challenged(at, service, &push).await;
    let answer = harness.answer_with_card(at, &challenged, person).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let mut device = Device::unbound();
    let name = format!("Telefon von {}", canary.family_name);
    let mut binding = device.binding(&challenged, &answered, HIGH_CLASS);
    binding["name"] = json!(name);
    let bound = wire::json(&harness.api(at, "/devices", &binding).await, 201);
    assert_eq!(members(&bound), ["class", "device", "findings", "valid_until"]);
    device.handle = bound["device"].as_str().unwrap().to_owned();
    let all = answered.names("voluntary");
    let code = harness.approved_and_remembered(at, &answered, &all).await;
    let token = harness.redeemed(at, service, &push, &code).await;
    assert_eq!(token.body["urn:telematik:claims:id"], json!(canary.kvnr));
    let secrets = vec![
        secret("code", &code),
        secret("verifier", &push.verifier),
        secret("nonce", push.fields.value("nonce")),
        secret("state", push.fields.value("state")),
        secret("subject", token.sub()),
        secret("device name", &name),
        secret("device handle", &device.handle),
        secret("answered login", &answered.login),
    ];
    (device, secrets)
}

async fn by_device(stage: &Stage, at: &Insurer, device: &mut Device) -> Vec<Secret> {
    let Stage { harness, service } = stage;
    harness.clock.set(SystemClock.now());
    let push = service.request(harness);
    let answered = harness.authenticated_by_device(at, service, &push, device).await;
    let code = harness.approved(at, &answered, Some(&[])).await;
    harness.redeemed(at, service, &push, &code).await;
    vec![secret("code by device", &code)]
}

/// Her own page: what is remembered and bound, and taking both back.
async fn account(stage: &Stage, at: &Insurer, person: &Person) -> Vec<Secret> {
    let harness = &stage.harness;
    let account = harness.account(at, person).await;
    let (consents, devices) = (account.consents(), account.devices());
    assert_eq!((consents.len(), devices.len()), (1, 1), "{}", account.overview);
    for what in [json!({"consent": consents[0]}), json!({"device": devices[0]})] {
        let answer = harness.take_back(at, &account, &what).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    vec![secret("account cookie", &account.cookie)]
}

/// Whatever can go wrong with her data in it.
async fn refusals(stage: &Stage, at: &Insurer, canary: &Canary, kvnr: &'static str) {
    let Stage { harness, service } = stage;
    let forged = Person::with_card(kvnr, at.ik, common::pki::forged_card(canary.card, at.ik, kvnr));
    let challenged = harness.challenged(at, service, &service.request(harness)).await;
    let answer = harness.answer_with_card(at, &challenged, &forged).await;
    assert_eq!(answer.status, 403);
    for body in [
        json!({"client_id": canary.kvnr, "login": canary.family_name}),
        json!({canary.email.clone(): canary.kvnr, "response": canary.kvnr}),
    ] {
        for path in [
            "/auth/card",
            "/auth/device",
            "/auth/challenge",
            "/devices",
            "/auth/consent",
            "/account/overview",
            "/account/revoke",
        ] {
            let answer = harness.api(at, path, &body).await;
            assert!((400..500).contains(&answer.status), "{path}");
        }
    }
    let garbled = service.request(harness).with("state", "").with("scope", &canary.kvnr);
    assert!(service.push(at, &garbled).await.status >= 400);
    let url = format!(
        "{}/auth?client_id={}&request_uri={}",
        at.issuer, canary.kvnr, canary.email
    );
    assert!(harness.app().get(&url, &[]).await.unwrap().status >= 400);
    for path in [&canary.kvnr, "metrics"] {
        let url = format!("{}/{path}", at.issuer);
        assert_eq!(harness.app().get(&url, &[]).await.unwrap().status, 404);
    }
}
