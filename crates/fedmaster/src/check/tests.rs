#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{
    INSURER, MASTER, NOW, SERVICE, claims, id, insurer_form, insurer_metadata, key, service_form, service_metadata,
    sign, sign_as,
};

fn context(profile: Profile) -> CheckContext {
    CheckContext {
        master: id(MASTER),
        profile,
    }
}

fn service_claims() -> Value {
    claims(SERVICE, "puk_fd_sig", service_metadata())
}

fn check_service(compact: &str) -> ParticipantCheck {
    let registration = service_form().check(Profile::Production).unwrap();
    check_participant(compact, &registration, &context(Profile::Production), NOW)
}

fn check_insurer(claims: &Value, profile: Profile) -> ParticipantCheck {
    let registration = insurer_form().check(Profile::Production).unwrap();
    check_participant(&sign(claims, "puk_idp_sig"), &registration, &context(profile), NOW)
}

fn broken(claims: &Value, pointer: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = claims.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(member),
        value => parent.insert(member.to_owned(), value),
    };
    claims
}

fn shape(check: &ParticipantCheck) -> Vec<(Rule, &str)> {
    check
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.member.as_str()))
        .collect()
}

#[test]
fn good_statements_pass_and_show_what_the_lists_use() {
    assert_eq!(check_service(&sign(&service_claims(), "puk_fd_sig")).findings, []);
    let check = check_insurer(&claims(INSURER, "puk_idp_sig", insurer_metadata()), Profile::Production);
    assert_eq!(check.findings, []);
    let observed = check.observed.unwrap();
    assert_eq!(observed.organization_name.as_deref(), Some("Musterkasse Süd und Nord"));
    assert_eq!(
        observed.logo_uri.as_deref(),
        Some("https://insurer.example/new-logo.svg")
    );
    assert_eq!(observed.domains, ["insurer.example", "mtls.insurer.example"]);
}

#[test]
fn statements_nobody_can_trust_give_one_finding_and_nothing_observed() {
    let good = service_claims();
    let stranger = sign_as(
        "entity-statement+jwt",
        &good,
        &jose::SoftwareKey::generate("puk_fd_sig").unwrap(),
    );
    for (compact, rule, member) in [
        (String::new(), Rule::StatementForm, "statement"),
        ("<html>".to_owned(), Rule::StatementForm, "statement"),
        (sign_as("JWT", &good, &key("puk_fd_sig")), Rule::StatementForm, "typ"),
        (sign(&good, "unregistered"), Rule::RegisteredKey, "kid"),
        (stranger, Rule::Signature, "signature"),
        (
            sign(&broken(&good, "/iat", json!(NOW.0 + 61)), "puk_fd_sig"),
            Rule::Validity,
            "iat",
        ),
        (
            sign(&broken(&good, "/exp", json!(NOW.0)), "puk_fd_sig"),
            Rule::Validity,
            "exp",
        ),
        (
            sign(&broken(&good, "/iat", Value::Null), "puk_fd_sig"),
            Rule::StatementForm,
            "statement",
        ),
        (
            sign(&broken(&good, "/jwks", json!({"keys": []})), "puk_fd_sig"),
            Rule::StatementForm,
            "jwks",
        ),
        (
            sign(&broken(&good, "/sub", json!("https://other.example")), "puk_fd_sig"),
            Rule::StatementForm,
            "authority_hints",
        ),
    ] {
        let check = check_service(&compact);
        assert_eq!(shape(&check), [(rule, member)], "{:?}", check.findings);
        assert_eq!(check.observed, None);
    }
}

#[test]
fn a_statement_of_somebody_else_is_refused() {
    let other = claims("https://other.example", "puk_fd_sig", service_metadata());
    let check = check_service(&sign(&other, "puk_fd_sig"));
    assert_eq!(
        shape(&check),
        [(Rule::RegisteredIssuer, "iss"), (Rule::RegisteredIssuer, "sub")]
    );
    assert_eq!(check.observed, None);
}

#[test]
fn each_defect_of_a_service_is_named_with_its_rule() {
    let service = "metadata.openid_relying_party";
    let cases = [
        ("/exp", json!(NOW.0 + 86_391), Rule::Lifetime, "exp".to_owned()),
        (
            "/authority_hints",
            json!(["https://other.example"]),
            Rule::AuthorityHints,
            "authority_hints".into(),
        ),
        (
            "/authority_hints",
            json!([MASTER, "https://other.example"]),
            Rule::AuthorityHints,
            "authority_hints".into(),
        ),
        (
            "/authority_hints",
            Value::Null,
            Rule::AuthorityHints,
            "authority_hints".into(),
        ),
        (
            "/metadata/openid_relying_party",
            Value::Null,
            Rule::MetadataType,
            "metadata".into(),
        ),
        (
            "/metadata/openid_relying_party/scope",
            json!("openid urn:telematik:email"),
            Rule::RegisteredScopes,
            format!("{service}.scope"),
        ),
        (
            "/metadata/openid_relying_party/scope",
            Value::Null,
            Rule::Scopes,
            format!("{service}.scope"),
        ),
        (
            "/metadata/openid_relying_party/scope",
            json!(["openid"]),
            Rule::Scopes,
            format!("{service}.scope"),
        ),
        (
            "/metadata/openid_relying_party/redirect_uris",
            json!(["https://record.example/callback", "https://record.example/other"]),
            Rule::RegisteredRedirectUris,
            format!("{service}.redirect_uris[1]"),
        ),
        (
            "/metadata/openid_relying_party/redirect_uris",
            json!(["https://record.example/callback?a=b"]),
            Rule::RedirectUris,
            format!("{service}.redirect_uris[0]"),
        ),
        (
            "/metadata/openid_relying_party/redirect_uris",
            json!([]),
            Rule::RedirectUris,
            format!("{service}.redirect_uris"),
        ),
        (
            "/metadata/openid_relying_party/client_name",
            json!("x".repeat(129)),
            Rule::ClientName,
            format!("{service}.client_name"),
        ),
        (
            "/metadata/openid_relying_party/client_name",
            json!(""),
            Rule::ClientName,
            format!("{service}.client_name"),
        ),
        (
            "/metadata/openid_relying_party/claims",
            json!("email"),
            Rule::Claims,
            format!("{service}.claims"),
        ),
    ];
    for (pointer, value, rule, member) in cases {
        let check = check_service(&sign(&broken(&service_claims(), pointer, value), "puk_fd_sig"));
        assert_eq!(shape(&check), [(rule, member.as_str())], "{pointer}");
        assert!(check.observed.is_some());
    }
}

#[test]
fn each_defect_of_an_identity_provider_is_named_with_its_rule() {
    let good = claims(INSURER, "puk_idp_sig", insurer_metadata());
    let provider = "metadata.openid_provider";
    let long = format!("https://insurer.example/{}", "x".repeat(2000));
    for (pointer, value, rule, member) in [
        (
            "authorization_endpoint",
            json!("http://insurer.example/auth"),
            Rule::Endpoints,
            "authorization_endpoint",
        ),
        (
            "authorization_endpoint",
            json!("http://localhost:8402/auth"),
            Rule::Endpoints,
            "authorization_endpoint",
        ),
        (
            "token_endpoint",
            json!("http://localhost:8404/token"),
            Rule::Endpoints,
            "token_endpoint",
        ),
        ("token_endpoint", Value::Null, Rule::Endpoints, "token_endpoint"),
        (
            "pushed_authorization_request_endpoint",
            json!(long),
            Rule::Endpoints,
            "pushed_authorization_request_endpoint",
        ),
        (
            "logo_uri",
            json!("https://insurer.example/logo.svg#x"),
            Rule::LogoUri,
            "logo_uri",
        ),
        ("logo_uri", Value::Null, Rule::LogoUri, "logo_uri"),
    ] {
        let claims = broken(&good, &format!("/metadata/openid_provider/{pointer}"), value);
        let check = check_insurer(&claims, Profile::Production);
        assert_eq!(
            shape(&check),
            [(rule, format!("{provider}.{member}").as_str())],
            "{pointer}"
        );
    }
    let path = "metadata.federation_entity.organization_name";
    for name in [json!("Kasse (Süd)"), Value::Null] {
        let claims = broken(&good, "/metadata/federation_entity/organization_name", name);
        let check = check_insurer(&claims, Profile::Production);
        assert_eq!(shape(&check), [(Rule::OrganizationName, path)]);
        assert_eq!(check.observed.unwrap().organization_name, None);
    }
    let other = claims(INSURER, "puk_idp_sig", service_metadata());
    assert_eq!(
        shape(&check_insurer(&other, Profile::Production)),
        [(Rule::MetadataType, "metadata")]
    );
}

#[test]
fn the_sandbox_tolerates_plain_http_where_a_browser_goes() {
    let good = claims(INSURER, "puk_idp_sig", insurer_metadata());
    let at = |member: &str| {
        broken(
            &good,
            &format!("/metadata/openid_provider/{member}"),
            json!("http://localhost:8402/x"),
        )
    };
    assert_eq!(
        check_insurer(&at("authorization_endpoint"), Profile::Sandbox).findings,
        []
    );
    assert_eq!(check_insurer(&at("token_endpoint"), Profile::Sandbox).findings.len(), 1);
}

#[test]
fn either_registered_key_signs_during_a_rollover() {
    let mut form = service_form();
    form.keys = Some(crate::fixtures::keys_of(&["puk_fd_sig", "puk_fd_sig_2"]));
    let registration = form.check(Profile::Production).unwrap();
    for kid in ["puk_fd_sig", "puk_fd_sig_2"] {
        let compact = sign(&service_claims(), kid);
        let check = check_participant(&compact, &registration, &context(Profile::Production), NOW);
        assert_eq!(check.findings, [], "{kid}");
    }
}

#[test]
fn findings_say_rule_member_expected_and_found() {
    let claims = broken(
        &service_claims(),
        "/metadata/openid_relying_party/scope",
        json!("openid urn:telematik:email"),
    );
    let check = check_service(&sign(&claims, "puk_fd_sig"));
    assert_eq!(
        json!(check.findings),
        json!([{
            "rule": "registered_scopes",
            "source": "AF_10101, gemSpec_IDP_FedMaster 1.3.0",
            "member": "metadata.openid_relying_party.scope",
            "expected": "only registered scopes: openid urn:telematik:versicherter",
            "found": "urn:telematik:email"
        }])
    );
}

proptest! {
    #[test]
    fn no_bytes_and_no_signed_json_make_the_checks_panic(text in ".{0,200}", member in "[a-z_]{0,12}", number in any::<u64>()) {
        check_service(&text);
        let strange = json!({
            "iss": SERVICE, "sub": SERVICE, "iat": number, "exp": NOW.0 + 60, "jwks": {"keys": []}, (member): text,
            "metadata": {"openid_relying_party": {"scope": text, "redirect_uris": [text, number], "client_name": number}}
        });
        check_service(&sign(&strange, "puk_fd_sig"));
        let strange = broken(&service_claims(), "/metadata/openid_relying_party/scope", json!(text));
        check_service(&sign(&strange, "puk_fd_sig"));
    }
}
