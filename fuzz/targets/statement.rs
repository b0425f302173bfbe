//! Entity statements, signed key sets and lists of identity providers, as text and as the payload of a signed token.
//! What is read, issued again and read once more is the same.

#![no_main]

use federation::{idp_list, signed_keys, statement};
use healthid_fuzz::{NOW, key, key_set, sign};
use libfuzzer_sys::fuzz_target;

fn judge_statement(compact: &str) {
    let Ok(unverified) = statement::parse(compact) else {
        return;
    };
    let claims = unverified.unverified_claims().clone();
    let _ = unverified.verify_self(NOW);
    if let Ok(verified) = unverified.verify_with(&key_set("leaf"), NOW) {
        assert!(
            verified.claims().exp.plus_seconds(statement::LEEWAY_SECONDS) >= NOW,
            "an old statement verifies"
        );
        assert!(
            verified.claims().iat <= NOW.plus_seconds(statement::LEEWAY_SECONDS),
            "a future statement verifies"
        );
        let again = statement::issue(&claims, key("leaf").expect("known")).expect("claims can be issued");
        let again = statement::parse(&again).expect("what was issued reads back");
        assert_eq!(again.unverified_claims(), &claims);
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        judge_statement(text);
        let _ = signed_keys::parse(text);
        let _ = idp_list::parse(text);
    }
    if let Some(compact) = sign(data, statement::TYPE, "leaf") {
        judge_statement(&compact);
    }
    if let Some(Ok(set)) = sign(data, signed_keys::TYPE, "leaf").map(|compact| signed_keys::parse(&compact)) {
        let issuer = "https://leaf.example";
        let issuer = federation::EntityId::parse(issuer, federation::Schemes::HttpsOnly).expect("an identifier");
        if let Ok(verified) = set.verify(&issuer, &key_set("leaf"), NOW) {
            let _ = (verified.keys(), verified.client_keys());
        }
    }
    if let Some(compact) = sign(data, idp_list::TYPE, "leaf") {
        let _ = idp_list::parse(&compact);
    }
});
