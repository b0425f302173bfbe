//! The web wallet as a browser gets it: only where the insurer offers it, from one origin, with a policy that names nothing else.

use provider::{Colour, WalletSettings, WalletSupport};
use serde_json::Value;
use transport::HttpResponse;

use crate::common::{Harness, Setup};

async fn with_wallet() -> Harness {
    let wallet = WalletSettings {
        card_terminal: Some("http://localhost:18400".to_owned()),
        support: Some(WalletSupport {
            phone: Some("0800 000000".to_owned()),
            ..WalletSupport::default()
        }),
        brand: Some(Colour::try_from("#1a6338".to_owned()).unwrap()),
        brand_dark: None,
    };
    Harness::with(Setup {
        wallet: Some(wallet),
        ..Setup::default()
    })
    .await
}

async fn get(harness: &Harness, path: &str, headers: &[(&str, &str)]) -> HttpResponse {
    let url = format!("{}{path}", harness.path.issuer);
    harness
        .app()
        .send(http::Method::GET, &url, headers, Vec::new().into())
        .await
        .unwrap()
}

fn header<'a>(response: &'a HttpResponse, name: &str) -> &'a str {
    response.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_file_comes_with_a_policy_that_lets_nothing_foreign_in() {
    let harness = with_wallet().await;
    for path in [
        "/wallet/",
        "/wallet/index.html",
        "/wallet/sw.js",
        "/wallet/config.json",
        "/wallet/manifest.webmanifest",
    ] {
        let answer = get(&harness, path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = header(&answer, "content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self' http://localhost:18400",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|found| found == part), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("https:") && !policy.contains('*'),
            "{policy}"
        );
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-cache", "{path}");
        assert!(header(&answer, "permissions-policy").contains("camera=()"), "{path}");
        assert!(header(&answer, "set-cookie").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn files_with_a_hash_in_their_name_are_kept_for_good_and_compressed_for_who_takes_it() {
    let harness = with_wallet().await;
    let page = String::from_utf8(get(&harness, "/wallet/", &[]).await.body.to_vec()).unwrap();
    let script = page
        .split("\"./")
        .find(|rest| rest.starts_with("assets/") && rest.split('"').next().is_some_and(|name| name.ends_with(".js")))
        .unwrap();
    let path = format!("/wallet/{}", script.split('"').next().unwrap());
    let plain = get(&harness, &path, &[]).await;
    assert_eq!(header(&plain, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&plain, "content-type"), "text/javascript; charset=utf-8");
    assert_eq!(header(&plain, "vary"), "accept-encoding");
    assert!(header(&plain, "content-encoding").is_empty());
    let packed = get(&harness, &path, &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() < plain.body.len());
}

#[tokio::test]
async fn the_configuration_tells_what_the_insurer_says_and_nothing_else() {
    let harness = with_wallet().await;
    let answer = get(&harness, "/wallet/config.json", &[]).await;
    let config: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(config["issuer"], harness.path.issuer.as_str());
    assert_eq!(config["card_terminal"], "http://localhost:18400");
    assert_eq!(config["support"]["phone"], "0800 000000");
    assert_eq!(config["device_classes"][2]["name"], "software");
    assert_eq!(config["device_classes"][2]["evidence"], "claimed");
    assert!(config["push_key"].is_null(), "{config}");
    let mut members: Vec<&str> = config.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "card_terminal",
            "device_classes",
            "insurer",
            "invented",
            "issuer",
            "languages",
            "logo",
            "moves",
            "push_key",
            "support"
        ]
    );
}

#[tokio::test]
async fn the_insurers_colour_is_on_its_wallet_and_its_pages_and_nobody_elses() {
    let harness = with_wallet().await;
    let answer = get(&harness, "/brand.css", &[]).await;
    assert_eq!(header(&answer, "content-type"), "text/css; charset=utf-8");
    let sheet = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(sheet.contains("--brand:#1a6338;"), "{sheet}");
    let manifest: Value =
        serde_json::from_slice(&get(&harness, "/wallet/manifest.webmanifest", &[]).await.body).unwrap();
    assert_eq!(manifest["theme_color"], "#1a6338");
    let wallet = String::from_utf8(get(&harness, "/wallet/", &[]).await.body.to_vec()).unwrap();
    assert!(wallet.contains("href=\"../brand.css\""), "{wallet}");
    let page = String::from_utf8(get(&harness, "/block", &[]).await.body.to_vec()).unwrap();
    assert!(
        page.contains(&format!("href=\"{}/brand.css\"", harness.path.issuer)),
        "{page}"
    );

    let plain = Harness::start().await;
    let answer = get(&plain, "/brand.css", &[]).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test]
async fn the_folder_is_reached_without_its_slash_and_keeps_the_query() {
    let harness = with_wallet().await;
    let answer = get(&harness, "/wallet?client_id=a&login=b", &[]).await;
    assert_eq!(answer.status, 307);
    assert_eq!(header(&answer, "location"), "wallet/?client_id=a&login=b");
    assert_eq!(header(&get(&harness, "/wallet", &[]).await, "location"), "wallet/");
}

#[tokio::test]
async fn what_was_not_built_is_not_there() {
    let harness = with_wallet().await;
    for path in [
        "/wallet/files.rs",
        "/wallet/index.html.gz",
        "/wallet/assets/",
        "/wallet/assets/none.js",
        "/wallet/%2Findex.html",
        "/wallet/..%2fjwks",
        "/wallet//index.html",
        "/wallet/index.html/",
        "/wallet/auth/challenge",
    ] {
        assert_eq!(get(&harness, path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_insurer_without_a_web_wallet_serves_none_of_it() {
    let harness = Harness::start().await;
    for path in [
        "/wallet",
        "/wallet/",
        "/wallet/index.html",
        "/wallet/config.json",
        "/wallet/sw.js",
    ] {
        assert_eq!(get(&harness, path, &[]).await.status, 404, "{path}");
    }
}
