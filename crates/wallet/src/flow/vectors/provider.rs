//! What the other side of a play says: the provider, and whoever holds the phone.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use authenticator::challenge::{self, Challenge, Purpose};
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime, base64url};
use serde_json::{Value, json};

use super::super::{DeviceRecord, Told};
use super::{Begin, ISSUER, NOW, SERVICE};

/// The provider's side of the plays.
pub(super) struct Recorder {
    key: SoftwareKey,
    pub(super) stranger: SoftwareKey,
}

pub(super) fn answer(status: u16, body: &Value) -> Told {
    Told::Answer {
        status,
        body: body.to_string(),
    }
}

pub(super) fn at(told: impl IntoIterator<Item = Told>) -> Vec<(u64, Told)> {
    told.into_iter().map(|told| (NOW, told)).collect()
}

pub(super) fn open(address: &str) -> Begin {
    Begin::Open {
        issuer: ISSUER.to_owned(),
        address: address.to_owned(),
    }
}

pub(super) fn good_address() -> Begin {
    open(
        "https://idp.example/109900019/auth?client_id=https%3A%2F%2Fepa.example&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc",
    )
}

pub(super) fn refusal(status: u16) -> Told {
    answer(
        status,
        &json!({ "error": "access_denied", "error_description": "card: revoked (support code ABCD-EFGH)" }),
    )
}

pub(super) fn refused(status: u16, reason: &str) -> Told {
    answer(
        status,
        &json!({
            "error": "invalid_request",
            "error_description": "for developers (support code BCDF-GHJK)",
            "reason": reason,
            "support_code": "BCDF-GHJK",
        }),
    )
}

pub(super) fn card() -> [Told; 2] {
    [
        Told::WithCard,
        Told::CardAnswered {
            response: "card.signed.this".to_owned(),
        },
    ]
}

pub(super) fn known() -> Told {
    answer(
        200,
        &json!({
            "login": "authenticated",
            "consent": {
                "service": { "name": "Akte für alle", "logo_uri": "https://epa.example/logo.svg" },
                "essential": ["urn:telematik:claims:id"],
                "voluntary": ["birthdate", "urn:telematik:claims:email"],
                "remembered": false,
            },
        }),
    )
}

pub(super) fn approve(number: Option<&str>) -> Told {
    Told::Approve {
        voluntary: vec!["birthdate".to_owned()],
        remember: true,
        number: number.map(str::to_owned),
    }
}

/// A device that is bound.
pub(in crate::flow) fn record() -> DeviceRecord {
    DeviceRecord {
        issuer: ISSUER.to_owned(),
        device: "handle".to_owned(),
        name: "Handy".to_owned(),
        valid_until: UnixTime(NOW),
        counter: 41,
    }
}

pub(super) fn signature() -> Told {
    Told::Signed {
        signature: base64url::encode(&[7; 64]),
    }
}

impl Recorder {
    pub(super) fn new() -> Self {
        let key = |name: &str| SoftwareKey::generate(name).unwrap();
        Self {
            key: key("challenge-1"),
            stranger: key("challenge-1"),
        }
    }

    pub(super) fn challenge(&self, change: impl FnOnce(&mut Challenge)) -> Told {
        self.signed_challenge(&self.key, change)
    }

    pub(super) fn signed_challenge(&self, key: &SoftwareKey, change: impl FnOnce(&mut Challenge)) -> Told {
        let mut challenge = Challenge {
            iss: ISSUER.to_owned(),
            login_id: [7; 16],
            client_id: SERVICE.to_owned(),
            client_name: "Akte für alle".to_owned(),
            request_hash: "hash".to_owned(),
            purpose: Purpose::Login,
            iat: UnixTime(NOW),
            exp: UnixTime(NOW + challenge::LIFETIME_SECONDS),
        };
        change(&mut challenge);
        answer(
            200,
            &json!({
                "login": "pending",
                "challenge": challenge::issue(&challenge, key).unwrap(),
                "service": { "name": "Akte für alle", "logo_uri": "https://epa.example/logo.svg" },
                "requested": {
                    "acr": "gematik-ehealth-loa-high",
                    "claims": { "essential": ["urn:telematik:claims:id"], "voluntary": ["birthdate"] },
                },
                "expires_in": 180,
            }),
        )
    }

    pub(super) fn account_challenge(&self) -> Told {
        self.challenge(|challenge| {
            challenge.client_id = ISSUER.to_owned();
            challenge.purpose = Purpose::Account;
        })
    }

    pub(super) fn keys(&self) -> Told {
        answer(200, &JwkSet::new(vec![self.key.jwk(KeyUse::Signature)]).to_value())
    }

    /// Up to where the person looks at the request.
    pub(super) fn opened(&self) -> Vec<Told> {
        vec![self.challenge(|_| ()), self.keys()]
    }
}
