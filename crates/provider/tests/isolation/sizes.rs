//! Answers that must not tell apart whom they are about, by their size (attack 49; times are a matter of the benchmark).

use serde_json::json;

use crate::common::{Device, HIGH_CLASS, Harness, Person, wire};

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
