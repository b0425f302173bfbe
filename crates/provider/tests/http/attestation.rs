//! Key attestation at enrolment, over HTTP: which class a phone gets, what it is told, and what is left to it.

use authenticator::Reason;
use authenticator::attestation::policy::{AttestationPolicy, Check};
use serde_json::{Value, json};
use transport::HttpResponse;

use crate::common::{
    Answered, Challenged, Device, Harness, Insurer, Person, Service, Setup,
    clock::NOW,
    phones::{self, Android, Apple},
    pki::DAY,
    wire,
};

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    _list: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(&[], |_| ()).await
    }

    async fn with(listed: &[u8], change: impl FnOnce(&mut AttestationPolicy)) -> Self {
        let (attestation, list) = phones::attestation(listed, change);
        let harness = Harness::with(Setup {
            attestation: Some(attestation),
            ..Setup::default()
        })
        .await;
        let service = harness.service();
        let ada = harness.ada().await;
        Self {
            harness,
            service,
            ada,
            _list: list,
        }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn by_card(&self) -> (Challenged, Answered) {
        let challenged = self
            .harness
            .challenged(self.at(), &self.service, &self.service.request(&self.harness))
            .await;
        let answer = self.harness.answer_with_card(self.at(), &challenged, &self.ada).await;
        let answered = self.harness.read_answer(&self.service.client_id, &answer);
        (challenged, answered)
    }

    /// Binds a phone whose statement `attests` makes over this login's challenge.
    async fn bind(&self, attests: impl FnOnce(&[u8; 32], &Device) -> Value) -> (HttpResponse, Device) {
        let (challenged, answered) = self.by_card().await;
        let device = Device::unbound();
        let mut body = device.binding(&challenged, &answered, "secure-element");
        body["attestation"] = attests(&phones::challenge(&challenged), &device);
        (self.harness.api(self.at(), "/devices", &body).await, device)
    }

    async fn bind_android(&self, phone: &Android) -> HttpResponse {
        self.bind(|challenge, device| phone.attests(challenge, device.key.public_key()))
            .await
            .0
    }

    async fn bind_apple(&self, phone: &Apple) -> HttpResponse {
        self.bind(|challenge, device| phone.attests(challenge, device.key.public_key()))
            .await
            .0
    }
}

fn finding(check: Check, class: Option<&str>) -> Value {
    json!({"check": check.code(), "outcome": "failed", "class": class})
}

#[tokio::test]
async fn a_phone_with_a_secure_element_is_bound_in_the_strongest_class_and_logs_in_at_level_high() {
    let world = World::new().await;
    let (answer, mut device) = world
        .bind(|challenge, device| Android::sound().attests(challenge, device.key.public_key()))
        .await;
    let bound = wire::json(&answer, 201);
    assert_eq!(bound["class"], "secure-element");
    assert_eq!(bound["findings"], json!([]));
    assert_eq!(bound["valid_until"], json!(NOW.0 + 184 * DAY));
    device.handle = bound["device"].as_str().unwrap().to_owned();
    let push = world.service.request(&world.harness);
    let answered = world
        .harness
        .authenticated_by_device(world.at(), &world.service, &push, &mut device)
        .await;
    let code = world.harness.approved(world.at(), &answered, None).await;
    let token = world.harness.redeemed(world.at(), &world.service, &push, &code).await;
    assert_eq!(token.body["acr"], "gematik-ehealth-loa-high");
}

#[tokio::test]
async fn a_weaker_phone_is_bound_in_a_weaker_class_and_told_what_it_lacks() {
    let world = World::new().await;
    let security = finding(Check::SecurityLevel, Some("secure-element"));
    let tee = wire::json(
        &world
            .bind_android(&Android {
                level: 1,
                ..Android::sound()
            })
            .await,
        201,
    );
    assert_eq!(tee["class"], "hardware-keystore");
    assert_eq!(tee["findings"], json!([security]));
    let iphone = wire::json(&world.bind_apple(&Apple::sound()).await, 201);
    assert_eq!(iphone["class"], "hardware-keystore");
    assert_eq!(
        iphone["findings"],
        json!([finding(Check::Platform, Some("secure-element"))])
    );
    // What fails here is nobody's attack: the class without attestation is left.
    let old = Android {
        patch_level: 202_309,
        ..Android::sound()
    };
    let expired = Android {
        until: NOW.minus_seconds(1),
        ..Android::sound()
    };
    let unknown_maker = Android {
        root: "another root",
        ..Android::sound()
    };
    let silent = Android {
        unlocking: false,
        ..Android::sound()
    };
    for (phone, check, classes) in [
        (&old, Check::PatchLevel, 2),
        (&silent, Check::UserAuthentication, 2),
        (&expired, Check::CertificateDates, 0),
        (&unknown_maker, Check::Maker, 0),
    ] {
        let bound = wire::json(&world.bind_android(phone).await, 201);
        assert_eq!(bound["class"], "software", "{check:?}");
        assert_eq!(bound["valid_until"], json!(NOW.0 + DAY));
        let expected = if classes == 0 {
            vec![finding(check, None)]
        } else {
            vec![
                finding(check, Some("secure-element")),
                finding(check, Some("hardware-keystore")),
            ]
        };
        assert_eq!(bound["findings"], json!(expected));
    }
}

#[tokio::test]
async fn a_phone_that_is_not_to_be_trusted_is_refused_by_the_name_of_the_check() {
    let world = World::new().await;
    let sound = Android::sound;
    for (phone, check) in [
        (
            Android {
                locked: false,
                ..sound()
            },
            "device-locked-bootloader",
        ),
        (
            Android {
                boot_state: 2,
                ..sound()
            },
            "device-verified-boot",
        ),
        (
            Android {
                boot_state: 1,
                ..sound()
            },
            "device-verified-boot",
        ),
        (
            Android {
                app_version: 9,
                ..sound()
            },
            "device-app",
        ),
        (
            Android {
                app_version: 11,
                ..sound()
            },
            "device-app",
        ),
        (Android { signer: 22, ..sound() }, "device-statement"),
    ] {
        let refused = wire::assert_reason(&world.bind_android(&phone).await, Reason::AttestationRefused);
        assert_eq!(refused.code(), (403, "access_denied"));
        assert!(refused.description.contains(check), "{check}: {}", refused.description);
    }
    for (phone, check) in [
        (
            Apple {
                app: "0352187391.de.other.app",
                ..Apple::sound()
            },
            "device-app",
        ),
        (
            Apple {
                environment: b"appattestdevelop",
                ..Apple::sound()
            },
            "device-app",
        ),
        (
            Apple {
                counter: 1,
                ..Apple::sound()
            },
            "device-statement",
        ),
    ] {
        let refused = wire::assert_reason(&world.bind_apple(&phone).await, Reason::AttestationRefused);
        assert!(refused.description.contains(check), "{check}: {}", refused.description);
    }
    let account = world.harness.account(world.at(), &world.ada).await;
    assert!(account.devices().is_empty());
}

#[tokio::test]
async fn a_statement_counts_for_one_key_in_one_login() {
    let world = World::new().await;
    let (other_login, _) = world.by_card().await;
    let other_challenge = phones::challenge(&other_login);
    let stranger = Device::unbound();
    let android = Android::sound();
    let apple = Apple::sound();
    let another_login = |_: &[u8; 32], device: &Device| android.attests(&other_challenge, device.key.public_key());
    let another_key = |challenge: &[u8; 32], _: &Device| android.attests(challenge, stranger.key.public_key());
    let apples_login = |_: &[u8; 32], device: &Device| apple.attests(&other_challenge, device.key.public_key());
    let apples_key = |challenge: &[u8; 32], _: &Device| apple.attests(challenge, stranger.key.public_key());
    for (answer, word) in [
        (world.bind(another_login).await.0, "challenge"),
        (world.bind(another_key).await.0, "key"),
        (world.bind(apples_login).await.0, "challenge"),
        (world.bind(apples_key).await.0, "challenge"),
    ] {
        let refused = wire::assert_reason(&answer, Reason::AttestationRefused);
        let expected = format!("device-statement [{word}]");
        assert!(refused.description.contains(&expected), "{}", refused.description);
    }
}

#[tokio::test]
async fn a_revoked_attestation_key_and_an_old_list_leave_the_weakest_class() {
    for (serial, expected) in [(2, "software"), (3, "software"), (7, "secure-element")] {
        let world = World::with(&[serial], |_| ()).await;
        let bound = wire::json(&world.bind_android(&Android::sound()).await, 201);
        assert_eq!(bound["class"], expected, "{serial}");
    }
    let world = World::with(&[7], |policy| policy.status_list_max_age_seconds = 3_599).await;
    let bound = wire::json(&world.bind_android(&Android::sound()).await, 201);
    assert_eq!(bound["class"], "software");
    let both = ["secure-element", "hardware-keystore"].map(|class| finding(Check::StatusList, Some(class)));
    assert_eq!(bound["findings"], json!(both));
}

#[tokio::test]
async fn a_class_that_needs_the_makers_word_is_not_bound_without_it_and_the_weakest_needs_none() {
    let world = World::new().await;
    let (challenged, answered) = world.by_card().await;
    for class in ["secure-element", "hardware-keystore"] {
        let body = Device::unbound().binding(&challenged, &answered, class);
        wire::assert_reason(
            &world.harness.api(world.at(), "/devices", &body).await,
            Reason::AttestationRefused,
        );
    }
    let body = Device::unbound().binding(&challenged, &answered, "software");
    let bound = wire::json(&world.harness.api(world.at(), "/devices", &body).await, 201);
    assert_eq!(
        (bound["class"].as_str(), &bound["findings"]),
        (Some("software"), &json!([]))
    );
    // The level it reaches needs her consent, whatever was wished for.
    let phone = Android {
        level: 1,
        ..Android::sound()
    };
    let device = Device::unbound();
    let mut body = device.binding(&challenged, &answered, "secure-element");
    body["attestation"] = phone.attests(&phones::challenge(&challenged), device.key.public_key());
    body["consent_to_substantial"] = json!(false);
    wire::assert_reason(
        &world.harness.api(world.at(), "/devices", &body).await,
        Reason::ConsentMissing,
    );
}

#[tokio::test]
async fn where_the_policy_leaves_no_weaker_class_the_card_is_left() {
    let world = World::with(&[], |policy| policy.unattested_class = None).await;
    let phone = Android {
        patch_level: 202_309,
        ..Android::sound()
    };
    let refused = wire::assert_reason(&world.bind_android(&phone).await, Reason::AttestationRefused);
    assert!(
        refused.description.contains("device-patch-level"),
        "{}",
        refused.description
    );
}

#[tokio::test]
async fn what_is_no_statement_is_refused_and_so_is_any_where_the_insurer_judges_none() {
    let world = World::new().await;
    for (attestation, reason) in [
        (json!({}), Reason::Malformed),
        (json!({"format": "android-key"}), Reason::Malformed),
        (json!({"format": "tpm", "chain": []}), Reason::Malformed),
        (json!({"format": "android-key", "chain": ["%"]}), Reason::Malformed),
        (json!({"format": "android-key", "chain": [], "x": 1}), Reason::Malformed),
        (json!({"format": "apple-app-attest", "object": 1}), Reason::Malformed),
        (
            json!({"format": "android-key", "chain": []}),
            Reason::AttestationRefused,
        ),
        (
            json!({"format": "android-key", "chain": ["AAAA", "AAAA"]}),
            Reason::AttestationRefused,
        ),
        (
            json!({"format": "apple-app-attest", "object": ""}),
            Reason::AttestationRefused,
        ),
    ] {
        let (answer, _) = world.bind(|_, _| attestation.clone()).await;
        wire::assert_reason(&answer, reason);
    }
    let harness = Harness::start().await;
    let service = harness.service();
    let ada = harness.ada().await;
    let challenged = harness
        .challenged(&harness.path, &service, &service.request(&harness))
        .await;
    let answer = harness.answer_with_card(&harness.path, &challenged, &ada).await;
    let answered = harness.read_answer(&service.client_id, &answer);
    let device = Device::unbound();
    let mut body = device.binding(&challenged, &answered, "software");
    body["attestation"] = Android::sound().attests(&phones::challenge(&challenged), device.key.public_key());
    wire::assert_reason(
        &harness.api(&harness.path, "/devices", &body).await,
        Reason::AttestationRefused,
    );
}
