#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::client::{LoginOptions, claims_parameter};
use crate::fake::{Fake, ISSUER, MASTER, NOW, Recipe, SERVICE};
use crate::language::Language;

async fn account() -> Explanation {
    let fake = Fake::start().await;
    let party = fake.party();
    let claims = claims_parameter(&["urn:telematik:claims:id"], &["birthdate"]);
    let session = fake
        .begin(
            &party,
            &LoginOptions {
                claims: Some(claims),
                ..LoginOptions::default()
            },
        )
        .await
        .session;
    let mut recipe = Recipe::of(&party, &session);
    recipe.body["urn:telematik:claims:display_name"] = json!("<script>alert(1)</script>");
    fake.answer_with(recipe.token());
    let code = session
        .read_callback(&format!("code=c&state={}", session.state()))
        .unwrap();
    explain(&party.redeem(session, code, NOW).await.unwrap())
}

fn values<'a>(account: &'a Explanation, kind: StepKind, name: &FactName) -> Vec<&'a str> {
    let step = account.steps.iter().find(|step| step.kind == kind).unwrap();
    step.facts
        .iter()
        .filter(|fact| fact.name == *name)
        .map(|fact| fact.value.as_str())
        .collect()
}

#[tokio::test]
async fn the_account_names_every_link_up_to_the_pinned_key() {
    let account = account().await;
    assert_eq!(account.issuer.as_str(), ISSUER);
    assert_eq!(account.provider_name, "Musterkasse");
    assert_eq!(account.client_id.as_str(), SERVICE);
    let kinds: Vec<StepKind> = account.steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds.len(), 11);
    assert_eq!(
        values(&account, StepKind::OuterHeader, &FactName::Member("alg")),
        ["ECDH-ES"]
    );
    assert_eq!(
        values(&account, StepKind::OuterHeader, &FactName::Member("kid")),
        values(&account, StepKind::OwnKey, &FactName::Member("kid"))
    );
    assert_eq!(
        values(&account, StepKind::InnerHeader, &FactName::Member("kid")),
        ["token"]
    );
    assert!(values(&account, StepKind::Certificate, &FactName::Subject)[0].contains("Musterkasse"));
    assert_eq!(values(&account, StepKind::Signature, &FactName::SignedWith), ["token"]);
    assert_eq!(values(&account, StepKind::KeySet, &FactName::SignedWith), ["idp"]);
    assert_eq!(values(&account, StepKind::OwnStatement, &FactName::SignedWith), ["idp"]);
    assert_eq!(values(&account, StepKind::OwnStatement, &FactName::VouchedBy), [MASTER]);
    assert_eq!(
        values(&account, StepKind::StatementAbout, &FactName::SignedWith),
        ["fm"]
    );
    assert_eq!(
        values(&account, StepKind::TrustAnchor, &FactName::Held),
        ["pinned key (A_23046)"]
    );
    assert!(
        account
            .steps
            .iter()
            .all(|step| step.document.is_some() || step.kind == StepKind::Certificate)
    );
}

#[tokio::test]
async fn each_claim_says_who_asked_for_it_and_what_its_absence_means() {
    let account = account().await;
    let insured = || AskedBy::Scope("urn:telematik:versicherter".into());
    let cases: [(&str, bool, Vec<AskedBy>, Standing); 6] = [
        ("iss", true, vec![AskedBy::Protocol], Standing::Protocol),
        (
            "urn:telematik:claims:id",
            true,
            vec![insured(), AskedBy::ClaimsParameter],
            Standing::Essential,
        ),
        (
            "urn:telematik:claims:organization",
            true,
            vec![insured()],
            Standing::Voluntary,
        ),
        (
            "urn:telematik:claims:email",
            false,
            vec![AskedBy::Scope("urn:telematik:email".into())],
            Standing::Voluntary,
        ),
        ("birthdate", false, vec![AskedBy::ClaimsParameter], Standing::Voluntary),
        ("urn:telematik:claims:display_name", true, vec![], Standing::NotAsked),
    ];
    for (name, is_present, asked_by, standing) in cases {
        let claim = account.claim(name).unwrap();
        assert_eq!(claim.value.is_some(), is_present, "{name}");
        assert_eq!((&claim.asked_by, claim.standing), (&asked_by, standing), "{name}");
    }
    assert_eq!(
        account.claims.iter().filter(|claim| claim.name == "birthdate").count(),
        1
    );
}

#[tokio::test]
async fn the_account_is_data_and_a_page_that_escapes_everything() {
    let account = account().await;
    let data: Value = serde_json::to_value(&account).unwrap();
    assert_eq!(data["steps"][0]["kind"], "outer-header");
    assert_eq!(
        data["steps"][0]["facts"][0],
        json!({"name": {"member": "alg"}, "value": "ECDH-ES"})
    );
    for language in Language::ALL {
        let page = render(&account, language);
        assert!(page.contains(StepKind::TrustAnchor.title(language)));
        assert!(page.contains("Q000123451"));
        assert!(!page.contains("<script"));
        assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
        assert!(!page.contains("style=") && !page.contains("<h1"));
        assert_eq!(page.matches("<h3>").count(), account.steps.len());
    }
}

#[test]
fn moments_are_written_in_universal_time() {
    assert_eq!(moment(UnixTime(0)), "1970-01-01 00:00:00 UTC");
    assert_eq!(moment(UnixTime(1_800_000_000)), "2027-01-15 08:00:00 UTC");
    assert_eq!(moment(UnixTime(u64::MAX)), u64::MAX.to_string());
}
