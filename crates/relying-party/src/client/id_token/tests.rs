#![allow(clippy::unwrap_used)]

use jose::json::JsonError;
use jose::jwe::JweError;
use serde_json::{Value, json};

use super::*;
use crate::client::{LoginOptions, RelyingParty};
use crate::fake::{self, Fake, ISSUER, NOW, Recipe};

/// A world, a party, a pushed login and the provider it went to.
struct Case {
    party: Arc<RelyingParty>,
    provider: Arc<TrustedProvider>,
    session: LoginSession,
}

impl Case {
    async fn new(options: &LoginOptions) -> Self {
        Self::in_world(&Fake::start().await, options).await
    }

    async fn in_world(fake: &Fake, options: &LoginOptions) -> Self {
        let party = fake.party();
        let session = fake.begin(&party, options).await.session;
        Self {
            provider: party.provider(ISSUER, NOW).await.unwrap(),
            party,
            session,
        }
    }

    fn verify(&self, token: &str) -> Result<VerifiedIdToken, IdTokenError> {
        verify(
            token,
            &self.session,
            self.party.entity_id(),
            self.party.keys(),
            &self.provider,
            NOW,
        )
    }

    fn verify_edited(&self, edit: impl FnOnce(&mut Recipe)) -> Result<VerifiedIdToken, IdTokenError> {
        let mut recipe = Recipe::of(&self.party, &self.session);
        edit(&mut recipe);
        self.verify(&recipe.token())
    }

    /// Verifies with one claim replaced; `null` takes it away.
    fn verify_with(&self, claim: &str, value: Value) -> Result<VerifiedIdToken, IdTokenError> {
        self.verify_edited(|recipe| {
            let body = recipe.body.as_object_mut().unwrap();
            if value.is_null() {
                body.remove(claim)
            } else {
                body.insert(claim.into(), value)
            };
        })
    }
}

#[tokio::test]
async fn a_token_that_is_in_order_is_believed() {
    let case = Case::new(&LoginOptions::default()).await;
    let token = case.verify_edited(|_| {}).unwrap();
    assert_eq!(token.issuer().as_str(), ISSUER);
    assert_eq!(token.subject(), "pseudonym");
    assert_eq!(token.acr(), Acr::High);
    assert_eq!(token.version(), IdTokenVersion::V2);
    assert_eq!(token.auth_time(), Some(NOW.minus_seconds(5)));
    assert_eq!(token.text_claim("urn:telematik:claims:id"), Some("Q000123451"));
    assert_eq!(token.text_claim("urn:telematik:claims:email"), None);
    assert_eq!(format!("{token:?}"), "VerifiedIdToken");
}

#[tokio::test]
async fn dialects_of_providers_in_the_field_are_understood() {
    let case = Case::new(&LoginOptions::default()).await;
    let v1 = case.verify_edited(|recipe| recipe.version = None).unwrap();
    assert_eq!(v1.version(), IdTokenVersion::V1);
    let edits: [fn(&mut Recipe); 9] = [
        |recipe| recipe.version = Some("1.0.0".into()),
        |recipe| recipe.x5c.clear(),
        |recipe| recipe.cty = None,
        |recipe| recipe.cty = Some("jwt".into()),
        |recipe| recipe.body["aud"] = json!([fake::SERVICE]),
        |recipe| recipe.body["amr"] = json!("urn:telematik:auth:eGK"),
        |recipe| recipe.body["exp"] = json!(NOW.0 - CLOCK_TOLERANCE_SECONDS + 1),
        |recipe| recipe.body["jti"] = json!("x"),
        |recipe| {
            let body = recipe.body.as_object_mut().unwrap();
            body.retain(|claim, _| !claim.starts_with("urn:telematik:claims:") && claim != "auth_time");
        },
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let outcome = case.verify_edited(|recipe| {
            recipe.body["iat"] = json!(NOW.0 - 300);
            edit(recipe);
        });
        assert!(outcome.is_ok(), "case {at}: {outcome:?}");
    }
}

#[tokio::test]
async fn claims_that_break_a_rule_are_refused() {
    let case = Case::new(&LoginOptions::default()).await;
    let claim = |claim, expected| IdTokenError::Claim { claim, expected };
    let acrs = "gematik-ehealth-loa-high or gematik-ehealth-loa-substantial";
    let audience = IdTokenError::Audience {
        expected: fake::id(fake::SERVICE),
    };
    let issuer = IdTokenError::Issuer {
        expected: fake::id(ISSUER),
    };
    let late = NOW.0 + CLOCK_TOLERANCE_SECONDS + 1;
    let future = |claim| IdTokenError::InFuture {
        claim,
        ahead_seconds: CLOCK_TOLERANCE_SECONDS + 1,
    };
    let cases = [
        ("iss", json!("https://idp.example"), issuer),
        ("iss", json!(null), claim("iss", "a string")),
        ("aud", json!("https://other.example"), audience.clone()),
        ("aud", json!([fake::SERVICE, "https://other.example"]), audience.clone()),
        ("aud", json!([]), audience),
        ("aud", json!(null), claim("aud", "a string")),
        ("nonce", json!("other"), IdTokenError::Nonce),
        ("nonce", json!(""), IdTokenError::Nonce),
        ("nonce", json!(null), claim("nonce", "a string")),
        ("iat", json!(late), future("iat")),
        ("nbf", json!(late), future("nbf")),
        ("auth_time", json!(late), future("auth_time")),
        ("iat", json!(null), claim("iat", SECONDS)),
        ("iat", json!("1800000000"), claim("iat", SECONDS)),
        ("iat", json!(-1), claim("iat", SECONDS)),
        ("iat", json!(1.5), claim("iat", SECONDS)),
        ("exp", json!(null), claim("exp", SECONDS)),
        ("exp", json!(NOW.0), claim("exp", "later than iat")),
        ("sub", json!(null), claim("sub", "a string")),
        ("sub", json!(""), claim("sub", "1 to 255 characters")),
        ("sub", json!("a".repeat(256)), claim("sub", "1 to 255 characters")),
        ("acr", json!(null), claim("acr", "a string")),
        ("acr", json!("loa-high"), claim("acr", acrs)),
        ("amr", json!(null), claim("amr", "an array of strings (A_23129-03)")),
        ("amr", json!([]), claim("amr", "an array of strings (A_23129-03)")),
        ("amr", json!([1]), claim("amr", "an array of strings (A_23129-03)")),
    ];
    for (name, value, expected) in cases {
        assert_eq!(
            case.verify_with(name, value.clone()).unwrap_err(),
            expected,
            "{name} = {value}"
        );
    }
    let expired = case.verify_edited(|recipe| {
        recipe.body["iat"] = json!(NOW.0 - 400);
        recipe.body["exp"] = json!(NOW.0 - 100);
    });
    assert_eq!(expired.unwrap_err(), IdTokenError::Expired { ago_seconds: 100 });
}

#[tokio::test]
async fn a_token_of_another_login_is_refused() {
    let fake = Fake::start().await;
    let first = Case::in_world(&fake, &LoginOptions::default()).await;
    let second = fake.begin(&first.party, &LoginOptions::default()).await.session;
    let token = Recipe::of(&first.party, &second).token();
    assert_eq!(first.verify(&token).unwrap_err(), IdTokenError::Nonce);
}

#[tokio::test]
async fn signatures_of_keys_outside_the_signed_set_are_refused() {
    let case = Case::new(&LoginOptions::default()).await;
    let forged = case.verify_edited(|recipe| {
        recipe.signer = fake::impostor("token");
        recipe.x5c.clear();
    });
    assert_eq!(forged.unwrap_err(), IdTokenError::Signature { kid: "token".into() });
    // The forger brings a certificate for his key along: it does not choose the key.
    let certified = case.verify_edited(|recipe| {
        recipe.signer = fake::impostor("token");
        recipe.x5c = vec![fake::certificate(&recipe.signer)];
    });
    assert_eq!(certified.unwrap_err(), IdTokenError::Signature { kid: "token".into() });
    let unknown = case.verify_edited(|recipe| recipe.signer = fake::key("new"));
    let unknown = unknown.unwrap_err();
    assert_eq!(
        unknown,
        IdTokenError::UnknownSigner {
            known: "idp, token".into()
        }
    );
    assert!(unknown.wants_reload());
}

#[tokio::test]
async fn certificates_that_are_not_the_keys_are_refused() {
    let case = Case::new(&LoginOptions::default()).await;
    let edits: [fn(&mut Recipe); 3] = [
        |recipe| recipe.x5c = vec![fake::certificate(&fake::key("other"))],
        |recipe| recipe.x5c.push(recipe.x5c[0].clone()),
        |recipe| recipe.x5c = vec![vec![0x30, 0x03, 0x02, 0x01, 0x00]],
    ];
    for edit in edits {
        assert_eq!(case.verify_edited(edit).unwrap_err(), IdTokenError::Certificate);
    }
}

#[tokio::test]
async fn inner_headers_of_another_profile_are_refused() {
    let case = Case::new(&LoginOptions::default()).await;
    let jwk = fake::key("forger").jwk(KeyUse::Signature).to_value();
    let headers = [
        json!({"alg": "none", "kid": "token"}),
        json!({"alg": "HS256", "kid": "token"}),
        json!({"alg": "RS256", "kid": "token"}),
        json!({"alg": "BP256R1", "kid": "token"}),
        json!({"alg": "ES384", "kid": "token"}),
        json!({"alg": "ES256", "kid": "token", "crit": ["exp"]}),
        json!({"alg": "ES256", "kid": "token", "jwk": jwk}),
        json!({"alg": "ES256", "kid": "token", "jku": "https://evil.example"}),
        json!({"alg": "ES256", "kid": "token", "x5u": "https://evil.example"}),
        json!({"alg": "ES256"}),
        json!({"kid": "token"}),
    ];
    for header in headers {
        let outcome = case.verify_edited(|recipe| {
            recipe.inner = Some(fake::with_header(&header, &recipe.body, &recipe.signer));
        });
        let refused = matches!(
            outcome,
            Err(IdTokenError::Jws(_) | IdTokenError::Algorithm | IdTokenError::NoSigner)
        );
        assert!(refused, "{header}: {outcome:?}");
    }
}

#[tokio::test]
async fn contents_that_are_no_signed_object_are_refused() {
    let case = Case::new(&LoginOptions::default()).await;
    for inner in ["", "not a token", "a.b", "{}"] {
        let outcome = case.verify_edited(|recipe| recipe.inner = Some(inner.into()));
        assert!(matches!(outcome, Err(IdTokenError::Jws(_))), "{inner}");
    }
    let list = case.verify_edited(|recipe| recipe.body = json!([1]));
    assert_eq!(list.unwrap_err(), IdTokenError::NotText);
    let twice = case.verify_edited(|recipe| {
        let body = recipe
            .body
            .to_string()
            .replacen('{', "{\"acr\":\"gematik-ehealth-loa-high\",", 1);
        let header = jws::SigningHeader::default();
        recipe.inner = Some(jws::sign(&header, body.as_bytes(), &recipe.signer).unwrap());
    });
    assert!(matches!(
        twice.unwrap_err(),
        IdTokenError::Json(JsonError::DuplicateMember { .. })
    ));
}

#[tokio::test]
async fn outer_layers_that_break_a_rule_are_refused() {
    let case = Case::new(&LoginOptions::default()).await;
    let unknown = case.verify_edited(|recipe| recipe.kid = "other".into()).unwrap_err();
    assert!(matches!(unknown, IdTokenError::UnknownRecipient { .. }));
    let foreign = case.verify_edited(|recipe| recipe.recipient = fake::key("other").jwk(KeyUse::Encryption));
    assert_eq!(foreign.unwrap_err(), IdTokenError::Jwe(JweError::NotDecrypted));
    let version = case.verify_edited(|recipe| recipe.version = Some("3.0.0".into()));
    assert_eq!(version.unwrap_err(), IdTokenError::UnknownVersion);
    let content = case.verify_edited(|recipe| recipe.cty = Some("text/plain".into()));
    assert_eq!(content.unwrap_err(), IdTokenError::ContentType);

    let recipe = Recipe::of(&case.party, &case.session);
    let signed_only = recipe.inner();
    assert_eq!(
        case.verify(&signed_only).unwrap_err(),
        IdTokenError::Jwe(JweError::NotFiveParts)
    );
    let mut changed = recipe.token();
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'Q' } else { 'A' });
    assert!(matches!(case.verify(&changed), Err(IdTokenError::Jwe(_))));
    assert!(matches!(
        case.verify(&"a".repeat(LIMITS.bytes + 1)),
        Err(IdTokenError::Jwe(JweError::TooLong { .. }))
    ));
    assert!(matches!(case.verify(""), Err(IdTokenError::Jwe(_))));
}

#[tokio::test]
async fn a_version_the_provider_does_not_announce_wants_a_reload() {
    let fake = Fake::start().await;
    fake.change(|world| world.versions = vec!["1.0.0".into()]);
    let case = Case::in_world(&fake, &LoginOptions::default()).await;
    let error = case.verify_edited(|_| {}).unwrap_err();
    assert_eq!(error, IdTokenError::VersionNotAnnounced(IdTokenVersion::V2));
    assert!(error.wants_reload());
    assert!(case.verify_edited(|recipe| recipe.version = None).is_ok());
}

#[tokio::test]
async fn a_lower_level_is_refused_unless_consent_was_said_to_suffice() {
    let strict = Case::new(&LoginOptions::default()).await;
    let lenient = Case::new(&LoginOptions {
        level_rule: LevelRule::OrConsentedSubstantial,
        ..LoginOptions::default()
    })
    .await;
    let substantial = |recipe: &mut Recipe| recipe.body["acr"] = json!("gematik-ehealth-loa-substantial");
    let consented = |recipe: &mut Recipe| {
        substantial(recipe);
        recipe.body["urn:telematik:auth:consent"] = json!(["loa-substantial"]);
    };
    let with_consent_v1 = |recipe: &mut Recipe| {
        substantial(recipe);
        recipe.version = None;
        recipe.body["amr"] = json!(["urn:telematik:auth:mEW"]);
    };
    let too_low = IdTokenError::LevelTooLow {
        reached: Acr::Substantial,
        asked: Acr::High,
    };
    assert_eq!(strict.verify_edited(substantial).unwrap_err(), too_low);
    assert_eq!(strict.verify_edited(consented).unwrap_err(), too_low);
    assert_eq!(strict.verify_edited(with_consent_v1).unwrap_err(), too_low);
    assert_eq!(lenient.verify_edited(substantial).unwrap_err(), too_low);
    assert!(lenient.verify_edited(consented).is_ok());
    assert!(lenient.verify_edited(with_consent_v1).is_ok());
    // Each version has its own sign of consent.
    let v1_sign_in_v2 = lenient.verify_edited(|recipe| {
        with_consent_v1(recipe);
        recipe.version = Some("2.0.0".into());
    });
    assert_eq!(v1_sign_in_v2.unwrap_err(), too_low);

    let modest = Case::new(&LoginOptions {
        acr: Acr::Substantial,
        ..LoginOptions::default()
    })
    .await;
    assert!(modest.verify_edited(substantial).is_ok());
    assert!(modest.verify_edited(|_| {}).is_ok());
}

#[tokio::test]
async fn max_age_asks_for_the_time_of_authentication_and_judges_it() {
    let case = Case::new(&LoginOptions {
        max_age_seconds: Some(0),
        ..LoginOptions::default()
    })
    .await;
    assert!(case.verify_edited(|_| {}).is_ok());
    let old = NOW.0 - CLOCK_TOLERANCE_SECONDS - 1;
    assert_eq!(
        case.verify_with("auth_time", json!(old)).unwrap_err(),
        IdTokenError::AuthenticationTooOld {
            age_seconds: CLOCK_TOLERANCE_SECONDS + 1,
            max_age_seconds: 0
        }
    );
    assert!(matches!(
        case.verify_with("auth_time", json!(null)),
        Err(IdTokenError::Claim { claim: "auth_time", .. })
    ));
}
