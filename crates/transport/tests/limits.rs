//! What the listener grants a peer, and how it ends.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use common::{Authority, router, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport::{
    AddressRule, ClientCertificates, DrainOutcome, HttpClient, Server, ServerError, ServerLimits, ServerTls,
};

async fn raw(server: &common::Running, authority: &Authority) -> tokio_rustls::client::TlsStream<TcpStream> {
    let config = rustls::ClientConfig::builder_with_provider(transport::crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.root_store())
        .with_no_client_auth();
    common::connect(server.addr, "localhost", config.into()).await.unwrap()
}

async fn serve(limits: ServerLimits, router: Router) -> (Authority, common::Running) {
    let authority = Authority::new();
    let tls = ServerTls::new(authority.identity(), ClientCertificates::None).unwrap();
    let server = start(tls, limits, router).await;
    (authority, server)
}

async fn answer_to(server: &common::Running, authority: &Authority, request: &[u8]) -> String {
    let mut stream = raw(server, authority).await;
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_body_announced_too_long_is_refused_before_it_is_read() {
    let (authority, server) = serve(ServerLimits::default(), router()).await;
    let answer = answer_to(
        &server,
        &authority,
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_refused_where_it_passes_the_limit() {
    let (authority, server) = serve(ServerLimits::default(), router()).await;
    let mut request = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..5 {
        request.extend_from_slice(b"4000\r\n");
        request.extend_from_slice(&[b'x'; 0x4000]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let answer = answer_to(&server, &authority, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_within_the_limit_passes_over_both_versions() {
    let (authority, server) = serve(ServerLimits::default(), router()).await;
    let client = HttpClient::builder(&authority.roots(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    let body = Bytes::from(vec![b'x'; 65_536]);
    let answer = client
        .send(http::Method::POST, &server.url("/echo"), &[], body.clone())
        .await
        .unwrap();
    assert_eq!((answer.status, answer.body), (200, body));
    let answer = client
        .send(http::Method::POST, &server.url("/echo"), &[], vec![b'x'; 65_537].into())
        .await
        .unwrap();
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_refused() {
    let (authority, server) = serve(ServerLimits::default(), router()).await;
    let long = format!(
        "GET /whoami HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n",
        "x".repeat(17 * 1024)
    );
    let answer = answer_to(&server, &authority, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!(
        "GET /whoami HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X-Many: x\r\n".repeat(64)
    );
    let answer = answer_to(&server, &authority, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn headers_that_trickle_in_end_the_connection() {
    let limits = ServerLimits {
        header_timeout: Duration::from_millis(20),
        ..ServerLimits::default()
    };
    let (authority, server) = serve(limits, router()).await;
    let answer = answer_to(&server, &authority, b"GET /whoami HTTP/1.1\r\nHost: lo").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_quiet_connection_is_closed() {
    let limits = ServerLimits {
        idle_timeout: Duration::from_millis(20),
        ..ServerLimits::default()
    };
    let (authority, server) = serve(limits, router()).await;
    assert_eq!(answer_to(&server, &authority, b"").await, "");
    // Also after a request, and although the connection was to be kept.
    let answer = answer_to(&server, &authority, b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_peer_that_never_shakes_hands_is_dropped() {
    let limits = ServerLimits {
        handshake_timeout: Duration::from_millis(20),
        ..ServerLimits::default()
    };
    let (_authority, server) = serve(limits, router()).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_with_408() {
    let limits = ServerLimits {
        request_timeout: Duration::from_millis(20),
        ..ServerLimits::default()
    };
    let (authority, server) = serve(limits, router()).await;
    // The body never comes.
    let answer = answer_to(
        &server,
        &authority,
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn whoever_serves_may_answer_late_requests_in_his_own_words() {
    let authority = Authority::new();
    let tls = ServerTls::new(authority.identity(), ClientCertificates::None).unwrap();
    let limits = ServerLimits {
        request_timeout: Duration::from_millis(20),
        ..ServerLimits::default()
    };
    let server = Server::https(TcpListener::bind("127.0.0.1:0").await.unwrap(), tls)
        .unwrap()
        .with_limits(limits)
        .with_timeout_answer(|| {
            let mut response = http::Response::new(Bytes::from("too late"));
            *response.status_mut() = http::StatusCode::REQUEST_TIMEOUT;
            response
        });
    let addr = server.local_addr();
    tokio::spawn(server.serve(router(), std::future::pending()));
    let config = rustls::ClientConfig::builder_with_provider(transport::crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.root_store())
        .with_no_client_auth();
    let mut stream = common::connect(addr, "localhost", config.into()).await.unwrap();
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close") && answer.ends_with("too late"),
        "{answer}"
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let limits = ServerLimits {
        max_connections: 1,
        ..ServerLimits::default()
    };
    let (authority, server) = serve(limits, router()).await;
    let first = raw(&server, &authority).await;
    let second = raw(&server, &authority);
    tokio::pin!(second);
    let waiting = tokio::time::timeout(Duration::from_millis(30), &mut second).await;
    assert!(waiting.is_err());
    drop(first);
    let mut second = second.await;
    assert_eq!(common::get_on(&mut second, "/whoami").await.unwrap(), "none");
}

#[tokio::test]
async fn shutdown_lets_requests_in_work_finish_and_takes_no_new_connection() {
    let (entered, at_work) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let parts = std::sync::Arc::new(std::sync::Mutex::new(Some((entered, released))));
    let router = Router::new().route(
        "/slow",
        get(move || async move {
            let (entered, released) = parts.lock().unwrap().take().unwrap();
            entered.send(()).unwrap();
            released.await.unwrap();
            "done"
        }),
    );
    let (authority, mut server) = serve(ServerLimits::default(), router).await;
    let client = HttpClient::builder(&authority.roots(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    let url = server.url("/slow");
    let request = tokio::spawn(async move { client.get(&url, &[]).await });
    at_work.await.unwrap();
    server.signal_stop();
    // The listener is closed before the drain begins.
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert_eq!(request.await.unwrap().unwrap().text(), "done");
    assert_eq!(server.outcome().await, DrainOutcome::Complete);
}

#[tokio::test]
async fn the_drain_has_an_end() {
    let (entered, mut at_work) = tokio::sync::mpsc::unbounded_channel();
    let router = Router::new().route(
        "/never",
        get(move || async move {
            entered.send(()).unwrap();
            std::future::pending::<String>().await
        }),
    );
    let limits = ServerLimits {
        drain_timeout: Duration::from_millis(20),
        ..ServerLimits::default()
    };
    let (authority, server) = serve(limits, router).await;
    let mut stream = raw(&server, &authority).await;
    stream
        .write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    at_work.recv().await.unwrap();
    assert_eq!(server.stop().await, DrainOutcome::CutOff(1));
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_shutdown() {
    let (authority, server) = serve(ServerLimits::default(), router()).await;
    let _first = raw(&server, &authority).await;
    let client = HttpClient::builder(&authority.roots(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    client.get(&server.url("/whoami"), &[]).await.unwrap();
    assert_eq!(server.stop().await, DrainOutcome::Complete);
}

#[tokio::test]
async fn plain_http_is_served_on_loopback_only() {
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    assert!(matches!(
        Server::plain_loopback(everywhere),
        Err(ServerError::PlainNotLoopback)
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::plain_loopback(listener).unwrap();
    let addr = server.local_addr();
    let (_stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = Router::new().route("/form", post(|body: String| async move { body }));
    tokio::spawn(server.serve(router, async move {
        let _ = stopped.await;
    }));
    let client = HttpClient::builder(&transport::Roots::none(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    let answer = client
        .post_form(
            &format!("http://localhost:{}/form", addr.port()),
            &[("a", "1 & 2"), ("b", "ü")],
            &[],
        )
        .await
        .unwrap();
    assert_eq!(answer.text(), "a=1+%26+2&b=%C3%BC");
}
