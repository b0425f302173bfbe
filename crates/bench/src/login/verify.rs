//! Tokens, taken apart: a login that is not checked does not count.

use anyhow::{Context, Result, ensure};
use jose::{SoftwareKey, json, jwe, jwk::JwkSet, jws};
use serde::Deserialize;

use super::{flow::Finished, now};
use crate::world::{CLIENT_ID, TENANTS, World, issuer};

/// What tokens are decrypted and verified with.
pub struct TokenKeys {
    own: SoftwareKey,
    issuer_keys: JwkSet,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
    nonce: String,
    #[serde(rename = "urn:telematik:claims:id")]
    number: String,
    #[serde(rename = "urn:telematik:claims:display_name")]
    display_name: String,
}

impl TokenKeys {
    /// The service's own key, and the issuer's.
    pub fn new(world: &World, issuer_keys: JwkSet) -> Result<Self> {
        Ok(Self {
            own: world.encryption_key()?,
            issuer_keys,
        })
    }

    /// Decrypts, verifies, and holds every claim against what was asked and who asked.
    pub fn check(&self, world: &World, finished: &Finished, person: usize) -> Result<()> {
        let signed = jwe::parse(&finished.id_token, &json::DEFAULT)?.decrypt(&self.own)?;
        let token = jws::parse(std::str::from_utf8(&signed)?, &json::DEFAULT)?;
        let kid = token.header().kid.clone().context("kid")?;
        let key = self
            .issuer_keys
            .by_kid(&kid)
            .context("the token's key is not published")?;
        let claims: Claims = token.verify(&key.key)?.claims(&json::DEFAULT)?;
        let data = world.person(person)?;
        ensure!(claims.iss == issuer(TENANTS[0]), "iss");
        ensure!(claims.aud == CLIENT_ID, "aud");
        ensure!(claims.sub.len() == 43, "sub");
        ensure!(claims.nonce == finished.nonce, "nonce");
        ensure!(
            claims.exp == claims.iat + 300 && now().0.abs_diff(claims.iat) < 10,
            "iat, exp"
        );
        ensure!(claims.number == data.kvnr.as_str(), "another person's token");
        ensure!(claims.display_name == data.display_name, "display_name");
        Ok(())
    }
}
