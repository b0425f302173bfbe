//! Plays, recorded: `testdata/waking.json`. The web wallet's half plays the same (`apps/wallet/src/core/waking.test.ts`).
//!
//! Written with `cargo test -p healthid-wallet --lib waking -- --ignored write`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic)]

use std::path::PathBuf;

use authenticator::device::parse_look;
use serde::{Deserialize, Serialize};

use super::super::vectors::record;
use super::*;

const ISSUER: &str = "https://idp.example/109900019";
const ENDPOINT: &str = "https://push.example/wpush/v2/gAAA_-:x";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plays {
    issuer: String,
    record: DeviceRecord,
    now: u64,
    signature: String,
    wishes: Vec<Wish>,
    /// Addresses that are not signed.
    refused: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wish {
    /// None: not to be woken any more.
    endpoint: Option<String>,
    message: String,
    signed: Want,
    answers: Vec<Answered>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Answered {
    told: Told,
    is_taken: bool,
    until: Option<u64>,
    /// Code and reason of the error.
    error: Option<(String, Option<String>)>,
}

fn answered(wish: &Waking, told: Told) -> Answered {
    let kept = wish.kept(told.clone());
    let error = kept.as_ref().err().map(|error| {
        let reason = error.reason().map(|reason| reason.as_str().to_owned());
        (error.code().to_owned(), reason)
    });
    Answered {
        told,
        is_taken: kept.is_ok(),
        until: kept.ok().flatten(),
        error,
    }
}

fn tolds() -> Vec<Told> {
    let told = |status: u16, body: &Value| Told::Answer {
        status,
        body: body.to_string(),
    };
    let refused = |status: u16, reason: &str| {
        let body = json!({"error": "invalid_request", "error_description": "x", "reason": reason});
        told(status, &body)
    };
    vec![
        told(200, &json!({"until": 1_757_776_000})),
        told(200, &json!({})),
        told(200, &json!({"until": null})),
        told(200, &json!({"until": "1757776000"})),
        told(200, &json!({"until": -1})),
        told(200, &json!({"until": 1.5})),
        told(200, &json!([])),
        told(200, &json!("until")),
        refused(400, "push-service-unknown"),
        refused(400, "malformed"),
        refused(403, "device-unknown"),
        refused(403, "device-locked"),
        refused(403, "device-clock"),
        refused(429, "too-many-tries"),
        told(503, &json!("later")),
        Told::Decline,
    ]
}

fn plays() -> Plays {
    let (now, signature) = (UnixTime(1_750_000_000), jose::base64url::encode(&[7; 64]));
    let wish = |endpoint: Option<&str>| {
        let wish = match endpoint {
            Some(endpoint) => Waking::at(ISSUER, &record(), endpoint, now),
            None => Waking::nowhere(ISSUER, &record(), now),
        };
        let wish = wish.unwrap();
        Wish {
            endpoint: endpoint.map(str::to_owned),
            message: wish.message().to_owned(),
            signed: wish.signed(&signature).unwrap(),
            answers: tolds().into_iter().map(|told| answered(&wish, told)).collect(),
        }
    };
    let longest = format!("https://push.example/{}", "a".repeat(MAX_ENDPOINT_BYTES - 21));
    Plays {
        issuer: ISSUER.to_owned(),
        record: record(),
        now: now.0,
        wishes: vec![wish(Some(ENDPOINT)), wish(Some(&longest)), wish(None)],
        refused: vec![
            String::new(),
            "http://push.example/a".to_owned(),
            "HTTPS://push.example/a".to_owned(),
            " https://push.example/a".to_owned(),
            "javascript:alert(1)".to_owned(),
            "push.example/a".to_owned(),
            format!("{longest}a"),
            // Bytes count, not characters.
            format!("https://push.example/{}", "ä".repeat(600)),
        ],
        signature,
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/waking.json")
}

#[test]
fn the_plays_are_what_was_recorded() {
    let recorded: Plays = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    assert_eq!(recorded, plays());
    for wish in &recorded.wishes {
        let taken = wish.answers.iter().filter(|answer| answer.is_taken).count();
        assert_eq!(taken, if wish.endpoint.is_some() { 1 } else { 2 });
    }
}

#[test]
#[ignore = "writes testdata/waking.json"]
fn write() {
    let mut text = serde_json::to_string_pretty(&plays()).unwrap();
    text.push('\n');
    std::fs::write(file(), text).unwrap();
}

#[test]
fn the_provider_reads_what_was_signed_and_takes_it_for_no_question_what_waits() {
    for wish in plays().wishes {
        let Want::Send(request) = wish.signed else {
            panic!("nothing to send")
        };
        let body = request.body.unwrap();
        let signed = body["look"].as_str().unwrap();
        let look = parse_look(signed, LookPurpose::Push).unwrap();
        assert_eq!((look.device(), look.endpoint()), ("handle", wish.endpoint.as_deref()));
        assert!(parse_look(signed, LookPurpose::Requests).is_err());
    }
}

#[test]
fn addresses_that_are_none_another_insurers_device_and_what_is_no_signature_are_refused() {
    for endpoint in plays().refused {
        let refused = Waking::at(ISSUER, &record(), &endpoint, UnixTime(1));
        assert_eq!(refused, Err(FlowError::Endpoint), "{endpoint}");
    }
    let elsewhere = "https://other.example";
    let foreign = [
        Waking::at(elsewhere, &record(), ENDPOINT, UnixTime(1)),
        Waking::nowhere(elsewhere, &record(), UnixTime(1)),
    ];
    assert_eq!(foreign, [Err(FlowError::ForeignDevice), Err(FlowError::ForeignDevice)]);
    let wish = Waking::nowhere(ISSUER, &record(), UnixTime(1)).unwrap();
    for signature in ["", "x", &jose::base64url::encode(&[7; 63])] {
        assert_eq!(wish.signed(signature), Err(FlowError::DeviceKey), "{signature}");
    }
}
