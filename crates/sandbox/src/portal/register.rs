//! `/register`: a service of one's own joins the federation.
//!
//! What the form leaves empty is taken from the service's own statement. Believing that unseen is right in a sandbox only; in the TI the keys
//! come by another way (registration form, digest 3.7).

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use federation::{EntityId, Schemes, statement};
use fedmaster::registration::{ParticipantType, RegistrationForm};
use fedmaster::{Finding, RegisterError};
use jose::json;
use jose::jwk::JwkSet;

use super::frame::{Form, Frame, is_own_form, page};
use super::start::statement_link;
use super::{Portal, Shared, problem};

#[derive(Default)]
struct Fields {
    entity_id: String,
    name: String,
    redirect_uris: String,
    scopes: String,
    keys: String,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    frame: &'a Frame,
    form: &'a Fields,
    unreadable: Option<String>,
    findings: Vec<Finding>,
}

#[derive(Template)]
#[template(path = "registered.html")]
struct RegisteredPage<'a> {
    frame: &'a Frame,
    name: &'a str,
    entity_id: &'a str,
    findings: Vec<Finding>,
    link: String,
}

/// Why there is no form to hand in.
struct Unreadable(String);

/// `GET /register`.
pub(super) async fn show(frame: Frame) -> Response {
    let form = Fields::default();
    let shown = RegisterPage {
        frame: &frame,
        form: &form,
        unreadable: None,
        findings: Vec::new(),
    };
    page(StatusCode::OK, &frame, &shown)
}

/// `POST /register`.
pub(super) async fn register(State(portal): Shared, frame: Frame, headers: HeaderMap, body: Bytes) -> Response {
    if !is_own_form(&headers, &portal.addresses.portal) {
        return problem::foreign_form(frame);
    }
    let sent = Form::parse(&body);
    let form = Fields {
        entity_id: sent.value("entity_id").trim().trim_end_matches('/').to_owned(),
        name: sent.value("name").trim().to_owned(),
        redirect_uris: sent.value("redirect_uris").to_owned(),
        scopes: sent.value("scopes").to_owned(),
        keys: sent.value("keys").trim().to_owned(),
    };
    let (unreadable, findings) = match complete(&portal, &form).await {
        Err(Unreadable(reason)) => (Some(reason), Vec::new()),
        Ok(registration) => match take_in(&portal, registration).await {
            Ok(response) => return done(&frame, &response),
            Err(RegisterError::Refused(findings)) => (None, findings),
            Err(error @ RegisterError::Registry(_)) => return problem::internal(&frame, &error),
        },
    };
    let shown = RegisterPage {
        frame: &frame,
        form: &form,
        unreadable,
        findings,
    };
    page(StatusCode::UNPROCESSABLE_ENTITY, &frame, &shown)
}

/// The form with what its statement says where it is silent.
async fn complete(portal: &Portal, form: &Fields) -> Result<RegistrationForm, Unreadable> {
    let unreadable = |what: &str, error: &dyn std::fmt::Display| Unreadable(format!("{what}: {error}"));
    let entity_id =
        EntityId::parse(&form.entity_id, Schemes::HttpsOnly).map_err(|error| unreadable("entity_id", &error))?;
    let lines: Vec<String> = words(&form.redirect_uris, char::is_whitespace);
    let scopes: Vec<String> = words(&form.scopes, char::is_whitespace);
    let needs_statement = form.keys.is_empty() || form.name.is_empty() || lines.is_empty() || scopes.is_empty();
    let own = if needs_statement {
        let compact = super::statement::fetch(portal, &entity_id)
            .await
            .map_err(|error| unreadable(&entity_id.well_known_url(), &error))?;
        let parsed = statement::parse(&compact).map_err(|error| unreadable(&entity_id.well_known_url(), &error))?;
        Some(parsed.unverified_claims().clone())
    } else {
        None
    };
    let role = own.as_ref().and_then(|own| own.metadata_of("openid_relying_party"));
    let member = |name: &str| role.and_then(|role| role.get(name));
    let mut registration = RegistrationForm::new(
        entity_id.as_str(),
        ParticipantType::RelyingParty,
        if form.name.is_empty() {
            let entity = own.as_ref().and_then(|own| own.metadata_of("federation_entity"));
            let name = entity
                .and_then(|entity| entity.get("organization_name"))
                .or(member("client_name"));
            name.and_then(|name| name.as_str()).unwrap_or_default().to_owned()
        } else {
            form.name.clone()
        },
    );
    registration.keys = if form.keys.is_empty() {
        own.as_ref().map(|own| own.jwks.clone())
    } else {
        Some(JwkSet::parse(form.keys.as_bytes(), &json::DEFAULT).map_err(|error| unreadable("keys", &error))?)
    };
    registration.redirect_uris = Some(if lines.is_empty() {
        let uris = member("redirect_uris")
            .and_then(|uris| uris.as_array())
            .into_iter()
            .flatten();
        uris.filter_map(|uri| uri.as_str().map(str::to_owned)).collect()
    } else {
        lines
    });
    registration.scopes = Some(if scopes.is_empty() {
        words(
            member("scope").and_then(|scope| scope.as_str()).unwrap_or("openid"),
            char::is_whitespace,
        )
    } else {
        scopes
    });
    Ok(registration)
}

fn words(text: &str, separator: fn(char) -> bool) -> Vec<String> {
    text.split(separator)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

struct Done {
    name: String,
    entity_id: String,
    findings: Vec<Finding>,
}

/// Registers, then fetches and checks at once, so that the author sees now what would be seen in a minute.
async fn take_in(portal: &Portal, form: RegistrationForm) -> Result<Done, RegisterError> {
    let (name, entity_id) = (form.organization_name.clone(), form.entity_id.clone());
    let master = portal.master.clone();
    // Registering waits for the disk.
    let outcome = tokio::task::spawn_blocking(move || master.register(form)).await;
    outcome.unwrap_or_else(|_| Err(RegisterError::Refused(Vec::new())))?;
    let mut findings = Vec::new();
    if let Ok(id) = EntityId::parse(&entity_id, Schemes::HttpsOnly)
        && let Some(participant) = portal.master.synchronise(&id).await?
    {
        findings = participant.findings;
    }
    Ok(Done {
        name,
        entity_id,
        findings,
    })
}

fn done(frame: &Frame, done: &Done) -> Response {
    let shown = RegisteredPage {
        frame,
        name: &done.name,
        entity_id: &done.entity_id,
        findings: done.findings.clone(),
        link: statement_link(&done.entity_id),
    };
    page(StatusCode::OK, frame, &shown)
}
