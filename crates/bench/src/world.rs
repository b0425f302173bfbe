//! An invented federation that client and servers agree on: everything follows from one seed, except one certificate.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};
use authenticator::{
    Ik, Kvnr,
    health_card::{AuthorityRules, CardTrust},
};
use federation::{
    EntityId, Schemes,
    chain::TrustAnchor,
    metadata::{FederationEntity, OpenIdRelyingParty},
    profile::{self, FederationMasterEndpoints, Participant},
    statement,
};
use jose::{
    SoftwareKey, UnixTime,
    jwk::{Jwk, JwkSet, KeyUse},
};
use sandbox::pki::{CardHolder, ComponentAuthority, EgkAuthority, TlsAuthority, client_certificate, derive_scalar};
use serde::{Deserialize, Serialize};
use transport::{Fetch, FetchError, FetchFuture, Fetched};
use vault::PersonData;
use wallet::card::VirtualCard;

/// Path segments of the two tenants: their institution codes.
pub const TENANTS: [&str; 2] = ["109900019", "109912342"];
/// Host of both issuers. Nothing resolves it: the client connects to the address it was told.
pub const ISSUER_HOST: &str = "idp.bench.example";
/// The Federation Master.
pub const MASTER: &str = "https://fedmaster.bench.example";
/// The service that asks.
pub const CLIENT_ID: &str = "https://patientenakte.bench.example";
/// Its name, as the authenticator shows it.
pub const CLIENT_NAME: &str = "Patientenakte Musterstadt";
/// Where it is answered.
pub const REDIRECT_URI: &str = "https://patientenakte.bench.example/login/callback";
/// What it asks for.
pub const SCOPE: &str = "openid urn:telematik:versicherter urn:telematik:display_name urn:telematik:email";
/// The PIN of every card.
pub const PIN: &str = "123456";

/// What client and servers share.
#[derive(Serialize, Deserialize)]
pub struct World {
    seed: [u8; 32],
    made_at: u64,
    /// How many people there are.
    pub people: usize,
    /// The service's TLS key, PKCS#8.
    pub client_key: Vec<u8>,
    /// The service's self-signed certificate, DER.
    pub client_certificate: Vec<u8>,
}

/// Issuer of a tenant.
pub fn issuer(tenant: &str) -> String {
    format!("https://{ISSUER_HOST}/{tenant}")
}

impl World {
    /// Makes a world of so many people.
    pub fn new(people: usize, now: UnixTime) -> Result<Self> {
        let mut seed = [0; 32];
        vault::random(&mut seed);
        let tls = client_certificate("patientenakte.bench.example", now.minus_seconds(60), 90)?;
        Ok(Self {
            seed,
            made_at: now.0,
            people,
            client_key: tls.key_pkcs8.to_vec(),
            client_certificate: tls.certificate,
        })
    }

    /// Hands the world to a server.
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_vec(self)?).context("world file")
    }

    /// Takes it over.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// When it was made.
    pub const fn made_at(&self) -> UnixTime {
        UnixTime(self.made_at)
    }

    /// Seed of the provider's vault.
    pub fn vault_seed(&self) -> [u8; 32] {
        derive_scalar(&self.seed, "vault")
    }

    fn key(&self, name: &str) -> Result<SoftwareKey> {
        Ok(SoftwareKey::from_scalar(name, &derive_scalar(&self.seed, name))?)
    }

    /// The key tokens for the service are encrypted to.
    pub fn encryption_key(&self) -> Result<SoftwareKey> {
        self.key("encryption")
    }

    /// The key of a person's phone.
    pub fn device_key(&self, person: usize) -> Result<SoftwareKey> {
        self.key(&format!("device-{person}"))
    }

    /// The authority of the servers' TLS certificates.
    pub fn tls_authority(&self) -> Result<TlsAuthority> {
        Ok(TlsAuthority::from_seed(
            &self.seed,
            &["localhost"],
            self.made_at().minus_seconds(60),
        )?)
    }

    /// The authority of token certificates.
    pub fn component_authority(&self) -> Result<ComponentAuthority> {
        Ok(ComponentAuthority::from_seed(
            &self.seed,
            self.made_at().minus_seconds(60),
        )?)
    }

    /// The authority of cards.
    pub fn card_authority(&self) -> Result<EgkAuthority> {
        Ok(EgkAuthority::from_seed(&self.seed, self.made_at().minus_seconds(60))?)
    }

    /// Trust in its cards, with a current list of revoked ones.
    pub fn card_trust(&self) -> Result<CardTrust> {
        let authority = self.card_authority()?;
        let mut trust = CardTrust::new();
        trust.add_authority(authority.certificate(), AuthorityRules::default())?;
        let from = self.made_at().minus_seconds(60);
        trust.add_crl(&authority.issue_crl(&[(1, from)], 1, from, from.plus_seconds(7 * 24 * 3600))?)?;
        Ok(trust)
    }

    /// What the insurer knows of a person.
    pub fn person(&self, person: usize) -> Result<PersonData> {
        let given_name = format!("Erika-{person}");
        Ok(PersonData {
            kvnr: kvnr(person)?,
            ik: Ik::parse(TENANTS[0])?,
            display_name: format!("Dr. {given_name} Musterfrau von und zu Beispielhausen"),
            email: format!("erika.{person}@post.example"),
            given_name,
            family_name: "Musterfrau".to_owned(),
            birthdate: "1964-08-12".to_owned(),
            sex: "W".to_owned(),
            card_valid_until: "2028-02-29".to_owned(),
        })
    }

    /// A person's health card.
    pub fn card(&self, authority: &EgkAuthority, person: usize) -> Result<VirtualCard> {
        let data = self.person(person)?;
        let scalar = derive_scalar(&self.seed, &format!("card-{person}"));
        let holder = CardHolder {
            insurer: "Musterkasse Leuchtturm",
            ik: &data.ik,
            kvnr: &data.kvnr,
            given_name: &data.given_name,
            family_name: &data.family_name,
            display_name: &data.display_name,
        };
        let serial = 1_000 + person as u64;
        let certificate = authority.issue_card(&holder, &scalar, serial, self.made_at().minus_seconds(60))?;
        Ok(VirtualCard::new(&scalar, &certificate, PIN, None)?)
    }

    /// The pinned Federation Master.
    pub fn anchor(&self) -> Result<TrustAnchor> {
        Ok(TrustAnchor {
            entity_id: entity(MASTER)?,
            keys: JwkSet::new(vec![self.key("master")?.jwk(KeyUse::Signature)]),
        })
    }

    /// The federation as a table: the master's statement, its word on the service, and the service's own.
    pub fn federation(&self) -> Result<FederationTable> {
        let now = self.made_at();
        let (master, service) = (entity(MASTER)?, entity(CLIENT_ID)?);
        let (master_key, service_key) = (self.key("master")?, self.key("service")?);
        let fetch = format!("{MASTER}/federation/fetch");
        let endpoints = FederationMasterEndpoints {
            fetch: fetch.clone(),
            list: format!("{MASTER}/federation/list"),
            idp_list: format!("{MASTER}/federation/listidps"),
        };
        let day = profile::FEDERATION_MASTER_LIFETIME_SECONDS;
        let own =
            profile::federation_master_statement(&master, &[master_key.jwk(KeyUse::Signature)], &endpoints, now, day);
        let scopes: Vec<String> = SCOPE.split(' ').map(str::to_owned).collect();
        let about_service = profile::subordinate_statement(
            &master,
            &service,
            &[service_key.jwk(KeyUse::Signature)],
            &Participant::OpenIdRelyingParty {
                redirect_uris: vec![REDIRECT_URI.to_owned()],
                scopes: scopes.clone(),
                claims: vec![],
            },
            None,
            now,
            day,
        );
        let party = OpenIdRelyingParty {
            client_name: CLIENT_NAME.to_owned(),
            redirect_uris: vec![REDIRECT_URI.to_owned()],
            scope: scopes,
            default_acr_values: vec!["gematik-ehealth-loa-high".to_owned()],
            id_token_versions: vec!["1.0.0".to_owned(), "2.0.0".to_owned()],
            jwks: Some(profile::client_key_set(&[
                self.client_tls_jwk()?,
                self.encryption_key()?.jwk(KeyUse::Encryption),
            ])),
            ..OpenIdRelyingParty::default()
        };
        let of_service = profile::relying_party_statement(
            &service,
            &party,
            &FederationEntity::of_participant("Akte GmbH"),
            &master,
            &[service_key.jwk(KeyUse::Signature)],
            now,
            profile::RELYING_PARTY_LIFETIME_SECONDS,
        );
        let documents = [
            (master.well_known_url(), statement::issue(&own, &master_key)?),
            (fetch, statement::issue(&about_service, &master_key)?),
            (service.well_known_url(), statement::issue(&of_service, &service_key)?),
        ];
        Ok(FederationTable(documents.into()))
    }

    fn client_tls_jwk(&self) -> Result<Jwk> {
        let key = SoftwareKey::from_pkcs8_der("tls", &self.client_key)?;
        let mut jwk = key.jwk(KeyUse::Signature);
        jwk.x5c = vec![self.client_certificate.clone()];
        Ok(jwk)
    }
}

/// An entity identifier.
pub fn entity(text: &str) -> Result<EntityId> {
    Ok(EntityId::parse(text, Schemes::HttpsOnly)?)
}

/// The number of an invented person, with its check digit.
fn kvnr(person: usize) -> Result<Kvnr> {
    (0..10)
        .find_map(|check| Kvnr::parse(&format!("X{person:08}{check}")).ok())
        .context("one of ten check digits fits")
}

/// Federation documents by address; the query is left aside.
pub struct FederationTable(HashMap<String, String>);

impl FederationTable {
    /// Every document.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(url, document)| (url.as_str(), document.as_str()))
    }
}

impl Fetch for FederationTable {
    fn fetch<'a>(&'a self, url: &'a str, _accept: &'a str) -> FetchFuture<'a> {
        let address = url.split('?').next().unwrap_or(url);
        let found = self.0.get(address).map(|document| Fetched {
            status: 200,
            content_type: Some(statement::MEDIA_TYPE.to_owned()),
            body: document.clone().into(),
        });
        Box::pin(std::future::ready(found.ok_or(FetchError::ConnectionFailed)))
    }
}
