//! A phone whose key is bound to a person.

use authenticator::device::{ASSERTION_TYP, BINDING_TYP, LOOK_TYP};
use jose::jwk::KeyUse;
use jose::{SoftwareKey, UnixTime, jws};
use provider::clock::Clock;
use serde_json::{Value, json};
use transport::HttpResponse;

use super::wire;
use super::{Answered, Challenged, Harness, Insurer, Person, Push, Service, members};

pub struct Device {
    pub key: SoftwareKey,
    pub handle: String,
    pub counter: u64,
}

impl Device {
    pub fn unbound() -> Self {
        Self {
            key: SoftwareKey::generate("device").unwrap(),
            handle: String::new(),
            counter: 0,
        }
    }

    fn signed(&self, typ: &str, claims: &Value) -> String {
        let header = jws::SigningHeader {
            typ: Some(typ),
            ..jws::SigningHeader::default()
        };
        jws::sign(&header, claims.to_string().as_bytes(), &self.key).unwrap()
    }

    /// What binds this key after a card login.
    pub fn binding(&self, challenged: &Challenged, answered: &Answered, class: &str) -> Value {
        let mut public_key = self.key.jwk(KeyUse::Signature);
        public_key.kid = None;
        json!({
            "client_id": answered.client_id,
            "login": answered.login,
            "public_key": public_key.to_value(),
            "name": "Mein Handy",
            "class": class,
            "consent_to_substantial": true,
            "proof": self.signed(BINDING_TYP, &json!({"challenge_id": challenged.login_id()})),
        })
    }

    /// The answer to a challenge; counts up.
    pub fn approve(&mut self, challenge: &str, now: UnixTime) -> String {
        self.counter += 1;
        self.assertion(challenge, "approve", now, self.counter)
    }

    /// Asks what waits for a device.
    pub fn look(&self, aud: &str, device: &str, time: u64) -> String {
        let claims = json!({"aud": aud, "device": device, "purpose": "requests", "time": time});
        self.signed(LOOK_TYP, &claims)
    }

    /// Says where it is to be woken, or that it is not.
    pub fn wants_to_be_woken(&self, aud: &str, time: u64, endpoint: Option<&str>) -> String {
        let mut claims = json!({"aud": aud, "device": self.handle, "purpose": "push", "time": time});
        if let Some(endpoint) = endpoint {
            claims["endpoint"] = json!(endpoint);
        }
        self.signed(LOOK_TYP, &claims)
    }

    pub fn assertion(&self, challenge: &str, decision: &str, time: UnixTime, counter: u64) -> String {
        let claims = json!({"challenge": challenge, "decision": decision, "time": time, "counter": counter});
        self.signed(ASSERTION_TYP, &claims)
    }
}

impl Harness {
    /// Logs in by card and binds a device of this class on the way; the login itself ends there.
    pub async fn bound(&self, insurer: &Insurer, service: &Service, person: &Person, class: &str) -> Device {
        let push = service.request(self);
        let challenged = self.challenged(insurer, service, &push).await;
        let response = self.answer_with_card(insurer, &challenged, person).await;
        let answered = self.read_answer(&service.client_id, &response);
        let mut device = Device::unbound();
        let body = device.binding(&challenged, &answered, class);
        let bound = wire::json(&self.api(insurer, "/devices", &body).await, 201);
        assert_eq!(members(&bound), ["class", "device", "findings", "valid_until"]);
        device.handle = self.secret(bound["device"].as_str().unwrap());
        device
    }

    pub async fn answer_with_device(
        &self,
        insurer: &Insurer,
        challenged: &Challenged,
        device: &mut Device,
    ) -> HttpResponse {
        let response = device.approve(&challenged.challenge, self.clock.now());
        self.post_device(insurer, challenged, device, &response).await
    }

    pub async fn post_device(
        &self,
        insurer: &Insurer,
        challenged: &Challenged,
        device: &Device,
        response: &str,
    ) -> HttpResponse {
        let body = json!({
            "client_id": challenged.client_id,
            "login": challenged.login,
            "device": device.handle,
            "response": response,
        });
        self.api(insurer, "/auth/device", &body).await
    }

    /// From the pushed request to a known person, by device.
    pub async fn authenticated_by_device(
        &self,
        insurer: &Insurer,
        service: &Service,
        push: &Push,
        device: &mut Device,
    ) -> Answered {
        let challenged = self.challenged(insurer, service, push).await;
        let response = self.answer_with_device(insurer, &challenged, device).await;
        self.read_answer(&service.client_id, &response)
    }
}
