//! `POST /rehearsal/{key}/{of}/{step}`: one step of a key rollover, for `healthid rehearse`. For tools on this machine, in a sandbox only.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Shared, TOOL_HEADER};
use crate::rollover::{RolloverKey, RolloverStep};

pub(super) async fn roll_over(
    State(portal): Shared,
    headers: HeaderMap,
    Path((key, of, step)): Path<(RolloverKey, String, RolloverStep)>,
) -> Response {
    if !headers.contains_key(TOOL_HEADER) {
        return refused(StatusCode::FORBIDDEN, &format!("header {TOOL_HEADER} is missing"));
    }
    match portal.rollovers.step(key, &of, step).await {
        Ok(()) => axum::Json(json!({})).into_response(),
        Err(error) => refused(StatusCode::CONFLICT, &error.to_string()),
    }
}

fn refused(status: StatusCode, description: &str) -> Response {
    let body = json!({"error": "invalid_request", "error_description": description});
    (status, axum::Json(body)).into_response()
}
