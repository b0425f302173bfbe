#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::finding::Rule;
use crate::fixtures::{insurer_form, key, keys_of, service_form};

fn refused(form: RegistrationForm, profile: Profile) -> Vec<(Rule, String)> {
    let findings = form.check(profile).unwrap_err();
    findings
        .into_iter()
        .map(|finding| (finding.rule, finding.member))
        .collect()
}

fn pem(der: &[u8]) -> String {
    der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, der).unwrap()
}

#[test]
fn complete_forms_are_taken_in_and_keep_their_form() {
    for form in [insurer_form(), service_form()] {
        let registration = form.clone().check(Profile::Production).unwrap();
        assert_eq!(registration.form(), &form);
        assert_eq!(registration.organization_name(), form.organization_name);
        assert_eq!(registration.keys().keys.len(), 1);
    }
}

#[test]
fn each_broken_member_of_a_service_is_named_with_its_rule() {
    let with = |change: fn(&mut RegistrationForm)| {
        let mut form = service_form();
        change(&mut form);
        form
    };
    for (form, rule, member) in [
        (
            with(|f| f.entity_id = "http://record.example".into()),
            Rule::EntityIdentifier,
            "entity_id",
        ),
        (
            with(|f| f.entity_id = "https://record.example/".into()),
            Rule::EntityIdentifier,
            "entity_id",
        ),
        (
            with(|f| f.organization_name = "<b>Akte</b>".into()),
            Rule::OrganizationName,
            "organization_name",
        ),
        (
            with(|f| f.organization_name = "x".repeat(129)),
            Rule::OrganizationName,
            "organization_name",
        ),
        (with(|f| f.keys = None), Rule::EntityKeys, "keys"),
        (with(|f| f.keys = Some(JwkSet::default())), Rule::EntityKeys, "keys"),
        (
            with(|f| f.keys.as_mut().unwrap().keys[0].kid = None),
            Rule::EntityKeys,
            "keys[0].kid",
        ),
        (
            with(|f| f.keys.as_mut().unwrap().keys[0].key_use = Some(jose::jwk::KeyUse::Encryption)),
            Rule::EntityKeys,
            "keys[0]",
        ),
        (with(|f| f.redirect_uris = None), Rule::RedirectUris, "redirect_uris"),
        (
            with(|f| f.redirect_uris = Some(vec!["https://a.example/cb".into(), "app:cb".into()])),
            Rule::RedirectUris,
            "redirect_uris[1]",
        ),
        (
            with(|f| f.redirect_uris = Some(vec!["https://a.example/cb?x=1".into()])),
            Rule::RedirectUris,
            "redirect_uris[0]",
        ),
        (
            with(|f| f.redirect_uris = Some(vec!["http://localhost:8406/cb".into()])),
            Rule::RedirectUris,
            "redirect_uris[0]",
        ),
        (
            with(|f| f.redirect_uris = Some(vec!["https://a.example/cb".into(); 65])),
            Rule::RedirectUris,
            "redirect_uris",
        ),
        (
            with(|f| f.scopes = Some(vec!["openid email".into()])),
            Rule::Scopes,
            "scopes[0]",
        ),
        (
            with(|f| f.scopes = Some(vec![String::new()])),
            Rule::Scopes,
            "scopes[0]",
        ),
        (
            with(|f| f.claims = Some(vec!["a\"b".into()])),
            Rule::Claims,
            "claims[0]",
        ),
        (with(|f| f.pkv = Some(false)), Rule::RegistrationMembers, "pkv"),
        (
            with(|f| f.logo_uri = Some("https://a.example/l".into())),
            Rule::RegistrationMembers,
            "logo_uri",
        ),
    ] {
        assert_eq!(refused(form, Profile::Production), [(rule, member.to_owned())]);
    }
}

#[test]
fn each_broken_member_of_an_identity_provider_is_named_with_its_rule() {
    let with = |change: fn(&mut RegistrationForm)| {
        let mut form = insurer_form();
        change(&mut form);
        form
    };
    let tls = |domain: &str, public_key: &str| {
        Some(vec![TlsKeyForm {
            domain: domain.into(),
            public_key: public_key.into(),
        }])
    };
    for (form, rule, member) in [
        (with(|f| f.logo_uri = None), Rule::LogoUri, "logo_uri"),
        (
            with(|f| f.logo_uri = Some("logo.svg".into())),
            Rule::LogoUri,
            "logo_uri",
        ),
        (
            with(|f| f.user_type_supported = None),
            Rule::UserType,
            "user_type_supported",
        ),
        (
            with(|f| f.user_type_supported = Some("XX".into())),
            Rule::UserType,
            "user_type_supported",
        ),
        (with(|f| f.scopes = Some(vec![])), Rule::RegistrationMembers, "scopes"),
        (
            RegistrationForm {
                tls_keys: tls("idp.example", "no key"),
                ..insurer_form()
            },
            Rule::TlsKeys,
            "tls_keys[0].public_key",
        ),
        (
            RegistrationForm {
                tls_keys: tls("no domain", "no key"),
                ..insurer_form()
            },
            Rule::TlsKeys,
            "tls_keys[0].domain",
        ),
        (
            RegistrationForm {
                tls_keys: tls("10.0.0.1", "no key"),
                ..insurer_form()
            },
            Rule::TlsKeys,
            "tls_keys[0].domain",
        ),
    ] {
        assert_eq!(refused(form, Profile::Production), [(rule, member.to_owned())]);
    }
}

#[test]
fn every_broken_rule_is_reported_at_once() {
    let mut form = service_form();
    form.entity_id = "record".into();
    form.redirect_uris = Some(vec![]);
    form.scopes = Some(vec!["a b".into()]);
    form.keys = None;
    let rules: Vec<Rule> = refused(form, Profile::Production)
        .into_iter()
        .map(|(rule, _)| rule)
        .collect();
    assert_eq!(
        rules,
        [
            Rule::EntityIdentifier,
            Rule::EntityKeys,
            Rule::RedirectUris,
            Rule::Scopes
        ]
    );
}

#[test]
fn the_sandbox_tolerates_plain_http_on_this_machine_only() {
    let mut form = service_form();
    form.redirect_uris = Some(vec!["http://localhost:8406/cb".into()]);
    assert!(form.clone().check(Profile::Sandbox).is_ok());
    assert!(form.clone().check(Profile::Production).is_err());
    form.redirect_uris = Some(vec!["http://record.example/cb".into()]);
    assert!(form.clone().check(Profile::Sandbox).is_err());
    form.redirect_uris = service_form().redirect_uris;
    form.entity_id = "http://localhost:8405".into();
    assert_eq!(
        refused(form, Profile::Sandbox),
        [(Rule::EntityIdentifier, "entity_id".to_owned())]
    );
}

#[test]
fn openid_is_always_registered() {
    let mut form = service_form();
    form.scopes = Some(vec!["urn:telematik:alter".into()]);
    let registration = form.check(Profile::Production).unwrap();
    let Role::RelyingParty { scopes, .. } = registration.role() else {
        panic!()
    };
    assert_eq!(scopes, &["openid", "urn:telematik:alter"]);
}

#[test]
fn keys_come_as_pem_too_and_each_needs_a_kid_of_its_own() {
    let mut form = service_form();
    let entity_key = key("another");
    form.pem_keys = vec![PemKey {
        kid: "second".into(),
        public_key: pem(&entity_key.public_key().to_spki_der()),
    }];
    let registration = form.clone().check(Profile::Production).unwrap();
    assert_eq!(registration.keys().keys.len(), 2);
    assert_eq!(
        &registration.keys().by_kid("second").unwrap().key,
        entity_key.public_key()
    );

    form.pem_keys[0].kid = "puk_fd_sig".into();
    assert_eq!(
        refused(form.clone(), Profile::Production),
        [(Rule::EntityKeys, "keys[1].kid".to_owned())]
    );
    form.pem_keys[0].public_key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".into();
    let refused = refused(form, Profile::Production);
    assert_eq!(refused, [(Rule::EntityKeys, "pem_keys[0].public_key".to_owned())]);
}

#[test]
fn tls_keys_are_kept_as_the_digest_certificate_transparency_is_compared_with() {
    let mut form = insurer_form();
    let tls_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    form.tls_keys = Some(vec![TlsKeyForm {
        domain: "IDP.example".into(),
        public_key: tls_key.public_key_pem(),
    }]);
    let registration = form.check(Profile::Production).unwrap();
    let Role::IdentityProvider { tls_keys, .. } = registration.role() else {
        panic!()
    };
    assert_eq!(tls_keys[0].domain, "idp.example");
    let certificate = rcgen::CertificateParams::default().self_signed(&tls_key).unwrap();
    let expected = transport::public_key_thumbprint_hex(certificate.der()).unwrap();
    assert_eq!(tls_keys[0].public_key_sha256, expected);
}

#[test]
fn forms_are_read_from_json_and_toml() {
    let json = json!([insurer_form(), service_form()]).to_string();
    assert_eq!(
        parse_forms(&json, FormFormat::Json).unwrap(),
        [insurer_form(), service_form()]
    );
    let one = json!(service_form()).to_string();
    assert_eq!(parse_forms(&one, FormFormat::Json).unwrap(), [service_form()]);

    let jwk = keys_of(&["puk_fd_sig"]).keys[0].to_value();
    let toml = |prefix: &str| {
        format!(
            r#"{prefix}
entity_id = "{}"
type = "RP"
organization_name = "Patientenakte"
redirect_uris = ["https://record.example/callback"]
scopes = ["openid", "urn:telematik:versicherter"]
keys.keys = [{{ use = "sig", kid = "puk_fd_sig", kty = "EC", crv = "P-256", x = {}, y = {} }}]
"#,
            crate::fixtures::SERVICE,
            jwk["x"],
            jwk["y"]
        )
    };
    assert_eq!(parse_forms(&toml(""), FormFormat::Toml).unwrap(), [service_form()]);
    assert_eq!(
        parse_forms(&toml("[[participant]]"), FormFormat::Toml).unwrap(),
        [service_form()]
    );
}

#[test]
fn files_that_are_not_forms_are_refused() {
    let complete = json!(service_form());
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut form = complete.clone();
        change(&mut form);
        form.to_string()
    };
    for text in [
        String::new(),
        "[".into(),
        "{}".into(),
        broken(&|form| form["redirect_uri"] = json!("typing error")),
        broken(&|form| form["type"] = json!("FD")),
        broken(&|form| form["keys"]["keys"][0]["d"] = json!("AA")),
        broken(&|form| form["keys"]["keys"][0]["x"] = json!("AA")),
        r#"{"entity_id":"a","entity_id":"b"}"#.into(),
    ] {
        assert!(parse_forms(&text, FormFormat::Json).is_err(), "{text}");
    }
    assert!(parse_forms("entity_id = 1", FormFormat::Toml).is_err());
    assert!(parse_forms("[[participant]]\nname = 'x'", FormFormat::Toml).is_err());
    let long = " ".repeat(8 * 1024 * 1024 + 1);
    assert_eq!(parse_forms(&long, FormFormat::Toml), Err(FormError::TooLong));
}
