//! What is done to her account and the entry that says so are one: wherever the process dies, both are there or neither (ADR 0014).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use authenticator::pin::{Blinding, MAX_TRIES};
use serde_json::{Value, json};
use store::register::{Appended, FreshnessRegister, MemoryRegister, RegisterError, Step};
use store::{BoxFuture, TenantId};
use transport::HttpResponse;

use crate::common::{Account, Device, HIGH_CLASS, Harness, Insurer, Person, Service, Setup, wire};

/// A register that a process which is dead does not reach any more.
struct Register {
    inner: MemoryRegister,
    is_out_of_reach: Arc<AtomicBool>,
}

impl FreshnessRegister for Register {
    fn steps(&self, tenant: TenantId) -> BoxFuture<'_, Result<Vec<Step>, RegisterError>> {
        self.inner.steps(tenant)
    }

    fn append(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        if self.is_out_of_reach.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Appended::Unknown));
        }
        self.inner.append(tenant, after, steps)
    }

    fn replace(&self, tenant: TenantId, after: u64, steps: &[Step]) -> BoxFuture<'_, Appended> {
        self.inner.replace(tenant, after, steps)
    }
}

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Before anything is written.
    Before,
    /// The register has taken its step, and nothing else is written.
    AfterStep,
    /// The first commit is written, and nobody is told.
    InFirstCommit,
    /// The second commit is not made.
    AfterFirstCommit,
    /// It lives.
    Never,
}

impl Death {
    const ALL: [Self; 5] = [
        Self::Before,
        Self::AfterStep,
        Self::InFirstCommit,
        Self::AfterFirstCommit,
        Self::Never,
    ];
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Bind,
    Rename,
    Lock,
    Unlock,
    Confirm,
    Remove,
    TakeBack,
    RevokeConsent,
    MakeBlockCode,
    Block,
    SetPin,
    LockPin,
    ChangeData,
}

impl Deed {
    const fn event(self) -> &'static str {
        match self {
            Self::Bind => "device-bound",
            Self::Rename => "device-renamed",
            Self::Lock => "device-locked",
            Self::Unlock => "device-unlocked",
            Self::Confirm => "device-confirmed",
            Self::Remove | Self::TakeBack => "device-removed",
            Self::RevokeConsent => "consent-revoked",
            Self::MakeBlockCode => "block-code-made",
            Self::Block => "blocked",
            Self::SetPin => "pin-reset",
            Self::LockPin => "pin-locked",
            Self::ChangeData => "data-changed",
        }
    }

    /// Whether it is a step of the freshness register, which whoever starts next follows.
    const fn is_step(self) -> bool {
        !matches!(
            self,
            Self::Bind | Self::Rename | Self::Confirm | Self::SetPin | Self::ChangeData
        )
    }
}

struct World {
    harness: Harness,
    service: Service,
    ada: Person,
    register: Arc<AtomicBool>,
}

/// What a deed is done to, and with.
struct Ready {
    device: Device,
    account: Account,
    /// A login with the card at a service.
    by_card: (crate::common::Challenged, crate::common::Answered),
    code: String,
    name: String,
}

impl World {
    async fn new() -> Self {
        let register = Arc::new(AtomicBool::new(false));
        let harness = Harness::with(Setup {
            register: Arc::new(Register {
                inner: MemoryRegister::new(),
                is_out_of_reach: Arc::clone(&register),
            }),
            ..Setup::default()
        })
        .await;
        let service = harness.service();
        let ada = harness.ada().await;
        Self {
            harness,
            service,
            ada,
            register,
        }
    }

    fn at(&self) -> &Insurer {
        &self.harness.path
    }

    async fn account(&self) -> Account {
        self.harness.account(self.at(), &self.ada).await
    }

    async fn by_card(&self) -> (crate::common::Challenged, crate::common::Answered) {
        let push = self.service.request(&self.harness);
        let challenged = self.harness.challenged(self.at(), &self.service, &push).await;
        let answer = self.harness.answer_with_card(self.at(), &challenged, &self.ada).await;
        let answered = self.harness.read_answer(&self.service.client_id, &answer);
        (challenged, answered)
    }

    fn blinded(&self) -> String {
        let vault = self.harness.vault();
        let (_, element) = Blinding::new(b"135790", |bytes| vault.random(bytes)).unwrap();
        element.to_text()
    }

    async fn set_pin(&self, ready: &Ready) -> u16 {
        let (_, answered) = &ready.by_card;
        let body = json!({
            "client_id": answered.client_id,
            "login": answered.login,
            "device": ready.device.handle,
            "blinded": self.blinded(),
        });
        self.harness.api(self.at(), "/devices/pin", &body).await.status
    }

    async fn try_pin(&self, ready: &Ready) -> u16 {
        let body = json!({"device": ready.device.handle, "blinded": self.blinded()});
        self.harness.api(self.at(), "/devices/pin/evaluate", &body).await.status
    }

    async fn manage(&self, ready: &Ready, action: &str) -> u16 {
        let mut body = json!({"device": ready.device.handle, "action": action});
        if action == "rename" {
            body["name"] = json!(ready.name);
        }
        let answer = self
            .harness
            .ask_account(self.at(), &ready.account, "devices", &body)
            .await;
        answer.status
    }

    async fn new_code(&self, ready: &Ready) -> HttpResponse {
        let asked = json!({});
        let answer = self
            .harness
            .ask_account(self.at(), &ready.account, "block-code", &asked);
        answer.await
    }

    async fn take_back(&self, ready: &Ready, what: &Value) -> u16 {
        self.harness.take_back(self.at(), &ready.account, what).await.status
    }

    /// Everything a deed needs, done before.
    async fn prepare(&self, deed: Deed, name: &str) -> Ready {
        // What is decided in the second of a withdrawal is withdrawn.
        self.harness.clock.advance(1);
        let device = self
            .harness
            .bound(self.at(), &self.service, &self.ada, HIGH_CLASS)
            .await;
        if deed == Deed::RevokeConsent {
            let push = self.service.request(&self.harness);
            let answered = self
                .harness
                .authenticated(self.at(), &self.service, &push, &self.ada)
                .await;
            let code = self.harness.approved_and_remembered(self.at(), &answered, &[]).await;
            self.harness.redeemed(self.at(), &self.service, &push, &code).await;
        }
        self.harness.clock.advance(61);
        let mut ready = Ready {
            device,
            account: self.account().await,
            by_card: self.by_card().await,
            code: String::new(),
            name: name.to_owned(),
        };
        match deed {
            Deed::Unlock => assert_eq!(self.manage(&ready, "lock").await, 200),
            Deed::Block => {
                let answer = wire::json(&self.new_code(&ready).await, 200);
                ready.code = self.harness.secret(answer["code"].as_str().unwrap());
            }
            Deed::LockPin => {
                assert_eq!(self.set_pin(&ready).await, 200);
                for _ in 1..MAX_TRIES {
                    assert_eq!(self.try_pin(&ready).await, 200);
                }
            }
            _ => {}
        }
        ready
    }

    /// Whether it was acknowledged.
    async fn do_it(&self, deed: Deed, ready: &Ready) -> bool {
        let (challenged, answered) = &ready.by_card;
        let status = match deed {
            Deed::Bind => {
                let body = Device::unbound().binding(challenged, answered, HIGH_CLASS);
                self.harness.api(self.at(), "/devices", &body).await.status
            }
            Deed::Rename => self.manage(ready, "rename").await,
            Deed::Lock => self.manage(ready, "lock").await,
            Deed::Unlock => self.manage(ready, "unlock").await,
            Deed::Remove => self.manage(ready, "remove").await,
            Deed::Confirm => {
                let body = json!({
                    "client_id": answered.client_id, "login": answered.login, "device": ready.device.handle,
                });
                self.harness.api(self.at(), "/devices/confirm", &body).await.status
            }
            Deed::TakeBack => self.take_back(ready, &json!({"device": ready.device.handle})).await,
            Deed::RevokeConsent => {
                let consent = &ready.account.consents()[0];
                self.take_back(ready, &json!({"consent": consent})).await
            }
            Deed::MakeBlockCode => {
                let answer = self.new_code(ready).await;
                if let Ok(body) = serde_json::from_str::<Value>(&answer.text())
                    && let Some(code) = body["code"].as_str()
                {
                    self.harness.secret(code);
                }
                answer.status
            }
            Deed::Block => {
                let body = json!({"code": ready.code});
                self.harness.api(self.at(), "/block", &body).await.status
            }
            Deed::SetPin => self.set_pin(ready).await,
            Deed::LockPin => self.try_pin(ready).await,
            Deed::ChangeData => {
                let mut data = self.ada.data();
                data.display_name = self.harness.secret(&*ready.name);
                let issuer = &self.at().issuer;
                let imported = self.harness.provider().import_person(issuer, data).await;
                return imported.is_ok();
            }
        };
        status < 300
    }

    /// Whether it was done, as she sees it.
    async fn is_done(&self, deed: Deed, ready: &Ready, overview: &Value) -> bool {
        let now = json!(self.harness.clock_now());
        let device = overview["devices"]
            .as_array()
            .unwrap()
            .iter()
            .find(|device| device["id"] == json!(ready.device.handle));
        match deed {
            Deed::Bind => overview["devices"].as_array().unwrap().len() > ready.account.devices().len(),
            Deed::Rename => device.unwrap()["name"] == json!(ready.name),
            Deed::Lock => device.unwrap()["locked"] == true,
            Deed::Unlock => device.unwrap()["locked"] == false,
            Deed::Confirm => device.unwrap()["confirmed_at"] == now,
            Deed::Remove | Deed::TakeBack => device.is_none(),
            Deed::RevokeConsent => overview["consents"] == json!([]),
            Deed::MakeBlockCode => overview["block_code"] == json!({"set_at": now}),
            Deed::Block => overview["blocked_at"] == now,
            Deed::SetPin => self.try_pin(ready).await == 200,
            Deed::LockPin => self.try_pin(ready).await == 403,
            Deed::ChangeData => overview["cards"][0]["name"] == json!(ready.name),
        }
    }

    async fn entries(&self, event: &str) -> (usize, bool) {
        let history = self.harness.read_history(self.at(), &self.account().await).await;
        let entries = history["entries"].as_array().unwrap();
        let count = entries.iter().filter(|entry| entry["event"] == event).count();
        (count, history["chain"]["ok"] == true)
    }

    async fn dies(&self, deed: Deed, death: Death, name: &str) {
        let ready = self.prepare(deed, name).await;
        let (before, _) = self.entries(deed.event()).await;
        match death {
            Death::Before => {
                self.register.store(true, Ordering::SeqCst);
                self.harness.store.die(0, false);
            }
            Death::AfterStep => self.harness.store.die(0, false),
            Death::InFirstCommit => self.harness.store.die(0, true),
            Death::AfterFirstCommit => self.harness.store.die(1, false),
            Death::Never => {}
        }
        let is_acknowledged = self.do_it(deed, &ready).await;
        self.register.store(false, Ordering::SeqCst);
        self.harness.store.revive();
        self.harness.restart();
        let (after, is_whole) = self.entries(deed.event()).await;
        let is_done = self.is_done(deed, &ready, &self.account().await.overview).await;
        let said = format!("{deed:?}, {death:?}");
        assert_eq!(after - before, usize::from(is_done), "{said}");
        assert!(is_whole, "{said}");
        assert!(is_done || !is_acknowledged, "{said}: what was acknowledged is done");
        match death {
            Death::Before => assert!(!is_done, "{said}"),
            Death::AfterStep => assert_eq!(is_done, deed.is_step() && deed != Deed::MakeBlockCode, "{said}"),
            Death::Never => assert!(is_acknowledged, "{said}"),
            Death::InFirstCommit | Death::AfterFirstCommit => {
                assert_eq!(
                    is_done,
                    deed != Deed::MakeBlockCode || death == Death::AfterFirstCommit,
                    "{said}"
                );
            }
        }
    }
}

async fn all_deaths_of(deed: Deed) {
    let world = World::new().await;
    for (number, death) in Death::ALL.into_iter().enumerate() {
        world.dies(deed, death, &format!("Neuer Name {number}")).await;
    }
}

macro_rules! deeds {
    ($($name:ident: $deed:ident,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                all_deaths_of(Deed::$deed).await;
            }
        )+
    };
}

deeds! {
    a_device_is_bound_with_its_entry_or_not_at_all: Bind,
    a_device_gets_another_name_with_its_entry_or_not_at_all: Rename,
    a_device_is_locked_with_its_entry_or_not_at_all: Lock,
    a_device_is_unlocked_with_its_entry_or_not_at_all: Unlock,
    a_device_is_confirmed_with_its_entry_or_not_at_all: Confirm,
    a_device_is_removed_with_its_entry_or_not_at_all: Remove,
    a_device_is_taken_back_with_its_entry_or_not_at_all: TakeBack,
    a_consent_is_revoked_with_its_entry_or_not_at_all: RevokeConsent,
    a_block_code_is_made_with_its_entry_or_not_at_all: MakeBlockCode,
    the_block_code_blocks_with_an_entry_or_not_at_all: Block,
    a_pin_is_set_with_its_entry_or_not_at_all: SetPin,
    a_pin_is_used_up_with_its_entry_or_not_at_all: LockPin,
    her_data_is_changed_with_an_entry_or_not_at_all: ChangeData,
}
