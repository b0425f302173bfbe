//! A thousand people at once (attack 32).

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use provider::{Allowance, LimitSettings};
use serde_json::{Value, json};
use store::memory::MemoryStore;
use tokio::sync::Semaphore;
use transport::HttpResponse;
use vault::PersonData;

use crate::common::{Answered, Challenged, Device, HIGH_CLASS, Harness, Person, Service, Setup, crowd, logs};
use crate::faults::Faulty;

const PEOPLE: usize = 1_000;
/// Requests on the wire at once; every person is somewhere in the middle of hers.
const AT_ONCE: usize = 64;
/// Times a step is tried again after a fault.
const ATTEMPTS: usize = 20;

struct Crowd {
    harness: Harness,
    service: Service,
    at_once: Semaphore,
}

/// What everything of hers is called.
fn mark(number: usize) -> String {
    format!("Nest{number:05}Ei")
}

fn data(person: &Person, number: usize) -> PersonData {
    let mut data = person.data();
    data.given_name = format!("Ada-{}", mark(number));
    data.family_name = format!("Muster-{}", mark(number));
    data.display_name = format!("Dr. {}", mark(number));
    data.email = format!("{}@post.example", mark(number));
    data
}

/// Every mark in a text must be hers. Sealed states are text, too, and hold the beginning of one by chance: only a whole one counts.
fn assert_hers(text: &str, number: usize, what: &str) {
    for (at, _) in text.match_indices("Nest") {
        let found = text.as_bytes()[at..].get(..11).unwrap_or_default();
        if found.ends_with(b"Ei") && found[4..9].iter().all(u8::is_ascii_digit) {
            assert_eq!(found, mark(number).as_bytes(), "{what}: somebody else's");
        }
    }
}

#[test]
fn a_whole_mark_of_somebody_else_is_found_and_half_a_one_is_chance() {
    assert_hers("NestAqkCEeD Nest0 Nest", 7, "chance");
    assert_hers(&format!("a{}b", mark(7)), 7, "hers");
    let found = std::panic::catch_unwind(|| assert_hers(&format!("a{}b", mark(8)), 7, "another's"));
    assert!(found.is_err());
}

impl Crowd {
    /// One request of hers: tried again after a fault, and looked at whatever it says.
    async fn request(&self, number: usize, what: &str, send: impl AsyncFn() -> HttpResponse) -> Value {
        for _ in 0..ATTEMPTS {
            let answer = {
                let _turn = self.at_once.acquire().await.unwrap();
                send().await
            };
            let text = answer.text();
            assert_hers(&text, number, what);
            assert!(!text.contains("INJECTED"), "{what}: {text}");
            match answer.status {
                200 | 201 => return answer.json().unwrap(),
                500 | 503 => {}
                status => unreachable!("{what}: {status} {text}"),
            }
        }
        unreachable!("{what}: every attempt failed")
    }

    async fn challenged(&self, number: usize, push: &crate::common::Push) -> Challenged {
        let at = &self.harness.path;
        let pushed = self
            .request(number, "push", async || self.service.push(at, push).await)
            .await;
        let request_uri = pushed["request_uri"].as_str().unwrap().to_owned();
        let client_id = &self.service.client_id;
        let body = self
            .request(number, "challenge", async || {
                self.harness.challenge(at, client_id, &request_uri).await
            })
            .await;
        Challenged {
            client_id: client_id.clone(),
            login: body["login"].as_str().unwrap().to_owned(),
            challenge: body["challenge"].as_str().unwrap().to_owned(),
            body,
        }
    }

    /// Her whole way: by card, with a device of her own, and what her account shows.
    async fn go(&self, number: usize, person: Person) {
        let at = &self.harness.path;
        let push = self.service.request(&self.harness);
        let challenged = self.challenged(number, &push).await;
        let body = self
            .request(number, "card", async || {
                self.harness.answer_with_card(at, &challenged, &person).await
            })
            .await;
        let answered = Answered {
            client_id: challenged.client_id.clone(),
            login: body["login"].as_str().unwrap().to_owned(),
            body,
        };
        let device = Device::unbound();
        let mut binding = device.binding(&challenged, &answered, HIGH_CLASS);
        binding["name"] = json!(mark(number));
        self.request(number, "device", async || {
            self.harness.api(at, "/devices", &binding).await
        })
        .await;
        let decision = json!({"decision": "approve", "claims": answered.names("voluntary")});
        let body = self
            .request(number, "consent", async || {
                self.harness.decide(at, &answered, &decision).await
            })
            .await;
        let redirect = crate::common::Redirect::parse(body["redirect"].as_str().unwrap());
        let code = redirect.code();
        // A fault may hit after the commit: then the code is spent, and nobody gets anything for it.
        let answer = {
            let _turn = self.at_once.acquire().await.unwrap();
            self.service.redeem(at, &push, &code).await
        };
        if answer.status == 200 {
            let body: Value = answer.json().unwrap();
            let token = self.service.open(body["id_token"].as_str().unwrap());
            assert_eq!(token.body["urn:telematik:claims:id"], json!(person.kvnr));
            assert_eq!(
                token.body["urn:telematik:claims:display_name"],
                json!(format!("Dr. {}", mark(number)))
            );
            assert_hers(&token.body.to_string(), number, "token");
        } else {
            assert_hers(&answer.text(), number, "token");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_people_at_once_with_faults_and_panics_never_see_each_other() {
    provider::telemetry::quiet_panics();
    // On the provider's threads; what this test finds is to be read.
    let (quiet, here) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == here {
            #[allow(clippy::print_stderr)]
            {
                eprintln!("{panic}");
            }
        } else {
            quiet(panic);
        }
    }));
    let store = Faulty::new(Arc::new(MemoryStore::new()));
    let wide = Allowance {
        burst: 1_000_000,
        every_milliseconds: 1,
    };
    let harness = Harness::with(Setup {
        store: Arc::clone(&store) as _,
        limits: LimitSettings {
            bindings: wide,
            ..LimitSettings::default()
        },
        ..Setup::default()
    })
    .await;
    let service = harness.service();
    let people = crowd(PEOPLE);
    for (number, person) in people.iter().enumerate() {
        let provider = harness.provider();
        provider
            .import_person(&harness.path.issuer, data(person, number))
            .await
            .unwrap();
    }
    let begins = harness.log_begins;
    let crowd = Rc::new(Crowd {
        harness,
        service,
        at_once: Semaphore::new(AT_ONCE),
    });
    // The first one alone: keys are made and the service is looked up.
    store.fail_one_in(0);
    // The people share this thread; the provider has the others.
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let mut flows = tokio::task::JoinSet::new();
            for (number, person) in people.into_iter().enumerate() {
                if number == 1 {
                    flows.join_next().await.unwrap().unwrap();
                    store.fail_one_in(11);
                }
                let crowd = Rc::clone(&crowd);
                flows.spawn_local(async move { crowd.go(number, person).await });
            }
            while let Some(done) = flows.join_next().await {
                done.unwrap();
            }
        })
        .await;
    let (failed, panicked) = (
        store.failed.load(Ordering::SeqCst),
        store.panicked.load(Ordering::SeqCst),
    );
    assert!(failed > 100 && panicked > 100, "{failed} {panicked}");
    // Panics are told by place and not by word; nothing of anybody stands in the log.
    let log = logs::since(begins);
    assert!(log.matches("\"event\":\"panicked_at\"").count() as u64 >= panicked);
    assert!(!log.contains("INJECTED") && !log.contains("Nest"));
}
