//! Whole statements as the gematik profile wants them: what a Federation Master, an identity provider and a service
//! issue. Members: exactly those of the profile.

use jose::UnixTime;
use jose::jwk::{Jwk, JwkSet};
use serde_json::{Map, Value, json};

use crate::entity::EntityId;
use crate::metadata::{AUTOMATIC, EntityType, FederationEntity, Metadata, OpenIdProvider, OpenIdRelyingParty};
use crate::statement::{EntityStatement, federation_keys};

/// Life of the Federation Master's statements, in seconds: 24 h.
pub const FEDERATION_MASTER_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// Life of an identity provider's own statement, in seconds: 2 h, of at most 24 h (A_23010).
pub const PROVIDER_LIFETIME_SECONDS: u64 = 2 * 60 * 60;
/// Life of a service's own statement, in seconds: 12 h, of at most 24 h (A_23034).
pub const RELYING_PARTY_LIFETIME_SECONDS: u64 = 12 * 60 * 60;

/// A Federation Master's endpoints, as its own statement names them (A_22608, A_22609).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationMasterEndpoints {
    /// `federation_fetch_endpoint`
    pub fetch: String,
    /// `federation_list_endpoint`
    pub list: String,
    /// `idp_list_endpoint`
    pub idp_list: String,
}

/// What a Federation Master knows of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Participant {
    /// An identity provider.
    OpenIdProvider,
    /// A service with what it is registered for (IDP_24_5).
    OpenIdRelyingParty {
        /// `redirect_uris`
        redirect_uris: Vec<String>,
        /// `scope`
        scopes: Vec<String>,
        /// `claims`: seen empty.
        claims: Vec<String>,
    },
}

/// A Federation Master's own statement (A_22607): three endpoints, no superiors.
pub fn federation_master_statement(
    entity_id: &EntityId,
    keys: &[Jwk],
    endpoints: &FederationMasterEndpoints,
    iat: UnixTime,
    lifetime_seconds: u64,
) -> EntityStatement {
    let entity = FederationEntity {
        federation_fetch_endpoint: Some(endpoints.fetch.clone()),
        federation_list_endpoint: Some(endpoints.list.clone()),
        idp_list_endpoint: Some(endpoints.idp_list.clone()),
        ..FederationEntity::default()
    };
    EntityStatement {
        metadata: Some(Metadata::default().with(EntityType::FederationEntity, entity.to_members())),
        ..configuration(entity_id, keys, iat, lifetime_seconds)
    }
}

/// A Federation Master's statement about a participant (AF_10101). `audience` is echoed when it was asked for.
pub fn subordinate_statement(
    federation_master: &EntityId,
    subject: &EntityId,
    keys: &[Jwk],
    participant: &Participant,
    audience: Option<&EntityId>,
    iat: UnixTime,
    lifetime_seconds: u64,
) -> EntityStatement {
    let (entity_type, members) = match participant {
        Participant::OpenIdProvider => (
            EntityType::OpenIdProvider,
            Map::from_iter([("client_registration_types_supported".to_owned(), json!([AUTOMATIC]))]),
        ),
        Participant::OpenIdRelyingParty {
            redirect_uris,
            scopes,
            claims,
        } => {
            let members: [(&str, Value); 4] = [
                ("client_registration_types", json!([AUTOMATIC])),
                ("redirect_uris", json!(redirect_uris)),
                ("scope", json!(scopes.join(" "))),
                ("claims", json!(claims)),
            ];
            let members = members.map(|(member, value)| (member.to_owned(), value));
            (EntityType::OpenIdRelyingParty, Map::from_iter(members))
        }
    };
    let mut statement = EntityStatement::new(
        federation_master.clone(),
        subject.clone(),
        iat,
        lifetime_seconds,
        federation_keys(keys),
    );
    statement.aud = audience.map(EntityId::to_string).into_iter().collect();
    statement.metadata = Some(Metadata::default().with(entity_type, members));
    statement
}

/// An identity provider's own statement (A_22643). `iss` and `sub` are the provider's `issuer`.
pub fn provider_statement(
    provider: &OpenIdProvider,
    entity: &FederationEntity,
    federation_master: &EntityId,
    keys: &[Jwk],
    iat: UnixTime,
    lifetime_seconds: u64,
) -> EntityStatement {
    EntityStatement {
        authority_hints: Some(vec![federation_master.clone()]),
        metadata: Some(
            Metadata::default()
                .with(EntityType::OpenIdProvider, provider.to_members())
                .with(EntityType::FederationEntity, entity.to_members()),
        ),
        ..configuration(&provider.issuer, keys, iat, lifetime_seconds)
    }
}

/// A service's own statement (A_23034).
pub fn relying_party_statement(
    entity_id: &EntityId,
    party: &OpenIdRelyingParty,
    entity: &FederationEntity,
    federation_master: &EntityId,
    keys: &[Jwk],
    iat: UnixTime,
    lifetime_seconds: u64,
) -> EntityStatement {
    EntityStatement {
        authority_hints: Some(vec![federation_master.clone()]),
        metadata: Some(
            Metadata::default()
                .with(EntityType::OpenIdRelyingParty, party.to_members())
                .with(EntityType::FederationEntity, entity.to_members()),
        ),
        ..configuration(entity_id, keys, iat, lifetime_seconds)
    }
}

/// A service's key set for its metadata: TLS certificates with their keys, and encryption keys.
pub fn client_key_set(keys: &[Jwk]) -> Value {
    JwkSet::new(
        keys.iter()
            .map(|key| Jwk {
                alg: None,
                ..key.clone()
            })
            .collect(),
    )
    .to_value()
}

fn configuration(entity_id: &EntityId, keys: &[Jwk], iat: UnixTime, lifetime_seconds: u64) -> EntityStatement {
    EntityStatement::new(
        entity_id.clone(),
        entity_id.clone(),
        iat,
        lifetime_seconds,
        federation_keys(keys),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixtures::{self, NOW};
    use crate::statement;

    fn wire(statement: &EntityStatement, kid: &str) -> Value {
        let compact = statement::issue(statement, &fixtures::key(kid)).unwrap();
        let (header, body) = fixtures::decode(&compact);
        assert_eq!(
            header,
            json!({"alg": "ES256", "kid": kid, "typ": "entity-statement+jwt"})
        );
        assert_eq!(statement::parse(&compact).unwrap().unverified_claims(), statement);
        assert_eq!(
            fixtures::names(&body["jwks"]["keys"][0]),
            ["crv", "kid", "kty", "use", "x", "y"]
        );
        assert_eq!(body["jwks"]["keys"][0]["use"], "sig");
        body
    }

    #[test]
    fn the_federation_masters_own_statement_has_exactly_its_members() {
        let body = wire(&fixtures::anchor_statement(), "fm");
        assert_eq!(fixtures::names(&body), ["exp", "iat", "iss", "jwks", "metadata", "sub"]);
        assert_eq!(
            body["metadata"],
            json!({"federation_entity": {
                "federation_fetch_endpoint": "https://fm.example/federation/fetch",
                "federation_list_endpoint": "https://fm.example/federation/list",
                "idp_list_endpoint": "https://fm.example/federation/listidps"
            }})
        );
    }

    #[test]
    fn the_statement_about_a_service_has_exactly_its_members() {
        let body = wire(&fixtures::subordinate_statement(), "fm");
        assert_eq!(fixtures::names(&body), ["exp", "iat", "iss", "jwks", "metadata", "sub"]);
        assert_eq!(
            body["metadata"],
            json!({"openid_relying_party": {
                "client_registration_types": ["automatic"],
                "redirect_uris": ["https://akte.example/cb"],
                "scope": "openid urn:telematik:versicherter",
                "claims": []
            }})
        );
        assert_eq!(body["exp"].as_u64().unwrap() - body["iat"].as_u64().unwrap(), 86_400);
    }

    #[test]
    fn the_statement_about_a_provider_has_exactly_its_members() {
        let statement = subordinate_statement(
            &fixtures::id("https://fm.example"),
            &fixtures::id("https://idp.example"),
            &[fixtures::key("idp").jwk(jose::jwk::KeyUse::Signature)],
            &Participant::OpenIdProvider,
            Some(&fixtures::id("https://akte.example")),
            NOW,
            FEDERATION_MASTER_LIFETIME_SECONDS,
        );
        let body = wire(&statement, "fm");
        assert_eq!(
            fixtures::names(&body),
            ["aud", "exp", "iat", "iss", "jwks", "metadata", "sub"]
        );
        assert_eq!(body["aud"], "https://akte.example");
        assert_eq!(
            body["metadata"],
            json!({"openid_provider": {"client_registration_types_supported": ["automatic"]}})
        );
    }

    #[test]
    fn a_providers_own_statement_has_exactly_its_members() {
        let mut key = fixtures::key("idp").jwk(jose::jwk::KeyUse::Signature);
        key.alg = Some("ES256".into());
        key.x5c = vec![fixtures::certificate(1)];
        let statement = provider_statement(
            &fixtures::provider(),
            &FederationEntity::of_participant("Musterkasse"),
            &fixtures::id("https://fm.example"),
            &[key],
            NOW,
            PROVIDER_LIFETIME_SECONDS,
        );
        let body = wire(&statement, "idp");
        assert_eq!(
            fixtures::names(&body),
            ["authority_hints", "exp", "iat", "iss", "jwks", "metadata", "sub"]
        );
        assert_eq!(
            fixtures::names(&body["metadata"]),
            ["federation_entity", "openid_provider"]
        );
        assert_eq!(
            body["metadata"]["federation_entity"],
            json!({"organization_name": "Musterkasse"})
        );
        assert_eq!(body["authority_hints"], json!(["https://fm.example"]));
        assert_eq!(body["iss"], body["metadata"]["openid_provider"]["issuer"]);
    }

    #[test]
    fn a_services_own_statement_has_exactly_its_members() {
        let body = wire(&fixtures::leaf_statement(), "rp");
        assert_eq!(
            fixtures::names(&body),
            ["authority_hints", "exp", "iat", "iss", "jwks", "metadata", "sub"]
        );
        assert_eq!(
            fixtures::names(&body["metadata"]),
            ["federation_entity", "openid_relying_party"]
        );
    }

    #[test]
    fn a_services_key_set_keeps_certificates_and_drops_alg() {
        let mut tls = fixtures::key("tls").jwk(jose::jwk::KeyUse::Signature);
        tls.x5c = vec![fixtures::certificate(1)];
        tls.alg = Some("ES256".into());
        let set = client_key_set(&[tls]);
        assert_eq!(
            fixtures::names(&set["keys"][0]),
            ["crv", "kid", "kty", "use", "x", "x5c", "y"]
        );
    }
}
