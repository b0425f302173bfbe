//! Whole logins over real sockets: both insurers, both services, by card and by device.
#![allow(clippy::unwrap_used, missing_docs)]

use authenticator::Acr;
use sandbox::headless::{Decision, Headless, HeadlessError, Means};
use sandbox::insurers::Insurer;
use sandbox::people::{DEFAULT_PIN, Person};
use sandbox::services::Service;
use sandbox::{RunningSandbox, Sandbox, SandboxOptions};

async fn start() -> (RunningSandbox, Headless) {
    let options = SandboxOptions {
        port_base: 0,
        ..SandboxOptions::default()
    };
    let running = Sandbox::start(options).await.unwrap();
    let headless = Headless::with(&running).unwrap();
    (running, headless)
}

fn lena() -> Means<'static> {
    Means::Person {
        word: "lena",
        pin: DEFAULT_PIN,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_logs_in_by_card_at_both_services() {
    let (running, headless) = start().await;
    for service in Service::ALL {
        for word in ["lena", "fiona"] {
            let person = Person::find(word).unwrap();
            let means = Means::Person { word, pin: person.pin };
            let options = Headless::options(service, None);
            let login = headless
                .log_in(service, person.insurer, &options, means, &Decision::ApproveAll)
                .await
                .unwrap();
            assert_eq!(
                login.token.text_claim("urn:telematik:claims:id"),
                Some(person.kvnr().as_str())
            );
            assert_eq!(login.token.acr(), Acr::High);
        }
    }
    running.stop().await;
}
