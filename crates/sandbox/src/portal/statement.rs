//! `/statement`: a participant's entity statement, taken apart, with its chain to the Federation Master.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use federation::chain::{ChainRequest, FetchedStatement, resolve};
use federation::{EntityId, EntityType, Schemes, statement};
use jose::{json, jws};
use serde_json::Value;

use super::frame::{Frame, page};
use super::{Portal, Shared, problem};

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage<'a> {
    frame: &'a Frame,
    entity_id: &'a str,
    raw: String,
    missing: Option<String>,
    findings: Vec<String>,
    steps: Vec<String>,
    broken: Option<String>,
    header: String,
    body: String,
}

/// `GET /statement?entity_id=…`.
pub(super) async fn show(State(portal): Shared, frame: Frame) -> Response {
    // Only participants: the page is no way to fetch whatever somebody names.
    let known = frame
        .query("entity_id")
        .and_then(|text| EntityId::parse(text, Schemes::HttpsOnly).ok())
        .filter(|entity_id| entity_id == portal.master.entity_id() || portal.master.participant(entity_id).is_some());
    let Some(entity_id) = known else {
        return problem::not_found(frame);
    };
    let mut shown = StatementPage {
        frame: &frame,
        entity_id: entity_id.as_str(),
        raw: entity_id.well_known_url(),
        missing: None,
        findings: Vec::new(),
        steps: Vec::new(),
        broken: None,
        header: String::new(),
        body: String::new(),
    };
    let participant = portal.master.participant(&entity_id);
    shown.findings = participant
        .iter()
        .flat_map(|participant| &participant.findings)
        .map(ToString::to_string)
        .collect();
    match fetch(&portal, &entity_id).await {
        Err(reason) => shown.missing = Some(reason),
        Ok(compact) => {
            (shown.header, shown.body) = take_apart(&compact);
            match chain(&portal, &entity_id, compact) {
                Ok(steps) => shown.steps = steps,
                Err(reason) => shown.broken = Some(reason),
            }
        }
    }
    page(StatusCode::OK, &frame, &shown)
}

/// The statement an entity serves about itself.
pub(super) async fn fetch(portal: &Portal, entity_id: &EntityId) -> Result<String, String> {
    let url = entity_id.well_known_url();
    let fetched = portal
        .fetch
        .fetch(&url, statement::MEDIA_TYPE)
        .await
        .map_err(|error| error.to_string())?;
    if fetched.status != 200 {
        return Err(format!("HTTP status {}", fetched.status));
    }
    Ok(String::from_utf8_lossy(&fetched.body).trim().to_owned())
}

fn take_apart(compact: &str) -> (String, String) {
    let pretty = |bytes: &[u8]| match json::parse(bytes, &statement::LIMITS) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    let header = compact
        .split('.')
        .next()
        .and_then(|part| jose::base64url::decode(part).ok())
        .map_or_else(|| "-".to_owned(), |bytes| pretty(&bytes));
    match jws::parse(compact, &statement::LIMITS) {
        Ok(parsed) => (header, pretty(parsed.unverified_payload())),
        Err(error) => (header, error.to_string()),
    }
}

fn chain(portal: &Portal, entity_id: &EntityId, compact: String) -> Result<Vec<String>, String> {
    let now = (portal.clock)();
    let master = portal.master.entity_id();
    if entity_id == master {
        portal
            .anchor
            .verify_configuration(&compact, now)
            .map_err(|error| error.to_string())?;
        let kid = statement::parse(&compact)
            .map(|statement| statement.kid().to_owned())
            .unwrap_or_default();
        return Ok(vec![
            format!("read the own statement of {master} from {}", master.well_known_url()),
            format!("the own statement of {master} is signed with key {kid:?}, which is pinned as trust anchor"),
        ]);
    }
    let about = portal
        .master
        .fetch(Some(master.as_str()), Some(entity_id.as_str()), None, now)
        .map_err(|refusal| format!("the Federation Master refuses a statement about it: {}", refusal.code()))?;
    let own = portal
        .master
        .own_statement(now)
        .map_err(|refusal| refusal.code().to_string())?;
    let fetch_url = format!("{}?iss={master}&sub={entity_id}", portal.master.endpoints().fetch);
    let entity_type = if own_role(&compact) {
        EntityType::OpenIdProvider
    } else {
        EntityType::OpenIdRelyingParty
    };
    let statements = [
        FetchedStatement::new(entity_id.well_known_url(), compact),
        FetchedStatement::new(fetch_url, about),
        FetchedStatement::new(master.well_known_url(), own),
    ];
    let resolved = resolve(
        &ChainRequest::new(entity_id, entity_type),
        &statements,
        std::slice::from_ref(&portal.anchor),
        now,
    )
    .map_err(|error| error.to_string())?;
    Ok(resolved.explain().iter().map(ToString::to_string).collect())
}

/// Whether a statement says it is an identity provider's.
fn own_role(compact: &str) -> bool {
    let Ok(parsed) = jws::parse(compact, &statement::LIMITS) else {
        return false;
    };
    json::parse(parsed.unverified_payload(), &statement::LIMITS).is_ok_and(|claims| {
        claims
            .pointer("/metadata/openid_provider")
            .is_some_and(Value::is_object)
    })
}
