//! Plays of logins: good ones, those begun elsewhere, those broken off, and what is refused.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use authenticator::Reason;
use authenticator::challenge::{self, Challenge, Purpose};
use jose::UnixTime;
use serde_json::{Value, json};

use super::super::{AbortWhy, DeviceRecord, Told};
use super::provider::{
    Recorder, answer, approve, at, card, good_address, known, open, record, refusal, refused, signature,
};
use super::{Begin, ISSUER, NOW, Play, SERVICE, play};

impl Recorder {
    pub(super) fn plays(&self) -> Vec<Play> {
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
