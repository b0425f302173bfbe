//! Answers that must not tell apart whom they are about: not by their words, not by their size, not by the work they take (attack 49). How long they
//! take is measured by `script/bench timing`.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use store::register::{Appended, FreshnessRegister, MemoryRegister, RegisterError, Step};
use store::{BoxFuture, Kind, TenantId};
use transport::HttpResponse;
use vault::work::{self, Work};

use crate::common::{Device, HIGH_CLASS, Harness, Person, Service, Setup, wire};

/// Remembers how long the steps were that it took.
#[derive(Default)]
struct MeasuredRegister {
    inner: MemoryRegister,
    steps: Mutex<Vec<usize>>,
}

impl MeasuredRegister {
    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FreshnessRegister for MeasuredRegister {
    fn steps(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<Step>, RegisterError>> {
        self.inner.steps(tenant)
    }

    fn append(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        let lengths = steps.iter().map(|step| step.sealed.len());
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(lengths);
        self.inner.append(tenant, after, steps)
    }

    fn replace(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        self.inner.replace(tenant, after, steps)
    }
}

/// Everything an answer took, but for the time.
#[derive(Debug, PartialEq, Eq)]
struct Took {
    loads: Vec<Vec<Kind>>,
    commits: usize,
    steps: Vec<usize>,
    work: Work,
    status: u16,
    bytes: usize,
    description: String,
}

/// Sends an answer of `key`'s under the handle, and says what it took. The provider runs on this thread.
async fn took(
    harness: &Harness,
    register: &MeasuredRegister,
    service: &Service,
    handle: &str,
    key: &Device,
) -> (Took, HttpResponse) {
    let challenged = harness
        .challenged(&harness.path, service, &service.request(harness))
        .await;
    let response = key.assertion(&challenged.challenge, "approve", jose::UnixTime(harness.clock_now()), 1);
    let body = json!({
        "client_id": challenged.client_id,
        "login": challenged.login,
        "device": handle,
        "response": response,
    });
    measured(harness, register, "/auth/device", &body).await
}

/// Asks in `key`'s name what waits for the device under the handle.
async fn looked(harness: &Harness, register: &MeasuredRegister, handle: &str, key: &Device) -> (Took, HttpResponse) {
    let look = key.look(&harness.path.issuer, handle, harness.clock_now());
    measured(harness, register, "/devices/requests", &json!({"look": look})).await
}

async fn measured(harness: &Harness, register: &MeasuredRegister, path: &str, body: &Value) -> (Took, HttpResponse) {
    let commits = harness.store.commits();
    harness.store.take_loads();
    register.take();
    let _ = work::take();
    let answer = harness.api(&harness.path, path, body).await;
    let took = Took {
        work: work::take(),
        loads: harness.store.take_loads(),
        commits: harness.store.commits() - commits,
        steps: register.take(),
        status: answer.status,
        bytes: answer.text().len(),
        description: wire::json(&answer, answer.status)["error_description"]
            .as_str()
            .and_then(|text| text.split(" (support code ").next())
            .unwrap_or_default()
            .to_owned(),
    };
    (took, answer)
}

#[tokio::test]
async fn a_wrong_signature_an_unknown_device_and_an_unknown_person_take_the_same_work_and_get_the_same_answer() {
    let register = Arc::new(MeasuredRegister::default());
    let harness = Harness::with(Setup {
        register: Arc::clone(&register) as _,
        ..Setup::default()
    })
    .await;
    let service = harness.service();
    let ada = harness.ada().await;
    let bound = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let removed = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let account = harness.account(&harness.path, &ada).await;
    let what = json!({"device": removed.handle});
    wire::json(&harness.take_back(&harness.path, &account, &what).await, 200);
    let stranger = Device::unbound();
    let mut unknown_device = jose::base64url::decode(&bound.handle).unwrap();
    unknown_device[20] ^= 1;
    let unknown_device = jose::base64url::encode(&unknown_device);
    let nobody = jose::base64url::encode(&[1; 32]);
    // What is done the first time only has been done.
    took(&harness, &register, &service, &nobody, &stranger).await;
    let (expected, answer) = took(&harness, &register, &service, &bound.handle, &stranger).await;
    wire::assert_refused(&answer, 403, "access_denied");
    assert_eq!(expected.loads, [[Kind::Identity, Kind::Device, Kind::Consent]]);
    assert_eq!(
        expected.steps.len(),
        1,
        "each failure is written down before it is told"
    );
    assert!(expected.work.opened >= 2 && expected.work.hashed > 5, "{expected:?}");
    for (who, handle, key) in [
        ("known person, unknown device", &unknown_device, &stranger),
        ("nobody", &nobody, &stranger),
        ("a removed device, by a stranger", &removed.handle, &stranger),
        ("a removed device, by its holder", &removed.handle, &removed),
        ("the same again", &bound.handle, &stranger),
    ] {
        let (took, _) = took(&harness, &register, &service, handle, key).await;
        assert_eq!(took, expected, "{who}");
    }
    // The right answer is another matter: that the measure can tell two ways apart.
    let (right, answer) = took(&harness, &register, &service, &bound.handle, &bound).await;
    wire::json(&answer, 200);
    assert_ne!(right.work, expected.work);
}

#[tokio::test]
async fn asking_for_another_device_a_removed_one_and_nobodys_takes_the_same_work_and_gets_the_same_answer() {
    let register = Arc::new(MeasuredRegister::default());
    let harness = Harness::with(Setup {
        register: Arc::clone(&register) as _,
        ..Setup::default()
    })
    .await;
    let service = harness.service();
    let ada = harness.ada().await;
    let bound = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let removed = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let account = harness.account(&harness.path, &ada).await;
    let what = json!({"device": removed.handle});
    wire::json(&harness.take_back(&harness.path, &account, &what).await, 200);
    let stranger = Device::unbound();
    let nobody = jose::base64url::encode(&[1; 32]);
    looked(&harness, &register, &nobody, &stranger).await;
    let (expected, answer) = looked(&harness, &register, &bound.handle, &stranger).await;
    wire::assert_refused(&answer, 403, "access_denied");
    assert_eq!(expected.loads, [[Kind::Identity, Kind::Device, Kind::Meta]]);
    assert_eq!((expected.steps.len(), expected.commits), (1, 0));
    for (who, handle, key) in [
        ("nobody", &nobody, &stranger),
        ("a removed device, by a stranger", &removed.handle, &stranger),
        ("a removed device, by its holder", &removed.handle, &removed),
        ("the same again", &bound.handle, &stranger),
    ] {
        let (took, _) = looked(&harness, &register, handle, key).await;
        assert_eq!(took, expected, "{who}");
    }
    let (right, answer) = looked(&harness, &register, &bound.handle, &bound).await;
    wire::json(&answer, 200);
    assert_ne!(right.work, expected.work);
    assert!(right.steps.is_empty() && right.commits == 0, "{right:?}");
}

#[tokio::test]
async fn what_is_no_handle_at_all_is_answered_as_nobodys() {
    let harness = Harness::start().await;
    let service = harness.service();
    harness.ada().await;
    let mut answers = std::collections::BTreeSet::new();
    for handle in [
        "",
        "x",
        &"A".repeat(43),
        &"A".repeat(44),
        &jose::base64url::encode(&[1; 32]),
    ] {
        let challenged = harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await;
        let device = Device {
            handle: handle.to_owned(),
            ..Device::unbound()
        };
        let response = device.assertion(&challenged.challenge, "approve", jose::UnixTime(harness.clock_now()), 1);
        let answer = harness
            .post_device(&harness.path, &challenged, &device, &response)
            .await;
        let refused = wire::assert_refused(&answer, 403, "access_denied");
        answers.insert((refused.description, answer.text().len()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn refusals_of_known_and_unknown_people_and_devices_have_one_size() {
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let bound = harness.bound(&harness.path, &service, &ada, HIGH_CLASS).await;
    let mut sizes = std::collections::BTreeMap::new();
    let mut removed = bound.handle.clone();
    // Somebody there is with a device there is not; nobody at all; not even a handle's shape.
    removed.replace_range(30.., "AAAAAAAAAAAAA");
    for (who, handle) in [
        ("known person, unknown device", removed),
        ("nobody", jose::base64url::encode(&[1; 32])),
    ] {
        let device = Device {
            handle,
            ..Device::unbound()
        };
        let challenged = harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await;
        let response = device.assertion(&challenged.challenge, "approve", jose::UnixTime(harness.clock_now()), 1);
        let answer = harness
            .post_device(&harness.path, &challenged, &device, &response)
            .await;
        wire::assert_refused(&answer, 403, "access_denied");
        sizes.insert(who, answer.text().len());
    }
    assert_eq!(
        sizes.values().collect::<std::collections::BTreeSet<_>>().len(),
        1,
        "{sizes:?}"
    );
}

#[tokio::test]
async fn a_card_of_somebody_else_is_answered_as_a_card_of_nobody() {
    let harness = Harness::start().await;
    let service = harness.service();
    // Insured with the same insurer, and not known to it; and deleted.
    let (zoe, ada) = (Person::zoe(), harness.ada().await);
    let issuer = harness.path.issuer.clone();
    assert!(
        harness
            .provider()
            .delete_person(&issuer, &ada.data().kvnr)
            .await
            .unwrap()
    );
    let mut texts = Vec::new();
    for person in [&zoe, &ada] {
        let challenged = harness
            .challenged(&harness.path, &service, &service.request(&harness))
            .await;
        let answer = harness.answer_with_card(&harness.path, &challenged, person).await;
        texts.push(wire::assert_refused(&answer, 403, "access_denied").description);
    }
    assert_eq!(texts[0], texts[1]);
    let _ = json!(texts);
}
