//! Whole trust chains: each line is `KEY {claims}`, signed with that key and handed over in this order. Metadata and
//! policies meet here as they do in a login.

#![no_main]

use std::sync::LazyLock;

use federation::chain::{self, ChainRequest, FetchedStatement, Profile, TrustAnchor};
use federation::relying_party::{self, VerifiedRelyingParty};
use federation::{EntityId, EntityType, Schemes, statement};
use healthid_fuzz::{NOW, key_set, sign};
use libfuzzer_sys::fuzz_target;

static LEAF: LazyLock<EntityId> = LazyLock::new(|| entity("https://leaf.example"));
static ANCHOR: LazyLock<TrustAnchor> = LazyLock::new(|| TrustAnchor {
    entity_id: entity("https://anchor.example"),
    keys: key_set("anchor"),
});

fn entity(url: &str) -> EntityId {
    EntityId::parse(url, Schemes::HttpsOnly).expect("an identifier")
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let statements: Vec<FetchedStatement> = text
        .lines()
        .take(6)
        .filter_map(|line| {
            let (kid, claims) = line.split_once(' ')?;
            Some(FetchedStatement::new(
                "https://fetched.example",
                sign(claims.as_bytes(), statement::TYPE, kid)?,
            ))
        })
        .collect();
    for (role, profile) in [
        (EntityType::OpenIdRelyingParty, Profile::Gematik),
        (EntityType::OpenIdProvider, Profile::OpenIdFederation),
    ] {
        let request = ChainRequest::new(&LEAF, role).under(profile);
        let Ok(resolved) = chain::resolve(&request, &statements, std::slice::from_ref(&*ANCHOR), NOW) else {
            continue;
        };
        assert_eq!(resolved.subject(), &*LEAF);
        assert_eq!(resolved.trust_anchor(), &ANCHOR.entity_id);
        assert!(
            resolved.expires_at().plus_seconds(statement::LEEWAY_SECONDS) >= NOW,
            "an old chain resolves"
        );
        let _ = relying_party::signed_jwks_uri(&resolved);
        let _ = VerifiedRelyingParty::from_chain(&resolved, None);
    }
});
