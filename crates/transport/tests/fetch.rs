//! The guarded fetch, against a real server on loopback.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use common::{Authority, Running, start};
use transport::{
    AddressClass, AddressRule, ClientCertificates, FetchError, FetchLimits, Fetcher, HttpClient, HttpClientError,
    Redirects, Roots, ServerLimits, ServerTls,
};

const STATEMENT: &str = "application/entity-statement+jwt";

async fn peer() -> (Authority, Running) {
    let router = Router::new()
        .route(
            "/statement",
            get(|headers: HeaderMap| async move {
                assert!(headers.get("cookie").is_none());
                let accept = headers["accept"].to_str().unwrap().to_owned();
                (
                    [
                        ("content-type", "Application/Entity-Statement+JWT; charset=UTF-8"),
                        ("set-cookie", "a=b"),
                    ],
                    accept,
                )
            }),
        )
        .route("/missing", get(|| async { (StatusCode::NOT_FOUND, "{}") }))
        .route("/away", get(|| async { Redirect::to("/statement") }))
        .route("/big", get(|| async { "x".repeat(1001) }))
        .route(
            "/endless",
            get(|| async {
                let chunk = axum::body::Bytes::from_static(&[b'x'; 600]);
                let chunks =
                    futures_util::stream::repeat_with(move || Ok::<_, std::convert::Infallible>(chunk.clone()));
                axum::body::Body::from_stream(chunks).into_response()
            }),
        )
        .route("/never", get(std::future::pending::<String>));
    let authority = Authority::new();
    let tls = ServerTls::new(authority.identity(), ClientCertificates::None).unwrap();
    let server = start(tls, ServerLimits::default(), router).await;
    (authority, server)
}

fn fetcher(roots: &Roots, rule: AddressRule) -> Fetcher {
    let limits = FetchLimits {
        max_bytes: 1000,
        ..FetchLimits::default()
    };
    Fetcher::with_limits(roots, rule, limits, &["insurer.test".to_owned()]).unwrap()
}

#[tokio::test]
async fn a_document_comes_back_with_status_type_and_bytes() {
    let (authority, server) = peer().await;
    let fetcher = fetcher(&authority.roots(), AddressRule::LoopbackAllowed);
    for _ in 0..2 {
        let fetched = fetcher.fetch(&server.url("/statement"), STATEMENT).await.unwrap();
        assert_eq!(fetched.status, 200);
        assert!(fetched.is_success());
        assert_eq!(fetched.media_type().as_deref(), Some(STATEMENT));
        assert_eq!(fetched.body, STATEMENT);
    }
    let missing = fetcher.fetch(&server.url("/missing"), STATEMENT).await.unwrap();
    assert_eq!(missing.status, 404);
    assert!(!missing.is_success());
}

#[tokio::test]
async fn answers_too_long_redirected_or_late_are_refused() {
    let (authority, server) = peer().await;
    let fetcher = fetcher(&authority.roots(), AddressRule::LoopbackAllowed);
    for (path, expected) in [
        ("/big", FetchError::TooLarge(1000)),
        ("/endless", FetchError::TooLarge(1000)),
        ("/away", FetchError::Redirect(303)),
    ] {
        let refused = fetcher.fetch(&server.url(path), STATEMENT).await;
        assert_eq!(refused, Err(expected), "{path}");
    }
    let hurried = Fetcher::with_limits(
        &authority.roots(),
        AddressRule::LoopbackAllowed,
        FetchLimits {
            total_timeout: Duration::from_millis(40),
            ..FetchLimits::default()
        },
        &[],
    )
    .unwrap();
    let late = hurried.fetch(&server.url("/never"), STATEMENT).await;
    assert_eq!(late, Err(FetchError::Timeout));
}

#[tokio::test]
async fn names_and_literals_that_lead_inside_are_refused() {
    let (authority, server) = peer().await;
    let port = server.addr.port();
    let public = fetcher(&authority.roots(), AddressRule::PublicOnly);
    for (url, class) in [
        // The name is judged by what it resolves to.
        (format!("https://localhost:{port}/statement"), AddressClass::Loopback),
        (format!("https://a.localhost:{port}/statement"), AddressClass::Loopback),
        (format!("https://insurer.test:{port}/statement"), AddressClass::Loopback),
        (format!("https://127.0.0.1:{port}/statement"), AddressClass::Loopback),
        // Other spellings of 127.0.0.1 (WHATWG URL, IPv4 parser).
        (format!("https://2130706433:{port}/statement"), AddressClass::Loopback),
        (format!("https://0x7f.1:{port}/statement"), AddressClass::Loopback),
        (format!("https://0177.0.0.1:{port}/"), AddressClass::Loopback),
        (format!("https://[::1]:{port}/"), AddressClass::Loopback),
        (
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            AddressClass::EmbeddedIpv4,
        ),
        ("https://169.254.169.254/latest".to_owned(), AddressClass::LinkLocal),
        ("https://10.1.2.3/".to_owned(), AddressClass::Private),
        ("https://[fd00::1]/".to_owned(), AddressClass::Private),
        ("https://[64:ff9b::7f00:1]/".to_owned(), AddressClass::EmbeddedIpv4),
        ("https://0.0.0.0/".to_owned(), AddressClass::Unspecified),
    ] {
        let refused = public.fetch(&url, STATEMENT).await;
        assert_eq!(refused, Err(FetchError::AddressRefused(class)), "{url}");
    }
    let sandbox = fetcher(&authority.roots(), AddressRule::LoopbackAllowed);
    assert_eq!(
        sandbox.fetch("https://10.1.2.3/", STATEMENT).await,
        Err(FetchError::AddressRefused(AddressClass::Private))
    );
}

#[tokio::test]
async fn urls_that_are_not_plain_https_are_refused() {
    let roots = Roots::none();
    let sandbox = fetcher(&roots, AddressRule::LoopbackAllowed);
    let public = fetcher(&roots, AddressRule::PublicOnly);
    for url in [
        "",
        "statement",
        "https://",
        "https://user@localhost/",
        "https://user:word@localhost/",
        &format!("https://localhost/{}", "x".repeat(2000)),
    ] {
        let refused = sandbox.fetch(url, STATEMENT).await;
        assert_eq!(refused, Err(FetchError::MalformedUrl), "{url}");
    }
    for url in ["ftp://localhost/", "http://service.example/", "http://10.0.0.1/"] {
        let refused = sandbox.fetch(url, STATEMENT).await;
        assert_eq!(refused, Err(FetchError::SchemeRefused), "{url}");
    }
    for url in ["http://localhost/", "http://127.0.0.1/"] {
        let refused = public.fetch(url, STATEMENT).await;
        assert_eq!(refused, Err(FetchError::SchemeRefused), "{url}");
    }
    assert_eq!(
        sandbox.fetch("file:///etc/hostname", STATEMENT).await,
        Err(FetchError::MalformedUrl)
    );
}

#[tokio::test]
async fn a_server_that_is_not_believed_is_named_as_such() {
    let (_, server) = peer().await;
    let stranger = Authority::new();
    let fetcher = fetcher(&stranger.roots(), AddressRule::LoopbackAllowed);
    let refused = fetcher.fetch(&server.url("/statement"), STATEMENT).await;
    assert!(
        matches!(&refused, Err(FetchError::Tls(reason)) if reason.contains("UnknownIssuer")),
        "{refused:?}"
    );
    let wrong_name = self::fetcher(&peer().await.0.roots(), AddressRule::LoopbackAllowed);
    let url = format!("https://insurer.test:{}/", server.addr.port());
    assert!(matches!(
        wrong_name.fetch(&url, STATEMENT).await,
        Err(FetchError::Tls(_))
    ));
    let closed = server.url("/statement");
    server.stop().await;
    assert_eq!(
        fetcher.fetch(&closed, STATEMENT).await,
        Err(FetchError::ConnectionFailed)
    );
}

#[tokio::test]
async fn the_client_hands_redirects_to_its_caller_unless_told_otherwise() {
    let (authority, server) = peer().await;
    let builder = HttpClient::builder(&authority.roots(), AddressRule::LoopbackAllowed);
    let client = builder.clone().build().unwrap();
    let answer = client.get(&server.url("/away"), &[]).await.unwrap();
    assert_eq!((answer.status, answer.location()), (303, Some("/statement")));

    let client = builder.redirects(Redirects::Follow).build().unwrap();
    let answer = client
        .get(&server.url("/away"), &[("accept", "text/plain")])
        .await
        .unwrap();
    assert_eq!((answer.status, answer.text()), (200, "text/plain".to_owned()));
    assert!(answer.url.ends_with("/statement"));
    assert_eq!(
        client.get("http://service.example/", &[]).await.unwrap_err(),
        HttpClientError::SchemeRefused
    );
    assert_eq!(
        client.get("https://10.0.0.1/", &[]).await.unwrap_err(),
        HttpClientError::AddressRefused(AddressClass::Private)
    );
    assert_eq!(
        client
            .get(&server.url("/statement"), &[("bad header", "x")])
            .await
            .unwrap_err(),
        HttpClientError::Unsendable
    );
}
