//! What keeps a service whole: foreign forms, old sessions, logos, cookies, its own statement and colours.
#![allow(clippy::unwrap_used)]

use super::*;

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:8402"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/login", "/logout"] {
            let request = Request::post(path)
                .header("cookie", &cookie)
                .header(name, value)
                .body(Body::from(IDP))
                .unwrap();
            let page = stage.send(request).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {name}: {value}");
            check_page(&page, "de");
        }
    }
    assert_eq!(stage.get("/account", &cookie).await.status, StatusCode::OK);
    // What changes something is a POST.
    assert_eq!(stage.get("/logout", &cookie).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        stage.get(&format!("/login?{IDP}"), &cookie).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    let page = stage.post("/logout", "", &cookie).await;
    assert_eq!(page.header("location"), "/");
    assert_eq!(
        page.cookie("patient-record-session").unwrap(),
        "patient-record-session="
    );
    assert_eq!(stage.get("/account", &cookie).await.header("location"), "/");
    assert_eq!(stage.get("/token", &cookie).await.header("location"), "/");
}

#[tokio::test]
async fn sessions_and_logins_run_out() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.log_in("").await;
    stage.clock.store(NOW.0 + IDLE_SECONDS - 1, Ordering::Relaxed);
    assert_eq!(stage.get("/account", &cookie).await.status, StatusCode::OK);
    stage.clock.store(NOW.0 + 2 * IDLE_SECONDS - 1, Ordering::Relaxed);
    assert_eq!(stage.get("/account", &cookie).await.status, StatusCode::SEE_OTHER);

    stage.clock.store(NOW.0, Ordering::Relaxed);
    let cookie = stage.begin("").await;
    let query = stage.answer(|_| {});
    stage.clock.store(NOW.0 + PENDING_SECONDS, Ordering::Relaxed);
    assert_eq!(
        stage.get(&format!("/return?{query}"), &cookie).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn several_tabs_can_log_in_and_the_oldest_gives_way() {
    let stage = Stage::new(Personality::patient_record()).await;
    let cookie = stage.begin("").await;
    let mut states = vec![stage.pushed("state")];
    for _ in 0..MAX_PENDING {
        assert_eq!(stage.post("/login", IDP, &cookie).await.status, StatusCode::SEE_OTHER);
        states.push(stage.pushed("state"));
    }
    let declined = |state: &str| format!("/return?error=access_denied&state={state}");
    assert_eq!(
        stage.get(&declined(&states[0]), &cookie).await.status,
        StatusCode::BAD_REQUEST
    );
    for state in &states[1..] {
        assert_eq!(stage.get(&declined(state), &cookie).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn logos_come_from_the_service_and_only_those_on_the_list() {
    let stage = Stage::new(Personality::patient_record()).await;
    let logo = stage.get(&format!("/logo?{IDP}"), "").await;
    assert_eq!(
        (logo.status, logo.header("content-type")),
        (StatusCode::OK, "image/svg+xml")
    );
    assert!(logo.body.starts_with("<svg xmlns='"));
    assert!(logo.header("content-security-policy").ends_with("sandbox"));
    for path in ["/logo", "/logo?idp=https%3A%2F%2Fevil.example", "/logo?idp=a&idp=b"] {
        let before = stage.fake.fetch_count();
        let placeholder = stage.get(path, "").await;
        assert!(placeholder.body.contains("#d3dae0"), "{path}");
        assert_eq!(stage.fake.fetch_count(), before);
    }
    for (content_type, body) in [("text/html", 1), ("image/png", MAX_LOGO_BYTES + 1)] {
        let stage = Stage::new(Personality::patient_record()).await;
        let answer = transport::Fetched {
            status: 200,
            content_type: Some(content_type.into()),
            body: vec![b'a'; body].into(),
        };
        stage
            .fake
            .change(|world| drop(world.instead.insert(format!("{ISSUER}/logo.svg"), Ok(answer))));
        assert!(
            stage.get(&format!("/logo?{IDP}"), "").await.body.contains("#d3dae0"),
            "{content_type}"
        );
    }
    let icon = stage.get(ICON_PATH, "").await;
    assert_eq!(icon.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(
        stage.get("/service.css", "").await.header("content-type"),
        "text/css; charset=utf-8"
    );
}

#[tokio::test]
async fn cookies_over_https_are_bound_to_the_host() {
    let stage = Stage::new(Personality::patient_record()).await;
    let app = Arc::clone(&stage.service.app);
    assert_eq!(app.cookie_name("session"), "patient-record-session");
    let party = Arc::clone(stage.service.party());
    let config = RelyingPartyConfig {
        redirect_uris: vec!["https://akte.example/return".into()],
        ..party.config().clone()
    };
    let service = DemoService::new(DemoServiceConfig {
        personality: Personality::patient_record(),
        base_url: "https://akte.example".into(),
        party: stage.fake.party_of(config),
        clock: Arc::new(|| NOW),
        login_origins: vec![],
        portal_url: None,
    })
    .unwrap();
    let cookie = service.app.session_cookie("k").unwrap();
    assert_eq!(
        cookie.to_str().unwrap(),
        "__Host-patient-record-session=k; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure"
    );
}

#[tokio::test]
async fn services_that_cannot_work_are_refused() {
    let stage = Stage::new(Personality::patient_record()).await;
    let config = || DemoServiceConfig {
        personality: Personality::patient_record(),
        base_url: BASE.into(),
        party: Arc::clone(stage.service.party()),
        clock: Arc::new(|| NOW),
        login_origins: vec![],
        portal_url: None,
    };
    for base_url in [
        "",
        "localhost:8406",
        "http://localhost:8406/",
        "http://localhost:8406/x",
        "http://LOCALHOST:8406",
    ] {
        let refused = DemoService::new(DemoServiceConfig {
            base_url: base_url.into(),
            ..config()
        });
        assert_eq!(
            refused.unwrap_err(),
            DemoServiceError::Origin { member: "base_url" },
            "{base_url}"
        );
    }
    let origins = DemoService::new(DemoServiceConfig {
        login_origins: vec!["https://a.example/x".into()],
        ..config()
    });
    assert_eq!(
        origins.unwrap_err(),
        DemoServiceError::Origin {
            member: "login_origins"
        }
    );
    let elsewhere = DemoService::new(DemoServiceConfig {
        base_url: "http://localhost:8408".into(),
        ..config()
    });
    assert!(matches!(elsewhere.unwrap_err(), DemoServiceError::RedirectUri { .. }));
    for id in ["", "A", "a b", "a;b"] {
        let personality = Personality {
            id: id.into(),
            ..Personality::patient_record()
        };
        assert_eq!(
            DemoService::new(DemoServiceConfig {
                personality,
                ..config()
            })
            .unwrap_err(),
            DemoServiceError::Id
        );
    }
}

#[tokio::test]
async fn the_federation_finds_the_statement_at_the_entity_identifier() {
    let stage = Stage::new(Personality::patient_record()).await;
    let request = Request::get("/.well-known/openid-federation")
        .body(Body::empty())
        .unwrap();
    let response = stage.service.federation_router().oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/entity-statement+jwt"
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let statement = federation::statement::parse(std::str::from_utf8(&body).unwrap()).unwrap();
    let statement = statement.verify_self(NOW).unwrap();
    let members = statement.claims().metadata_of("openid_relying_party").unwrap();
    assert_eq!(members["redirect_uris"], json!(["http://localhost:8406/return"]));
    assert_eq!(members["logo_uri"], "http://localhost:8406/icon.svg");
}

#[tokio::test]
async fn a_rollover_can_be_rehearsed_over_http() {
    let stage = Stage::new(Personality::patient_record()).await;
    let call = async |method: &str, path: &str, with_header: bool| {
        let mut request = Request::builder().method(method).uri(path);
        if with_header {
            request = request.header(REHEARSAL_HEADER, "1");
        }
        let router = stage.service.rehearsal_router();
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    assert_eq!(call("POST", "/keys/tls/add", false).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call("POST", "/keys/tls/switch", true).await.0, StatusCode::CONFLICT);
    assert_eq!(call("POST", "/keys/other/add", true).await.0, StatusCode::BAD_REQUEST);
    for purpose in ["tls", "encryption", "entity"] {
        for (step, count) in [("add", 4), ("switch", 4), ("retire", 3)] {
            let (status, keys) = call("POST", &format!("/keys/{purpose}/{step}"), true).await;
            assert_eq!(
                (status, keys.as_array().map(Vec::len)),
                (StatusCode::OK, Some(count)),
                "{purpose} {step}: {keys}"
            );
        }
    }
    let (_, keys) = call("GET", "/keys", false).await;
    assert!(keys.as_array().unwrap().iter().all(|key| key["stage"] == "current"));
    assert!(
        stage
            .service
            .party()
            .keys()
            .status()
            .iter()
            .all(|key| key.stage == KeyStage::Current)
    );
    stage.log_in("").await;
}

/// WCAG 2.2: 1.4.3 (text 4.5 : 1) and 1.4.11 (edges of controls, focus 3 : 1), in both colour schemes.
#[test]
fn every_pair_of_colours_of_the_stylesheet_can_be_told_apart() {
    let stylesheet = include_str!("../../../../../assets/page.css");
    let schemes: Vec<&str> = stylesheet
        .split(":root {")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect();
    assert_eq!(schemes.len(), 2);
    let grounds = ["ground", "surface"];
    let notices = ["good-ground", "warn-ground", "bad-ground"];
    for scheme in schemes {
        let colour = |name: &str| luminance(scheme.split(&format!("--{name}: #")).nth(1).unwrap());
        let check = |front: &str, back: &str, least: f64| {
            let (a, b) = (colour(front), colour(back));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{front} on {back}: {contrast:.2}");
        };
        for back in grounds.into_iter().chain(notices) {
            for front in ["text", "quiet", "accent", "accent-strong"] {
                check(front, back, 4.5);
            }
            check("focus", back, 3.0);
            check("edge", back, 3.0);
        }
        for front in ["good", "warn", "bad"] {
            check(front, &format!("{front}-ground"), 4.5);
            check(front, "ground", 4.5);
        }
        check("on-accent", "accent", 4.5);
        check("on-accent", "accent-strong", 4.5);
    }
}

/// Relative luminance (WCAG 2.2) of the six hexadecimal digits at the front.
fn luminance(text: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
