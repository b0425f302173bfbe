//! What did not work, in plain words.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use wallet::flow::FlowError;
use wallet::phone::PhoneError;

use super::frame::{Frame, page};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: &'a Frame,
    title: &'a str,
    text: &'a str,
    detail: Option<&'a str>,
}

fn problem(status: StatusCode, frame: &Frame, title: &str, text: &str, detail: Option<&str>) -> Response {
    page(
        status,
        frame,
        &ProblemPage {
            frame,
            title,
            text,
            detail,
        },
    )
}

pub(super) fn not_found(frame: Frame) -> Response {
    let frame = frame.at("/", &[]);
    let t = frame.t();
    problem(
        StatusCode::NOT_FOUND,
        &frame,
        t.problem_title,
        t.problem_not_found,
        None,
    )
}

/// The address of the card page lacks something, or names an insurer that is not here.
pub(super) fn incomplete(frame: Frame) -> Response {
    let frame = frame.at("/", &[]);
    let t = frame.t();
    problem(
        StatusCode::BAD_REQUEST,
        &frame,
        t.problem_title,
        t.problem_missing,
        None,
    )
}

pub(super) fn foreign_form(frame: Frame) -> Response {
    let frame = frame.at("/", &[]);
    let t = frame.t();
    problem(
        StatusCode::FORBIDDEN,
        &frame,
        t.problem_title,
        t.problem_foreign_form,
        None,
    )
}

pub(super) fn internal(frame: &Frame, error: &dyn std::error::Error) -> Response {
    tracing::error!(event = "portal.failed", reason = %error);
    let t = frame.t();
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        frame,
        t.problem_title,
        t.problem_internal,
        Some(&error.to_string()),
    )
}

/// The insurer did not take the login as it is: too old, mostly.
pub(super) fn login(frame: Frame, error: &PhoneError) -> Response {
    let frame = frame.at("/", &[]);
    let t = frame.t();
    let detail = error.to_string();
    match error {
        PhoneError::Flow(FlowError::Refused { status, .. }) if *status < 500 => problem(
            StatusCode::BAD_REQUEST,
            &frame,
            t.problem_login_title,
            t.problem_login,
            Some(&detail),
        ),
        _ => problem(
            StatusCode::BAD_GATEWAY,
            &frame,
            t.problem_title,
            t.problem_insurer,
            Some(&detail),
        ),
    }
}
