//! Choosing an insurer, going there, coming back.

use std::sync::Arc;

use askama::Template;
use authenticator::{Acr, Amr};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use federation::idp_list::IdpEntry;
use http::{HeaderMap, StatusCode, header};
use oidc::form::Form;
use url::Url;

use super::App;
use super::browser::Visit;
use super::pages::Frame;
use super::problem::{Kind, Problem};
use super::sessions::Person;
use super::texts::{self, Texts};
use crate::client::{LoginOptions, LoginStart};
use crate::explain::explain;
use crate::language::Language;

/// Most insurers shown at once; with more, the page has a search.
pub const MAX_SHOWN_INSURERS: usize = 30;
/// Longest `state` looked up.
pub const MAX_STATE_CHARACTERS: usize = 128;
/// Longest search text, in characters.
const MAX_SEARCH_CHARACTERS: usize = 100;
/// Before the name of a check box for a scope.
const SCOPE_PREFIX: &str = "scope:";

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    frame: Frame<'a>,
    purpose: &'a str,
    is_logged_in: bool,
    list_failed: bool,
    insurers: Vec<Insurer>,
    has_search: bool,
    search: String,
    more: usize,
    levels: Vec<(&'static str, String)>,
    methods: Vec<(&'static str, String)>,
    scopes: &'a [String],
}

struct Insurer {
    issuer: String,
    name: String,
    kind: &'static str,
    logo: String,
}

#[derive(Template)]
#[template(path = "forward.html")]
struct ForwardPage<'a> {
    frame: Frame<'a>,
    url: &'a str,
}

/// `GET /`
pub(super) async fn start(State(app): State<Arc<App>>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let now = (app.clock)();
    let form = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let search: String = form
        .value("q")
        .unwrap_or_default()
        .trim()
        .chars()
        .take(MAX_SEARCH_CHARACTERS)
        .collect();
    let list = app.party.identity_providers(now).await;
    if let Err(error) = &list {
        tracing::warn!(event = "service.idp_list_unreachable", service = %app.personality.id, reason = %error);
    }
    let entries = list.as_ref().map_or(&[][..], |list| list.entries());
    let wanted = search.to_lowercase();
    let found: Vec<&IdpEntry> = entries
        .iter()
        .filter(|entry| entry.organization_name.to_lowercase().contains(&wanted))
        .collect();
    let t = Texts::of(visit.language);
    let page = StartPage {
        frame: Frame::of(&app, &visit),
        purpose: app.personality.purpose.get(visit.language),
        is_logged_in: visit
            .session
            .as_deref()
            .is_some_and(|key| app.sessions.person(key, now).is_some()),
        list_failed: list.is_err(),
        insurers: found
            .iter()
            .take(MAX_SHOWN_INSURERS)
            .map(|entry| Insurer::of(entry, t))
            .collect(),
        has_search: entries.len() > MAX_SHOWN_INSURERS,
        search,
        more: found.len().saturating_sub(MAX_SHOWN_INSURERS),
        levels: levels(app.personality.acr, visit.language),
        methods: methods(visit.language),
        scopes: &app.personality.scopes,
    };
    app.page(&visit, StatusCode::OK, &page)
}

impl Insurer {
    fn of(entry: &IdpEntry, t: &Texts) -> Self {
        let issuer = entry.iss.as_str();
        let address = "/logo?";
        let mut query = url::form_urlencoded::Serializer::for_suffix(address.to_owned(), address.len());
        Self {
            issuer: issuer.to_owned(),
            name: entry.organization_name.clone(),
            kind: if entry.pkv { t.private } else { t.statutory },
            logo: query.append_pair("idp", issuer).finish(),
        }
    }
}

/// The personality's own level first.
fn levels(own: Acr, language: Language) -> Vec<(&'static str, String)> {
    let mut levels = Acr::ALL;
    levels.sort_by_key(|level| *level != own);
    levels
        .map(|level| {
            (
                level.as_str(),
                format!("{} ({})", texts::level(level, language), level.as_str()),
            )
        })
        .to_vec()
}

fn methods(language: Language) -> Vec<(&'static str, String)> {
    [Amr::HealthCard, Amr::IdentityCard, Amr::GuestHealthCard, Amr::Other]
        .map(|method| (method.as_str(), texts::method(method.as_str(), language)))
        .to_vec()
}

/// `POST /login`
pub(super) async fn login(State(app): State<Arc<App>>, visit: Visit, headers: HeaderMap, body: Bytes) -> Response {
    let now = (app.clock)();
    if !app.is_own_form(&headers) {
        return app.problem(&visit, Problem::of(Kind::ForeignForm));
    }
    let form = match Form::parse(&body) {
        Ok(form) => form,
        Err(error) => return app.problem(&visit, Problem::with(Kind::MalformedForm, error)),
    };
    let Some(issuer) = form.value("idp") else {
        return app.problem(&visit, Problem::of(Kind::NoInsurer));
    };
    let login = match app.party.begin_login(issuer, &app.options(&form), now).await {
        Ok(login) => login,
        Err(error) => return app.problem(&visit, error.into()),
    };
    let LoginStart {
        authorization_url,
        session,
        ..
    } = login;
    match app.sessions.begin(visit.session.as_deref(), session, now) {
        Ok(key) => app.with_session(app.forward(&visit, &authorization_url), &key),
        Err(error) => app.problem(&visit, Problem::with(Kind::Internal, error)),
    }
}

/// `GET /return`: the provider sent the browser back.
pub(super) async fn callback(State(app): State<Arc<App>>, visit: Visit, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    match app.log_in(&visit, &query).await {
        Ok(key) => app.with_session(Redirect::to("/account").into_response(), &key),
        Err(problem) => app.problem(&visit, problem),
    }
}

impl App {
    /// What the form asks for, on top of what the personality always asks for.
    fn options(&self, form: &Form) -> LoginOptions {
        let personality = &self.personality;
        let acr = form.value("level").and_then(Acr::parse).unwrap_or(personality.acr);
        let scopes = match form.value("scopes-chosen") {
            None => personality.scopes.clone(),
            Some(_) => {
                let ticked: Vec<&str> = form.names_with_prefix(SCOPE_PREFIX).collect();
                let is_asked = |scope: &&String| *scope == "openid" || ticked.contains(&scope.as_str());
                personality.scopes.iter().filter(is_asked).cloned().collect()
            }
        };
        let fresh = form.value("fresh").map(|_| "login");
        let consent = form.value("consent").map(|_| "consent");
        let prompt: Vec<&str> = fresh.into_iter().chain(consent).collect();
        LoginOptions {
            acr,
            level_rule: personality.level_rule,
            amr: form
                .value("method")
                .and_then(Amr::parse)
                .map(|method| method.as_str().to_owned()),
            claims: personality.claims(&scopes, acr),
            scopes: Some(scopes),
            prompt: (!prompt.is_empty()).then(|| prompt.join(" ")),
            max_age_seconds: fresh.map(|_| 0),
            redirect_uri: None,
        }
    }

    /// On to the provider: at once where the content security policy admits it, with a link otherwise.
    fn forward(&self, visit: &Visit, url: &str) -> Response {
        let origin = Url::parse(url)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default();
        if self.login_origins.contains(&origin) {
            return (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response();
        }
        self.page(
            visit,
            StatusCode::OK,
            &ForwardPage {
                frame: Frame::of(self, visit),
                url,
            },
        )
    }

    /// Finds the login in this browser's session, redeems the code, begins the person's session.
    async fn log_in(&self, visit: &Visit, query: &str) -> Result<String, Problem> {
        let now = (self.clock)();
        let lost = || Problem::of(Kind::LoginLost);
        let key = visit.session.as_deref().ok_or_else(lost)?;
        let form = Form::parse(query.as_bytes()).map_err(|error| Problem::with(Kind::LoginLost, error))?;
        let state = form
            .value("state")
            .filter(|state| state.len() <= MAX_STATE_CHARACTERS)
            .ok_or_else(lost)?;
        let login = self.sessions.take(key, state, now).ok_or_else(lost)?;
        let code = login.read_callback(query)?;
        let token = self.party.redeem(login, code, now).await?;
        tracing::info!(event = "service.logged_in", service = %self.personality.id, issuer = %token.issuer());
        let person = Person {
            account: explain(&token),
            subject: token.subject().to_owned(),
        };
        self.sessions
            .log_in(key, person, now)
            .map_err(|error| Problem::with(Kind::Internal, error))
    }

    fn with_session(&self, mut response: Response, key: &str) -> Response {
        if let Some(cookie) = self.session_cookie(key) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}
