//! Who takes part: the insurers with their policy, the services with their keys, the people.

use std::sync::Arc;

use authenticator::app_links::Apps;
use authenticator::passkey::{AllowedAuthenticator, AttestationFormat, PasskeyPolicy};
use authenticator::policy::{AuthenticationPolicy, DeviceClassRule, DeviceEvidence, Moving};
use authenticator::{Acr, Ik};
use axum::body::Bytes;
use federation::chain::TrustAnchor;
use federation::{EntityId, Schemes};
use fedmaster::registration::{ParticipantType, RegistrationForm};
use fedmaster::{Clock, FederationMaster};
use jose::UnixTime;
use jose::jwk::P256PublicKey;
use provider::{Colour, Provider, TenantSettings, TokenCertificates, WalletSettings};
use relying_party::client::{Connections, KeyPublication, RelyingParty, RelyingPartyConfig};
use relying_party::demo::{DemoService, DemoServiceConfig};
use tokio::task::JoinSet;
use transport::AddressRule;
use vault::PersonData;

use super::Network;
use super::options::SandboxOptions;
use crate::addresses::Addresses;
use crate::cards::Cards;
use crate::data::DataDir;
use crate::error::StartError;
use crate::insurers::Insurer;
use crate::people::PEOPLE;
use crate::pki::ComponentAuthority;
use crate::service_keys;
use crate::services::Service;

/// Where a service serves its signed key set, below its entity identifier.
const SIGNED_KEYS_PATH: &str = "/jwks";

/// The token certificates of the insurers, from the sandbox's component authority.
pub(super) struct TokenAuthority {
    pub(super) authority: ComponentAuthority,
    pub(super) issuers: Vec<(String, Ik)>,
}

impl TokenCertificates for TokenAuthority {
    fn issue(&self, issuer: &str, organization_name: &str, key: &P256PublicKey, now: UnixTime) -> Option<Vec<u8>> {
        let (_, ik) = self.issuers.iter().find(|(known, _)| known == issuer)?;
        self.authority
            .issue_token_certificate(key, organization_name, ik, now)
            .ok()
    }
}

/// The insurers, as the provider is told of them.
pub(super) fn tenants(
    options: &SandboxOptions,
    addresses: &Addresses,
    cards: &Cards,
    now: UnixTime,
) -> Result<Vec<TenantSettings>, StartError> {
    let card_trust = Arc::new(cards.trust(&options.foreign_cards, now)?);
    let mut policy = AuthenticationPolicy {
        device_classes: device_classes(),
        passkeys: passkeys(),
        moving: Moving::On,
        ..AuthenticationPolicy::default()
    };
    if options.single_sign_on {
        policy.sso.allowed_clients = Service::ALL
            .into_iter()
            .map(|service| addresses.service(service).entity_id.clone())
            .collect();
    }
    policy.check().map_err(StartError::Policy)?;
    let tenant = |insurer: Insurer| {
        let mut iks = vec![insurer.ik()];
        if insurer == Insurer::Leuchtturm {
            iks.extend(cards.foreign_iks());
        }
        let own = addresses.insurer(insurer);
        TenantSettings {
            issuer: own.issuer.clone(),
            iks,
            organization_name: insurer.name().to_owned(),
            logo: Bytes::from_static(insurer.logo().as_bytes()),
            browser_base: own.pages.clone(),
            mtls_base: own.mtls.clone(),
            authenticator_url: Some(format!("{}/card", addresses.portal)),
            wallet: Some(WalletSettings {
                card_terminal: Some(addresses.portal.clone()),
                // A test reads both.
                brand: Colour::try_from(insurer.colour().to_owned()).ok(),
                ..WalletSettings::default()
            }),
            contacts: vec![insurer.contact().to_owned()],
            apps: Apps::default(),
            policy: policy.clone(),
            attestation: None,
            card_trust: Arc::clone(&card_trust),
            authority_hints: vec![addresses.master.clone()],
        }
    };
    Ok(Insurer::ALL.map(tenant).into())
}

/// The model that Chromium's virtual authenticators say they are. Its attestation key is public, so its word is worth nothing: here it stands for
/// the makers an insurer would name, and both kinds of passkeys can be tried in a browser.
fn passkeys() -> PasskeyPolicy {
    PasskeyPolicy {
        authenticators: vec![AllowedAuthenticator {
            aaguid: "01020304-0506-0708-0102-030405060708".to_owned(),
            format: AttestationFormat::Packed,
            roots: vec![include_str!("../../assets/chromium-virtual-authenticator.pem").to_owned()],
        }],
    }
}

/// As by default, but here every phone is believed what it claims to be.
fn device_classes() -> Vec<DeviceClassRule> {
    let mut classes = DeviceClassRule::defaults();
    for class in &mut classes {
        if class.evidence == DeviceEvidence::Attested {
            class.evidence = DeviceEvidence::Claimed;
        }
    }
    debug_assert!(classes.iter().any(|class| class.level == Acr::High));
    classes
}

/// The configuration of a demo service's place in the federation.
pub(crate) fn party_config(
    service: Service,
    entity_id: EntityId,
    pages: &str,
    anchor: TrustAnchor,
) -> RelyingPartyConfig {
    let personality = service.personality();
    let mut config = personality.relying_party_config(entity_id.clone(), pages, anchor, Schemes::LoopbackHttpToo);
    // Both ways of publishing keys occur in the field; each service shows one.
    if service == Service::Prescription {
        config.key_publication = KeyPublication::SignedKeySet {
            uri: format!("{entity_id}{SIGNED_KEYS_PATH}"),
        };
    }
    config
}

/// A demo service with its keys.
pub(super) fn service(
    service: Service,
    addresses: &Addresses,
    anchor: &TrustAnchor,
    network: &Network,
    data: &DataDir,
    clock: &Clock,
) -> Result<DemoService, StartError> {
    let own = addresses.service(service);
    let entity_id = EntityId::parse(&own.entity_id, Schemes::HttpsOnly)?;
    let keys = service_keys::open(data, service, &own.entity_id, clock())?;
    let config = party_config(service, entity_id, &own.pages, anchor.clone());
    let connections = Connections::over_network(&network.roots, AddressRule::LoopbackAllowed, &network.host_names)?;
    let party = Arc::new(RelyingParty::new(config, keys, connections)?);
    let mut login_origins: Vec<String> = Insurer::ALL
        .into_iter()
        .filter_map(|insurer| origin(&addresses.insurer(insurer).pages))
        .collect();
    login_origins.dedup();
    Ok(DemoService::new(DemoServiceConfig {
        personality: service.personality(),
        base_url: own.pages.clone(),
        party,
        clock: Arc::clone(clock),
        login_origins,
        portal_url: Some(format!("{}/", addresses.portal)),
    })?)
}

fn origin(url: &str) -> Option<String> {
    Some(url::Url::parse(url).ok()?.origin().ascii_serialization())
}

/// Hands the services' registrations in.
pub(super) async fn register_services(
    master: &FederationMaster,
    services: &[(Service, DemoService); 2],
    addresses: &Addresses,
) -> Result<(), StartError> {
    let forms = services
        .iter()
        .map(|(service, demo)| {
            let config = demo.party().config();
            let entity_id = &addresses.service(*service).entity_id;
            let mut form = RegistrationForm::new(
                entity_id,
                ParticipantType::RelyingParty,
                config.organization_name.clone(),
            );
            form.keys = Some(demo.party().keys().entity_keys());
            form.redirect_uris = Some(config.redirect_uris.clone());
            form.scopes = Some(config.scopes.clone());
            form
        })
        .collect();
    let master = master.clone();
    tokio::task::spawn_blocking(move || master.register_all(forms))
        .await
        .map_err(|_| StartError::Internal("the services could not be registered"))??;
    Ok(())
}

/// Tells the insurers whom they insure. All at once: the store writes what waits together.
pub(super) async fn import_people(
    provider: &Provider,
    addresses: &Addresses,
    cards: &Cards,
    now: UnixTime,
) -> Result<(), StartError> {
    let own = PEOPLE
        .iter()
        .map(|person| (person.insurer, cards.register_entry(person, now)));
    let foreign = cards
        .foreign_people()
        .into_iter()
        .map(|data| (Insurer::Leuchtturm, data));
    let mut imports = JoinSet::new();
    for (insurer, data) in own.chain(foreign) {
        let (provider, issuer) = (provider.clone(), addresses.insurer(insurer).issuer.clone());
        imports.spawn(async move { import(&provider, &issuer, data).await });
    }
    while let Some(outcome) = imports.join_next().await {
        outcome.map_err(|_| StartError::Internal("a person could not be imported"))??;
    }
    Ok(())
}

async fn import(provider: &Provider, issuer: &str, data: PersonData) -> Result<(), StartError> {
    provider.import_person(issuer, data).await?;
    Ok(())
}
