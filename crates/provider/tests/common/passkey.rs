//! A browser with an authenticator: makes passkeys and answers with them, right or wrong in one point.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use jose::{SoftwareKey, base64url};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answered, Challenged, Harness, Insurer, Person, pki, wire};

/// Present, verified, and (bit 6) a new key.
const PRESENT_VERIFIED: u8 = 0x05;
const NEW_KEY: u8 = 0x40;
/// May be copied, and was.
pub const SYNCED: u8 = 0x18;

pub struct Passkey {
    key: SoftwareKey,
    id: [u8; 16],
    pub user_handle: String,
    pub origin: String,
    rp_id: String,
    pub flags: u8,
    pub counter: u32,
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn head(major: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(length @ 0..=23) => vec![major << 5 | length],
        Ok(length) => vec![major << 5 | 24, length],
        Err(_) => [&[major << 5 | 25][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    }
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len()), content.to_vec()].concat()
}

fn text(content: &str) -> Vec<u8> {
    [head(3, content.len()), content.into()].concat()
}

fn sign(key: &SoftwareKey, message: &[u8]) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.to_pkcs8_der()).unwrap();
    pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

impl Passkey {
    /// What `navigator.credentials.create()` would make of the provider's options, on the insurer's page.
    pub fn of(options: &Value, insurer: &Insurer) -> Self {
        let (scheme, rest) = insurer.issuer.split_once("://").unwrap();
        let authority = rest.split('/').next().unwrap();
        Self {
            key: SoftwareKey::generate("passkey").unwrap(),
            id: [0x1d; 16],
            user_handle: options["user"]["id"].as_str().unwrap().to_owned(),
            origin: format!("{scheme}://{authority}"),
            rp_id: options["rp"]["id"].as_str().unwrap().to_owned(),
            flags: PRESENT_VERIFIED,
            counter: 1,
        }
    }

    /// In base64url.
    pub fn credential_id(&self) -> String {
        base64url::encode(&self.id)
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false})
            .to_string()
            .into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        [
            hash(self.rp_id.as_bytes()),
            vec![flags],
            self.counter.to_be_bytes().to_vec(),
        ]
        .concat()
    }

    /// The member `passkey` of a binding; `attested` by the maker of [`pki::passkey_maker`], or by nobody.
    pub fn made(&self, options: &Value, attested: bool) -> Value {
        let client_data = self.client_data("webauthn.create", options["challenge"].as_str().unwrap());
        let public = self.key.public_key();
        let data = [
            self.authenticator_data(self.flags | NEW_KEY),
            pki::PASSKEY_MODEL.to_vec(),
            vec![0, 16],
            self.id.to_vec(),
            vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21],
            bytes(public.x()),
            vec![0x22],
            bytes(public.y()),
        ]
        .concat();
        let statement = if attested {
            let signed = [data.clone(), hash(&client_data)].concat();
            let (key, certificate) = pki::passkey_batch();
            [
                head(5, 3),
                text("alg"),
                vec![0x26],
                text("sig"),
                bytes(&sign(&key, &signed)),
                text("x5c"),
                head(4, 1),
                bytes(&certificate),
            ]
            .concat()
        } else {
            head(5, 0)
        };
        let format = if attested { "packed" } else { "none" };
        let object = [
            head(5, 3),
            text("fmt"),
            text(format),
            text("attStmt"),
            statement,
            text("authData"),
            bytes(&data),
        ]
        .concat();
        json!({
            "device": self.user_handle,
            "credential_id": base64url::encode(&self.id),
            "client_data": base64url::encode(&client_data),
            "attestation_object": base64url::encode(&object),
        })
    }

    /// The body of `POST /auth/device`. Counts up.
    pub fn answer(&mut self, challenged: &Challenged) -> Value {
        self.counter += 1;
        self.answer_as_it_counts(challenged)
    }

    pub fn answer_as_it_counts(&self, challenged: &Challenged) -> Value {
        let challenge = authenticator::passkey::login_challenge(&challenged.challenge);
        let client_data = self.client_data("webauthn.get", &base64url::encode(&challenge));
        let data = self.authenticator_data(self.flags);
        let signature = sign(&self.key, &[data.clone(), hash(&client_data)].concat());
        json!({
            "client_id": challenged.client_id,
            "login": challenged.login,
            "challenge": challenged.challenge,
            "passkey": {
                "credential_id": base64url::encode(&self.id),
                "client_data": base64url::encode(&client_data),
                "authenticator_data": base64url::encode(&data),
                "signature": base64url::encode(&signature),
                "user_handle": self.user_handle,
            },
        })
    }
}

/// A binding of a passkey after a card login, ready to be sent.
pub fn binding(answered: &Answered, made: &Value) -> Value {
    json!({
        "client_id": answered.client_id,
        "login": answered.login,
        "name": "Mein Schlüssel",
        "consent_to_substantial": true,
        "passkey": made,
    })
}

impl Harness {
    /// A login to her account that an app begins.
    pub async fn app_account_challenge(&self, insurer: &Insurer) -> Challenged {
        let answer = self
            .api(insurer, "/auth/challenge", &json!({"client_id": insurer.issuer}))
            .await;
        self.read_challenge(&insurer.issuer, &answer)
    }

    /// A login to her account by card, up to the person, and what to ask the browser for.
    pub async fn passkey_options(&self, insurer: &Insurer, person: &Person) -> (Answered, Value) {
        let challenged = self.app_account_challenge(insurer).await;
        let answer = self.answer_with_card(insurer, &challenged, person).await;
        let answered = self.read_answer(&challenged.client_id, &answer);
        let request = json!({"client_id": answered.client_id, "login": answered.login});
        let answer = wire::json(&self.api(insurer, "/devices/passkey", &request).await, 200);
        self.secret(answer["options"]["user"]["id"].as_str().unwrap());
        (answered, answer["options"].clone())
    }

    /// A bound passkey, and the answer of the provider.
    pub async fn passkey(&self, insurer: &Insurer, person: &Person, flags: u8, attested: bool) -> (Passkey, Value) {
        let (answered, options) = self.passkey_options(insurer, person).await;
        let mut passkey = Passkey::of(&options, insurer);
        passkey.flags |= flags;
        let body = binding(&answered, &passkey.made(&options, attested));
        let bound = wire::json(&self.api(insurer, "/devices", &body).await, 201);
        assert_eq!(bound["device"], options["user"]["id"]);
        (passkey, bound)
    }
}
