//! Patterns no single request shows become events; they refuse nothing, and name nobody.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use http::{Request, header};
use serde_json::json;
use tower::ServiceExt as _;
use transport::ConnectionInfo;

use crate::common::{Harness, Person, Service, logs, wire};

/// A card's answer that comes from this address.
async fn card_from(harness: &Harness, service: &Service, person: &Person, address: &str) -> u16 {
    let challenged = harness
        .challenged(&harness.path, service, &service.request(harness))
        .await;
    let body = json!({
        "client_id": challenged.client_id,
        "login": challenged.login,
        "response": person.sign(&challenged.challenge),
    });
    let address: IpAddr = address.parse().unwrap();
    let (_, place) = harness.path.issuer.split_once("://").unwrap();
    let (host, path) = place.split_once('/').unwrap();
    let mut request = Request::post(format!("/{path}/auth/card"))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    request.extensions_mut().insert(ConnectionInfo {
        peer_addr: SocketAddr::new(address, 40_000),
        client_certificate: None,
        tls_session: None,
        tls: true,
    });
    let answer = harness.provider().public_router().oneshot(request).await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn one_person_asked_for_from_many_networks_is_an_event_once_an_hour() {
    let harness = Harness::start().await;
    let (service, ada) = (harness.service(), harness.ada().await);
    let told = || logs::told("one_person_many_sources");
    // The same network, however many addresses it has.
    for address in ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3"] {
        assert_eq!(card_from(&harness, &service, &ada, address).await, 200);
    }
    for address in ["192.0.2.1", "192.0.2.2", "198.51.100.1"] {
        assert_eq!(card_from(&harness, &service, &ada, address).await, 200);
        assert_eq!(told(), 0);
    }
    // Another person from a fifth one says nothing about her.
    let zoe = Person::zoe();
    harness.import(&harness.path, &zoe.data()).await;
    card_from(&harness, &service, &zoe, "198.51.100.2").await;
    assert_eq!(told(), 0);
    for address in ["198.51.100.3", "198.51.100.4", "198.51.100.5"] {
        // Nothing is refused for it.
        assert_eq!(card_from(&harness, &service, &ada, address).await, 200);
        assert_eq!(told(), 1, "{address}");
    }
    harness.clock.advance(3_600);
    for (number, address) in [
        "203.0.113.1",
        "203.0.113.2",
        "203.0.113.3",
        "203.0.113.4",
        "203.0.113.5",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(told(), 1, "{number}");
        card_from(&harness, &service, &ada, address).await;
    }
    assert_eq!(told(), 2);
}

/// Publishes what has changed, and meets the service a day later, when its statement is fetched anew.
async fn met_a_day_later(harness: &Harness, service: &Service) -> usize {
    service.join(&harness.federation);
    harness.clock.advance(86_400);
    harness.pushed(&harness.path, service, &service.request(harness)).await;
    logs::told("statement_anomaly")
}

#[tokio::test]
async fn a_service_that_changes_keys_and_addresses_at_once_is_an_event() {
    let harness = Harness::start().await;
    let mut service = harness.service();
    let new_keys = || Service::new("https://record.example").encryption;
    harness
        .pushed(&harness.path, &service, &service.request(&harness))
        .await;
    // A rollover of keys, and a move to another address, are two ordinary things.
    service.encryption = new_keys();
    assert_eq!(met_a_day_later(&harness, &service).await, 0);
    service.redirect_uri = format!("{}/moved", service.client_id);
    assert_eq!(met_a_day_later(&harness, &service).await, 0);
    // Both at once is another service under the old name. It is served: the Federation Master vouches for it.
    service.encryption = new_keys();
    service.redirect_uri = format!("{}/elsewhere", service.client_id);
    assert_eq!(met_a_day_later(&harness, &service).await, 1);
    let again = service.push(&harness.path, &service.request(&harness)).await;
    wire::json(&again, 201);
    assert_eq!(logs::told("statement_anomaly"), 1);
}
