//! Plays of what is bound in a login: a device's key, attested or not, and a passkey.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use authenticator::passkey::registration_challenge;
use jose::base64url;
use serde_json::{Value, json};

use super::super::{Attestation, BindingWish, MadePasskey, PasskeyAnswer, Told};
use super::provider::{Recorder, answer, at, good_address, known, refusal, refused, signature};
use super::{Begin, ISSUER, NOW, Play, play, with_passkey};

impl Recorder {
    /// Passkeys: a login, one she cancels, and their binding.
    pub(super) fn passkeys(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let answered = Told::PasskeyAnswered(PasskeyAnswer {
            credential_id: "aWQ".to_owned(),
            client_data: "e30".to_owned(),
            authenticator_data: "ZGF0YQ".to_owned(),
            signature: "c2ln".to_owned(),
            user_handle: "aGFuZGxl".to_owned(),
        });
        let made = Told::PasskeyMade(MadePasskey {
            credential_id: "aWQ".to_owned(),
            client_data: "e30".to_owned(),
            attestation_object: "b2Jq".to_owned(),
        });
        let handle = [9; 32];
        let options = |login_id: &[u8; 16], id: &str| {
            let challenge = base64url::encode(&registration_challenge(login_id, &handle));
            answer(
                200,
                &json!({ "options": {
                    "rp": { "id": "idp.example", "name": "Kasse" },
                    "user": { "id": id, "name": "Kasse", "displayName": "Kasse" },
                    "challenge": challenge,
                    "timeout": 180_000,
                } }),
            )
        };
        let id = base64url::encode(&handle);
        let bound = answer(
            201,
            &json!({
                "device": id,
                "valid_until": NOW + 1,
                "class": "passkey-own-pages",
                "findings": [{ "check": "passkey-device-bound", "outcome": "failed", "class": null }],
            }),
        );
        let by_card = at([
            self.account_challenge(),
            self.keys(),
            with_card.clone(),
            card_answered.clone(),
            known(),
        ]);
        let login = self.opened().into_iter().chain([
            Told::WithPasskey,
            with_card.clone(),
            Told::Decline,
            Told::WithPasskey,
            answered.clone(),
            refused(403, "device-unknown"),
            Told::WithPasskey,
            answered.clone(),
            known(),
            made.clone(),
        ]);
        vec![
            play(
                "a login by passkey, cancelled first and unknown then",
                good_address(),
                at(login),
                None,
            ),
            with_passkey(
                "a passkey bound",
                by_card.clone(),
                vec![
                    answered,
                    options(&[7; 16], &id),
                    bound.clone(),
                    made.clone(),
                    bound.clone(),
                    bound.clone(),
                ],
            ),
            with_passkey(
                "options for another login",
                by_card.clone(),
                vec![options(&[8; 16], &id), made.clone()],
            ),
            with_passkey(
                "options for another device",
                by_card.clone(),
                vec![options(&[7; 16], &base64url::encode(&[8; 32]))],
            ),
            with_passkey(
                "no options",
                by_card.clone(),
                vec![answer(200, &json!({ "options": {} }))],
            ),
            with_passkey(
                "passkeys not offered",
                by_card,
                vec![refused(403, "device-not-admitted")],
            ),
            with_passkey(
                "a passkey before she said who she is",
                at([self.account_challenge()]),
                vec![made],
            ),
        ]
    }

    pub(super) fn bindings(&self, with_card: &Told, card_answered: &Told) -> Vec<Play> {
        let wish = BindingWish {
            name: "Handy",
            class: "software",
            consent_to_substantial: true,
            hardware: None,
        };
        let begin = || Begin::Account {
            issuer: ISSUER.to_owned(),
        };
        let key = self.stranger.public_key();
        let made = Told::KeyMade {
            x: base64url::encode(key.x()),
            y: base64url::encode(key.y()),
            attestation: None,
        };
        let no_point = Told::KeyMade {
            x: base64url::encode(&[0; 32]),
            y: base64url::encode(&[0; 32]),
            attestation: None,
        };
        let opened = [self.account_challenge(), self.keys()];
        let known: Vec<Told> = opened
            .iter()
            .chain([with_card, card_answered])
            .cloned()
            .chain([known()])
            .collect();
        let sound = json!({ "device": "handle", "valid_until": NOW + 86_400, "class": "software", "findings": [] });
        let bound = answer(201, &sound);
        vec![
            self.attested_binding(&known, &sound),
            self.attested_binding_on_another_platform(&known, &sound),
            play(
                "an answer that names no class is no answer",
                begin(),
                at(known.clone()),
                Some((
                    &wish,
                    vec![
                        made.clone(),
                        signature(),
                        answer(201, &json!({ "device": "handle", "valid_until": NOW + 86_400 })),
                    ],
                )),
            ),
            play(
                "a device is bound",
                begin(),
                at(known.clone()),
                Some((&wish, vec![Told::WithCard, made.clone(), signature(), bound])),
            ),
            play(
                "a device the provider refuses",
                begin(),
                at(known.clone()),
                Some((&wish, vec![made.clone(), signature(), refusal(400)])),
            ),
            play(
                "what is no key is not bound",
                begin(),
                at(known),
                Some((&wish, vec![no_point])),
            ),
            play(
                "nothing is bound before the provider knows who it is",
                begin(),
                at(opened),
                Some((&wish, vec![made])),
            ),
        ]
    }

    /// A phone that shows less than was wished for, and replaces what was bound on it before.
    pub(super) fn attested_binding(&self, known: &[Told], sound: &Value) -> Play {
        let mark = base64url::encode(&[7; 32]);
        let wish = BindingWish {
            name: "Handy",
            class: "secure-element",
            consent_to_substantial: true,
            hardware: Some(&mark),
        };
        let attestation = Attestation::AndroidKey {
            chain: vec!["MAAwAA".to_owned(), "MAA".to_owned()],
        };
        let mut bound = sound.clone();
        bound["class"] = json!("hardware-keystore");
        bound["findings"] =
            json!([{ "check": "device-security-level", "outcome": "failed", "class": "secure-element" }]);
        self.play_of_attestation(
            "a device is bound by what its maker says of it",
            known,
            &wish,
            attestation,
            &bound,
        )
    }

    pub(super) fn attested_binding_on_another_platform(&self, known: &[Told], sound: &Value) -> Play {
        let wish = BindingWish {
            name: "Handy",
            class: "hardware-keystore",
            consent_to_substantial: true,
            hardware: None,
        };
        let attestation = Attestation::AppleAppAttest {
            object: "o2NmbXQ".to_owned(),
        };
        let mut bound = sound.clone();
        bound["findings"] = json!([{ "check": "device-maker", "outcome": "failed" }]);
        self.play_of_attestation(
            "a device nobody vouches for is bound as such",
            known,
            &wish,
            attestation,
            &bound,
        )
    }

    pub(super) fn play_of_attestation(
        &self,
        name: &str,
        known: &[Told],
        wish: &BindingWish<'_>,
        attestation: Attestation,
        bound: &Value,
    ) -> Play {
        let key = self.stranger.public_key();
        let made = Told::KeyMade {
            x: base64url::encode(key.x()),
            y: base64url::encode(key.y()),
            attestation: Some(attestation),
        };
        let begin = Begin::Account {
            issuer: ISSUER.to_owned(),
        };
        let told = vec![made, signature(), answer(201, bound)];
        play(name, begin, at(known.to_vec()), Some((wish, told)))
    }
}
