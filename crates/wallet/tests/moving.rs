//! Plays of both halves, recorded: `testdata/move.json`. `apps/wallet/src/core/move.test.ts` plays the same.
//!
//! Written with `cargo test -p healthid-wallet --test moving -- --ignored write`; keys are made for the occasion and thrown away.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::path::PathBuf;

use authenticator::challenge::{self, Challenge, Purpose};
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime, base64url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use wallet::flow::{BindingWish, DeviceRecord, EndWhy, FlowError, MoveIn, MoveOut, MoveTold, MoveWant, PasskeyAnswer};

const ISSUER: &str = "https://idp.example/109900019";
const NOW: u64 = 1_750_000_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "begin", rename_all = "kebab-case")]
enum Begin {
    Out {
        login: String,
        device: DeviceRecord,
        is_passkey: bool,
    },
    In {
        issuer: String,
        offer: String,
        name: String,
        class: String,
        consent_to_substantial: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hardware: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Want(MoveWant),
    Error {
        code: String,
        ends: bool,
        reason: Option<String>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    now: u64,
    told: MoveTold,
    said: Said,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Play {
    title: String,
    #[serde(flatten)]
    begin: Begin,
    said: Said,
    steps: Vec<Step>,
}

enum Machine {
    Out(MoveOut),
    In(MoveIn),
}

impl Machine {
    fn begin(begin: &Begin) -> (Self, MoveWant) {
        match begin {
            Begin::Out {
                login,
                device,
                is_passkey,
            } => {
                let (machine, want) = MoveOut::begin(login, device, *is_passkey);
                (Self::Out(machine), want)
            }
            Begin::In {
                issuer,
                offer,
                name,
                class,
                consent_to_substantial,
                hardware,
            } => {
                let wish = BindingWish {
                    name,
                    class,
                    consent_to_substantial: *consent_to_substantial,
                    hardware: hardware.as_deref(),
                };
                let (machine, want) = MoveIn::begin(issuer, offer, &wish);
                (Self::In(machine), want)
            }
        }
    }

    fn tell(&mut self, told: MoveTold, now: u64) -> Said {
        let answer: Result<MoveWant, FlowError> = match self {
            Self::Out(machine) => machine.tell(told, UnixTime(now)),
            Self::In(machine) => machine.tell(told),
        };
        match answer {
            Ok(want) => Said::Want(want),
            Err(error) => Said::Error {
                code: error.code().to_owned(),
                ends: error.ends(),
                reason: error.reason().map(|reason| reason.as_str().to_owned()),
            },
        }
    }
}

fn play(name: &str, begin: Begin, told: Vec<(u64, MoveTold)>) -> Play {
    let (mut machine, want) = Machine::begin(&begin);
    let steps = told
        .into_iter()
        .map(|(now, told)| Step {
            now,
            said: machine.tell(told.clone(), now),
            told,
        })
        .collect();
    Play {
        title: name.to_owned(),
        begin,
        said: Said::Want(want),
        steps,
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/move.json")
}

#[test]
fn both_halves_play_what_was_recorded() {
    let recorded: Vec<Play> = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    assert!(recorded.len() >= 12);
    for play in recorded {
        let (mut machine, want) = Machine::begin(&play.begin);
        assert_eq!(Said::Want(want), play.said, "{}", play.title);
        for (at, step) in play.steps.into_iter().enumerate() {
            assert_eq!(
                machine.tell(step.told, step.now),
                step.said,
                "{}, step {at}",
                play.title
            );
        }
    }
}

#[test]
#[ignore = "writes testdata/move.json"]
fn write() {
    let mut text = serde_json::to_string_pretty(&plays()).unwrap();
    text.push('\n');
    std::fs::write(file(), text).unwrap();
}

fn answer(status: u16, body: &Value) -> MoveTold {
    MoveTold::Answer {
        status,
        body: body.to_string(),
    }
}

fn refused(reason: &str) -> MoveTold {
    answer(
        400,
        &json!({"error": "invalid_request", "error_description": "for developers", "reason": reason}),
    )
}

fn at(told: impl IntoIterator<Item = MoveTold>) -> Vec<(u64, MoveTold)> {
    told.into_iter().map(|told| (NOW, told)).collect()
}

fn out(is_passkey: bool) -> Begin {
    Begin::Out {
        login: "authenticated".to_owned(),
        device: DeviceRecord {
            issuer: ISSUER.to_owned(),
            device: "old-device".to_owned(),
            name: "Altes Handy".to_owned(),
            valid_until: UnixTime(NOW + 86_400),
            counter: 7,
        },
        is_passkey,
    }
}

fn into(hardware: Option<&str>) -> Begin {
    Begin::In {
        issuer: format!("{ISSUER}/"),
        offer: "offer".to_owned(),
        name: "Neues Handy".to_owned(),
        class: "software".to_owned(),
        consent_to_substantial: true,
        hardware: hardware.map(str::to_owned),
    }
}

fn offered() -> MoveTold {
    answer(
        200,
        &json!({
            "offer": "offer", "link": "https://idp.example/109900019/wallet/?issuer=x&move=offer",
            "code": {"size": 29, "path": "M4 4h7v1H4z"}, "move": "held", "expires_at": NOW + 300,
        }),
    )
}

fn challenge_of(key: &SoftwareKey, iss: &str, purpose: Purpose) -> String {
    let challenge = Challenge {
        iss: iss.to_owned(),
        login_id: [5; 16],
        client_id: ISSUER.to_owned(),
        client_name: "Testkasse".to_owned(),
        request_hash: base64url::encode(&[6; 32]),
        purpose,
        iat: UnixTime(NOW),
        exp: UnixTime(NOW + challenge::LIFETIME_SECONDS),
    };
    challenge::issue(&challenge, key).unwrap()
}

fn asked(challenge: &str) -> MoveTold {
    answer(
        200,
        &json!({
            "state": "asked",
            "asking": {
                "name": "Neues Handy", "class": "software", "level": "gematik-ehealth-loa-substantial",
                "browser": "Chrome", "system": "Android", "network": "same", "asked_at": NOW,
            },
            "challenge": challenge, "expires_at": NOW + 300,
        }),
    )
}

fn bound() -> MoveTold {
    answer(
        200,
        &json!({"state": "bound", "device": "new-device", "name": "Neues Handy", "class": "software", "valid_until": NOW + 86_400}),
    )
}

fn number(number: &str) -> MoveTold {
    MoveTold::Number {
        number: number.to_owned(),
        counter: 7,
    }
}

fn signed() -> MoveTold {
    MoveTold::Signed {
        signature: base64url::encode(&[9; 64]),
    }
}

fn passkey() -> MoveTold {
    let text = || "AAAA".to_owned();
    MoveTold::PasskeyAnswered(PasskeyAnswer {
        credential_id: text(),
        client_data: text(),
        authenticator_data: text(),
        signature: text(),
        user_handle: text(),
    })
}

fn key_made() -> MoveTold {
    let point = SoftwareKey::generate("new").unwrap().public_key().to_uncompressed();
    MoveTold::KeyMade {
        x: base64url::encode(&point[1..33]),
        y: base64url::encode(&point[33..]),
        attestation: None,
    }
}

fn waiting() -> MoveTold {
    answer(200, &json!({"state": "waiting"}))
}

fn accepted() -> MoveTold {
    answer(
        200,
        &json!({"ticket": "ticket", "number": "42", "expires_at": NOW + 300, "findings": []}),
    )
}

fn plays() -> Vec<Play> {
    use MoveTold::{Decline, End, Look};
    let key = SoftwareKey::generate("idp").unwrap();
    let stranger = SoftwareKey::generate("idp").unwrap();
    let keys = || {
        let set = JwkSet {
            keys: vec![key.jwk(KeyUse::Signature)],
        };
        answer(200, &set.to_value())
    };
    let good = challenge_of(&key, ISSUER, Purpose::Move);
    let comparing = || vec![offered(), Look, asked(&good), keys()];
    let then = |more: Vec<MoveTold>| at(comparing().into_iter().chain(more));
    let wrong = |challenge: String| at([offered(), Look, asked(&challenge), keys()]);
    let malformed = |body: Value| at([answer(200, &body)]);
    let mut late = then(vec![]);
    late[3].0 = NOW + 191;
    vec![
        play(
            "the old phone shows a code, waits, compares and approves",
            out(false),
            at([
                offered(),
                Look,
                answer(200, &json!({"state": "open"})),
                Look,
                asked(&good),
                keys(),
                number("42"),
                signed(),
                bound(),
            ]),
        ),
        play(
            "a passkey approves",
            out(true),
            then(vec![number("42"), signed(), Decline, number("42"), passkey(), bound()]),
        ),
        play(
            "a number that is none is not sent, a key that stays locked can be tried again",
            out(false),
            then(vec![
                number(""),
                number("4"),
                number("4a"),
                number("٤٢"),
                number("42"),
                Decline,
                number("43"),
                signed(),
                bound(),
            ]),
        ),
        play(
            "a signature that is none",
            out(false),
            then(vec![
                number("42"),
                MoveTold::Signed {
                    signature: "AA".to_owned(),
                },
                number("42"),
                signed(),
                bound(),
            ]),
        ),
        play(
            "a wrong number is over",
            out(false),
            then(vec![number("41"), signed(), refused("number-wrong"), Look]),
        ),
        play(
            "a challenge that grew old is fetched anew",
            out(false),
            then(vec![
                number("42"),
                signed(),
                refused("device-clock"),
                Look,
                asked(&good),
                keys(),
                number("42"),
                signed(),
                bound(),
            ]),
        ),
        play(
            "she says no before and after a phone asks",
            out(false),
            at([offered(), End { why: EndWhy::Declined }, answer(200, &json!({}))]),
        ),
        play(
            "somebody is on the phone with her",
            out(false),
            then(vec![End { why: EndWhy::PhoneCall }, answer(200, &json!({}))]),
        ),
        play(
            "not her phone, and the answer is lost",
            out(false),
            then(vec![
                End { why: EndWhy::NotMe },
                refused("unavailable"),
                End { why: EndWhy::NotMe },
            ]),
        ),
        play(
            "the move was ended elsewhere",
            out(false),
            at([offered(), Look, refused("move-over")]),
        ),
        play(
            "an old phone that is refused",
            out(false),
            at([refused("card-login-needed"), offered()]),
        ),
        play(
            "a challenge for a login approves no move",
            out(false),
            wrong(challenge_of(&key, ISSUER, Purpose::Account)),
        ),
        play(
            "another insurer's challenge",
            out(false),
            wrong(challenge_of(&key, "https://other.example", Purpose::Move)),
        ),
        play(
            "a stranger's challenge",
            out(false),
            wrong(challenge_of(&stranger, ISSUER, Purpose::Move)),
        ),
        play("a challenge too old", out(false), late),
        play(
            "an answer of another shape",
            out(false),
            malformed(json!({"offer": "offer"})),
        ),
        play(
            "a state that is the other phone's",
            out(false),
            at([offered(), Look, waiting()]),
        ),
        play(
            "out of order on the old phone",
            out(false),
            at([Look, number("42"), signed(), offered(), signed(), bound()]),
        ),
        play(
            "the new phone makes a key, shows the number and is bound",
            into(None),
            at([key_made(), signed(), accepted(), Look, waiting(), Look, bound()]),
        ),
        play(
            "a marked phone",
            into(Some("mark")),
            at([key_made(), signed(), accepted()]),
        ),
        play(
            "a new phone that came second",
            into(None),
            at([key_made(), signed(), refused("move-over"), Look]),
        ),
        play(
            "a new phone that is turned away",
            into(None),
            at([key_made(), signed(), accepted(), Look, refused("aborted")]),
        ),
        play(
            "a new phone without network looks again",
            into(None),
            at([
                key_made(),
                signed(),
                accepted(),
                Look,
                refused("unavailable"),
                Look,
                bound(),
            ]),
        ),
        play(
            "a key that is no point",
            into(None),
            at([
                MoveTold::KeyMade {
                    x: "AA".to_owned(),
                    y: "AA".to_owned(),
                    attestation: None,
                },
                key_made(),
            ]),
        ),
        play(
            "out of order on the new phone",
            into(None),
            at([
                Look,
                number("42"),
                key_made(),
                Look,
                signed(),
                accepted(),
                signed(),
                bound(),
            ]),
        ),
        play(
            "a state that is the old phone's",
            into(None),
            at([
                key_made(),
                signed(),
                accepted(),
                Look,
                answer(200, &json!({"state": "open"})),
            ]),
        ),
        play(
            "an acceptance of another shape",
            into(None),
            at([key_made(), signed(), answer(200, &json!({"ticket": "ticket"}))]),
        ),
    ]
}
