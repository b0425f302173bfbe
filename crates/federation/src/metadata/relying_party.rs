//! `metadata.openid_relying_party`: a service (A_23034 and the statements of services in the field).

use serde_json::{Map, Value, json};

use super::provider::id_token_versions;
use super::{AUTOMATIC, SELF_SIGNED_TLS_CLIENT_AUTH};
use crate::members::{self, MemberError, Members};

/// A service as its statement describes it.
///
/// What never varies in the profile (response type `code`, grant `authorization_code`, automatic registration,
/// `self_signed_tls_client_auth`, ES256, ECDH-ES, A256GCM, pushed requests) is written by
/// [`OpenIdRelyingParty::to_members`] and not a field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenIdRelyingParty {
    /// `client_name`
    pub client_name: String,
    /// `redirect_uris`; identity providers go by the Federation Master's list.
    pub redirect_uris: Vec<String>,
    /// `scope`, split at spaces.
    pub scope: Vec<String>,
    /// `default_acr_values`: some identity providers demand it.
    pub default_acr_values: Vec<String>,
    /// `ti_features_supported.id_token_version_supported`; read as `["1.0.0"]` when absent.
    pub id_token_versions: Vec<String>,
    /// `jwks`: TLS client certificates and encryption keys by value; see [`super::ClientKeys`].
    pub jwks: Option<Value>,
    /// `signed_jwks_uri`: the same by reference; see [`crate::signed_keys`].
    pub signed_jwks_uri: Option<String>,
    /// `organization_name`: optional.
    pub organization_name: Option<String>,
    /// `logo_uri`: optional.
    pub logo_uri: Option<String>,
}

impl OpenIdRelyingParty {
    /// Reads a service's resolved metadata. Unknown members are ignored; members the profile fixes must have its value
    /// if they are present. `redirect_uris` and `scope` may be absent here.
    ///
    /// # Errors
    /// [`MemberError`]: a member is missing or has the wrong form or value.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, MemberError> {
        check_fixed(members)?;
        Ok(Self {
            client_name: members::text(members, "client_name")?,
            redirect_uris: members::optional_texts(members, "redirect_uris")?.unwrap_or_default(),
            scope: scope(members)?.unwrap_or_default(),
            default_acr_values: members::optional_texts(members, "default_acr_values")?.unwrap_or_default(),
            id_token_versions: id_token_versions(members)?,
            jwks: members.get("jwks").cloned(),
            signed_jwks_uri: members::optional_text(members, "signed_jwks_uri")?,
            organization_name: members::optional_text(members, "organization_name")?,
            logo_uri: members::optional_text(members, "logo_uri")?,
        })
    }

    /// The members as they stand in the service's statement.
    pub fn to_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |member: &str, value: Value| members.insert(member.to_owned(), value);
        set("client_name", json!(self.client_name));
        set("redirect_uris", json!(self.redirect_uris));
        set("scope", json!(self.scope.join(" ")));
        set("response_types", json!(["code"]));
        set("grant_types", json!(["authorization_code"]));
        set("client_registration_types", json!([AUTOMATIC]));
        set("require_pushed_authorization_requests", json!(true));
        for (member, value) in FIXED {
            set(member, json!(value));
        }
        if !self.default_acr_values.is_empty() {
            set("default_acr_values", json!(self.default_acr_values));
        }
        if !self.id_token_versions.is_empty() {
            set(
                "ti_features_supported",
                json!({"id_token_version_supported": self.id_token_versions}),
            );
        }
        if let Some(jwks) = &self.jwks {
            set("jwks", jwks.clone());
        }
        for (member, text) in [
            ("signed_jwks_uri", &self.signed_jwks_uri),
            ("organization_name", &self.organization_name),
            ("logo_uri", &self.logo_uri),
        ] {
            if let Some(text) = text {
                set(member, json!(text));
            }
        }
        members
    }
}

/// Members whose value is always this string.
const FIXED: [(&str, &str); 4] = [
    ("token_endpoint_auth_method", SELF_SIGNED_TLS_CLIENT_AUTH),
    ("id_token_signed_response_alg", "ES256"),
    ("id_token_encrypted_response_alg", "ECDH-ES"),
    ("id_token_encrypted_response_enc", "A256GCM"),
];

/// Members whose array has to contain this string.
const OFFERED: [(&str, &str); 3] = [
    ("client_registration_types", AUTOMATIC),
    ("response_types", "code"),
    ("grant_types", "authorization_code"),
];

fn check_fixed(members: &Members) -> Result<(), MemberError> {
    for (member, value) in FIXED {
        if members::optional_text(members, member)?.is_some_and(|found| found != value) {
            return Err(MemberError::Value {
                member,
                expected: value,
            });
        }
    }
    for (member, value) in OFFERED {
        if members::optional_texts(members, member)?.is_some_and(|found| !found.iter().any(|entry| entry == value)) {
            return Err(MemberError::Value {
                member,
                expected: value,
            });
        }
    }
    match members::optional_flag(members, "require_pushed_authorization_requests")? {
        Some(false) => Err(MemberError::Value {
            member: "require_pushed_authorization_requests",
            expected: "true",
        }),
        _ => Ok(()),
    }
}

/// `scope`: values separated by single spaces (RFC 6749 §3.3); more spaces are tolerated.
pub(crate) fn scope(members: &Members) -> Result<Option<Vec<String>>, MemberError> {
    let scope = members::optional_text(members, "scope")?;
    Ok(scope.map(|scope| {
        scope
            .split(' ')
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixtures;

    #[test]
    fn our_metadata_has_exactly_the_members_of_the_profile() {
        let members = fixtures::relying_party().to_members();
        let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "client_name",
                "client_registration_types",
                "default_acr_values",
                "grant_types",
                "id_token_encrypted_response_alg",
                "id_token_encrypted_response_enc",
                "id_token_signed_response_alg",
                "jwks",
                "redirect_uris",
                "require_pushed_authorization_requests",
                "response_types",
                "scope",
                "ti_features_supported",
                "token_endpoint_auth_method",
            ]
        );
        assert_eq!(members["scope"], "openid urn:telematik:versicherter");
    }

    #[test]
    fn metadata_survives_the_round_trip() {
        let party = fixtures::relying_party();
        assert_eq!(OpenIdRelyingParty::parse(&party.to_members()).unwrap(), party);
    }

    #[test]
    fn what_the_profile_fixes_may_be_absent_but_not_different() {
        let bare = json!({"client_name": "Akte"});
        let party = OpenIdRelyingParty::parse(bare.as_object().unwrap()).unwrap();
        assert_eq!(party.id_token_versions, ["1.0.0"]);
        let cases = [
            ("token_endpoint_auth_method", json!("private_key_jwt")),
            ("token_endpoint_auth_method", json!(["self_signed_tls_client_auth"])),
            ("id_token_signed_response_alg", json!("RS256")),
            ("id_token_signed_response_alg", json!("none")),
            ("id_token_encrypted_response_alg", json!("ECDH-ES+A256KW")),
            ("id_token_encrypted_response_enc", json!("A128GCM")),
            ("client_registration_types", json!(["explicit"])),
            ("client_registration_types", json!([])),
            ("response_types", json!(["id_token"])),
            ("grant_types", json!(["implicit"])),
            ("require_pushed_authorization_requests", json!(false)),
            ("require_pushed_authorization_requests", json!("true")),
            ("client_name", json!(1)),
            ("redirect_uris", json!("https://akte.example/cb")),
            ("scope", json!(["openid"])),
            ("default_acr_values", json!("gematik-ehealth-loa-high")),
            ("ti_features_supported", json!("2.0.0")),
            ("signed_jwks_uri", json!({})),
        ];
        for (member, value) in cases {
            let mut members = fixtures::relying_party().to_members();
            members.insert(member.into(), value.clone());
            assert!(OpenIdRelyingParty::parse(&members).is_err(), "{member} = {value}");
        }
        let mut nameless = fixtures::relying_party().to_members();
        nameless.remove("client_name");
        assert!(OpenIdRelyingParty::parse(&nameless).is_err());
    }
}
