//! The checks the Federation Master makes on a participant's own statement. Pure: statement, registration and time go in, findings
//! come out.

use federation::EntityId;
use federation::entity::{check_endpoint, check_logo_uri, check_redirect_uri};
use federation::metadata::{EntityType, check_organization_name};
use federation::statement::{self, EntityStatement, MAX_LIFETIME_SECONDS, StatementError};
use jose::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::finding::{Finding, Rule};
use crate::registration::{Profile, Registration, Role};

/// Longest name of a service, in characters.
pub const MAX_CLIENT_NAME_CHARACTERS: usize = 128;

/// On whose behalf, and how strictly, is checked.
#[derive(Debug, Clone)]
pub struct CheckContext {
    /// The Federation Master participants must name as their authority.
    pub master: EntityId,
    /// Production or sandbox.
    pub profile: Profile,
}

/// What a verified statement says that the Federation Master uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Name for the list of identity providers, when it keeps the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_name: Option<String>,
    /// Logo for the list of identity providers, when it keeps the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Hosts of the endpoints: the domains whose certificates are watched (AF_10110).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
}

/// The outcome of the checks on one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantCheck {
    /// Rules broken; empty when all is well.
    pub findings: Vec<Finding>,
    /// What was seen; `None` when the statement could not be verified with a registered key.
    pub observed: Option<Observed>,
}

/// Checks a participant's statement about itself (a compact JWS) against its registration.
///
/// Whatever depends on the content is checked only after the signature, because a stranger's bytes must lock nobody.
pub fn check_participant(
    compact: &str,
    registration: &Registration,
    context: &CheckContext,
    now: UnixTime,
) -> ParticipantCheck {
    let refused = |error: &StatementError, kid: &str| ParticipantCheck {
        findings: vec![statement_finding(error, kid)],
        observed: None,
    };
    let unverified = match statement::parse(compact) {
        Ok(unverified) => unverified,
        Err(error) => return refused(&error, ""),
    };
    let verified = match unverified.verify_with(registration.keys(), now) {
        Ok(verified) => verified,
        Err(error) => return refused(&error, unverified.kid()),
    };
    let claims = verified.claims();
    let mut findings = Vec::new();
    if let Err(error) = verified.check_lifetime(MAX_LIFETIME_SECONDS) {
        findings.push(statement_finding(&error, verified.kid()));
    }
    if check_issuer(claims, registration, &mut findings).is_err() {
        return ParticipantCheck {
            findings,
            observed: None,
        };
    }
    check_authority(claims, context, &mut findings);
    let observed = match registration.role() {
        Role::IdentityProvider { .. } => check_provider(claims, context, &mut findings),
        Role::RelyingParty {
            redirect_uris, scopes, ..
        } => check_relying_party(claims, redirect_uris, scopes, context, &mut findings),
    };
    ParticipantCheck {
        findings,
        observed: Some(observed),
    }
}

/// iss = sub = registered issuer.
fn check_issuer(claims: &EntityStatement, registration: &Registration, findings: &mut Vec<Finding>) -> Result<(), ()> {
    let registered = registration.entity_id();
    let wrong = [("iss", &claims.iss), ("sub", &claims.sub)]
        .into_iter()
        .filter(|(_, id)| *id != registered)
        .map(|(member, id)| Finding::new(Rule::RegisteredIssuer, member, registered.as_str(), id.as_str()));
    let before = findings.len();
    findings.extend(wrong);
    if findings.len() > before { Err(()) } else { Ok(()) }
}

/// authority_hints is exactly this master.
fn check_authority(claims: &EntityStatement, context: &CheckContext, findings: &mut Vec<Finding>) {
    let hints = claims.authority_hints.as_deref().unwrap_or_default();
    if hints != std::slice::from_ref(&context.master) {
        let found: Vec<&str> = hints.iter().map(EntityId::as_str).collect();
        let expected = format!("exactly one entry, {}", context.master);
        findings.push(Finding::new(
            Rule::AuthorityHints,
            "authority_hints",
            expected,
            found.join(" "),
        ));
    }
}

fn check_provider(claims: &EntityStatement, context: &CheckContext, findings: &mut Vec<Finding>) -> Observed {
    let mut observed = Observed::default();
    let Some(provider) = metadata(claims, EntityType::OpenIdProvider, findings) else {
        return observed;
    };
    let browser = context.profile.browser_schemes();
    for (member, schemes) in [
        ("authorization_endpoint", browser),
        ("token_endpoint", federation::Schemes::HttpsOnly),
        ("pushed_authorization_request_endpoint", federation::Schemes::HttpsOnly),
    ] {
        let path = format!("metadata.openid_provider.{member}");
        match provider.get(member).and_then(Value::as_str) {
            None => findings.push(Finding::new(Rule::Endpoints, path, "an https URL", "nothing")),
            Some(url) => match check_endpoint(url, schemes) {
                Err(error) => findings.push(Finding::new(Rule::Endpoints, path, error.to_string(), url)),
                Ok(()) => {
                    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
                    if let Some(host) = host.filter(|host| !observed.domains.contains(host)) {
                        observed.domains.push(host);
                    }
                }
            },
        }
    }
    observed.organization_name = organization_name(claims, provider, findings);
    let path = "metadata.openid_provider.logo_uri";
    match provider.get("logo_uri").and_then(Value::as_str) {
        None => findings.push(Finding::new(Rule::LogoUri, path, "the URL of a logo", "nothing")),
        Some(logo) => match check_logo_uri(logo) {
            Ok(()) => observed.logo_uri = Some(logo.to_owned()),
            Err(error) => findings.push(Finding::new(Rule::LogoUri, path, error.to_string(), logo)),
        },
    }
    observed
}

/// The name moved from `openid_provider` to `federation_entity`; older statements have it in the former only.
fn organization_name(
    claims: &EntityStatement,
    provider: &Map<String, Value>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let entity = claims.metadata_of(EntityType::FederationEntity.as_str());
    let name = entity
        .and_then(|members| members.get("organization_name"))
        .or_else(|| provider.get("organization_name"))
        .and_then(Value::as_str);
    let path = "metadata.federation_entity.organization_name";
    match name {
        None => {
            findings.push(Finding::new(
                Rule::OrganizationName,
                path,
                "the organisation's name",
                "nothing",
            ));
            None
        }
        Some(name) => match check_organization_name(name) {
            Ok(()) => Some(name.to_owned()),
            Err(error) => {
                findings.push(Finding::new(Rule::OrganizationName, path, error.to_string(), name));
                None
            }
        },
    }
}

fn check_relying_party(
    claims: &EntityStatement,
    registered_uris: &[String],
    registered_scopes: &[String],
    context: &CheckContext,
    findings: &mut Vec<Finding>,
) -> Observed {
    let Some(service) = metadata(claims, EntityType::OpenIdRelyingParty, findings) else {
        return Observed::default();
    };
    check_scopes(service, registered_scopes, findings);
    check_redirect_uris(service, registered_uris, context, findings);
    check_client_name(claims, service, findings);
    if let Some(listed) = service.get("claims") {
        let names = listed
            .as_array()
            .is_some_and(|names| names.iter().all(Value::is_string));
        if !names {
            let path = "metadata.openid_relying_party.claims";
            findings.push(Finding::new(
                Rule::Claims,
                path,
                "an array of claim names",
                listed.to_string(),
            ));
        }
    }
    Observed::default()
}

fn check_scopes(service: &Map<String, Value>, registered: &[String], findings: &mut Vec<Finding>) {
    let path = "metadata.openid_relying_party.scope";
    let Some(scope) = service.get("scope").and_then(Value::as_str) else {
        findings.push(Finding::new(
            Rule::Scopes,
            path,
            "a space separated string of scopes",
            "nothing",
        ));
        return;
    };
    let foreign: Vec<&str> = scope
        .split(' ')
        .filter(|token| !token.is_empty() && !registered.iter().any(|known| known == token))
        .collect();
    if !foreign.is_empty() {
        let expected = format!("only registered scopes: {}", registered.join(" "));
        findings.push(Finding::new(Rule::RegisteredScopes, path, expected, foreign.join(" ")));
    }
}

fn check_redirect_uris(
    service: &Map<String, Value>,
    registered: &[String],
    context: &CheckContext,
    findings: &mut Vec<Finding>,
) {
    let path = "metadata.openid_relying_party.redirect_uris";
    let listed: Option<Vec<&str>> = service
        .get("redirect_uris")
        .and_then(Value::as_array)
        .and_then(|uris| uris.iter().map(Value::as_str).collect());
    let Some(listed) = listed.filter(|uris| !uris.is_empty()) else {
        findings.push(Finding::new(
            Rule::RedirectUris,
            path,
            "an array of at least one URL",
            "nothing",
        ));
        return;
    };
    for (index, uri) in listed.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Err(error) = check_redirect_uri(uri, context.profile.browser_schemes()) {
            findings.push(Finding::new(Rule::RedirectUris, path, error.to_string(), uri));
        } else if !registered.iter().any(|known| known == uri) {
            let expected = format!("a registered redirect URI: {}", registered.join(" "));
            findings.push(Finding::new(Rule::RegisteredRedirectUris, path, expected, uri));
        }
    }
}

/// The name shown to people: `client_name`, or the federation's `organization_name`.
fn check_client_name(claims: &EntityStatement, service: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let entity = claims.metadata_of(EntityType::FederationEntity.as_str());
    let name = service
        .get("client_name")
        .or_else(|| entity.and_then(|members| members.get("organization_name")))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let length = name.chars().count();
    if !(1..=MAX_CLIENT_NAME_CHARACTERS).contains(&length) || name.chars().any(char::is_control) {
        let expected = format!("1 to {MAX_CLIENT_NAME_CHARACTERS} characters, none of them a control character");
        let path = "metadata.openid_relying_party.client_name";
        findings.push(Finding::new(
            Rule::ClientName,
            path,
            expected,
            format!("{length} characters"),
        ));
    }
}

fn metadata<'a>(
    claims: &'a EntityStatement,
    entity_type: EntityType,
    findings: &mut Vec<Finding>,
) -> Option<&'a Map<String, Value>> {
    let members = claims.metadata_of(entity_type.as_str());
    if members.is_none() {
        let found: Vec<&str> = claims
            .metadata
            .iter()
            .flat_map(|metadata| metadata.entity_types())
            .collect();
        findings.push(Finding::new(
            Rule::MetadataType,
            "metadata",
            format!("metadata for {}, as registered", entity_type.as_str()),
            if found.is_empty() {
                "nothing".to_owned()
            } else {
                found.join(" ")
            },
        ));
    }
    members
}

/// A refusal of `federation` in the words of a finding.
fn statement_finding(error: &StatementError, kid: &str) -> Finding {
    let (rule, member) = match error {
        StatementError::UnknownKey { .. } => (Rule::RegisteredKey, "kid"),
        StatementError::Signature { .. } => (Rule::Signature, "signature"),
        StatementError::IssuedInFuture { .. } => (Rule::Validity, "iat"),
        StatementError::NotYetValid { .. } => (Rule::Validity, "nbf"),
        StatementError::Expired { .. } => (Rule::Validity, "exp"),
        StatementError::LivesTooLong { .. } => (Rule::Lifetime, "exp"),
        StatementError::Algorithm => (Rule::StatementForm, "alg"),
        StatementError::Type => (Rule::StatementForm, "typ"),
        StatementError::MissingKid => (Rule::StatementForm, "kid"),
        StatementError::EntityId { claim, .. } | StatementError::UnexpectedClaim { claim, .. } => {
            (Rule::StatementForm, *claim)
        }
        StatementError::Jwks(_) | StatementError::NoKeys | StatementError::KeyWithoutKid => {
            (Rule::StatementForm, "jwks")
        }
        _ => (Rule::StatementForm, "statement"),
    };
    let found = match rule {
        Rule::RegisteredKey => kid,
        Rule::Signature => "a signature that does not verify",
        Rule::Validity | Rule::Lifetime => "another time",
        _ => "something else",
    };
    Finding::new(rule, member, error.to_string(), found)
}

#[cfg(test)]
mod tests;
