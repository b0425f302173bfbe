//! Rows exchanged between people, kinds, tenants and versions, or changed, in a real database (attack 24, over HTTP).

use std::sync::Arc;

use serde_json::json;
use store::{Key, Kind, OperationId, Outcome, Row, SealedBytes, Store, TenantId, Write};
use store_sqlite::SqliteStore;
use transport::HttpResponse;
use vault::{PersonId, Rows};

use crate::common::{Device, HIGH_CLASS, Harness, Insurer, Person, Service, Setup, logs};

struct World {
    harness: Harness,
    service: Service,
    _database: tempfile::TempDir,
}

/// Somebody with a device and a remembered decision.
struct Somebody {
    person: Person,
    id: PersonId,
    at: Insurer,
    device: Device,
    mark: String,
}

impl World {
    async fn new() -> Self {
        let database = tempfile::tempdir().unwrap();
        let harness = Harness::with(Setup {
            store: Arc::new(SqliteStore::open(database.path().join("store.sqlite")).unwrap()),
            ..Setup::default()
        })
        .await;
        let service = harness.service();
        Self {
            harness,
            service,
            _database: database,
        }
    }

    async fn somebody(&self, person: Person, at: &Insurer, mark: &str) -> Somebody {
        let mut data = person.data();
        data.given_name = mark.to_owned();
        let id = self.harness.import(at, &data).await;
        let device = self.harness.bound(at, &self.service, &person, HIGH_CLASS).await;
        let push = self.service.request(&self.harness);
        let answered = self.harness.authenticated(at, &self.service, &push, &person).await;
        let code = self.harness.approved_and_remembered(at, &answered, &[]).await;
        self.harness.redeemed(at, &self.service, &push, &code).await;
        Somebody {
            person,
            id,
            at: at.clone(),
            device,
            mark: mark.to_owned(),
        }
    }

    fn tenant(at: &Insurer) -> TenantId {
        vault::tenant_id(&at.issuer)
    }

    /// Her rows: identity, device, consent, lookup.
    async fn rows(&self, of: &Somebody) -> Vec<(Key, Row)> {
        let tenant = Self::tenant(&of.at);
        let mut rows = Vec::new();
        let identity = of.id.identity_key(tenant);
        let row = self.harness.store.load(&[identity]).await.unwrap().remove(0).unwrap();
        rows.push((identity, row));
        for group in [Rows::Devices, Rows::Consents] {
            let list = self.harness.rows(&of.at, of.id, group).await;
            assert_eq!(list.len(), 1, "{group:?}");
            rows.extend(list);
        }
        let vault = vault::Vault::development([7; 32]);
        let key = vault.lookup_keys(tenant, &of.person.data().kvnr).unwrap()[0];
        let row = self.harness.store.load(&[key]).await.unwrap().remove(0).unwrap();
        rows.push((key, row));
        rows
    }

    async fn write(&self, writes: &[Write]) {
        let operation = OperationId::new(
            self.harness.clock_now(),
            provider::rng::bytes(&provider::rng::SystemRng),
        );
        assert_eq!(
            self.harness.store.commit(operation, &[], writes).await,
            Outcome::Committed
        );
    }

    /// Puts bytes under a key, at version 1 as they were written first.
    async fn put(&self, key: Key, sealed: &SealedBytes) {
        self.write(&[Write::Delete(key)]).await;
        let sealed = sealed.clone();
        let expires_at = None;
        self.write(&[Write::Put {
            key,
            sealed,
            expires_at,
        }])
        .await;
    }

    /// Every way to somebody's data: what was answered.
    async fn probe(&self, of: &mut Somebody) -> Vec<HttpResponse> {
        let mut answers = Vec::new();
        let push = self.service.request(&self.harness);
        let challenged = self.harness.challenged(&of.at, &self.service, &push).await;
        let answer = self.harness.answer_with_card(&of.at, &challenged, &of.person).await;
        if answer.status == 200 {
            let answered = self.harness.read_answer(&self.service.client_id, &answer);
            let body = json!({"decision": "approve", "claims": answered.names("voluntary")});
            answers.push(self.harness.decide(&of.at, &answered, &body).await);
            let redirect = answers.last().unwrap();
            if redirect.status == 200 {
                let code = self.harness.read_redirect(redirect).code();
                let token = self.service.redeem(&of.at, &push, &code).await;
                if token.status == 200 {
                    let opened = self.harness.token(&self.service, &token);
                    assert_eq!(opened.body["urn:telematik:claims:given_name"], json!(of.mark));
                }
                answers.push(token);
            }
        }
        answers.push(answer);
        let push = self.service.request(&self.harness);
        let challenged = self.harness.challenged(&of.at, &self.service, &push).await;
        answers.push(
            self.harness
                .answer_with_device(&of.at, &challenged, &mut of.device)
                .await,
        );
        let (cookie, challenged) = self.harness.account_challenge(&of.at).await;
        let answer = self.harness.answer_with_card(&of.at, &challenged, &of.person).await;
        if answer.status == 200 {
            let login = self.harness.read_answer(&of.at.issuer, &answer).login;
            answers.push(self.harness.overview(&of.at, &cookie, &login).await);
        }
        answers
    }
}

#[tokio::test]
async fn rows_exchanged_between_people_kinds_and_tenants_are_refused_and_nothing_partial_leaks() {
    let world = World::new().await;
    let (path, host) = (world.harness.path.clone(), world.harness.host.clone());
    let mut ada = world.somebody(Person::ada(), &path, "Adas-Name").await;
    let zoe = world.somebody(Person::zoe(), &path, "Zoes-Name").await;
    let tom = world.somebody(Person::tom(), &host, "Toms-Name").await;
    let hers = world.rows(&ada).await;
    let mut foreign = world.rows(&zoe).await;
    foreign.extend(world.rows(&tom).await);
    let own = hers.clone();
    for answer in world.probe(&mut ada).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let mut tried = 0;
    for (key, original) in &hers {
        for (from, row) in foreign.iter().chain(&own) {
            if from == key || row.sealed.len() > key.kind().max_sealed_bytes() {
                continue;
            }
            let before = logs::told("record_not_authentic");
            world.put(*key, &row.sealed).await;
            let answers = world.probe(&mut ada).await;
            let refused = answers.iter().filter(|answer| answer.status != 200).count();
            assert!(refused > 0, "{:?} in place of {:?}", from.kind(), key.kind());
            for answer in &answers {
                let text = answer.text();
                assert!(!text.contains("Zoes-Name") && !text.contains("Toms-Name"), "{text}");
                assert!(
                    matches!(answer.status, 200 | 302 | 400 | 403 | 500 | 503),
                    "{}",
                    answer.status
                );
            }
            // The way to a person that leads elsewhere is "nobody"; everything else is an alarm.
            if key.kind() != Kind::Lookup {
                assert!(
                    logs::told("record_not_authentic") > before,
                    "{:?} in place of {:?}",
                    from.kind(),
                    key.kind()
                );
            }
            world.put(*key, &original.sealed).await;
            tried += 1;
        }
    }
    // What is too long for a kind, the store does not take.
    assert_eq!(tried, 26);
    for (key, row) in &hers {
        // Another version of itself.
        let expires_at = None;
        let sealed = row.sealed.clone();
        world
            .write(&[Write::Put {
                key: *key,
                sealed,
                expires_at,
            }])
            .await;
        let answers = world.probe(&mut ada).await;
        assert!(answers.iter().any(|answer| answer.status != 200), "{:?}", key.kind());
        world.put(*key, &row.sealed).await;
    }
    for answer in world.probe(&mut ada).await {
        assert_eq!(answer.status, 200, "everything is as it was: {}", answer.text());
    }
}

#[tokio::test]
async fn a_changed_bit_in_any_row_is_refused() {
    let world = World::new().await;
    let path = world.harness.path.clone();
    let mut ada = world.somebody(Person::ada(), &path, "Adas-Name").await;
    for (key, row) in world.rows(&ada).await {
        let good = row.sealed.as_bytes();
        // The rooms' own tests change every single bit; here, one in each part of the record.
        for part in 0..6 {
            let mut bytes = good.to_vec();
            let at = part * (good.len() - 1) / 5;
            bytes[at] ^= 1 << part;
            world.put(key, &SealedBytes::from_sealed(bytes)).await;
            let answers = world.probe(&mut ada).await;
            assert!(
                answers.iter().any(|answer| answer.status != 200),
                "{:?} {part}",
                key.kind()
            );
            world.put(key, &row.sealed).await;
        }
    }
}
