//! Messages of key ceremonies, and transcripts whose signatures and chain are right, so that what they tell is read.

#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use evidence::manifest::{Member, OrganisationRole, RoleSet};
use healthid_fuzz::{key, sign};
use jose::jwk::P256PublicKey;
use jose::{base64url, json};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use vault::ceremony::{
    Event, HolderCard, JoinRequest, PostedShare, SealedForward, SealedShare, SetupOffer, SetupPurpose, Transcript,
    verify_forwards,
};
use vault::fuzzing;

fn public(name: &str) -> &'static P256PublicKey {
    key(name).expect("known").public_key()
}

/// The ceremony a seed's transcript is of.
static OFFERS: LazyLock<[SetupOffer; 2]> = LazyLock::new(|| {
    [SetupPurpose::Genesis, SetupPurpose::ColdStart].map(|purpose| SetupOffer {
        purpose,
        namespace: "fuzz".to_owned(),
        manifest: [1; 32],
        nonce: [2; 32],
        setup_key: public("middle").clone(),
        transcript_key: public("anchor").clone(),
    })
});

static SHARE_SET: LazyLock<RoleSet> = LazyLock::new(|| {
    let member = |name: &str, role| Member {
        key: public(name).clone(),
        name: name.to_owned(),
        role,
    };
    RoleSet {
        at_least: [].into(),
        members: vec![
            member("leaf", OrganisationRole::Auditor),
            member("middle", OrganisationRole::Insurer),
        ],
        threshold: 2,
    }
});

/// A message in JSON: what is read is written and read back as the same.
fn message<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    if let Ok(message) = json::parse_as::<T>(data, &json::DEFAULT) {
        let written = serde_json::to_vec(&message).expect("it can be written");
        assert_eq!(json::parse_as(&written, &json::DEFAULT), Ok(message));
    }
}

/// One entry a line: who signs (`leaf`, `middle`, `anchor`), a blank, the payload. In it, `@head` stands for the hash of the entry before, `@leaf`
/// and the like for a public key, `@genesis` and `@cold-start` for the offers.
fn transcript(text: &str) -> Option<Transcript> {
    let mut signed = String::new();
    for line in text.lines().take(16) {
        let (signer, payload) = line.split_once(' ')?;
        let head = Transcript::parse(&signed).map_or([0; 32], |transcript| transcript.head());
        let mut payload = payload.replace("@head", &base64url::encode(&head));
        for name in ["leaf", "middle", "anchor"] {
            payload = payload.replace(&format!("@{name}"), &base64url::encode(&public(name).to_uncompressed()));
        }
        for (name, offer) in ["\"@genesis\"", "\"@cold-start\""].into_iter().zip(&*OFFERS) {
            payload = payload.replace(name, &serde_json::to_string(offer).expect("it can be written"));
        }
        signed += &sign(payload.as_bytes(), "healthid-ceremony+jwt", signer)?;
        signed.push('\n');
    }
    Transcript::parse(&signed).ok()
}

fuzz_target!(|data: &[u8]| {
    message::<Event>(data);
    message::<HolderCard>(data);
    message::<JoinRequest>(data);
    message::<PostedShare>(data);
    message::<SealedForward>(data);
    message::<SealedShare>(data);
    message::<SetupOffer>(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(transcript) = Transcript::parse(text) {
        assert_eq!(Transcript::parse(&transcript.to_text()), Ok(transcript));
    }
    let Some(transcript) = transcript(text) else { return };
    for offer in &*OFFERS {
        fuzzing::transcript(&transcript, offer.clone(), SHARE_SET.clone());
    }
    if let Ok(events) = verify_forwards(&transcript, public("anchor")) {
        assert!(
            events
                .iter()
                .all(|event| matches!(event, Event::KeyForwarded { .. } | Event::ForwardRefused { .. }))
        );
    }
});
