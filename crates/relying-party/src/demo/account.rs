//! What a person who is logged in sees: what she released, and why it was believed.

use std::sync::Arc;

use askama::Template;
use authenticator::Acr;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use jose::UnixTime;
use serde_json::Value;

use super::App;
use super::browser::Visit;
use super::evidence::Judged;
use super::pages::Frame;
use super::problem::{Kind, Problem};
use super::sessions::Person;
use super::texts::{claim_value, level, method};
use crate::explain::{Explanation, Standing, claim_label, moment, render};
use crate::language::Language;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame<'a>,
    name: Option<&'a str>,
    provider: &'a str,
    content_title: &'a str,
    content: &'a str,
    released: Vec<Row<'a>>,
    withheld: Vec<(&'a str, &'a str)>,
    level: String,
    methods: String,
    at_time: Option<String>,
    subject: &'a str,
}

struct Row<'a> {
    label: &'a str,
    wire_name: &'a str,
    value: String,
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenPage<'a> {
    frame: Frame<'a>,
    account: String,
    judged: Option<Judged>,
}

/// `GET /account`
pub(super) async fn account(State(app): State<Arc<App>>, visit: Visit) -> Response {
    let Some(person) = app.person(&visit) else {
        return Redirect::to("/").into_response();
    };
    let language = visit.language;
    let personality = &app.personality;
    let page = AccountPage {
        frame: Frame::of(&app, &visit),
        name: name(&person.account),
        provider: &person.account.provider_name,
        content_title: personality.content_title.get(language),
        content: personality.content.get(language),
        released: released(&person.account, language),
        withheld: withheld(&person.account, language),
        level: person
            .account
            .text("acr")
            .and_then(Acr::parse)
            .map_or("", |acr| level(acr, language))
            .to_owned(),
        methods: methods(&person.account, language),
        at_time: person
            .account
            .time("auth_time")
            .or(person.account.time("iat"))
            .map(moment),
        subject: &person.subject,
    };
    app.page(&visit, StatusCode::OK, &page)
}

/// `GET /token`
pub(super) async fn token(State(app): State<Arc<App>>, visit: Visit) -> Response {
    match app.person(&visit) {
        Some(person) => {
            let judged = match app.evidence.get() {
                Some(check) => Some(check.of(person.account.issuer.as_str(), (app.clock)()).await),
                None => None,
            };
            let page = TokenPage {
                frame: Frame::of(&app, &visit),
                account: render(&person.account, visit.language),
                judged,
            };
            app.page(&visit, StatusCode::OK, &page)
        }
        None => Redirect::to("/").into_response(),
    }
}

/// `POST /logout`
pub(super) async fn logout(State(app): State<Arc<App>>, visit: Visit, headers: HeaderMap) -> Response {
    if !app.is_own_form(&headers) {
        return app.problem(&visit, Problem::of(Kind::ForeignForm));
    }
    if let Some(key) = &visit.session {
        app.sessions.end(key, (app.clock)());
    }
    let mut response = Redirect::to("/").into_response();
    if let Some(cookie) = app.no_session_cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl App {
    fn person(&self, visit: &Visit) -> Option<Arc<Person>> {
        self.sessions.person(visit.session.as_deref()?, (self.clock)())
    }
}

impl Explanation {
    fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.value.as_ref()?.as_str()
    }

    fn time(&self, name: &str) -> Option<UnixTime> {
        self.claim(name)?.value.as_ref()?.as_u64().map(UnixTime)
    }
}

fn name(account: &Explanation) -> Option<&str> {
    ["urn:telematik:claims:display_name", "urn:telematik:claims:given_name"]
        .into_iter()
        .find_map(|claim| account.text(claim))
}

fn released(account: &Explanation, language: Language) -> Vec<Row<'_>> {
    account
        .claims
        .iter()
        .filter(|claim| claim.standing != Standing::Protocol)
        .filter_map(|claim| {
            let value = claim_value(&claim.name, claim.value.as_ref()?, language);
            Some(Row {
                label: claim_label(&claim.name, language),
                wire_name: &claim.name,
                value,
            })
        })
        .collect()
}

fn withheld(account: &Explanation, language: Language) -> Vec<(&str, &str)> {
    account
        .claims
        .iter()
        .filter(|claim| claim.value.is_none())
        .map(|claim| (claim_label(&claim.name, language), claim.name.as_str()))
        .collect()
}

fn methods(account: &Explanation, language: Language) -> String {
    let value = account.claim("amr").and_then(|claim| claim.value.as_ref());
    let names: Vec<&str> = match value {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names
        .into_iter()
        .map(|name| method(name, language))
        .collect::<Vec<_>>()
        .join(", ")
}
