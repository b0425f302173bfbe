//! The files by which phones find an insurer's app.

use authenticator::app_links::{
    ANDROID_PATH, APPLE_PATH, Apps,
    asset_links::AssetLinks,
    component::{Address, Verdict},
    site_association::SiteAssociation,
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
};
use provider::{TenantError, TenantSettings, Tenants, WalletSettings};
use serde_json::json;
use tower::ServiceExt as _;

use super::tenants::alone;
use crate::common::{Insurer, Setup, settings};

const CERTIFICATE: &str =
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

fn apps(name: &str) -> Apps {
    let value = json!({
        "android": [{ "package": format!("de.{name}.app"), "certificates": [CERTIFICATE] }],
        "apple": [format!("ABCDE12345.de.{name}.app")],
    });
    serde_json::from_value(value).unwrap()
}

fn tenant(issuer: &str, name: &str) -> TenantSettings {
    let insurer = Insurer {
        issuer: issuer.to_owned(),
        mtls: format!("{issuer}/mtls"),
        ik: "109900019",
    };
    TenantSettings {
        apps: apps(name),
        ..settings(&insurer, "Kasse", &Setup::default())
    }
}

/// What a request to a host gets.
async fn get(router: &Router, host: &str, path: &str) -> (StatusCode, HeaderMap, Bytes) {
    let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
    (parts.status, parts.headers, body)
}

fn authorization(path: &str) -> Address<'_> {
    Address {
        path,
        query: "client_id=https%3A%2F%2Fservice.example&request_uri=urn%3Aa",
        fragment: "",
    }
}

#[tokio::test]
async fn insurers_on_one_host_share_its_files_and_each_app_keeps_to_its_own_paths() {
    let mut none = tenant("https://shared.example/c", "third");
    none.apps = Apps::default();
    let provider = alone(vec![
        tenant("https://shared.example/a", "one"),
        tenant("https://shared.example/b", "other"),
        none,
    ]);
    let router = provider.public_router();
    let (status, headers, body) = get(&router, "Shared.Example:8443", APPLE_PATH).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["cache-control"], "public, max-age=3600");
    let file = SiteAssociation::parse(&body).unwrap();
    let judged = |app: &str, path| file.judge(&format!("ABCDE12345.de.{app}.app"), authorization(path));
    assert_eq!(judged("one", "/a/auth"), Some(Verdict::Opens));
    assert_eq!(judged("one", "/b/auth"), Some(Verdict::NoMatch));
    assert_eq!(judged("other", "/b/auth"), Some(Verdict::Opens));
    assert_eq!(judged("one", "/a/auth/consent"), Some(Verdict::NoMatch));
    assert_eq!(judged("third", "/c/auth"), None);

    let (status, headers, body) = get(&router, "shared.example", ANDROID_PATH).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let file = AssetLinks::parse(&body).unwrap();
    assert!(file.of("de.one.app").next().unwrap().handles_urls);
    assert_eq!(file.apps.len(), 2);
}

#[tokio::test]
async fn a_host_without_an_app_has_no_such_file_and_no_host_shows_another_ones() {
    let mut only_apple = tenant("https://apple.example", "apple");
    only_apple.apps.android.clear();
    let mut none = tenant("https://none.example", "none");
    none.apps = Apps::default();
    let router = alone(vec![only_apple, none]).public_router();
    for (host, path, expected) in [
        ("apple.example", APPLE_PATH, 200),
        ("apple.example", ANDROID_PATH, 404),
        ("none.example", APPLE_PATH, 404),
        ("none.example", ANDROID_PATH, 404),
        ("elsewhere.example", APPLE_PATH, 404),
        ("", APPLE_PATH, 404),
        ("apple.example.", APPLE_PATH, 404),
        ("apple.example", "/apple-app-site-association", 404),
        ("apple.example", "/x/.well-known/apple-app-site-association", 404),
    ] {
        let (status, _, body) = get(&router, host, path).await;
        assert_eq!(status.as_u16(), expected, "{host}{path}");
        assert_eq!(String::from_utf8_lossy(&body).contains("ABCDE12345"), expected == 200);
    }
}

#[tokio::test]
async fn pages_on_a_host_of_their_own_have_the_files_there_with_the_authenticator_beside_the_endpoint() {
    let mut own = tenant("https://idp.example/a", "one");
    own.browser_base = "https://login.example/kasse".into();
    own.wallet = Some(WalletSettings::default());
    own.authenticator_url = Some("https://login.example/kasse/app".into());
    let mut elsewhere = tenant("https://idp.example/b", "other");
    elsewhere.authenticator_url = Some("https://app.example/open".into());
    let router = alone(vec![own, elsewhere]).public_router();
    let file = SiteAssociation::parse(&get(&router, "login.example", APPLE_PATH).await.2).unwrap();
    let judged = |path| file.judge("ABCDE12345.de.one.app", authorization(path));
    for (path, verdict) in [
        ("/kasse/auth", Verdict::Opens),
        ("/kasse/app", Verdict::Opens),
        ("/kasse/wallet/", Verdict::Opens),
        ("/kasse/wallet/config.json", Verdict::NoMatch),
        ("/kasse/app/more", Verdict::NoMatch),
        ("/a/auth", Verdict::NoMatch),
    ] {
        assert_eq!(judged(path), Some(verdict), "{path}");
    }
    let file = SiteAssociation::parse(&get(&router, "idp.example", APPLE_PATH).await.2).unwrap();
    assert_eq!(
        file.judge("ABCDE12345.de.other.app", authorization("/open")),
        Some(Verdict::NoMatch)
    );
    assert_eq!(get(&router, "app.example", APPLE_PATH).await.0, StatusCode::NOT_FOUND);
}

#[test]
fn apps_that_cannot_be_published_are_refused_with_their_insurer_or_host() {
    let refused = |change: fn(&mut TenantSettings)| {
        let mut tenant = tenant("https://idp.example/a", "one");
        change(&mut tenant);
        Tenants::new(vec![tenant]).unwrap_err()
    };
    let without_certificate = refused(|tenant| tenant.apps.android[0].certificates.clear());
    assert!(matches!(&without_certificate, TenantError::Apps { issuer, .. } if issuer == "https://idp.example/a"));
    assert!(without_certificate.to_string().contains("names no certificate"));
    let twice = refused(|tenant| tenant.apps.apple.extend(tenant.apps.apple.clone()));
    assert!(twice.to_string().contains("named twice"), "{twice}");
    let path = refused(|tenant| tenant.browser_base = "https://idp.example/k%20k".into());
    assert!(
        matches!(&path, TenantError::AppLinks { host, .. } if host == "idp.example"),
        "{path}"
    );
    let many = (0..3000).map(|number| tenant(&format!("https://idp.example/insurer-{number}"), &format!("n{number}")));
    let too_large = Tenants::new(many.collect()).unwrap_err();
    assert!(too_large.to_string().contains("hosts of their own"), "{too_large}");
}
