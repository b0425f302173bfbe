#![allow(clippy::unwrap_used)]
use jose::json::JsonError;
use serde_json::{Value, json};

use super::asset_links::{AssetLinks, AssetLinksError, MAX_STATEMENTS};
use super::component::{Address, Verdict, judge};
use super::publish::{LinkPath, LinkedPaths, PublishError, asset_links, site_association};
use super::site_association::{SiteAssociation, SiteAssociationError};
use super::*;

fn fingerprint(byte: u8) -> String {
    vec![format!("{byte:02X}"); 32].join(":")
}

fn apps(package: &str, certificate: u8, apple: &str) -> Apps {
    let value = json!({
        "android": [{ "package": package, "certificates": [fingerprint(certificate)] }],
        "apple": [apple],
    });
    serde_json::from_value(value).unwrap()
}

fn linked<'a>(apps: &'a Apps, path: &str) -> LinkedPaths<'a> {
    LinkedPaths {
        apps,
        paths: vec![LinkPath::parse(path).unwrap()],
    }
}

fn at(path: &str) -> Address<'_> {
    Address {
        path,
        query: "client_id=c&request_uri=r",
        fragment: "",
    }
}

#[test]
fn names_of_apps_are_read_strictly() {
    for good in ["de.example.app", "a.b", "com.Example_1.x2"] {
        assert_eq!(PackageName::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "app",
        ".app",
        "de.",
        "de..app",
        "de.1app",
        "de.ex-ample",
        "de.exämple",
        "de.a b",
    ] {
        assert_eq!(PackageName::parse(bad).unwrap_err().code(), "package", "{bad}");
    }
    let good = "ABCDE12345.de.example.app-1";
    assert_eq!(AppleAppId::parse(good).unwrap().as_str(), good);
    for bad in [
        "",
        "de.example.app",
        "ABCDE12345",
        "ABCDE12345.",
        "abcde12345.de.app",
        "ABCDE1234.de.app",
        "ABCDE12345.de..app",
        "ABCDE12345.*",
    ] {
        assert_eq!(AppleAppId::parse(bad).unwrap_err().code(), "apple-app-id", "{bad}");
    }
}

#[test]
fn fingerprints_are_sha_256_with_colons() {
    let text = fingerprint(0xab);
    assert_eq!(Fingerprint::parse(&text).unwrap().to_string(), text);
    assert_eq!(Fingerprint::parse(&text.to_lowercase()).unwrap().to_string(), text);
    for bad in [
        String::new(),
        text.replace(':', ""),
        text[3..].to_owned(),
        format!("{text}:AB"),
        text.replace("AB", "+A"),
        text.replacen("AB", "GG", 1),
        vec!["AB"; 20].join(":"),
    ] {
        assert_eq!(Fingerprint::parse(&bad).unwrap_err().code(), "fingerprint", "{bad}");
    }
}

#[test]
fn an_app_needs_a_certificate_and_one_name() {
    let mut own = apps("de.example.app", 1, "ABCDE12345.de.example.app");
    assert_eq!(own.check(), Ok(()));
    own.apple.push(own.apple[0].clone());
    assert_eq!(own.check().unwrap_err().code(), "twice");
    own.android.push(own.android[0].clone());
    assert_eq!(own.check().unwrap_err(), AppsError::Twice("de.example.app".into()));
    own.android[0].certificates.clear();
    assert_eq!(own.check().unwrap_err().code(), "no-certificate");
    assert!(serde_json::from_value::<Apps>(json!({ "ios": [] })).is_err());
    assert!(serde_json::from_value::<Apps>(json!({ "android": [{ "package": "a.b" }] })).is_err());
}

#[test]
fn insurers_that_share_a_host_are_merged_and_kept_to_their_paths() {
    let (one, other) = (
        apps("de.one.app", 1, "ABCDE12345.de.one.app"),
        apps("de.other.app", 2, "ABCDE12345.de.other.app"),
    );
    let host = [linked(&one, "/109900019/auth"), linked(&other, "/109912342/auth")];
    let apple = SiteAssociation::parse(&site_association(&host).unwrap().unwrap()).unwrap();
    let android = AssetLinks::parse(&asset_links(&host).unwrap().unwrap()).unwrap();
    for (bundle, own, others) in [
        ("one", "/109900019/auth", "/109912342/auth"),
        ("other", "/109912342/auth", "/109900019/auth"),
    ] {
        let app_id = format!("ABCDE12345.de.{bundle}.app");
        assert_eq!(apple.judge(&app_id, at(own)), Some(Verdict::Opens));
        assert_eq!(apple.judge(&app_id, at(others)), Some(Verdict::NoMatch));
        let package = format!("de.{bundle}.app");
        let rules = android.of(&package).next().unwrap().rules.clone().unwrap();
        assert_eq!(judge(&rules, at(own)), Verdict::Opens);
        assert_eq!(judge(&rules, at(others)), Verdict::Excluded);
        // The pages of the provider itself stay in the browser.
        assert_eq!(judge(&rules, at(&format!("{own}/consent"))), Verdict::Excluded);
    }
    assert_eq!(apple.judge("ABCDE12345.de.third.app", at("/109900019/auth")), None);
}

#[test]
fn an_app_of_two_insurers_stands_there_once() {
    let (one, other) = (
        apps("de.both.app", 1, "ABCDE12345.de.both.app"),
        apps("de.both.app", 2, "ABCDE12345.de.both.app"),
    );
    let host = [linked(&one, "/a/auth"), linked(&other, "/b/auth")];
    let android: Value = serde_json::from_slice(&asset_links(&host).unwrap().unwrap()).unwrap();
    let target = &android[0]["target"];
    assert_eq!(android.as_array().unwrap().len(), 1);
    assert_eq!(
        target["sha256_cert_fingerprints"],
        json!([fingerprint(1), fingerprint(2)])
    );
    let apple: Value = serde_json::from_slice(&site_association(&host).unwrap().unwrap()).unwrap();
    let expected =
        json!([{ "appIDs": ["ABCDE12345.de.both.app"], "components": [{ "/": "/a/auth" }, { "/": "/b/auth" }] }]);
    assert_eq!(apple["applinks"]["details"], expected);
}

#[test]
fn without_an_app_there_is_no_file() {
    let none = Apps::default();
    let host = [linked(&none, "/auth")];
    assert_eq!(asset_links(&host).unwrap(), None);
    assert_eq!(site_association(&host).unwrap(), None);
}

#[test]
fn what_no_phone_would_read_is_not_published() {
    let own = apps("de.example.app", 1, "ABCDE12345.de.example.app");
    let paths = (0..6000).map(|n| LinkPath::parse(&format!("/insurer-number-{n}/auth")).unwrap());
    let host = [LinkedPaths {
        apps: &own,
        paths: paths.collect(),
    }];
    let refused = site_association(&host).unwrap_err();
    assert!(
        matches!(
            refused,
            PublishError::TooLarge {
                most: MAX_APPLE_BYTES,
                ..
            }
        ),
        "{refused}"
    );
    for bad in ["", "auth", "/a*", "/a?b", "/a%20b", "/ä", "/a$(lang)"] {
        assert_eq!(LinkPath::parse(bad).unwrap_err().code(), "path", "{bad}");
    }
}

#[test]
fn files_of_others_are_read_for_what_a_phone_would_see() {
    let file = json!([
        { "include": "https://other.example/statements.json" },
        { "relation": ["delegate_permission/common.get_login_creds"],
          "target": { "namespace": "web", "site": "https://other.example" } },
        { "relation": ["delegate_permission/common.get_login_creds"],
          "target": { "namespace": "android_app", "package_name": "de.a.app",
                      "sha256_cert_fingerprints": [fingerprint(1), "AB:CD", fingerprint(1).replace(':', "")] } },
    ]);
    let read = AssetLinks::parse(file.to_string().as_bytes()).unwrap();
    assert_eq!(read.others, 2);
    let app = read.of("de.a.app").next().unwrap();
    assert!(!app.handles_urls && app.rules.is_none());
    assert_eq!((app.fingerprints.len(), app.unreadable_fingerprints), (1, 2));

    let older = json!({ "applinks": { "apps": [], "details": [
        { "appID": "ABCDE12345.de.a.app", "paths": ["NOT /auth/private", "/auth*"] },
        { "appIDs": ["ABCDE12345.de.b.app"] },
    ] } });
    let read = SiteAssociation::parse(older.to_string().as_bytes()).unwrap();
    let judged = |app: &str, path| read.judge(&format!("ABCDE12345.de.{app}.app"), at(path));
    assert_eq!(judged("a", "/auth"), Some(Verdict::Opens));
    assert_eq!(judged("a", "/auth/private"), Some(Verdict::Excluded));
    assert_eq!(judged("b", "/auth"), Some(Verdict::Unclear));
    assert_eq!(read.app_ids().count(), 2);
}

#[test]
fn malformed_asset_links_are_refused_with_their_reason() {
    let statement = |change: Value| {
        let mut statement = json!({
            "relation": [HANDLE_ALL_URLS],
            "target": { "namespace": "android_app", "package_name": "a.b", "sha256_cert_fingerprints": [] },
        });
        for (name, value) in change.as_object().unwrap() {
            statement[name] = value.clone();
        }
        json!([statement])
    };
    let target = |name: &str, value: Value| {
        let mut target = json!({ "namespace": "android_app", "package_name": "a.b", "sha256_cert_fingerprints": [] });
        target[name] = value;
        statement(json!({ "target": target }))
    };
    for file in [
        json!([1]),
        statement(json!({ "relation": HANDLE_ALL_URLS })),
        statement(json!({ "relation": [1] })),
        statement(json!({ "target": [] })),
        target("namespace", json!(1)),
        target("package_name", json!(["a.b"])),
        target("sha256_cert_fingerprints", json!("AB")),
        target("sha256_cert_fingerprints", json!([1])),
        statement(json!({ "relation_extensions": { HANDLE_ALL_URLS: { "dynamic_app_link_components": {} } } })),
    ] {
        let refused = AssetLinks::parse(file.to_string().as_bytes()).unwrap_err();
        assert_eq!(refused.code(), "statement", "{file}");
    }
    let parse = |text: &str| AssetLinks::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse("{}"), AssetLinksError::NotAnArray);
    assert_eq!(parse("<!doctype html>").code(), "json");
    assert_eq!(parse("").code(), "json");
    assert_eq!(parse("[{\"include\":\"a\",\"include\":\"b\"}]").code(), "json");
    let many = format!("[{}{{}}]", "{},".repeat(MAX_STATEMENTS));
    assert_eq!(parse(&many), AssetLinksError::TooMany);
}

#[test]
fn malformed_site_associations_are_refused_with_their_reason() {
    for (file, code) in [
        (json!([]), "no-applinks"),
        (json!({}), "no-applinks"),
        (json!({ "applinks": [] }), "no-applinks"),
        (json!({ "applinks": {} }), "no-details"),
        (
            json!({ "applinks": { "details": { "ABCDE12345.a.b": { "paths": ["*"] } } } }),
            "no-details",
        ),
        (json!({ "applinks": { "details": [1] } }), "detail"),
        (json!({ "applinks": { "details": [{ "components": [] }] } }), "detail"),
        (
            json!({ "applinks": { "details": [{ "appIDs": "ABCDE12345.a.b" }] } }),
            "detail",
        ),
        (json!({ "applinks": { "details": [{ "appID": ["a"] }] } }), "detail"),
        (
            json!({ "applinks": { "details": [{ "appIDs": [], "components": ["/auth"] }] } }),
            "detail",
        ),
        (
            json!({ "applinks": { "details": [{ "appIDs": [], "paths": "*" }] } }),
            "detail",
        ),
    ] {
        let refused = SiteAssociation::parse(file.to_string().as_bytes()).unwrap_err();
        assert_eq!(refused.code(), code, "{file}");
    }
    let large = format!(
        "{{\"applinks\":{{\"details\":[]}},\"x\":\"{}\"}}",
        "x".repeat(MAX_APPLE_BYTES)
    );
    let refused = SiteAssociation::parse(large.as_bytes()).unwrap_err();
    assert!(matches!(refused, SiteAssociationError::Json(JsonError::TooLong { .. })));
}
