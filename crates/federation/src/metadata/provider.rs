//! `metadata.openid_provider`: an identity provider (A_22643).

use serde_json::{Map, Value, json};

use super::{AUTOMATIC, DEFAULT_ID_TOKEN_VERSION, SELF_SIGNED_TLS_CLIENT_AUTH};
use crate::entity::{EntityId, Schemes, check_endpoint, check_logo_uri};
use crate::members::{self, MemberError, Members};

/// An identity provider as its statement describes it.
///
/// What never varies in the profile (response type `code`, mode `query`, ES256, ECDH-ES, A256GCM, pairwise subjects,
/// automatic registration, `self_signed_tls_client_auth`, pushed requests only) is written by
/// [`OpenIdProvider::to_members`] and not a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIdProvider {
    /// `issuer`: same as `iss` of the statement.
    pub issuer: EntityId,
    /// `signed_jwks_uri`: [`crate::signed_keys`].
    pub signed_jwks_uri: String,
    /// `organization_name`: optional here, since it moved to `federation_entity`.
    pub organization_name: Option<String>,
    /// `logo_uri`
    pub logo_uri: String,
    /// `authorization_endpoint`: plain TLS host.
    pub authorization_endpoint: String,
    /// `token_endpoint`: mTLS host.
    pub token_endpoint: String,
    /// `pushed_authorization_request_endpoint`: mTLS host.
    pub pushed_authorization_request_endpoint: String,
    /// `scopes_supported`
    pub scopes_supported: Vec<String>,
    /// `user_type_supported`: `["IP"]`, insured persons.
    pub user_type_supported: Vec<String>,
    /// `ti_features_supported.id_token_version_supported`; read as `["1.0.0"]` when absent.
    pub id_token_versions: Vec<String>,
    /// `federation_registration_endpoint`: optional.
    pub federation_registration_endpoint: Option<String>,
}

impl OpenIdProvider {
    /// Reads what a service needs of an identity provider; unknown members are ignored.
    ///
    /// # Errors
    /// [`MemberError`]: a member is missing or has the wrong form, or what the profile fixes has another value.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, MemberError> {
        check_fixed(members)?;
        let issuer = members::text(members, "issuer")?;
        Ok(Self {
            issuer: EntityId::parse(&issuer, Schemes::HttpsOnly).map_err(|reason| MemberError::Url {
                member: "issuer",
                reason,
            })?,
            signed_jwks_uri: url(members, "signed_jwks_uri", Schemes::HttpsOnly)?,
            organization_name: members::optional_text(members, "organization_name")?,
            logo_uri: logo(members)?,
            // Browsers go there; a sandbox serves them without certificate warnings.
            authorization_endpoint: url(members, "authorization_endpoint", Schemes::LoopbackHttpToo)?,
            token_endpoint: url(members, "token_endpoint", Schemes::HttpsOnly)?,
            pushed_authorization_request_endpoint: url(
                members,
                "pushed_authorization_request_endpoint",
                Schemes::HttpsOnly,
            )?,
            scopes_supported: members::texts(members, "scopes_supported")?,
            user_type_supported: members::optional_texts(members, "user_type_supported")?.unwrap_or_default(),
            id_token_versions: id_token_versions(members)?,
            federation_registration_endpoint: members::optional_text(members, "federation_registration_endpoint")?,
        })
    }

    /// The members as they stand in the statement: exactly those of the profile.
    pub fn to_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut set = |member: &str, value: Value| members.insert(member.to_owned(), value);
        set("issuer", json!(self.issuer));
        set("signed_jwks_uri", json!(self.signed_jwks_uri));
        if let Some(organization_name) = &self.organization_name {
            set("organization_name", json!(organization_name));
        }
        set("logo_uri", json!(self.logo_uri));
        set("authorization_endpoint", json!(self.authorization_endpoint));
        set("token_endpoint", json!(self.token_endpoint));
        set(
            "pushed_authorization_request_endpoint",
            json!(self.pushed_authorization_request_endpoint),
        );
        set("scopes_supported", json!(self.scopes_supported));
        set("user_type_supported", json!(self.user_type_supported));
        set(
            "ti_features_supported",
            json!({"id_token_version_supported": self.id_token_versions}),
        );
        if let Some(endpoint) = &self.federation_registration_endpoint {
            set("federation_registration_endpoint", json!(endpoint));
        }
        set("require_pushed_authorization_requests", json!(true));
        for (member, value) in FIXED {
            set(member, json!([value]));
        }
        members
    }
}

/// Members whose value is always the array of this one string.
const FIXED: [(&str, &str); 9] = [
    ("client_registration_types_supported", AUTOMATIC),
    ("subject_types_supported", "pairwise"),
    ("response_types_supported", "code"),
    ("response_modes_supported", "query"),
    ("grant_types_supported", "authorization_code"),
    ("id_token_signing_alg_values_supported", "ES256"),
    ("id_token_encryption_alg_values_supported", "ECDH-ES"),
    ("id_token_encryption_enc_values_supported", "A256GCM"),
    ("token_endpoint_auth_methods_supported", SELF_SIGNED_TLS_CLIENT_AUTH),
];

/// A list that is present must offer what the profile uses; it may offer more.
fn check_fixed(members: &Members) -> Result<(), MemberError> {
    for (member, value) in FIXED {
        if let Some(values) = members::optional_texts(members, member)?
            && !values.iter().any(|offered| offered == value)
        {
            return Err(MemberError::Value {
                member,
                expected: value,
            });
        }
    }
    Ok(())
}

/// `ti_features_supported`, absent: version 1.0.0 only.
pub(super) fn id_token_versions(members: &Members) -> Result<Vec<String>, MemberError> {
    let features = members::optional_object(members, "ti_features_supported")?;
    let versions = match features {
        Some(features) => members::optional_texts(features, "id_token_version_supported")?,
        None => None,
    };
    match versions {
        Some(versions) if versions.is_empty() => Err(MemberError::Value {
            member: "id_token_version_supported",
            expected: "an array that is not empty",
        }),
        Some(versions) => Ok(versions),
        None => Ok(vec![DEFAULT_ID_TOKEN_VERSION.to_owned()]),
    }
}

fn url(members: &Members, member: &'static str, schemes: Schemes) -> Result<String, MemberError> {
    let url = members::text(members, member)?;
    match check_endpoint(&url, schemes) {
        Ok(()) => Ok(url),
        Err(reason) => Err(MemberError::Url { member, reason }),
    }
}

fn logo(members: &Members) -> Result<String, MemberError> {
    let url = members::text(members, "logo_uri")?;
    match check_logo_uri(&url) {
        Ok(()) => Ok(url),
        Err(reason) => Err(MemberError::Url {
            member: "logo_uri",
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixtures;

    #[test]
    fn our_metadata_has_exactly_the_members_of_the_profile() {
        let members = fixtures::provider().to_members();
        let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "authorization_endpoint",
                "client_registration_types_supported",
                "grant_types_supported",
                "id_token_encryption_alg_values_supported",
                "id_token_encryption_enc_values_supported",
                "id_token_signing_alg_values_supported",
                "issuer",
                "logo_uri",
                "pushed_authorization_request_endpoint",
                "require_pushed_authorization_requests",
                "response_modes_supported",
                "response_types_supported",
                "scopes_supported",
                "signed_jwks_uri",
                "subject_types_supported",
                "ti_features_supported",
                "token_endpoint",
                "token_endpoint_auth_methods_supported",
                "user_type_supported",
            ]
        );
        assert_eq!(
            members["ti_features_supported"],
            json!({"id_token_version_supported": ["1.0.0", "2.0.0"]})
        );
        assert_eq!(members["require_pushed_authorization_requests"], json!(true));
        assert_eq!(
            members["token_endpoint_auth_methods_supported"],
            json!(["self_signed_tls_client_auth"])
        );
    }

    #[test]
    fn metadata_survives_the_round_trip() {
        let provider = OpenIdProvider {
            organization_name: Some("Musterkasse".into()),
            federation_registration_endpoint: Some("https://idp.example/register".into()),
            ..fixtures::provider()
        };
        assert_eq!(OpenIdProvider::parse(&provider.to_members()).unwrap(), provider);
    }

    #[test]
    fn a_provider_without_features_speaks_version_1() {
        let mut members = fixtures::provider().to_members();
        members.remove("ti_features_supported");
        assert_eq!(OpenIdProvider::parse(&members).unwrap().id_token_versions, ["1.0.0"]);
    }

    #[test]
    fn defective_metadata_is_refused() {
        let cases = [
            ("issuer", json!(null)),
            ("issuer", json!("https://idp.example/")),
            ("token_endpoint", json!("http://localhost/token")),
            ("token_endpoint", json!(["https://idp.example/token"])),
            ("pushed_authorization_request_endpoint", json!("/par")),
            ("authorization_endpoint", json!("http://idp.example/auth")),
            ("authorization_endpoint", json!("https://idp.example/auth#x")),
            ("signed_jwks_uri", json!(1)),
            ("logo_uri", json!("data:,")),
            ("scopes_supported", json!("openid")),
            ("scopes_supported", json!([1])),
            ("ti_features_supported", json!([])),
            ("ti_features_supported", json!({"id_token_version_supported": []})),
            ("ti_features_supported", json!({"id_token_version_supported": "1.0.0"})),
            ("client_registration_types_supported", json!(["explicit"])),
            ("response_types_supported", json!("code")),
            ("id_token_signing_alg_values_supported", json!(["RS256"])),
            ("id_token_encryption_alg_values_supported", json!(["RSA-OAEP"])),
            ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"])),
        ];
        for (member, value) in cases {
            let mut members = fixtures::provider().to_members();
            members.insert(member.into(), value.clone());
            assert!(OpenIdProvider::parse(&members).is_err(), "{member} = {value}");
        }
        for member in [
            "issuer",
            "token_endpoint",
            "signed_jwks_uri",
            "logo_uri",
            "scopes_supported",
        ] {
            let mut members = fixtures::provider().to_members();
            members.remove(member);
            assert_eq!(OpenIdProvider::parse(&members), Err(MemberError::Missing { member }));
        }
    }
}
