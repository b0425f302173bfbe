#![allow(clippy::unwrap_used, clippy::panic)]
use authenticator::challenge::{self, Challenge, ChallengeError, Purpose};
use jose::jwk::{JwkSet, KeyUse};
use jose::{Signer as _, SoftwareKey, UnixTime, base64url, json};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://idp.example/109900019";
const SERVICE: &str = "https://epa.example";
const NOW: UnixTime = UnixTime(1_750_000_000);

/// The insurer's side, as far as a phone sees it.
struct Provider {
    key: SoftwareKey,
}

impl Provider {
    fn new() -> Self {
        Self {
            key: SoftwareKey::generate("challenge-1").unwrap(),
        }
    }

    fn challenge(&self) -> Challenge {
        Challenge {
            iss: ISSUER.to_owned(),
            login_id: [7; 16],
            client_id: SERVICE.to_owned(),
            client_name: "Akte".to_owned(),
            request_hash: "hash".to_owned(),
            purpose: Purpose::Login,
            iat: NOW,
            exp: NOW.plus_seconds(challenge::LIFETIME_SECONDS),
        }
    }

    fn challenge_answer(&self, challenge: &Challenge) -> Told {
        answer(&json!({
            "login": "pending",
            "challenge": challenge::issue(challenge, &self.key).unwrap(),
            "service": { "name": "Akte", "logo_uri": null },
            "requested": {
                "acr": "gematik-ehealth-loa-high",
                "claims": { "essential": ["urn:telematik:claims:id"], "voluntary": ["birthdate"] },
            },
            "expires_in": 180,
        }))
    }

    fn keys(&self) -> Told {
        answer(&JwkSet::new(vec![self.key.jwk(KeyUse::Signature)]).to_value())
    }
}

fn answer(body: &Value) -> Told {
    Told::Answer {
        status: 200,
        body: body.to_string(),
    }
}

fn refusal(status: u16) -> Told {
    Told::Answer {
        status,
        body: r#"{"error":"access_denied","error_description":"card: revoked (support code ABCD-EFGH)"}"#.to_owned(),
    }
}

fn consent_question() -> Value {
    json!({
        "login": "authenticated",
        "consent": {
            "service": { "name": "Akte" },
            "essential": ["urn:telematik:claims:id"],
            "voluntary": ["birthdate"],
        },
    })
}

fn address() -> String {
    format!(
        "{ISSUER}/auth?client_id=https%3A%2F%2Fepa.example&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc"
    )
}

fn sent(want: &Want) -> (String, Value) {
    let Want::Send(request) = want else {
        panic!("{want:?}");
    };
    (request.url.clone(), request.body.clone().unwrap_or_default())
}

/// A login at the point where the person looks at the request.
fn opened(provider: &Provider) -> Login {
    let (mut login, want) = Login::open(ISSUER, &address()).unwrap();
    assert_eq!(sent(&want).0, format!("{ISSUER}/auth/challenge"));
    let want = login
        .tell(provider.challenge_answer(&provider.challenge()), NOW)
        .unwrap();
    assert_eq!(sent(&want).0, format!("{ISSUER}/auth/jwks"));
    let want = login.tell(provider.keys(), NOW).unwrap();
    assert!(matches!(want, Want::Choose(ref request) if request.service.name == "Akte"));
    login
}

/// A login whose person the provider knows.
fn answered(provider: &Provider) -> Login {
    let mut login = opened(provider);
    login.tell(Told::WithCard, NOW).unwrap();
    let response = "signed".to_owned();
    let want = login.tell(Told::CardAnswered { response }, NOW).unwrap();
    let (url, body) = sent(&want);
    assert_eq!(url, format!("{ISSUER}/auth/card"));
    assert_eq!(
        body,
        json!({ "client_id": SERVICE, "login": "pending", "response": "signed" })
    );
    let want = login.tell(answer(&consent_question()), NOW).unwrap();
    assert!(matches!(want, Want::Decide(_)));
    login
}

fn record() -> DeviceRecord {
    DeviceRecord {
        issuer: ISSUER.to_owned(),
        device: "handle".to_owned(),
        name: "Handy".to_owned(),
        valid_until: NOW,
        counter: 41,
    }
}

#[test]
fn a_login_by_card_ends_where_the_provider_says() {
    let mut login = answered(&Provider::new());
    let approve = Told::Approve {
        voluntary: vec!["birthdate".to_owned()],
        remember: true,
        number: None,
    };
    let (url, body) = sent(&login.tell(approve, NOW).unwrap());
    assert_eq!(url, format!("{ISSUER}/auth/consent"));
    let expected = json!({
        "client_id": SERVICE, "login": "authenticated", "decision": "approve", "claims": ["birthdate"], "remember": true,
    });
    assert_eq!(body, expected);
    let done = login.tell(answer(&json!({ "redirect": "https://epa.example/cb?code=x" })), NOW);
    let address = "https://epa.example/cb?code=x".to_owned();
    assert_eq!(done, Ok(Want::GoBack { address }));
    assert!(
        login
            .tell(Told::Decline, NOW)
            .unwrap_err()
            .to_string()
            .contains("not what was wanted")
    );
}

#[test]
fn a_device_counts_before_it_signs_and_signs_exactly_this_challenge() {
    let provider = Provider::new();
    let mut login = opened(&provider);
    let Want::SignWithDevice {
        device,
        counter,
        message,
    } = login.tell(Told::WithDevice(record()), NOW).unwrap()
    else {
        panic!("no signature wanted");
    };
    assert_eq!((device.as_str(), counter), ("handle", 42));
    let key = SoftwareKey::generate("device").unwrap();
    let signature = base64url::encode(&key.sign(message.as_bytes()).unwrap());
    let (url, body) = sent(&login.tell(Told::Signed { signature }, NOW).unwrap());
    assert_eq!(url, format!("{ISSUER}/auth/device"));
    // The provider's own code believes it.
    let assertion = authenticator::device::parse_assertion(body["response"].as_str().unwrap()).unwrap();
    let signed = jose::jws::parse(body["response"].as_str().unwrap(), &json::DEFAULT).unwrap();
    assert!(signed.verify(key.public_key()).is_ok());
    let token = assertion.challenge_token();
    let keys = JwkSet::new(vec![provider.key.jwk(KeyUse::Signature)]);
    let verified = challenge::verify(token, &keys, NOW).unwrap();
    assert_eq!(verified.challenge(), &provider.challenge());
}

#[test]
fn she_may_decline_before_and_after_she_said_who_she_is() {
    for mut login in [opened(&Provider::new()), answered(&Provider::new())] {
        let (_, body) = sent(&login.tell(Told::Decline, NOW).unwrap());
        assert_eq!(body["decision"], "decline");
        assert_eq!(body["claims"], json!([]));
        let done = login.tell(
            answer(&json!({ "redirect": "https://epa.example/cb?error=access_denied" })),
            NOW,
        );
        assert!(matches!(done, Ok(Want::GoBack { .. })));
    }
}

#[test]
fn a_challenge_for_something_else_is_not_answered() {
    let provider = Provider::new();
    let other = |change: fn(&mut Challenge)| {
        let mut challenge = provider.challenge();
        change(&mut challenge);
        challenge
    };
    for challenge in [
        other(|c| c.iss = "https://other.example".to_owned()),
        other(|c| c.client_id = "https://shop.example".to_owned()),
        other(|c| c.purpose = Purpose::Account),
        // Another name than the one shown beside it.
        other(|c| c.client_name = "Rezept".to_owned()),
    ] {
        let (mut login, _) = Login::open(ISSUER, &address()).unwrap();
        login.tell(provider.challenge_answer(&challenge), NOW).unwrap();
        assert_eq!(login.tell(provider.keys(), NOW), Err(FlowError::ForeignChallenge));
        // It is over: no key ever signs.
        assert!(matches!(
            login.tell(Told::WithCard, NOW),
            Err(FlowError::OutOfOrder { .. })
        ));
    }
}

#[test]
fn a_challenge_of_another_key_or_time_is_not_answered() {
    let (provider, stranger) = (Provider::new(), Provider::new());
    let (mut login, _) = Login::open(ISSUER, &address()).unwrap();
    login
        .tell(stranger.challenge_answer(&provider.challenge()), NOW)
        .unwrap();
    assert!(matches!(login.tell(provider.keys(), NOW), Err(FlowError::Challenge(_))));
    for (now, expected) in [
        (UnixTime(NOW.0 + 1_000), ChallengeError::Expired),
        (UnixTime(NOW.0 - 1_000), ChallengeError::FromTheFuture),
    ] {
        let (mut login, _) = Login::open(ISSUER, &address()).unwrap();
        login
            .tell(provider.challenge_answer(&provider.challenge()), now)
            .unwrap();
        assert_eq!(login.tell(provider.keys(), now), Err(FlowError::Challenge(expected)));
    }
}

#[test]
fn another_card_may_be_tried_after_one_was_refused() {
    let mut login = opened(&Provider::new());
    for status in [403, 429, 503] {
        login.tell(Told::WithCard, NOW).unwrap();
        let response = "signed".to_owned();
        login.tell(Told::CardAnswered { response }, NOW).unwrap();
        let refused = login.tell(refusal(status), NOW).unwrap_err();
        assert!(!refused.ends());
        assert_eq!(
            refused.to_string(),
            "the provider refused: access_denied: card: revoked (support code ABCD-EFGH)"
        );
    }
    login.tell(Told::WithCard, NOW).unwrap();
    let response = "signed".to_owned();
    login.tell(Told::CardAnswered { response }, NOW).unwrap();
    assert!(login.tell(refusal(400), NOW).unwrap_err().ends());
    assert!(matches!(
        login.tell(Told::WithCard, NOW),
        Err(FlowError::OutOfOrder { .. })
    ));
}

#[test]
fn the_card_taken_away_or_the_key_left_locked_leads_back_to_the_choice() {
    let mut login = opened(&Provider::new());
    login.tell(Told::WithCard, NOW).unwrap();
    assert!(matches!(login.tell(Told::Decline, NOW), Ok(Want::Choose(_))));
    login.tell(Told::WithDevice(record()), NOW).unwrap();
    assert!(matches!(login.tell(Told::Decline, NOW), Ok(Want::Choose(_))));
    assert!(matches!(login.tell(Told::WithCard, NOW), Ok(Want::SignWithCard { .. })));
}

#[test]
fn what_was_not_wanted_changes_nothing() {
    let all = || {
        [
            answer(&json!({})),
            Told::WithCard,
            Told::WithDevice(record()),
            Told::CardAnswered {
                response: String::new(),
            },
            Told::Signed {
                signature: String::new(),
            },
            Told::KeyMade {
                x: String::new(),
                y: String::new(),
                attestation: None,
            },
            Told::Approve {
                voluntary: Vec::new(),
                remember: false,
                number: None,
            },
        ]
    };
    let mut login = answered(&Provider::new());
    for told in all().into_iter().filter(|told| !matches!(told, Told::Approve { .. })) {
        assert!(matches!(login.tell(told, NOW), Err(FlowError::OutOfOrder { .. })));
    }
    assert!(matches!(login.tell(Told::Decline, NOW), Ok(Want::Send(_))));

    let mut login = opened(&Provider::new());
    for told in [
        answer(&json!({})),
        Told::Signed {
            signature: String::new(),
        },
    ] {
        assert!(matches!(login.tell(told, NOW), Err(FlowError::OutOfOrder { .. })));
    }
    let elsewhere = DeviceRecord {
        issuer: "https://other.example".to_owned(),
        ..record()
    };
    assert_eq!(
        login.tell(Told::WithDevice(elsewhere), NOW),
        Err(FlowError::ForeignDevice)
    );
    assert!(matches!(login.tell(Told::WithCard, NOW), Ok(Want::SignWithCard { .. })));
}

#[test]
fn what_is_no_signature_is_not_sent() {
    for signature in ["", "AAAA", "not base64url", &"A".repeat(85), &"A".repeat(88)] {
        let mut login = opened(&Provider::new());
        login.tell(Told::WithDevice(record()), NOW).unwrap();
        let signature = signature.to_owned();
        assert_eq!(login.tell(Told::Signed { signature }, NOW), Err(FlowError::DeviceKey));
        // The choice is there again; the counter was used up.
        assert!(matches!(login.tell(Told::WithCard, NOW), Ok(Want::SignWithCard { .. })));
    }
}

#[test]
fn an_answer_of_another_form_ends_the_login() {
    for body in ["", "{}", "[]", "<html>", r#"{"login":1}"#] {
        let told = Told::Answer {
            status: 200,
            body: body.to_owned(),
        };
        let (mut login, _) = Login::open(ISSUER, &address()).unwrap();
        assert_eq!(
            login.tell(told, NOW),
            Err(FlowError::Answer("auth/challenge")),
            "{body}"
        );
    }
    let (mut login, _) = Login::open(ISSUER, &address()).unwrap();
    let strange = login.tell(
        Told::Answer {
            status: 502,
            body: "<html>".to_owned(),
        },
        NOW,
    );
    assert!(matches!(strange, Err(FlowError::Refused { status: 502, error, .. }) if error == "http_502"));
}

#[test]
fn a_key_is_bound_to_the_person_who_just_said_who_she_is() {
    let login = answered(&Provider::new());
    let wish = BindingWish {
        name: "Handy",
        class: "software",
        consent_to_substantial: true,
        hardware: None,
    };
    let (mut binding, want) = Binding::begin(&login, &wish).unwrap();
    let Want::MakeKey { challenge } = want else {
        panic!("no key wanted");
    };
    assert!(base64url::decode_array::<32>(&challenge).is_ok());
    let key = SoftwareKey::generate("device").unwrap();
    let (x, y) = (key.public_key().x(), key.public_key().y());
    let made = Told::KeyMade {
        x: base64url::encode(x),
        y: base64url::encode(y),
        attestation: None,
    };
    let Want::SignWithNewKey { message } = binding.tell(made).unwrap() else {
        panic!("no signature wanted");
    };
    let signature = base64url::encode(&key.sign(message.as_bytes()).unwrap());
    let (url, body) = sent(&binding.tell(Told::Signed { signature }).unwrap());
    assert_eq!(url, format!("{ISSUER}/devices"));
    assert_eq!(body["login"], "authenticated");
    let proof = jose::jws::parse(body["proof"].as_str().unwrap(), &json::DEFAULT).unwrap();
    assert!(proof.verify(key.public_key()).is_ok());
    let kept = binding
        .tell(answer(
            &json!({ "device": "handle", "valid_until": 5, "class": "software", "findings": [] }),
        ))
        .unwrap();
    let Want::Keep(bound) = kept else {
        panic!("nothing to keep");
    };
    assert_eq!((bound.record.counter, bound.record.valid_until), (0, UnixTime(5)));
    assert_eq!((bound.class.as_str(), bound.findings.len()), ("software", 0));
}

#[test]
fn nothing_is_bound_before_the_provider_knows_who_it_is_or_to_what_is_no_key() {
    let wish = BindingWish {
        name: "Handy",
        class: "software",
        consent_to_substantial: true,
        hardware: None,
    };
    assert!(Binding::begin(&opened(&Provider::new()), &wish).is_err());
    let login = answered(&Provider::new());
    let zero = base64url::encode(&[0; 32]);
    for (x, y) in [("", ""), (zero.as_str(), zero.as_str()), ("AAAA", zero.as_str())] {
        let (mut binding, _) = Binding::begin(&login, &wish).unwrap();
        let made = Told::KeyMade {
            x: x.to_owned(),
            y: y.to_owned(),
            attestation: None,
        };
        assert_eq!(binding.tell(made), Err(FlowError::DeviceKey));
    }
    let (mut binding, _) = Binding::begin(&login, &wish).unwrap();
    assert!(matches!(
        binding.tell(Told::WithCard),
        Err(FlowError::OutOfOrder { .. })
    ));
}

#[test]
fn an_authorization_address_names_service_and_request() {
    let address = LoginAddress::parse(&address()).unwrap();
    assert_eq!(address.client_id, SERVICE);
    assert_eq!(address.request_uri, "urn:ietf:params:oauth:request_uri:abc");
}

#[test]
fn addresses_without_one_of_each_are_refused() {
    let long = format!(
        "https://idp.example/auth?client_id=a&request_uri={}",
        "x".repeat(MAX_ADDRESS_CHARACTERS)
    );
    for address in [
        "",
        "idp.example/auth?client_id=a&request_uri=b",
        "https://idp.example/auth",
        "https://idp.example/auth?client_id=a",
        "https://idp.example/auth?request_uri=b",
        "https://idp.example/auth?client_id=&request_uri=b",
        "https://idp.example/auth?client_id=a&client_id=c&request_uri=b",
        "https://idp.example/auth?client_id=a&request_uri=b&request_uri=c",
        &long,
    ] {
        assert_eq!(LoginAddress::parse(address), Err(FlowError::Address), "{address}");
    }
}
