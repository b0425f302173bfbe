//! Registration over HTTP, for sandboxes: register or replace, read, check now, delete.
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /registration` with a [`RegistrationForm`] | 201 created or 200 replaced, the participant with findings |
//! | `GET /registration` | all participants |
//! | `GET /registration?entity_id=…` | one participant, or 404 |
//! | `POST /registration/check?entity_id=…` | its statement fetched and checked now |
//! | `DELETE /registration?entity_id=…` | 204, or 404 |
//!
//! A body must be `application/json`: a page in a browser cannot send that to another origin without asking first.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use federation::{EntityId, Schemes};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jose::json;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Parameters, document};
use crate::finding::Finding;
use crate::master::{FederationMaster, RegisterError};
use crate::participant::Participant;
use crate::registration::RegistrationForm;
use crate::registry::{Registered, RegistryError};

const JSON: &str = "application/json";

pub(super) fn routes() -> Router<FederationMaster> {
    Router::new()
        .route("/registration", get(read).post(register).delete(delete))
        .route("/registration/check", post(check))
}

/// Why a registration request was refused.
enum AdminRefusal {
    ContentType,
    Form(json::JsonError),
    Findings(Vec<Finding>),
    EntityId,
    Unknown,
    Registry(RegistryError),
}

impl AdminRefusal {
    fn response(self) -> Response<String> {
        let (status, error, description, findings) = match self {
            Self::ContentType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "header Content-Type must be application/json".to_owned(),
                None,
            ),
            Self::Form(error) => (StatusCode::BAD_REQUEST, "invalid_registration", error.to_string(), None),
            Self::Findings(findings) => {
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                (StatusCode::BAD_REQUEST, "invalid_registration", first, Some(findings))
            }
            Self::EntityId => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "parameter entity_id must be one entity identifier".to_owned(),
                None,
            ),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "not_found",
                "parameter entity_id names no participant".to_owned(),
                None,
            ),
            Self::Registry(error) => {
                tracing::error!(event = "fedmaster.registry_not_written", %error);
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "server_error",
                    "registry could not be written".to_owned(),
                    None,
                )
            }
        };
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            findings: Option<Vec<Finding>>,
        }
        answer(
            status,
            &json!(Body {
                error,
                error_description: description,
                findings
            }),
        )
    }
}

async fn register(State(master): State<FederationMaster>, headers: HeaderMap, body: Bytes) -> Response<String> {
    match register_form(&master, &headers, &body).await {
        Ok((status, participant)) => answer(status, &shown(&participant)),
        Err(refusal) => refusal.response(),
    }
}

async fn register_form(
    master: &FederationMaster,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(StatusCode, Participant), AdminRefusal> {
    if !is_json(headers) {
        return Err(AdminRefusal::ContentType);
    }
    let form: RegistrationForm = json::parse_as(body, &json::DEFAULT).map_err(AdminRefusal::Form)?;
    let entity_id = form.entity_id.clone();
    let outcome = blocking(master, move |master| master.register(form))
        .await
        .map_err(|error| match error {
            RegisterError::Refused(findings) => AdminRefusal::Findings(findings),
            RegisterError::Registry(error) => AdminRefusal::Registry(error),
        })?;
    let status = match outcome {
        Registered::Created => StatusCode::CREATED,
        Registered::Replaced => StatusCode::OK,
    };
    let entity_id = EntityId::parse(&entity_id, Schemes::HttpsOnly).map_err(|_| AdminRefusal::EntityId)?;
    // Checked at once: whoever registers learns what the statement gets wrong, and is registered whether it is reachable or not.
    let participant = match master.synchronise(&entity_id).await.map_err(AdminRefusal::Registry)? {
        Some(participant) => participant,
        None => master.participant(&entity_id).ok_or(AdminRefusal::Unknown)?,
    };
    Ok((status, participant))
}

async fn read(State(master): State<FederationMaster>, RawQuery(query): RawQuery) -> Response<String> {
    if !Parameters::read(query.as_deref()).has("entity_id") {
        let all: Vec<Value> = master.participants().iter().map(shown).collect();
        return answer(StatusCode::OK, &Value::Array(all));
    }
    match entity_id(query.as_deref()).and_then(|id| master.participant(&id).ok_or(AdminRefusal::Unknown)) {
        Ok(participant) => answer(StatusCode::OK, &shown(&participant)),
        Err(refusal) => refusal.response(),
    }
}

async fn check(State(master): State<FederationMaster>, RawQuery(query): RawQuery) -> Response<String> {
    let entity_id = match entity_id(query.as_deref()) {
        Ok(entity_id) => entity_id,
        Err(refusal) => return refusal.response(),
    };
    match master.synchronise(&entity_id).await {
        Err(error) => AdminRefusal::Registry(error).response(),
        Ok(checked) => match checked.or_else(|| master.participant(&entity_id)) {
            Some(participant) => answer(StatusCode::OK, &shown(&participant)),
            None => AdminRefusal::Unknown.response(),
        },
    }
}

async fn delete(State(master): State<FederationMaster>, RawQuery(query): RawQuery) -> Response<String> {
    let entity_id = match entity_id(query.as_deref()) {
        Ok(entity_id) => entity_id,
        Err(refusal) => return refusal.response(),
    };
    match blocking(&master, move |master| master.delete(&entity_id)).await {
        Ok(true) => {
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Ok(false) => AdminRefusal::Unknown.response(),
        Err(error) => AdminRefusal::Registry(error).response(),
    }
}

/// Runs what waits for the disk where waiting holds nobody up.
async fn blocking<T: Send + 'static, E: From<RegistryError> + Send + 'static>(
    master: &FederationMaster,
    work: impl FnOnce(&FederationMaster) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let master = master.clone();
    tokio::task::spawn_blocking(move || work(&master))
        .await
        .unwrap_or_else(|_| Err(RegistryError::Io(std::io::ErrorKind::Other.into()).into()))
}

fn entity_id(query: Option<&str>) -> Result<EntityId, AdminRefusal> {
    Parameters::read(query)
        .one("entity_id")
        .ok()
        .flatten()
        .and_then(|text| EntityId::parse(text, Schemes::HttpsOnly).ok())
        .ok_or(AdminRefusal::EntityId)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
}

/// A participant as registration answers show it.
fn shown(participant: &Participant) -> Value {
    let mut shown = json!({
        "entity_id": participant.registration.entity_id(),
        "registration": participant.registration.form(),
        "findings": participant.findings,
    });
    let state = json!(participant.state);
    if let (Value::Object(shown), Value::Object(state)) = (&mut shown, state) {
        shown.extend(state);
        if let Some(checked_at) = participant.checked_at {
            shown.insert("checked_at".to_owned(), json!(checked_at));
        }
        if let Some(observed) = &participant.observed {
            shown.insert("observed".to_owned(), json!(observed));
        }
    }
    shown
}

fn answer(status: StatusCode, body: &Value) -> Response<String> {
    let mut response = document(status, body.to_string(), JSON);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
