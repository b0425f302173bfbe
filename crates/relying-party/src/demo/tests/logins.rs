//! Logins through the pages, ended well or otherwise.
#![allow(clippy::unwrap_used)]

use super::*;

#[tokio::test]
async fn a_login_asks_for_what_the_personality_needs() {
    let stage = Stage::new(Personality::e_prescription()).await;
    let page = stage.post("/login", IDP, "").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(
        page.header("location")
            .starts_with("https://idp.example/109900019/auth?client_id=")
    );
    let cookie = page.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    assert!(
        cookie.ends_with("; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(stage.pushed("redirect_uri"), "http://localhost:8406/return");
    assert_eq!(stage.pushed("acr_values"), "gematik-ehealth-loa-high");
    assert_eq!(stage.pushed("prompt"), "");
    let claims: Value = serde_json::from_str(&stage.pushed("claims")).unwrap();
    assert_eq!(
        claims["id_token"]["urn:telematik:claims:display_name"]["essential"],
        true
    );
    assert_eq!(claims["id_token"]["acr"]["essential"], true);
}

#[tokio::test]
async fn the_options_of_the_form_reach_the_provider() {
    let stage = Stage::new(Personality::patient_record()).await;
    let form = "level=gematik-ehealth-loa-substantial&method=urn%3Atelematik%3Aauth%3AeGK&fresh=1&consent=1&scopes-chosen=1\
                &scope%3Aurn%3Atelematik%3Aversicherter=1&scope%3Aurn%3Atelematik%3Aunknown=1";
    stage.begin(form).await;
    let expected = [
        ("acr_values", "gematik-ehealth-loa-substantial"),
        ("amr", "urn:telematik:auth:eGK"),
        ("prompt", "login consent"),
        ("max_age", "0"),
        ("scope", "openid urn:telematik:versicherter"),
    ];
    for (name, value) in expected {
        assert_eq!(stage.pushed(name), value, "{name}");
    }
    stage.begin("level=nonsense&method=nonsense").await;
    assert_eq!(stage.pushed("acr_values"), "gematik-ehealth-loa-high");
    assert_eq!(stage.pushed("amr"), "");
}

#[tokio::test]
async fn a_provider_outside_the_policy_is_reached_by_a_link() {
    let stage = Stage::with(Personality::patient_record(), &[]).await;
    let page = stage.post("/login", IDP, "").await;
    check_page(&page, "de");
    assert!(
        page.body
            .contains("href=\"https://idp.example/109900019/auth?client_id=")
    );
    assert!(page.cookie("patient-record-session").is_some());
}

#[tokio::test]
async fn the_person_sees_what_she_released_and_what_not() {
    let stage = Stage::new(Personality::patient_record()).await;
    let begun = stage.begin("").await;
    let query = stage.answer(|body| {
        body["urn:telematik:claims:display_name"] = json!("Dr. Ada-Liv Musterfrau-Öztürk <b>");
        body["urn:telematik:claims:geschlecht"] = json!("D");
    });
    let returned = stage.get(&format!("/return?{query}"), &begun).await;
    let cookie = returned.cookie("patient-record-session").unwrap();
    assert_ne!(cookie, begun, "a new key after the login");
    let page = stage.get("/account", &cookie).await;
    check_page(&page, "de");
    for text in [
        "Guten Tag, Dr. Ada-Liv Musterfrau-Öztürk",
        "Q000123451",
        "divers",
        "Gesundheitskarte mit PIN",
        "pseudonym",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(!page.body.contains("<b>"));
    let withheld = page.body.split("Das weiß der Dienst nicht").nth(1).unwrap();
    assert!(withheld.contains("urn:telematik:claims:email") && !withheld.contains("urn:telematik:claims:geschlecht"));
    // The session of before the login is gone.
    assert_eq!(stage.get("/account", &begun).await.header("location"), "/");
    let token = stage.get("/token?lang=en", &cookie).await;
    check_page(&token, "en");
    assert!(token.body.contains("The trust anchor") && token.body.contains("essential"));
}

#[tokio::test]
async fn a_login_ends_only_once_and_only_in_its_own_browser() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.begin("").await;
    let query = stage.answer(|_| {});
    let state = stage.pushed("state");
    let other = stage.begin("").await;
    let unknown = format!("patient-record-session={}", "A".repeat(43));
    let attempts = [
        (query.clone(), String::new()),
        (query.clone(), unknown),
        (query.clone(), other.clone()),
        (query.clone(), format!("{cookie}x")),
        ("code=c0de".into(), cookie.clone()),
        ("code=c0de&state=other".into(), cookie.clone()),
        (
            format!("code=c0de&state={}", "a".repeat(MAX_STATE_CHARACTERS + 1)),
            cookie.clone(),
        ),
        (format!("{query}&state={state}"), cookie.clone()),
    ];
    for (query, cookie) in attempts {
        let page = stage.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query} {cookie}");
        check_page(&page, "de");
        assert!(page.cookie("patient-record-session").is_none());
    }
    assert!(
        stage.fake.world.lock().unwrap().redeemed.is_empty(),
        "no code was redeemed"
    );
    let good = stage.get(&format!("/return?{query}"), &cookie).await;
    assert_eq!(good.status, StatusCode::SEE_OTHER);
    let replayed = stage.get(&format!("/return?{query}"), &cookie).await;
    assert_eq!(replayed.status, StatusCode::BAD_REQUEST);
    let with_new_session = stage
        .get(
            &format!("/return?{query}"),
            &good.cookie("patient-record-session").unwrap(),
        )
        .await;
    assert_eq!(with_new_session.status, StatusCode::BAD_REQUEST);
    assert_eq!(stage.fake.world.lock().unwrap().redeemed.len(), 1);
}

#[tokio::test]
async fn an_error_of_the_provider_is_told_in_plain_words_with_its_support_code() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cases = [
        ("access_denied", StatusCode::OK, "Sie haben die Anmeldung abgebrochen"),
        (
            "server_error",
            StatusCode::BAD_GATEWAY,
            "Ihre Krankenkasse hat die Anmeldung abgelehnt",
        ),
    ];
    for (error, status, title) in cases {
        let cookie = stage.begin("").await;
        let query = format!(
            "error={error}&error_description=Rule+%3Cb%3E+%28support+code+AB12-CD34%29&state={}",
            stage.pushed("state")
        );
        let page = stage.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(page.status, status);
        check_page(&page, "de");
        assert!(page.body.contains(title) && page.body.contains("AB12-CD34") && page.body.contains(error));
        assert!(!page.body.contains("<b>"));
        assert_eq!(page.body.matches("support-code").count(), 2);
    }
}

#[tokio::test]
async fn tokens_that_are_not_believed_log_nobody_in() {
    let stage = Stage::new(Personality::e_prescription()).await;
    type Edit = fn(&mut Value);
    let cases: [(Edit, StatusCode, &str); 3] = [
        (
            |body| body["nonce"] = json!("other"),
            StatusCode::BAD_GATEWAY,
            "nicht zu trauen",
        ),
        (
            |body| body["aud"] = json!("https://other.example"),
            StatusCode::BAD_GATEWAY,
            "nicht zu trauen",
        ),
        (
            |body| body["acr"] = json!("gematik-ehealth-loa-substantial"),
            StatusCode::FORBIDDEN,
            "nicht sicher genug",
        ),
    ];
    for (edit, status, words) in cases {
        let cookie = stage.begin("").await;
        let query = stage.answer(edit);
        let page = stage.get(&format!("/return?{query}"), &cookie).await;
        assert_eq!(page.status, status);
        check_page(&page, "de");
        assert!(page.body.contains(words) && !page.body.contains("Q000123451"));
        assert!(stage.get("/account", &cookie).await.body.is_empty());
    }
}

#[tokio::test]
async fn refusals_at_the_push_are_shown() {
    let stage = Stage::new(Personality::patient_record()).await;
    stage.fake.change(|world| {
        world.push_refusals = vec![(
            400,
            json!({"error": "invalid_scope", "error_description": "x (support code AB12-CD34)"}),
        )];
    });
    let page = stage.post("/login", IDP, "").await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    check_page(&page, "de");
    assert!(page.body.contains("invalid_scope") && page.body.contains("AB12-CD34"));

    let unknown = stage.post("/login", "idp=https%3A%2F%2Fevil.example", "").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(unknown.body.contains("nicht bekannt"));
    assert_eq!(stage.post("/login", "", "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        stage.post("/login", "idp=a&idp=b", "").await.status,
        StatusCode::BAD_REQUEST
    );
    let large = format!("idp={}", "a".repeat(MAX_FORM_BYTES));
    assert_eq!(
        stage.post("/login", &large, "").await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}
