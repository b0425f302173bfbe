//! What a handler is told of a request: its tenant, its host, its peer, and its body read whole.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, RawPathParams},
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use oidc::refusal::{ErrorCode, Refusal};
use transport::ConnectionInfo;

use super::unknown_path;
use crate::{
    core::{Core, StepProblem},
    limits::Network,
    mtls::PeerCertificate,
    support::Problem,
    tenant::Tenant,
};

/// The tenant this request names.
pub(super) struct AtTenant(pub(super) Arc<Tenant>);

impl FromRequestParts<Arc<Core>> for AtTenant {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, core: &Arc<Core>) -> Result<Self, Response> {
        let path = RawPathParams::from_request_parts(parts, core).await;
        let segment = path
            .as_ref()
            .ok()
            .and_then(|params| params.iter().find(|(name, _)| *name == "tenant"))
            .map(|(_, segment)| segment);
        let found = match segment {
            Some(segment) => core.tenants.by_path(segment),
            None => host(parts).and_then(|host| core.tenants.by_host(host)),
        };
        match found {
            Some(tenant) => Ok(Self(Arc::clone(tenant))),
            None => Err(unknown_path(core, &parts.headers)),
        }
    }
}

/// HTTP/2 carries the host in the request target, HTTP/1.1 in a header.
fn host(parts: &Parts) -> Option<&str> {
    parts
        .uri
        .authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| parts.headers.get(header::HOST)?.to_str().ok())
}

/// The host this request names.
pub(super) struct Host(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for Host {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(host(parts).map(str::to_owned)))
    }
}

pub(super) fn peer(connection: &Option<Extension<ConnectionInfo>>) -> PeerCertificate {
    PeerCertificate::of(connection.as_ref().map(|Extension(connection)| connection))
}

pub(super) fn network(connection: &Option<Extension<ConnectionInfo>>) -> Network {
    Network::of(connection.as_ref().map(|Extension(connection)| connection))
}

/// A request body that was read whole; too large a one is answered with 413.
pub(super) struct Body(pub(super) Bytes);

impl FromRequest<Arc<Core>> for Body {
    type Rejection = Response;

    async fn from_request(request: axum::extract::Request, core: &Arc<Core>) -> Result<Self, Response> {
        whole(request, core).await.map(Self).map_err(Problem::into_json)
    }
}

async fn whole(request: axum::extract::Request, core: &Arc<Core>) -> Result<Bytes, Problem> {
    Bytes::from_request(request, core).await.map_err(|rejection| {
        let refusal = Refusal::new(
            rejection.status().as_u16(),
            ErrorCode::InvalidRequest,
            "the request body could not be read, or is larger than this address accepts",
        );
        core.problem("body_refused", StepProblem::Refused(refusal))
    })
}

impl Body {
    pub(super) fn is_json(&self, headers: &HeaderMap) -> bool {
        has_media_type(headers, "application/json")
    }
}

/// The body of a pushed or token request. RFC 6749 appendix B: parameters travel as `application/x-www-form-urlencoded`.
pub(super) struct OauthForm(pub(super) Bytes);

impl FromRequest<Arc<Core>> for OauthForm {
    type Rejection = Response;

    async fn from_request(request: axum::extract::Request, core: &Arc<Core>) -> Result<Self, Response> {
        let is_form = has_media_type(request.headers(), "application/x-www-form-urlencoded");
        let body = whole(request, core).await.map_err(Problem::into_oauth_json)?;
        if is_form {
            return Ok(Self(body));
        }
        let refusal = Refusal::invalid_request(
            "the Content-Type must be application/x-www-form-urlencoded (RFC 9126 section 2.1, RFC 6749 section 4.1.3)",
        );
        Err(core
            .problem("wrong_content_type", StepProblem::Refused(refusal))
            .into_oauth_json())
    }
}

/// Media types have no case, and may carry parameters (RFC 9110 §8.3.1).
fn has_media_type(headers: &HeaderMap, expected: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}
