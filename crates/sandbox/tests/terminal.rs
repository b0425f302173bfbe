//! The card terminal, as a web wallet on an insurer's page meets it.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{run, sandbox};
use sandbox::insurers::Insurer;
use sandbox::people::PEOPLE;
use serde_json::{Value, json};
use transport::{AddressRule, HttpClient, HttpResponse};
use url::Url;
use wallet::flow::{Login, Method, Told, Want};

fn client() -> HttpClient {
    let builder = HttpClient::builder(sandbox().roots(), AddressRule::LoopbackAllowed);
    builder.build().unwrap()
}

fn terminal(what: &str) -> String {
    format!("{}/terminal/{what}", sandbox().description().card_terminal)
}

/// The origin of the insurers' pages.
fn wallet_origin() -> String {
    let pages = &sandbox().addresses().insurer(Insurer::Leuchtturm).pages;
    Url::parse(pages).unwrap().origin().ascii_serialization()
}

async fn post(what: &str, body: &Value) -> HttpResponse {
    let headers = [("origin", wallet_origin())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    client().post_json(&terminal(what), body, &headers).await.unwrap()
}

async fn cards() -> Vec<Value> {
    let answer = client().get(&terminal("cards"), &[]).await.unwrap();
    answer.json::<Value>().unwrap()["cards"].as_array().unwrap().clone()
}

async fn tries_left(id: &str) -> Value {
    let cards = cards().await;
    cards.iter().find(|card| card["id"] == id).unwrap()["tries_left"].clone()
}

/// Does what the login wants, the card's part at the terminal, until it wants something else.
async fn drive(login: &mut Login, mut want: Want, word: &str, pin: &str) -> Want {
    loop {
        let told = match want {
            Want::Send(request) => {
                let answer = match request.method {
                    Method::Get => client().get(&request.url, &[]).await.unwrap(),
                    Method::Post => {
                        let body = request.body.unwrap();
                        client().post_json(&request.url, &body, &[]).await.unwrap()
                    }
                };
                Told::Answer {
                    status: answer.status,
                    body: answer.text(),
                }
            }
            Want::Choose(_) => Told::WithCard,
            Want::SignWithCard { challenge } => {
                let body = json!({ "card": word, "pin": pin, "challenge": challenge });
                let answer = post("sign", &body).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let response = answer.json::<Value>().unwrap()["response"].as_str().unwrap().to_owned();
                Told::CardAnswered { response }
            }
            want => return want,
        };
        want = login.tell(told, sandbox().now()).unwrap();
    }
}

#[test]
fn a_wallet_logs_in_with_a_card_at_the_terminal() {
    run(async {
        let issuer = &sandbox().addresses().insurer(Insurer::Leuchtturm).issuer;
        let (mut login, want) = Login::account(issuer);
        let want = drive(&mut login, want, "lena", "123456").await;
        assert!(matches!(want, Want::Decide(_)), "{want:?}");
        assert!(login.sealed().is_some());
    });
}

#[test]
fn every_card_is_listed_in_the_language_asked_for() {
    run(async {
        for (language, words) in [("de", "Karte von Musterkasse"), ("en", "Card by Musterkasse")] {
            let answer = client()
                .get(&terminal(&format!("cards?lang={language}")), &[])
                .await
                .unwrap();
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let answer: Value = answer.json().unwrap();
            let cards = answer["cards"].as_array().unwrap();
            assert_eq!(cards.len(), PEOPLE.len());
            assert_eq!(cards[0]["id"], "lena");
            assert_eq!(cards[0]["insurer"], "Musterkasse Leuchtturm");
            assert_eq!(cards[0]["pin_hint"], "123456");
            assert!(cards[0]["issued_by_text"].as_str().unwrap().starts_with(words));
        }
    });
}

#[test]
fn wrong_pins_are_counted_and_the_third_blocks_until_the_puk() {
    run(async {
        let sign = |pin: &'static str| json!({ "card": "otto", "pin": pin, "challenge": "a.b.c" });
        for (pin, reason, left) in [
            ("12", "pin-malformed", 3),
            ("00000000", "pin-wrong", 2),
            ("00000000", "pin-wrong", 1),
            ("12345", "pin-malformed", 1),
            ("00000000", "pin-blocked", 0),
            ("19390700", "pin-blocked", 0),
        ] {
            let answer = post("sign", &sign(pin)).await;
            assert_eq!(answer.status, 403);
            let expected = json!({ "reason": reason, "tries_left": left });
            assert_eq!(answer.json::<Value>().unwrap(), expected, "{pin}");
            assert!(!answer.text().contains("response"));
        }
        for (puk, reason) in [("00000000", "puk-wrong"), ("1", "puk-malformed")] {
            let answer = post("unblock", &json!({ "card": "otto", "puk": puk })).await;
            assert_eq!(
                (answer.status, answer.json::<Value>().unwrap()["reason"].as_str()),
                (403, Some(reason))
            );
        }
        assert_eq!(tries_left("otto").await, 0);
        let answer = post("unblock", &json!({ "card": "otto", "puk": "12345678" })).await;
        assert_eq!(answer.json::<Value>().unwrap(), json!({ "tries_left": 3 }));
        assert_eq!(post("sign", &sign("19390700")).await.status, 200);
    });
}

#[test]
fn pages_of_others_are_refused_before_they_cost_a_try() {
    run(async {
        let body = json!({ "card": "ada", "pin": "000000", "challenge": "a.b.c" });
        let service = Url::parse(&sandbox().addresses().record.pages).unwrap();
        let service = service.origin().ascii_serialization();
        for headers in [
            [("origin", "https://somebody.example"), ("sec-fetch-site", "cross-site")],
            [("origin", service.as_str()), ("sec-fetch-site", "same-site")],
            [("origin", "null"), ("sec-fetch-site", "same-origin")],
            [("accept", "*/*"), ("sec-fetch-site", "same-site")],
        ] {
            let answer = client().post_json(&terminal("sign"), &body, &headers).await.unwrap();
            assert_eq!(answer.status, 403);
            assert_eq!(answer.json::<Value>().unwrap(), json!({ "reason": "origin-refused" }));
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        assert_eq!(tries_left("ada").await, 3);
    });
}

#[test]
fn a_page_of_the_insurer_may_ask_and_read_but_never_with_cookies() {
    run(async {
        let origin = wallet_origin();
        let preflight = [
            ("origin", origin.as_str()),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        for what in ["cards", "sign", "unblock"] {
            let answer = client()
                .send(
                    axum::http::Method::OPTIONS,
                    &terminal(what),
                    &preflight,
                    axum::body::Bytes::new(),
                )
                .await
                .unwrap();
            assert_eq!(answer.status, 204, "{what}");
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin.as_str()));
            assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            assert_eq!(answer.header("vary"), Some("origin"));
            let foreign = [("origin", "https://somebody.example")];
            let answer = client()
                .send(
                    axum::http::Method::OPTIONS,
                    &terminal(what),
                    &foreign,
                    axum::body::Bytes::new(),
                )
                .await
                .unwrap();
            assert_eq!(answer.status, 403, "{what}");
            assert_eq!(answer.header("access-control-allow-methods"), None);
        }
        // A refusal has to be readable, too.
        let answer = post("sign", &json!({})).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin.as_str()));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    });
}

#[test]
fn what_is_no_request_is_refused_with_its_reason() {
    run(async {
        let long = format!("a.{}.c", "b".repeat(8192));
        for (what, body, status, reason) in [
            ("sign", json!({}), 400, "malformed"),
            ("sign", json!([]), 400, "malformed"),
            (
                "sign",
                json!({ "card": "kim", "pin": 123456, "challenge": "a.b.c" }),
                400,
                "malformed",
            ),
            (
                "sign",
                json!({ "card": "kim", "pin": "000000", "challenge": "abc" }),
                400,
                "malformed",
            ),
            (
                "sign",
                json!({ "card": "kim", "pin": "000000", "challenge": long }),
                400,
                "malformed",
            ),
            (
                "sign",
                json!({ "card": "kim", "pin": "000000", "challenge": "a.b.c", "more": 1 }),
                400,
                "malformed",
            ),
            (
                "sign",
                json!({ "card": "nobody", "pin": "123456", "challenge": "a.b.c" }),
                404,
                "card-unknown",
            ),
            ("unblock", json!({ "card": "nobody" }), 404, "card-unknown"),
            ("unblock", json!({ "puk": "12345678" }), 400, "malformed"),
        ] {
            let answer = post(what, &body).await;
            assert_eq!(answer.status, status, "{body}");
            assert_eq!(answer.json::<Value>().unwrap()["reason"], reason, "{body}");
        }
        // A form needs no preflight, so a form is not read. The PIN in an address would stand in logs.
        let fields = [("card", "kim"), ("pin", "000000"), ("challenge", "a.b.c")];
        let form = client().post_form(&terminal("sign"), &fields, &[]).await.unwrap();
        assert_eq!(form.status, 400);
        let get = client()
            .get(&terminal("sign?card=kim&pin=000000&challenge=a.b.c"), &[])
            .await
            .unwrap();
        assert_eq!(get.status, 404);
        assert_eq!(tries_left("kim").await, 3);
    });
}
