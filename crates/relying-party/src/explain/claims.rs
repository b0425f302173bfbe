//! Each claim: what it says, who asked for it, and which ones asked for are not there.

use oidc::scope::Scope;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::client::Asked;

/// Claims that every token has, whatever was asked for.
const PROTOCOL_CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "nbf",
    "nonce",
    "acr",
    "amr",
    "auth_time",
    "jti",
    "sid",
    "at_hash",
    "rat",
    "urn:telematik:auth:consent",
    "urn:telematik:auth:interactive",
];

/// The account of one claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimAccount {
    /// Its wire name.
    pub name: String,
    /// Its value; `None`: asked for, but not there. The person refused it, or the insurer does not know it: the token does not say which
    /// (A_22990).
    pub value: Option<Value>,
    /// Who asked for it.
    pub asked_by: Vec<AskedBy>,
    /// What its absence would have meant.
    pub standing: Standing,
}

/// Who asked for a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedBy {
    /// Nobody has to: it belongs to every token.
    Protocol,
    /// A scope.
    Scope(String),
    /// The `claims` parameter.
    ClaimsParameter,
}

/// What the absence of a claim means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Part of the protocol.
    Protocol,
    /// Without it there would have been no login: the person could only accept it or abort.
    Essential,
    /// The person could leave it out.
    Voluntary,
    /// In the token, though nobody asked.
    NotAsked,
}

pub(super) fn of(claims: &Map<String, Value>, asked: &Asked) -> Vec<ClaimAccount> {
    let mut names: Vec<String> = asked_names(asked);
    // Protocol claims first, in a fixed order, then what was asked for, then what nobody asked for.
    let mut ordered: Vec<String> = PROTOCOL_CLAIMS
        .into_iter()
        .filter(|name| claims.contains_key(*name))
        .map(str::to_owned)
        .collect();
    names.retain(|name| !ordered.contains(name));
    ordered.append(&mut names);
    let unexpected: Vec<String> = claims.keys().filter(|name| !ordered.contains(name)).cloned().collect();
    ordered.extend(unexpected);
    ordered
        .into_iter()
        .map(|name| {
            let asked_by = asked_by(&name, asked);
            ClaimAccount {
                value: claims.get(&name).cloned(),
                standing: standing(&name, &asked_by, asked),
                asked_by,
                name,
            }
        })
        .collect()
}

/// What the request names, scopes first.
fn asked_names(asked: &Asked) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let by_scope = asked
        .scopes
        .iter()
        .filter_map(|scope| Scope::parse(scope))
        .flat_map(|scope| scope.claims().iter())
        .map(|claim| claim.as_str().to_owned());
    let by_parameter = wishes(asked).into_iter().flat_map(|wishes| wishes.keys()).cloned();
    for name in by_scope.chain(by_parameter) {
        if !names.contains(&name) && name != "acr" && name != "amr" {
            names.push(name);
        }
    }
    names
}

fn asked_by(name: &str, asked: &Asked) -> Vec<AskedBy> {
    if PROTOCOL_CLAIMS.contains(&name) {
        return vec![AskedBy::Protocol];
    }
    let mut by: Vec<AskedBy> = asked
        .scopes
        .iter()
        .filter(|scope| {
            Scope::parse(scope).is_some_and(|scope| scope.claims().iter().any(|claim| claim.as_str() == name))
        })
        .map(|scope| AskedBy::Scope(scope.clone()))
        .collect();
    if wishes(asked).is_some_and(|wishes| wishes.contains_key(name)) {
        by.push(AskedBy::ClaimsParameter);
    }
    by
}

/// What a scope implies is voluntary unless the parameter makes it essential (gematik digest 4.3).
fn standing(name: &str, asked_by: &[AskedBy], asked: &Asked) -> Standing {
    let is_essential = wishes(asked)
        .and_then(|wishes| wishes.get(name))
        .and_then(|wish| wish.get("essential"))
        .is_some_and(|essential| essential == true);
    match asked_by {
        [AskedBy::Protocol] => Standing::Protocol,
        [] => Standing::NotAsked,
        _ if is_essential => Standing::Essential,
        _ => Standing::Voluntary,
    }
}

fn wishes(asked: &Asked) -> Option<&Map<String, Value>> {
    asked.claims.as_ref()?.get("id_token")?.as_object()
}
