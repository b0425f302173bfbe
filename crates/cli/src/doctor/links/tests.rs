//! Hosts with one defect each, over real TLS.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use sandbox::pki::TlsAuthority;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transport::{ClientCertificates, Roots, Server, ServerTls, TlsIdentity};

use super::*;
use authenticator::app_links::{ANDROID_PATH, APPLE_PATH, HANDLE_ALL_URLS, MEDIA_TYPE};

const PACKAGE: &str = "de.insurer.app";
const APP_ID: &str = "ABCDE12345.de.insurer.app";
const AUTHORIZATION: &str = "/109900019/auth?client_id=c&request_uri=r";

/// What a host answers for one path.
#[derive(Clone)]
struct Answer {
    status: u16,
    content_type: &'static str,
    location: &'static str,
    body: String,
}

impl Answer {
    fn json(body: &Value) -> Self {
        Self {
            status: 200,
            content_type: MEDIA_TYPE,
            location: "",
            body: body.to_string(),
        }
    }
}

fn fingerprint(byte: u8) -> String {
    vec![format!("{byte:02X}"); 32].join(":")
}

fn asset_links() -> Value {
    json!([{
        "relation": [HANDLE_ALL_URLS],
        "target": { "namespace": "android_app", "package_name": PACKAGE, "sha256_cert_fingerprints": [fingerprint(1)] },
        "relation_extensions": { HANDLE_ALL_URLS: { "dynamic_app_link_components": [{ "/": "/109900019/auth" }, { "/": "*", "exclude": true }] } },
    }])
}

fn site_association() -> Value {
    json!({ "applinks": { "details": [{ "appIDs": [APP_ID], "components": [{ "/": "/109900019/auth" }] }] } })
}

fn authority(seed: u8) -> TlsAuthority {
    TlsAuthority::from_seed(&[seed; 32], &["localhost"], now().minus_seconds(7200)).unwrap()
}

fn now() -> jose::UnixTime {
    fedmaster::system_clock()()
}

fn client(authority: &TlsAuthority) -> HttpClient {
    let mut roots = Roots::none();
    roots.add_der(authority.certificate()).unwrap();
    HttpClient::builder(&roots, AddressRule::Unrestricted).build().unwrap()
}

/// Everybody believes the authority that these hosts have their certificates from.
fn clients() -> Clients {
    Clients {
        believing: client(&authority(1)),
        public: client(&authority(1)),
    }
}

/// A host; gives its port.
async fn host(answers: Vec<(&'static str, Answer)>) -> u16 {
    let key = authority(1)
        .issue_server(&["localhost"], &[IpAddr::V4(Ipv4Addr::LOCALHOST)], now())
        .unwrap();
    let identity = TlsIdentity::new(std::slice::from_ref(&key.certificate), &key.key_pkcs8).unwrap();
    let tls = ServerTls::new(identity, ClientCertificates::None).unwrap();
    let mut router = Router::new();
    for (path, answer) in answers {
        let headers = [("content-type", answer.content_type), ("location", answer.location)];
        let status = StatusCode::from_u16(answer.status).unwrap();
        router = router.route(path, get(move || async move { (status, headers, answer.body) }));
    }
    let server = Server::https(TcpListener::bind("127.0.0.1:0").await.unwrap(), tls).unwrap();
    let port = server.local_addr().port();
    tokio::spawn(server.serve(router, std::future::pending()));
    port
}

fn options(url: &str, android: &[&str], ios: &[&str], way_back: &[&str]) -> Options {
    let mut words = vec!["links".to_owned(), url.to_owned()];
    for (name, values) in [("--android", android), ("--ios", ios), ("--return", way_back)] {
        for value in values {
            words.extend([name.to_owned(), (*value).to_owned()]);
        }
    }
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }
    <Line as clap::Parser>::try_parse_from(words).unwrap().options
}

/// The defects of an address, but for the port, which no test can have as it should be.
async fn defects(clients: &Clients, options: &Options) -> Vec<&'static str> {
    let address = Address::parse(&options.url).unwrap();
    let findings = examine(clients, &address, options).await;
    assert!(findings.iter().any(|finding| finding.code == "fact.ios"));
    for finding in &findings {
        let told = finding.to_string();
        assert!(!told.trim().is_empty() && !told.contains('\u{1b}'), "{told}");
        let complete = !finding.expected.is_empty() && !finding.advice.is_empty() && !finding.found.is_empty();
        assert!(finding.weight != Weight::Defect || complete, "{told}");
    }
    let defects = findings.iter().filter(|finding| finding.weight == Weight::Defect);
    defects
        .map(|finding| finding.code)
        .filter(|code| *code != "address.port")
        .collect()
}

/// The defects of a host with these two files.
async fn of_files(android: Answer, apple: Answer) -> Vec<&'static str> {
    let port = host(vec![(ANDROID_PATH, android), (APPLE_PATH, apple)]).await;
    let app = format!("{PACKAGE}:{}", fingerprint(1));
    let url = format!("https://localhost:{port}{AUTHORIZATION}");
    let options = self::options(&url, &[&app], &[APP_ID], &["https://127.0.0.1:1/back"]);
    let mut defects = defects(&clients(), &options).await;
    // The way back leads nowhere here; it has tests of its own.
    defects.retain(|code| !code.ends_with(".unreachable"));
    defects
}

async fn of_android(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut file = asset_links();
    change(&mut file);
    of_files(Answer::json(&file), Answer::json(&site_association())).await
}

async fn of_apple(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut file = site_association();
    change(&mut file);
    of_files(Answer::json(&asset_links()), Answer::json(&file)).await
}

#[tokio::test]
async fn a_host_as_it_should_be_has_no_defect() {
    assert!(of_android(|_| {}).await.is_empty());
    let older = json!({ "applinks": { "apps": [], "details": [{ "appID": APP_ID, "paths": ["*"] }] } });
    assert!(of_apple(|file| *file = older).await.is_empty());
}

#[tokio::test]
async fn each_defect_of_the_answer_is_named_for_both_systems() {
    let good = || Answer::json(&json!([]));
    for (answer, android, apple) in [
        (Answer { status: 404, ..good() }, "android.missing", "ios.missing"),
        (
            Answer {
                status: 301,
                location: "/elsewhere",
                ..good()
            },
            "android.redirect",
            "ios.redirect",
        ),
        (Answer { status: 503, ..good() }, "android.status", "ios.status"),
        (Answer { status: 403, ..good() }, "android.status", "ios.status"),
        (
            Answer {
                content_type: "application/octet-stream",
                ..good()
            },
            "android.content-type",
            "ios.content-type",
        ),
        (
            Answer {
                content_type: "text/html; charset=utf-8",
                ..good()
            },
            "android.content-type",
            "ios.content-type",
        ),
        (
            Answer {
                body: " ".repeat(1024 * 1024 + 1),
                ..good()
            },
            "android.too-large",
            "ios.too-large",
        ),
        (
            Answer {
                body: "<!doctype html>".into(),
                ..good()
            },
            "android.form",
            "ios.form",
        ),
        (
            Answer {
                body: "\"\u{1b}[2J\"".into(),
                ..good()
            },
            "android.form",
            "ios.form",
        ),
    ] {
        assert_eq!(of_files(answer.clone(), answer).await, [android, apple]);
    }
    let mut large = site_association();
    large["more"] = json!("x".repeat(128 * 1024));
    let defects = of_files(Answer::json(&asset_links()), Answer::json(&large)).await;
    assert_eq!(defects, ["ios.too-large"]);
}

#[tokio::test]
async fn each_defect_of_assetlinks_is_named() {
    let of = |name: &'static str, value: Value| move |file: &mut Value| file[0]["target"][name] = value;
    for (code, found) in [
        (
            "android.package",
            of_android(of("package_name", json!("de.insurer.App"))).await,
        ),
        (
            "android.fingerprint",
            of_android(of("sha256_cert_fingerprints", json!([fingerprint(2)]))).await,
        ),
        ("android.package", of_android(|file| *file = json!([])).await),
        (
            "android.form",
            of_android(|file| *file = json!({ "applinks": {} })).await,
        ),
        (
            "android.form",
            of_android(|file| file[0]["relation"] = json!(HANDLE_ALL_URLS)).await,
        ),
        (
            "android.relation",
            of_android(|file| file[0]["relation"] = json!(["delegate_permission/common.get_login_creds"])).await,
        ),
        (
            "android.rules",
            of_android(|file| {
                let rules = &mut file[0]["relation_extensions"][HANDLE_ALL_URLS]["dynamic_app_link_components"];
                *rules = json!([{ "/": "/109912342/auth" }]);
            })
            .await,
        ),
    ] {
        assert_eq!(found, [code]);
    }
    let without_colons = fingerprint(1).replace(':', "");
    let defects = of_android(of("sha256_cert_fingerprints", json!([without_colons]))).await;
    assert_eq!(defects, ["android.fingerprint-form", "android.fingerprint"]);
}

#[tokio::test]
async fn each_defect_of_the_site_association_is_named() {
    for (code, found) in [
        (
            "ios.app-id",
            of_apple(|file| file["applinks"]["details"][0]["appIDs"] = json!([PACKAGE])).await,
        ),
        ("ios.form", of_apple(|file| *file = json!({ "details": [] })).await),
        (
            "ios.path",
            of_apple(|file| file["applinks"]["details"][0]["components"] = json!([{ "/": "/109900019/AUTH" }])).await,
        ),
        (
            "ios.path",
            of_apple(|file| {
                file["applinks"]["details"][0]["components"] =
                    json!([{ "/": "*/auth", "exclude": true }, { "/": "*" }]);
            })
            .await,
        ),
    ] {
        assert_eq!(found, [code]);
    }
}

#[tokio::test]
async fn without_an_app_named_whatever_app_stands_there_is_judged() {
    let port = host(vec![
        (ANDROID_PATH, Answer::json(&asset_links())),
        (APPLE_PATH, Answer::json(&site_association())),
    ])
    .await;
    let url = format!("https://localhost:{port}/109900019/auth");
    assert!(defects(&clients(), &options(&url, &[], &[], &[])).await.is_empty());
    // Who asks about one system hears nothing of the other.
    let other = options(&url, &["de.other.app"], &[], &[]);
    assert_eq!(defects(&clients(), &other).await, ["android.package"]);
    let path = options(&url.replace("auth", "nowhere"), &[], &[], &[]);
    assert_eq!(defects(&clients(), &path).await, ["android.rules", "ios.path"]);
    let nobody = host(vec![
        (ANDROID_PATH, Answer::json(&json!([]))),
        (APPLE_PATH, Answer::json(&json!({ "applinks": { "details": [] } }))),
    ])
    .await;
    let url = format!("https://localhost:{nobody}/auth");
    let none = defects(&clients(), &options(&url, &[], &[], &[])).await;
    assert_eq!(none, ["android.no-app", "ios.no-app"]);
}

#[tokio::test]
async fn a_certificate_that_phones_do_not_know_is_a_defect_even_if_somebody_here_believes_it() {
    let port = host(vec![
        (ANDROID_PATH, Answer::json(&asset_links())),
        (APPLE_PATH, Answer::json(&site_association())),
    ])
    .await;
    let options = options(&format!("https://localhost:{port}/109900019/auth"), &[], &[], &[]);
    let nobody = Clients {
        believing: client(&authority(2)),
        public: client(&authority(2)),
    };
    assert_eq!(
        defects(&nobody, &options).await,
        ["android.certificate", "ios.certificate"]
    );
    let only_here = Clients {
        public: client(&authority(2)),
        ..clients()
    };
    assert_eq!(
        defects(&only_here, &options).await,
        ["android.certificate", "ios.certificate"]
    );
}

#[tokio::test]
async fn an_address_that_no_phone_verifies_is_a_defect_of_its_own() {
    let closed = options("https://localhost:1/auth", &[], &[], &[]);
    assert_eq!(
        defects(&clients(), &closed).await,
        ["android.unreachable", "ios.unreachable"]
    );
    let port = host(Vec::new()).await;
    let plain = options(&format!("http://localhost:{port}/auth"), &[], &[], &[]);
    let found = defects(&clients(), &plain).await;
    assert_eq!(found.first(), Some(&"address.scheme"));
    for refused in [
        "",
        "auth",
        "https://",
        "mailto:a@b.example",
        &format!("https://a.example/{}", "x".repeat(9000)),
    ] {
        assert!(Address::parse(refused).is_err(), "{refused}");
    }
}

/// A service that names where it is answered.
async fn service(redirect_uri: &str) -> u16 {
    use federation::statement::{EntityStatement, issue};
    use federation::{EntityId, EntityType, Metadata, Schemes};

    // Nobody verifies it here.
    let id = EntityId::parse("https://service.example", Schemes::HttpsOnly).unwrap();
    let key = jose::SoftwareKey::generate("service").unwrap();
    let keys = federation::statement::federation_keys(&[key.jwk(jose::jwk::KeyUse::Signature)]);
    let mut claims = EntityStatement::new(id.clone(), id, now(), 3600, keys);
    let members = json!({ "redirect_uris": [redirect_uri] });
    let members = members.as_object().unwrap().clone();
    claims.metadata = Some(Metadata::default().with(EntityType::OpenIdRelyingParty, members));
    let body = issue(&claims, &key).unwrap();
    let answer = Answer {
        content_type: federation::statement::MEDIA_TYPE,
        body,
        ..Answer::json(&json!(null))
    };
    host(vec![("/.well-known/openid-federation", answer)]).await
}

#[tokio::test]
async fn the_way_back_is_looked_at_where_the_services_statement_or_the_person_names_it() {
    let insurer = host(vec![
        (ANDROID_PATH, Answer::json(&asset_links())),
        (APPLE_PATH, Answer::json(&site_association())),
    ])
    .await;
    let mut wrong_path = site_association();
    wrong_path["applinks"]["details"][0]["components"] = json!([{ "/": "/elsewhere" }]);
    let service_host = host(vec![(APPLE_PATH, Answer::json(&wrong_path))]).await;
    let web_host = host(Vec::new()).await;
    let url = format!("https://localhost:{insurer}/109900019/auth");
    let of = async |way_back: String| defects(&clients(), &options(&url, &[], &[], &[&way_back])).await;
    assert!(of(format!("https://127.0.0.1:{web_host}/back")).await.is_empty());
    assert_eq!(of(format!("https://127.0.0.1:{service_host}/back")).await, ["ios.path"]);
    assert!(
        of(format!("https://127.0.0.1:{service_host}/elsewhere"))
            .await
            .is_empty()
    );
    assert_eq!(
        of(format!("https://localhost:{web_host}/back")).await,
        ["return.same-host"]
    );
    assert_eq!(of("my-app:back".to_owned()).await, ["return.address"]);

    let service = service(&format!("https://127.0.0.1:{service_host}/back")).await;
    let client_id = format!("https%3A%2F%2Flocalhost%3A{service}");
    let with_client = options(&format!("{url}?client_id={client_id}"), &[], &[], &[]);
    assert_eq!(defects(&clients(), &with_client).await, ["ios.path"]);
    let unknown = options(
        &format!("{url}?client_id=https%3A%2F%2Flocalhost%3A{web_host}"),
        &[],
        &[],
        &[],
    );
    let address = Address::parse(&unknown.url).unwrap();
    let findings = examine(&clients(), &address, &unknown).await;
    assert!(findings.iter().any(|finding| finding.code == "return.unknown"));
}

#[test]
fn words_that_name_no_app_are_refused_before_anything_is_fetched() {
    for (android, ios) in [("app", APP_ID), ("de.app:AB:CD", APP_ID), (PACKAGE, "de.insurer.app")] {
        assert!(android.parse::<WantedApp>().is_err() || AppleAppId::parse(ios).is_err());
    }
    let wanted: Result<WantedApp, _> = format!("{PACKAGE}:{}", fingerprint(9)).parse();
    assert!(wanted.is_ok());
}
