//! The Federation Master's HTTP surface: four public documents, and registration where it is open.

mod registration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use federation::{EntityType, idp_list, statement};
use http::{HeaderValue, Response, StatusCode, header};
use url::form_urlencoded;

use crate::master::{FETCH_PATH, FederationMaster, IDP_LIST_PATH, LIST_PATH, OpenRegistration};
use crate::refusal::{FederationRefusal, Operation, new_uuid};

/// Content type of a fetched statement, as production sends it.
const FETCHED_STATEMENT: &str = "application/entity-statement+jwt;charset=UTF-8";

impl FederationMaster {
    /// The routes, below the path of the entity identifier. `/registration` is among them only with [`OpenRegistration::Yes`].
    pub fn router(&self) -> Router {
        let mut routes = Router::new()
            .route(federation::entity::WELL_KNOWN_PATH, get(own_statement))
            .route(FETCH_PATH, get(fetch))
            .route(LIST_PATH, get(list))
            .route(IDP_LIST_PATH, get(list_idps));
        if self.inner.options.registration == OpenRegistration::Yes {
            routes = routes.merge(registration::routes());
        }
        let routes = routes.with_state(self.clone());
        match self.base_path() {
            "" => routes,
            path => Router::new().nest(path, routes),
        }
    }

    fn base_path(&self) -> &str {
        let rest = self.entity_id().as_str().split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
    }
}

async fn own_statement(State(master): State<FederationMaster>) -> Response<String> {
    let outcome = master.own_statement(master.now());
    answer(&master, Operation::OwnStatement, outcome, statement::MEDIA_TYPE)
}

async fn fetch(State(master): State<FederationMaster>, RawQuery(query): RawQuery) -> Response<String> {
    let parameters = Parameters::read(query.as_deref());
    let outcome = fetch_parameters(&parameters).and_then(|(iss, sub, aud)| master.fetch(iss, sub, aud, master.now()));
    answer(&master, Operation::Fetch, outcome, FETCHED_STATEMENT)
}

/// A parameter that occurs twice has no one value, so it is malformed (RFC 6749 §3.1).
#[expect(clippy::type_complexity, reason = "three parameters, named where they are used")]
fn fetch_parameters(parameters: &Parameters) -> Result<(Option<&str>, Option<&str>, Option<&str>), FederationRefusal> {
    let one = |name, refusal| parameters.one(name).map_err(|()| refusal);
    Ok((
        one("iss", FederationRefusal::IssuerMalformed)?,
        one("sub", FederationRefusal::SubjectMalformed)?,
        one("aud", FederationRefusal::AudienceRefused)?,
    ))
}

async fn list(State(master): State<FederationMaster>, RawQuery(query): RawQuery) -> Response<String> {
    let outcome = listed_type(&Parameters::read(query.as_deref())).map(|entity_type| match entity_type {
        Listed::All => serde_json::json!(master.list(None)).to_string(),
        Listed::Only(entity_type) => serde_json::json!(master.list(Some(entity_type))).to_string(),
        Listed::Nobody => "[]".to_owned(),
    });
    answer(&master, Operation::List, outcome, "application/json")
}

enum Listed {
    All,
    Only(EntityType),
    /// A type nobody here has.
    Nobody,
}

/// OpenID Federation 1.0 §8.2.1: `entity_type` filters; what is not supported is refused.
fn listed_type(parameters: &Parameters) -> Result<Listed, FederationRefusal> {
    for unsupported in ["trust_marked", "trust_mark_type", "intermediate"] {
        if parameters.has(unsupported) {
            return Err(FederationRefusal::ParameterUnsupported(unsupported));
        }
    }
    match parameters.one("entity_type") {
        Err(()) => Err(FederationRefusal::ParameterUnsupported("entity_type")),
        Ok(None) => Ok(Listed::All),
        Ok(Some(name)) => Ok(EntityType::from_name(name).map_or(Listed::Nobody, Listed::Only)),
    }
}

async fn list_idps(State(master): State<FederationMaster>) -> Response<String> {
    let outcome = master.idp_list(master.now());
    answer(&master, Operation::ListIdps, outcome, idp_list::MEDIA_TYPE)
}

fn answer(
    master: &FederationMaster,
    operation: Operation,
    outcome: Result<String, FederationRefusal>,
    content_type: &'static str,
) -> Response<String> {
    match outcome {
        Ok(body) => document(StatusCode::OK, body, content_type),
        Err(refusal) => {
            let uuid = new_uuid();
            tracing::info!(event = "fedmaster.refused", ?operation, code = refusal.code(), %uuid);
            refusal.response(operation, master.now(), &uuid)
        }
    }
}

fn document(status: StatusCode, body: String, content_type: &'static str) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The parameters of a query, every occurrence kept.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// The one value, if there is one; an error if there are several.
    fn one(&self, name: &str) -> Result<Option<&str>, ()> {
        let mut values = self
            .0
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(()),
        }
    }
}

#[cfg(test)]
mod registration_tests;
#[cfg(test)]
mod tests;
