//! People with cards and phones, ready to log in.

use anyhow::{Context, Result};
use authenticator::device::{BINDING_TYP, BindingClaims};
use jose::{SoftwareKey, base64url, jwk::KeyUse, jws};
use serde::Deserialize;
use serde_json::json;
use wallet::card::VirtualCard;

use super::flow::{Authentication, Flow};
use crate::world::{CLIENT_ID, World};

/// One person with what she logs in with.
pub struct Person {
    /// Her number in the world.
    pub number: usize,
    /// Her health card.
    pub card: VirtualCard,
    /// The key of her phone.
    pub key: SoftwareKey,
    /// What her phone calls itself.
    pub handle: String,
    /// Answers her phone has given.
    pub counter: u64,
}

/// Everybody, with phones that have these handles, or none yet.
pub fn people_with_devices(world: &World, handles: &[String]) -> Result<Vec<Person>> {
    let authority = world.card_authority()?;
    (0..world.people)
        .map(|number| {
            Ok(Person {
                number,
                card: world.card(&authority, number)?,
                key: world.device_key(number)?,
                handle: handles.get(number).cloned().unwrap_or_default(),
                counter: 0,
            })
        })
        .collect()
}

#[derive(Deserialize)]
struct Bound {
    device: String,
}

/// Logs everybody in by card once, binds the phone, and lets the consent be remembered: what comes before an everyday login.
pub async fn bind_devices(flow: &mut Flow, people: &mut [Person]) -> Result<()> {
    for person in people {
        let waiting = flow.authenticate(person, Authentication::Card).await?;
        let claims = BindingClaims {
            challenge_id: base64url::encode(&waiting.login_id),
        };
        let header = jws::SigningHeader {
            typ: Some(BINDING_TYP),
            ..Default::default()
        };
        let mut public_key = person.key.jwk(KeyUse::Signature);
        public_key.kid = None;
        let body = json!({
            "client_id": CLIENT_ID,
            "login": waiting.login,
            "public_key": public_key.to_value(),
            "name": "Phone",
            "class": "software",
            "consent_to_substantial": true,
            "proof": jws::sign(&header, &serde_json::to_vec(&claims)?, &person.key)?,
        });
        let bound = flow.person("devices", body.to_string()).await.context("binding")?;
        let Bound { device } = serde_json::from_slice(&bound)?;
        person.handle = device;
        flow.finish(waiting, true).await?;
    }
    Ok(())
}
