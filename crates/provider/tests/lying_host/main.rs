//! A host that lies (tee.md 5, attack 40): storage that answers with garbage, and a network that truncates, repeats, cuts off and stalls. Whatever it
//! does, nobody is logged in by it, nobody's data is answered, no request asks for ever, and when it tells the truth again everything goes on.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod network;
mod storage;

use std::sync::Arc;

use common::{HIGH_CLASS, Harness, Setup, members, wire};
use network::{BadNetwork, Mischief};
use serde_json::json;
use storage::{Lie, LyingStore};

/// Most questions one request may put to a store that lies. A login that goes well asks fewer.
const MOST_LOADS: usize = 24;

#[tokio::test]
async fn storage_that_lies_logs_nobody_in_and_is_told_of() {
    let store = LyingStore::new();
    let setup = Setup {
        store: Arc::clone(&store) as _,
        ..Setup::default()
    };
    let harness = Harness::with(setup).await;
    let (at, service) = (&harness.path, harness.service());
    let (ada, zoe) = (harness.ada().await, common::Person::zoe());
    harness.import(at, &zoe.data()).await;
    let mut device = harness.bound(at, &service, &ada, HIGH_CLASS).await;
    harness.bound(at, &service, &zoe, HIGH_CLASS).await;
    harness.login(at, &service, &ada).await;
    for lie in Lie::ALL {
        let told = common::logs::told("record_not_authentic");
        // By card: the lookup leads nowhere, or to a record that does not open.
        let challenged = harness.challenged(at, &service, &service.request(&harness)).await;
        store.lie(Some(lie));
        let answer = harness.answer_with_card(at, &challenged, &ada).await;
        assert!(answer.status >= 400, "{lie:?} by card: {}", answer.status);
        assert!(store.take_loads() <= MOST_LOADS, "{lie:?} by card");
        store.lie(None);
        // By device.
        let challenged = harness.challenged(at, &service, &service.request(&harness)).await;
        store.lie(Some(lie));
        let answer = harness.answer_with_device(at, &challenged, &mut device).await;
        assert!(answer.status >= 400, "{lie:?} by device: {}", answer.status);
        assert!(store.take_loads() <= MOST_LOADS, "{lie:?} by device");
        let body = wire::json(&answer, answer.status);
        assert_eq!(
            members(&body),
            ["error", "error_description", "reason", "support_code"],
            "{lie:?}"
        );
        store.lie(None);
        // A code that was good: no token comes of it while storage lies.
        let push = service.request(&harness);
        let code = harness.code(at, &service, &push, &ada).await;
        store.lie(Some(lie));
        let answer = service.redeem(at, &push, &code).await;
        assert!(answer.status >= 400, "{lie:?} at redemption: {}", answer.status);
        assert!(answer.json::<serde_json::Value>().unwrap().get("id_token").is_none());
        assert!(store.take_loads() <= MOST_LOADS, "{lie:?} at redemption");
        store.lie(None);
        if lie.is_noticed_as_forged() {
            assert!(common::logs::told("record_not_authentic") > told, "{lie:?} is told of");
        }
        // The truth again.
        let token = harness.login(at, &service, &ada).await;
        assert_eq!(token.body["urn:telematik:claims:id"], json!(ada.kvnr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_tampers_gets_no_answer_and_stops_nobody_else() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let (_, port) = harness.path.mtls.rsplit_once("localhost:").unwrap();
    let mtls: u16 = port.split_once('/').unwrap().0.parse().unwrap();
    for mischief in Mischief::ALL {
        let network = BadNetwork::between(mtls, mischief);
        let mut through = harness.path.clone();
        through.mtls = format!("https://localhost:{}/{}", network.port, common::PATH_IK);
        let push = service.request(&harness);
        let code = harness.code(&harness.path, &service, &push, &ada).await;
        let fields = service.redemption(&push, &code);
        let answer = tokio::time::timeout(network::PATIENCE, service.try_redeem(&through, &fields)).await;
        let got = answer.ok().flatten();
        // The first copy of an answer is the answer: where a whole request slips through in one part, it is taken before the second copy ends
        // the connection.
        let mut tokens = usize::from(got.is_some_and(|answer| answer.status == 200));
        assert!(tokens == 0 || mischief == Mischief::Repeats, "{mischief:?}");
        // Not consumed by a request that never arrived whole; or consumed once, by one that did and whose answer was lost. Never twice.
        for _ in 0..2 {
            tokens += usize::from(service.redeem(&harness.path, &push, &code).await.status == 200);
        }
        assert!(tokens <= 1, "{mischief:?}");
        assert!(network.seen() > 0, "{mischief:?}: it went that way");
        // Others are served meanwhile.
        harness.login(&harness.path, &service, &ada).await;
    }
}
