//! Plays of the machines, recorded: `testdata/flow.json`. The web wallet's machines in TypeScript play the same, so neither can drift alone.
//!
//! Written with `cargo test -p healthid-wallet --lib vectors -- --ignored write`; keys are made for the occasion and thrown away.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::PathBuf;

use authenticator::Reason;
use authenticator::challenge::{self, Challenge, Purpose};
use authenticator::passkey::registration_challenge;
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime, base64url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    AbortWhy, Attestation, Binding, BindingWish, DeviceRecord, FlowError, Login, MadePasskey, PasskeyAnswer,
    PasskeyBinding, Told, Want,
};

const ISSUER: &str = "https://idp.example/109900019";
const SERVICE: &str = "https://epa.example";
const NOW: u64 = 1_750_000_000;

/// How a machine begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "begin", rename_all = "kebab-case")]
enum Begin {
    Open {
        issuer: String,
        address: String,
    },
    Resume {
        issuer: String,
        client_id: String,
        login: String,
    },
    Account {
        issuer: String,
    },
}

/// What a machine said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Want(Want),
    Error {
        code: String,
        ends: bool,
        /// The provider's word.
        reason: Option<String>,
        support_code: Option<String>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    now: u64,
    told: Told,
    said: Said,
}

/// A device bound in the login, after its steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bound {
    name: String,
    class: String,
    consent_to_substantial: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hardware: Option<String>,
    said: Said,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Play {
    name: String,
    #[serde(flatten)]
    begin: Begin,
    said: Said,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey_binding: Option<BoundPasskey>,
}

/// A passkey bound in the login, after its steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BoundPasskey {
    name: String,
    consent_to_substantial: bool,
    said: Said,
    steps: Vec<Step>,
}

fn bind_passkey(login: &Login, name: &str, consent_to_substantial: bool, told: Vec<Told>) -> BoundPasskey {
    let (mut machine, first) = match PasskeyBinding::begin(login, name, consent_to_substantial) {
        Ok((machine, want)) => (Some(machine), Ok(want)),
        Err(error) => (None, Err(error)),
    };
    let mut steps = Vec::new();
    for told in told {
        if let Some(machine) = &mut machine {
            let said = said(machine.tell(told.clone()));
            steps.push(Step { now: 0, told, said });
        }
    }
    BoundPasskey {
        name: name.to_owned(),
        consent_to_substantial,
        said: said(first),
        steps,
    }
}

/// A play that goes on with a passkey.
fn with_passkey(name: &str, told: Vec<(u64, Told)>, binding: Vec<Told>) -> Play {
    let begin = Begin::Account {
        issuer: ISSUER.to_owned(),
    };
    let mut play = play(name, begin.clone(), told.clone(), None);
    let (login, _) = begun(&begin);
    if let Some(mut login) = login {
        for (now, told) in told {
            let _ = login.tell(told, UnixTime(now));
        }
        play.passkey_binding = Some(bind_passkey(&login, "Schlüssel", true, binding));
    }
    play
}

fn said(answer: Result<Want, FlowError>) -> Said {
    match answer {
        Ok(want) => Said::Want(want),
        Err(error) => Said::Error {
            code: error.code().to_owned(),
            ends: error.ends(),
            reason: error.reason().map(|reason| reason.as_str().to_owned()),
            support_code: error.support_code().map(str::to_owned),
        },
    }
}

fn begun(begin: &Begin) -> (Option<Login>, Said) {
    let begun = match begin {
        Begin::Open { issuer, address } => Login::open(issuer, address),
        Begin::Resume {
            issuer,
            client_id,
            login,
        } => Ok(Login::resume(issuer, client_id, login)),
        Begin::Account { issuer } => Ok(Login::account(issuer)),
    };
    match begun {
        Ok((login, want)) => (Some(login), Said::Want(want)),
        Err(error) => (None, said(Err(error))),
    }
}

/// Plays, with what the machines say now.
fn play(name: &str, begin: Begin, told: Vec<(u64, Told)>, binding: Option<(&BindingWish<'_>, Vec<Told>)>) -> Play {
    let (login, first) = begun(&begin);
    let mut steps = Vec::new();
    let mut bound = None;
    if let Some(mut login) = login {
        for (now, told) in told {
            let said = said(login.tell(told.clone(), UnixTime(now)));
            steps.push(Step { now, told, said });
        }
        bound = binding.map(|(wish, told)| bind(&login, wish, told));
    }
    Play {
        name: name.to_owned(),
        begin,
        said: first,
        steps,
        binding: bound,
        passkey_binding: None,
    }
}

fn bind(login: &Login, wish: &BindingWish<'_>, told: Vec<Told>) -> Bound {
    let begun = Binding::begin(login, wish);
    let (mut machine, first) = match begun {
        Ok((machine, want)) => (Some(machine), Ok(want)),
        Err(error) => (None, Err(error)),
    };
    let mut steps = Vec::new();
    for told in told {
        if let Some(machine) = &mut machine {
            let said = said(machine.tell(told.clone()));
            steps.push(Step { now: 0, told, said });
        }
    }
    Bound {
        name: wish.name.to_owned(),
        class: wish.class.to_owned(),
        consent_to_substantial: wish.consent_to_substantial,
        hardware: wish.hardware.map(str::to_owned),
        said: said(first),
        steps,
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/flow.json")
}

#[test]
fn the_machines_play_what_was_recorded() {
    let recorded: Vec<Play> = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    assert!(recorded.len() > 15);
    for play in recorded {
        let name = &play.name;
        let (login, said_first) = begun(&play.begin);
        assert_eq!(said_first, play.said, "{name}");
        let Some(mut login) = login else { continue };
        for (at, step) in play.steps.iter().enumerate() {
            let said = said(login.tell(step.told.clone(), UnixTime(step.now)));
            assert_eq!(said, step.said, "{name}, step {at}");
        }
        if let Some(recorded) = play.passkey_binding {
            let told = recorded.steps.iter().map(|step| step.told.clone()).collect();
            let again = bind_passkey(&login, &recorded.name, recorded.consent_to_substantial, told);
            assert_eq!(again.said, recorded.said, "{name}");
            for (at, (step, again)) in recorded.steps.iter().zip(&again.steps).enumerate() {
                assert_eq!(again.said, step.said, "{name}, passkey, step {at}");
            }
        }
        let Some(recorded) = play.binding else { continue };
        let wish = BindingWish {
            name: &recorded.name,
            class: &recorded.class,
            consent_to_substantial: recorded.consent_to_substantial,
            hardware: recorded.hardware.as_deref(),
        };
        let again = bind(
            &login,
            &wish,
            recorded.steps.iter().map(|step| step.told.clone()).collect(),
        );
        assert_eq!(again.said, recorded.said, "{name}");
        for (at, (step, again)) in recorded.steps.iter().zip(&again.steps).enumerate() {
            assert_eq!(again.said, step.said, "{name}, binding, step {at}");
        }
    }
}

#[test]
#[ignore = "writes testdata/flow.json"]
fn write() {
    let plays = Recorder::new().plays();
    let mut text = serde_json::to_string_pretty(&plays).unwrap();
    text.push('\n');
    std::fs::create_dir_all(file().parent().unwrap()).unwrap();
    std::fs::write(file(), text).unwrap();
}

/// The provider's side of the plays.
struct Recorder {
    key: SoftwareKey,
    stranger: SoftwareKey,
}

fn answer(status: u16, body: &Value) -> Told {
    Told::Answer {
        status,
        body: body.to_string(),
    }
}

fn at(told: impl IntoIterator<Item = Told>) -> Vec<(u64, Told)> {
    told.into_iter().map(|told| (NOW, told)).collect()
}

fn open(address: &str) -> Begin {
    Begin::Open {
        issuer: ISSUER.to_owned(),
        address: address.to_owned(),
    }
}

fn good_address() -> Begin {
    open(
        "https://idp.example/109900019/auth?client_id=https%3A%2F%2Fepa.example&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc",
    )
}

fn refusal(status: u16) -> Told {
    answer(
        status,
        &json!({ "error": "access_denied", "error_description": "card: revoked (support code ABCD-EFGH)" }),
    )
}

fn refused(status: u16, reason: &str) -> Told {
    answer(
        status,
        &json!({
            "error": "invalid_request",
            "error_description": "for developers (support code BCDF-GHJK)",
            "reason": reason,
            "support_code": "BCDF-GHJK",
        }),
    )
}

fn card() -> [Told; 2] {
    [
        Told::WithCard,
        Told::CardAnswered {
            response: "card.signed.this".to_owned(),
        },
    ]
}

fn known() -> Told {
    answer(
        200,
        &json!({
            "login": "authenticated",
            "consent": {
                "service": { "name": "Akte für alle", "logo_uri": "https://epa.example/logo.svg" },
                "essential": ["urn:telematik:claims:id"],
                "voluntary": ["birthdate", "urn:telematik:claims:email"],
                "remembered": false,
            },
        }),
    )
}

fn approve(number: Option<&str>) -> Told {
    Told::Approve {
        voluntary: vec!["birthdate".to_owned()],
        remember: true,
        number: number.map(str::to_owned),
    }
}

fn record() -> DeviceRecord {
    DeviceRecord {
        issuer: ISSUER.to_owned(),
        device: "handle".to_owned(),
        name: "Handy".to_owned(),
        valid_until: UnixTime(NOW),
        counter: 41,
    }
}

fn signature() -> Told {
    Told::Signed {
        signature: base64url::encode(&[7; 64]),
    }
}

impl Recorder {
    fn new() -> Self {
        let key = |name: &str| SoftwareKey::generate(name).unwrap();
        Self {
            key: key("challenge-1"),
            stranger: key("challenge-1"),
        }
    }

    fn challenge(&self, change: impl FnOnce(&mut Challenge)) -> Told {
        self.signed_challenge(&self.key, change)
    }

    fn signed_challenge(&self, key: &SoftwareKey, change: impl FnOnce(&mut Challenge)) -> Told {
        let mut challenge = Challenge {
            iss: ISSUER.to_owned(),
            login_id: [7; 16],
            client_id: SERVICE.to_owned(),
            client_name: "Akte für alle".to_owned(),
            request_hash: "hash".to_owned(),
            purpose: Purpose::Login,
            iat: UnixTime(NOW),
            exp: UnixTime(NOW + challenge::LIFETIME_SECONDS),
        };
        change(&mut challenge);
        answer(
            200,
            &json!({
                "login": "pending",
                "challenge": challenge::issue(&challenge, key).unwrap(),
                "service": { "name": "Akte für alle", "logo_uri": "https://epa.example/logo.svg" },
                "requested": {
                    "acr": "gematik-ehealth-loa-high",
                    "claims": { "essential": ["urn:telematik:claims:id"], "voluntary": ["birthdate"] },
                },
                "expires_in": 180,
            }),
        )
    }

    fn account_challenge(&self) -> Told {
        self.challenge(|challenge| {
            challenge.client_id = ISSUER.to_owned();
            challenge.purpose = Purpose::Account;
        })
    }

    fn keys(&self) -> Told {
        answer(200, &JwkSet::new(vec![self.key.jwk(KeyUse::Signature)]).to_value())
    }

    /// Up to where the person looks at the request.
    fn opened(&self) -> Vec<Told> {
        vec![self.challenge(|_| ()), self.keys()]
    }

    fn plays(&self) -> Vec<Play> {
        let then = |told: &[Told]| at(self.opened().into_iter().chain(told.iter().cloned()));
        let [with_card, card_answered] = card();
        let back = answer(200, &json!({ "redirect": "https://epa.example/cb?code=x" }));
        let approve = approve(None);
        let mut plays = vec![
            play(
                "a login by card",
                good_address(),
                then(&[
                    with_card.clone(),
                    card_answered.clone(),
                    known(),
                    approve.clone(),
                    back.clone(),
                    Told::Decline,
                ]),
                None,
            ),
            play(
                "a login by device",
                good_address(),
                then(&[Told::WithDevice(record()), signature(), known(), approve, back.clone()]),
                None,
            ),
            play(
                "declined before she said who she is",
                good_address(),
                then(&[Told::Decline, back.clone()]),
                None,
            ),
            play(
                "declined afterwards",
                good_address(),
                then(&[
                    with_card.clone(),
                    card_answered.clone(),
                    known(),
                    Told::Decline,
                    refusal(503),
                    Told::Decline,
                    back,
                ]),
                None,
            ),
            play(
                "another card after a refused one, until the login is lost",
                good_address(),
                then(&[
                    with_card.clone(),
                    card_answered.clone(),
                    refusal(403),
                    with_card.clone(),
                    card_answered.clone(),
                    refusal(429),
                    with_card.clone(),
                    card_answered.clone(),
                    refusal(400),
                    with_card.clone(),
                ]),
                None,
            ),
            play(
                "the card taken away, the key left locked, a device of another insurer, no signature",
                good_address(),
                then(&[
                    with_card.clone(),
                    Told::Decline,
                    Told::WithDevice(record()),
                    Told::Decline,
                    Told::WithDevice(DeviceRecord {
                        issuer: "https://other.example".to_owned(),
                        ..record()
                    }),
                    Told::WithDevice(record()),
                    Told::Signed {
                        signature: "AAAA".to_owned(),
                    },
                    with_card.clone(),
                ]),
                None,
            ),
            play(
                "what was not wanted",
                good_address(),
                at([
                    with_card.clone(),
                    self.challenge(|_| ()),
                    Told::Decline,
                    self.keys(),
                    signature(),
                    with_card.clone(),
                    known(),
                ]),
                None,
            ),
            play(
                "a login that a page holds",
                Begin::Resume {
                    issuer: format!("{ISSUER}/"),
                    client_id: SERVICE.to_owned(),
                    login: "sealed".to_owned(),
                },
                at(self.opened()),
                None,
            ),
        ];
        plays.extend(self.challenges());
        plays.extend(self.bindings(&with_card, &card_answered));
        plays.extend(self.passkeys(&with_card, &card_answered));
        plays.extend(self.reasons(&with_card, &card_answered));
        plays.extend(self.elsewhere(&with_card, &card_answered));
        plays.extend(self.aborts(&with_card, &card_answered));
        plays.extend(self.more_time(&with_card, &card_answered));
        plays.extend(broken_addresses());
        plays.extend(broken_answers());
        plays
    }

    /// The challenge of a login that was begun on another device.
    fn challenge_elsewhere(&self, other_device: &Value) -> Told {
        let Told::Answer { status, body } = self.challenge(|_| ()) else {
            unreachable!("a challenge is an answer")
        };
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["other_device"] = other_device.clone();
        answer(status, &body)
    }

    /// Logins that were begun on another device.
    fn elsewhere(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let firefox = json!({ "browser": "Firefox", "system": "Windows", "network": "other", "asked_at": NOW - 9 });
        let nobody_knows = json!({ "browser": "", "system": "", "network": null, "asked_at": NOW });
        let done = answer(200, &json!({ "redirect": null }));
        let begun = |other: &Value, told: &[Told]| {
            let opened = [self.challenge_elsewhere(other), self.keys()];
            at(opened.into_iter().chain(told.iter().cloned()))
        };
        let decided = |other: &Value, told: &[Told]| {
            let known = [with_card.clone(), card_answered.clone(), known()];
            begun(
                other,
                &known.into_iter().chain(told.iter().cloned()).collect::<Vec<_>>(),
            )
        };
        let mut plays = vec![
            play(
                "approved for another device, after a number that is none",
                good_address(),
                decided(
                    &firefox,
                    &[
                        approve(None),
                        approve(Some("")),
                        approve(Some("7")),
                        approve(Some("777")),
                        approve(Some("x7")),
                        approve(Some("٤٢")),
                        approve(Some("07")),
                        done.clone(),
                        approve(Some("07")),
                    ],
                ),
                None,
            ),
            play(
                "the answer to a number is lost, then the number was wrong",
                good_address(),
                decided(
                    &nobody_knows,
                    &[
                        approve(Some("07")),
                        refused(503, "unavailable"),
                        approve(Some("08")),
                        refused(403, "number-wrong"),
                        approve(Some("09")),
                    ],
                ),
                None,
            ),
            play(
                "declined for another device before she said who she is",
                good_address(),
                begun(&firefox, &[Told::Decline, done.clone()]),
                None,
            ),
            play(
                "a login of this device has a way back",
                good_address(),
                at(self.opened().into_iter().chain([
                    with_card.clone(),
                    card_answered.clone(),
                    known(),
                    approve(Some("07")),
                    done,
                ])),
                None,
            ),
        ];
        for broken in [
            json!(7),
            json!({}),
            json!({ "browser": "Firefox", "system": "Windows", "network": "near", "asked_at": NOW }),
            json!({ "browser": "Firefox", "system": "Windows", "network": "same", "asked_at": "now" }),
        ] {
            let told = self.challenge_elsewhere(&broken);
            plays.push(play("another device of another form", good_address(), at([told]), None));
        }
        plays
    }

    /// She needs longer than the login lives.
    fn more_time(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let lives_until = |told: Told, login: &str, end: u64, extendable: bool| {
            let Told::Answer { status, body } = told else {
                unreachable!("an answer")
            };
            let mut body: Value = serde_json::from_str(&body).unwrap();
            body["login"] = json!(login);
            body["expires_at"] = json!(end);
            body["extendable"] = json!(extendable);
            answer(status, &body)
        };
        let asked = |login: &str, end| lives_until(self.challenge(|_| ()), login, end, true);
        let asked_later = lives_until(
            self.challenge(|challenge| {
                challenge.iat = UnixTime(NOW + 800);
                challenge.exp = UnixTime(NOW + 800 + challenge::LIFETIME_SECONDS);
            }),
            "pending later",
            NOW + 1_700,
            false,
        );
        let Told::Answer { status, body } = asked("pending", NOW + 900) else {
            unreachable!("an answer")
        };
        let unreadable = Told::Answer {
            status,
            body: body.replace(&(NOW + 900).to_string(), "\"soon\""),
        };
        let decides = |login: &str, end, extendable| lives_until(known(), login, end, extendable);
        let back = answer(200, &json!({ "redirect": "https://epa.example/cb?code=x" }));
        let firefox = json!({ "browser": "Firefox", "system": "Windows", "network": "other", "asked_at": NOW - 9 });
        let opened = [asked("pending", NOW + 900), self.keys()];
        let deciding = [
            with_card.clone(),
            card_answered.clone(),
            decides("known", NOW + 600, true),
        ];
        let then = |told: &[Told]| at(opened.iter().cloned().chain(told.iter().cloned()));
        let decided = |told: &[Told]| then(&[&deciding[..], told].concat());
        let later = [
            Told::MoreTime,
            asked_later.clone(),
            self.keys(),
            with_card.clone(),
            card_answered.clone(),
        ];
        let mut longer = then(&[]);
        longer.extend(later.into_iter().map(|told| (NOW + 800, told)));
        vec![
            play("more time to read, and a new question", good_address(), longer, None),
            play(
                "more time to decide, twice",
                good_address(),
                decided(&[
                    Told::MoreTime,
                    decides("known later", NOW + 1_200, true),
                    Told::MoreTime,
                    decides("known much later", NOW + 1_800, false),
                    approve(None),
                    back,
                ]),
                None,
            ),
            play(
                "more time for another device",
                good_address(),
                at([
                    self.challenge_elsewhere(&firefox),
                    self.keys(),
                    with_card.clone(),
                    card_answered.clone(),
                    known(),
                    Told::MoreTime,
                    decides("known later", NOW + 1_200, true),
                    approve(None),
                    approve(Some("07")),
                    answer(200, &json!({ "redirect": null })),
                ]),
                None,
            ),
            play(
                "no more time, and the login goes on",
                good_address(),
                then(&[
                    Told::MoreTime,
                    refused(400, "no-more-time"),
                    Told::MoreTime,
                    refused(503, "unavailable"),
                    with_card.clone(),
                    Told::MoreTime,
                    card_answered.clone(),
                    decides("known", NOW + 600, false),
                    Told::MoreTime,
                    refused(400, "no-more-time"),
                    approve(None),
                ]),
                None,
            ),
            play(
                "more time for a login that is over",
                good_address(),
                then(&[Told::MoreTime, refused(400, "login-over"), with_card.clone()]),
                None,
            ),
            play(
                "more time, and no new question",
                good_address(),
                then(&[Told::MoreTime, decides("known", NOW + 600, true), with_card.clone()]),
                None,
            ),
            play(
                "more time, and a question of somebody else",
                good_address(),
                then(&[
                    Told::MoreTime,
                    self.signed_challenge(&self.stranger, |_| ()),
                    self.keys(),
                    with_card.clone(),
                ]),
                None,
            ),
            play(
                "more time before anything was asked",
                good_address(),
                at([Told::MoreTime, asked("pending", NOW + 900), Told::MoreTime]),
                None,
            ),
            play("an end that is no time", good_address(), at([unreadable]), None),
        ]
    }

    /// She ends it for everybody, from wherever she is.
    fn aborts(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let abort = |why| Told::Abort { why };
        let over = answer(200, &json!({}));
        let device = Told::WithDevice(record());
        [
            (
                "aborted before she said who she is",
                vec![abort(AbortWhy::NotMe), over.clone(), with_card.clone()],
            ),
            (
                "aborted with the card in her hand",
                vec![with_card.clone(), abort(AbortWhy::PhoneCall), over.clone()],
            ),
            (
                "aborted with the phone in her hand",
                vec![device, abort(AbortWhy::PhoneCall), over.clone()],
            ),
            (
                "aborted while a passkey is asked for",
                vec![Told::WithPasskey, abort(AbortWhy::PhoneCall), over.clone()],
            ),
            (
                "aborted when asked what to share, at the second try",
                vec![
                    with_card.clone(),
                    card_answered.clone(),
                    known(),
                    abort(AbortWhy::PhoneCall),
                    refused(503, "unavailable"),
                    abort(AbortWhy::PhoneCall),
                    over,
                    abort(AbortWhy::PhoneCall),
                ],
            ),
            (
                "aborted too late",
                vec![
                    abort(AbortWhy::NotMe),
                    refused(400, "login-over"),
                    abort(AbortWhy::NotMe),
                ],
            ),
        ]
        .into_iter()
        .map(|(name, told)| play(name, good_address(), at(self.opened().into_iter().chain(told)), None))
        .collect()
    }

    /// Passkeys: a login, one she cancels, and their binding.
    fn passkeys(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let answered = Told::PasskeyAnswered(PasskeyAnswer {
            credential_id: "aWQ".to_owned(),
            client_data: "e30".to_owned(),
            authenticator_data: "ZGF0YQ".to_owned(),
            signature: "c2ln".to_owned(),
            user_handle: "aGFuZGxl".to_owned(),
        });
        let made = Told::PasskeyMade(MadePasskey {
            credential_id: "aWQ".to_owned(),
            client_data: "e30".to_owned(),
            attestation_object: "b2Jq".to_owned(),
        });
        let handle = [9; 32];
        let options = |login_id: &[u8; 16], id: &str| {
            let challenge = base64url::encode(&registration_challenge(login_id, &handle));
            answer(
                200,
                &json!({ "options": {
                    "rp": { "id": "idp.example", "name": "Kasse" },
                    "user": { "id": id, "name": "Kasse", "displayName": "Kasse" },
                    "challenge": challenge,
                    "timeout": 180_000,
                } }),
            )
        };
        let id = base64url::encode(&handle);
        let bound = answer(
            201,
            &json!({
                "device": id,
                "valid_until": NOW + 1,
                "class": "passkey-own-pages",
                "findings": [{ "check": "passkey-device-bound", "outcome": "failed", "class": null }],
            }),
        );
        let by_card = at([
            self.account_challenge(),
            self.keys(),
            with_card.clone(),
            card_answered.clone(),
            known(),
        ]);
        let login = self.opened().into_iter().chain([
            Told::WithPasskey,
            with_card.clone(),
            Told::Decline,
            Told::WithPasskey,
            answered.clone(),
            refused(403, "device-unknown"),
            Told::WithPasskey,
            answered.clone(),
            known(),
            made.clone(),
        ]);
        vec![
            play(
                "a login by passkey, cancelled first and unknown then",
                good_address(),
                at(login),
                None,
            ),
            with_passkey(
                "a passkey bound",
                by_card.clone(),
                vec![
                    answered,
                    options(&[7; 16], &id),
                    bound.clone(),
                    made.clone(),
                    bound.clone(),
                    bound.clone(),
                ],
            ),
            with_passkey(
                "options for another login",
                by_card.clone(),
                vec![options(&[8; 16], &id), made.clone()],
            ),
            with_passkey(
                "options for another device",
                by_card.clone(),
                vec![options(&[7; 16], &base64url::encode(&[8; 32]))],
            ),
            with_passkey(
                "no options",
                by_card.clone(),
                vec![answer(200, &json!({ "options": {} }))],
            ),
            with_passkey(
                "passkeys not offered",
                by_card,
                vec![refused(403, "device-not-admitted")],
            ),
            with_passkey(
                "a passkey before she said who she is",
                at([self.account_challenge()]),
                vec![made],
            ),
        ]
    }

    /// A refusal for every reason, and for one of tomorrow: some end the login, some leave the choice open.
    fn reasons(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let words = Reason::ALL.iter().map(|reason| reason.as_str());
        words
            .chain(["of-tomorrow"])
            .map(|word| {
                let told = [
                    with_card.clone(),
                    card_answered.clone(),
                    refused(403, word),
                    with_card.clone(),
                ];
                let name = format!("refused: {word}");
                play(&name, good_address(), at(self.opened().into_iter().chain(told)), None)
            })
            .collect()
    }

    /// Challenges that are not answered.
    fn challenges(&self) -> Vec<Play> {
        type Change = fn(&mut Challenge);
        let changes: [(&str, Change); 6] = [
            ("a challenge of another insurer", |c| {
                c.iss = "https://other.example".to_owned();
            }),
            ("a challenge for another service", |c| {
                c.client_id = "https://shop.example".to_owned();
            }),
            ("a challenge for the account", |c| c.purpose = Purpose::Account),
            ("a challenge with another name than the one shown", |c| {
                c.client_name = "Rezept".to_owned();
            }),
            ("a challenge that has ended", |c| {
                c.iat = UnixTime(NOW - 1_000);
                c.exp = UnixTime(NOW - 900);
            }),
            ("a challenge that lives too long", |c| c.exp = UnixTime(NOW + 10_000)),
        ];
        let mut plays: Vec<Play> = changes
            .into_iter()
            .map(|(name, change)| {
                play(
                    name,
                    good_address(),
                    at([self.challenge(change), self.keys(), Told::WithCard]),
                    None,
                )
            })
            .collect();
        plays.push(play(
            "a challenge of another key",
            good_address(),
            at([self.signed_challenge(&self.stranger, |_| ()), self.keys()]),
            None,
        ));
        plays.push(play(
            "keys that are none",
            good_address(),
            at([self.challenge(|_| ()), answer(200, &json!({ "keys": 7 }))]),
            None,
        ));
        plays
    }

    fn bindings(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let wish = BindingWish {
            name: "Handy",
            class: "software",
            consent_to_substantial: true,
            hardware: None,
        };
        let begin = || Begin::Account {
            issuer: ISSUER.to_owned(),
        };
        let key = self.stranger.public_key();
        let made = Told::KeyMade {
            x: base64url::encode(key.x()),
            y: base64url::encode(key.y()),
            attestation: None,
        };
        let no_point = Told::KeyMade {
            x: base64url::encode(&[0; 32]),
            y: base64url::encode(&[0; 32]),
            attestation: None,
        };
        let opened = [self.account_challenge(), self.keys()];
        let known: Vec<Told> = opened
            .iter()
            .chain([with_card, card_answered])
            .cloned()
            .chain([known()])
            .collect();
        let sound = json!({ "device": "handle", "valid_until": NOW + 86_400, "class": "software", "findings": [] });
        let bound = answer(201, &sound);
        vec![
            self.attested_binding(&known, &sound),
            self.attested_binding_on_another_platform(&known, &sound),
            play(
                "an answer that names no class is no answer",
                begin(),
                at(known.clone()),
                Some((
                    &wish,
                    vec![
                        made.clone(),
                        signature(),
                        answer(201, &json!({ "device": "handle", "valid_until": NOW + 86_400 })),
                    ],
                )),
            ),
            play(
                "a device is bound",
                begin(),
                at(known.clone()),
                Some((&wish, vec![Told::WithCard, made.clone(), signature(), bound])),
            ),
            play(
                "a device the provider refuses",
                begin(),
                at(known.clone()),
                Some((&wish, vec![made.clone(), signature(), refusal(400)])),
            ),
            play(
                "what is no key is not bound",
                begin(),
                at(known),
                Some((&wish, vec![no_point])),
            ),
            play(
                "nothing is bound before the provider knows who it is",
                begin(),
                at(opened),
                Some((&wish, vec![made])),
            ),
        ]
    }

    /// A phone that shows less than was wished for, and replaces what was bound on it before.
    fn attested_binding(&self, known: &[Told], sound: &Value) -> Play {
        let mark = base64url::encode(&[7; 32]);
        let wish = BindingWish {
            name: "Handy",
            class: "secure-element",
            consent_to_substantial: true,
            hardware: Some(&mark),
        };
        let attestation = Attestation::AndroidKey {
            chain: vec!["MAAwAA".to_owned(), "MAA".to_owned()],
        };
        let mut bound = sound.clone();
        bound["class"] = json!("hardware-keystore");
        bound["findings"] =
            json!([{ "check": "device-security-level", "outcome": "failed", "class": "secure-element" }]);
        self.play_of_attestation(
            "a device is bound by what its maker says of it",
            known,
            &wish,
            attestation,
            &bound,
        )
    }

    fn attested_binding_on_another_platform(&self, known: &[Told], sound: &Value) -> Play {
        let wish = BindingWish {
            name: "Handy",
            class: "hardware-keystore",
            consent_to_substantial: true,
            hardware: None,
        };
        let attestation = Attestation::AppleAppAttest {
            object: "o2NmbXQ".to_owned(),
        };
        let mut bound = sound.clone();
        bound["findings"] = json!([{ "check": "device-maker", "outcome": "failed" }]);
        self.play_of_attestation(
            "a device nobody vouches for is bound as such",
            known,
            &wish,
            attestation,
            &bound,
        )
    }

    fn play_of_attestation(
        &self,
        name: &str,
        known: &[Told],
        wish: &BindingWish<'_>,
        attestation: Attestation,
        bound: &Value,
    ) -> Play {
        let key = self.stranger.public_key();
        let made = Told::KeyMade {
            x: base64url::encode(key.x()),
            y: base64url::encode(key.y()),
            attestation: Some(attestation),
        };
        let begin = Begin::Account {
            issuer: ISSUER.to_owned(),
        };
        let told = vec![made, signature(), answer(201, bound)];
        play(name, begin, at(known.to_vec()), Some((wish, told)))
    }
}

fn broken_addresses() -> Vec<Play> {
    [
        "",
        "idp.example/auth?client_id=a&request_uri=b",
        "https://idp.example/auth",
        "https://idp.example/auth?client_id=a",
        "https://idp.example/auth?request_uri=b",
        "https://idp.example/auth?client_id=&request_uri=b",
        "https://idp.example/auth?client_id=a&client_id=c&request_uri=b",
        "https://idp.example/auth?client_id=a&request_uri=b&request_uri=c",
    ]
    .into_iter()
    .map(|address| play("an address that is no login's", open(address), Vec::new(), None))
    .collect()
}

fn broken_answers() -> Vec<Play> {
    let bodies = ["", "{}", "[]", "<html>", r#"{"login":1}"#];
    let mut plays: Vec<Play> = bodies
        .into_iter()
        .map(|body| {
            let told = Told::Answer {
                status: 200,
                body: body.to_owned(),
            };
            play("an answer of another form", good_address(), at([told]), None)
        })
        .collect();
    // What is no support code is not shown as one.
    for body in [
        json!({ "error": "x", "reason": 7 }),
        json!({ "error": "x", "reason": "internal", "support_code": "<b>" }),
        json!({ "error": "x", "reason": "internal", "support_code": "ABCD-EFG1" }),
        json!({ "error": "x", "reason": "internal", "support_code": "ABCD-EFGH-IJKL" }),
        json!({ "reason": "internal" }),
    ] {
        plays.push(play(
            "a refusal of another form",
            good_address(),
            at([answer(503, &body)]),
            None,
        ));
    }
    for status in [302, 400, 403, 429, 500, 502] {
        let told = Told::Answer {
            status,
            body: "<html>".to_owned(),
        };
        plays.push(play("a refusal without words", good_address(), at([told]), None));
    }
    plays
}
