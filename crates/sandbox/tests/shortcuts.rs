//! The reference server's test shortcuts answer as described (gematik digest 5.2).
#![allow(clippy::unwrap_used, missing_docs)]

use authenticator::Acr;
use relying_party::client::{LevelRule, LoginStart, VerifiedIdToken, claims_parameter};
use sandbox::RunningSandbox;
use sandbox::headless::Headless;
use sandbox::insurers::Insurer;
use sandbox::people::Person;
use sandbox::services::Service;
use serde_json::{Value, json};
use transport::{AddressRule, HttpClient, HttpResponse};
use url::form_urlencoded;

const ID: &str = "urn:telematik:claims:id";
const EMAIL: &str = "urn:telematik:claims:email";

mod common;

use common::run;

struct Suite {
    running: &'static RunningSandbox,
    client: HttpClient,
}

fn suite() -> Suite {
    let running = common::sandbox();
    let client = HttpClient::builder(running.roots(), AddressRule::LoopbackAllowed)
        .build()
        .unwrap();
    Suite { running, client }
}

impl Suite {
    /// A pushed request of the patient record: the number is essential, the mail address voluntary.
    async fn push(&self, acr: Acr) -> LoginStart {
        let mut options = Headless::options(Service::Record, Some(acr));
        options.scopes = Some(vec![
            "openid".into(),
            "urn:telematik:versicherter".into(),
            "urn:telematik:email".into(),
        ]);
        options.claims = Some(claims_parameter(&[ID], &[]));
        options.level_rule = LevelRule::OrConsentedSubstantial;
        let issuer = &self.running.addresses().insurer(Insurer::Leuchtturm).issuer;
        self.running
            .service(Service::Record)
            .party()
            .begin_login(issuer, &options, self.running.now())
            .await
            .unwrap()
    }

    /// The authorization endpoint with the shortcut's parameters and, as the suites call it, without `client_id`.
    async fn call(&self, begun: &LoginStart, parameters: &[(&str, &str)]) -> HttpResponse {
        let url = url::Url::parse(&begun.authorization_url).unwrap();
        let request_uri = url
            .query_pairs()
            .find(|(name, _)| name == "request_uri")
            .unwrap()
            .1
            .into_owned();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("request_uri", &request_uri)
            .extend_pairs(parameters)
            .finish();
        let issuer = &self.running.addresses().insurer(Insurer::Leuchtturm).issuer;
        self.client.get(&format!("{issuer}/auth?{query}"), &[]).await.unwrap()
    }

    async fn redeem(&self, begun: LoginStart, answer: &HttpResponse) -> VerifiedIdToken {
        assert_eq!(answer.status, 302, "{}", answer.text());
        let code = begun.session.read_callback_url(answer.location().unwrap()).unwrap();
        let party = self.running.service(Service::Record).party();
        party.redeem(begun.session, code, self.running.now()).await.unwrap()
    }
}

fn lena() -> String {
    Person::find("lena").unwrap().kvnr().as_str().to_owned()
}

#[test]
fn the_requested_claims_are_told_in_both_ways() {
    run(async {
        let suite = suite();
        let begun = suite.push(Acr::High).await;
        let answer = suite.call(&begun, &[("app_version", "1.0.0")]).await;
        assert_eq!(answer.status, 200);
        let body: Value = answer.json().unwrap();
        assert_eq!(body["requested_essential_claims"], json!([ID]));
        let optional = body["requested_optional_claims"].as_array().unwrap();
        assert!(optional.contains(&json!(EMAIL)) && !optional.contains(&json!(ID)));
        assert_eq!(body.as_object().unwrap().len(), 2);

        let answer = suite.call(&begun, &[("device_type", "unittest")]).await;
        let body: Value = answer.json().unwrap();
        assert_eq!(body["requested_claims"].as_array().unwrap().len(), optional.len() + 1);
        assert_eq!(body.as_object().unwrap().len(), 1);
    });
}

#[test]
fn a_user_id_logs_in_and_everything_asked_for_is_released() {
    run(async {
        let suite = suite();
        let begun = suite.push(Acr::High).await;
        let answer = suite.call(&begun, &[("user_id", &lena())]).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let token = suite.redeem(begun, &answer).await;
        assert_eq!(token.text_claim(ID), Some(lena().as_str()));
        assert_eq!(token.text_claim(EMAIL), Some("lena.beispiel@post.example"));
    });
}

#[test]
fn only_selected_claims_are_released() {
    run(async {
        let suite = suite();
        let begun = suite.push(Acr::High).await;
        let answer = suite
            .call(&begun, &[("user_id", &lena()), ("selected_claims", ID)])
            .await;
        let token = suite.redeem(begun, &answer).await;
        assert!(token.text_claim(ID).is_some());
        assert!(token.text_claim(EMAIL).is_none());
    });
}

#[test]
fn a_number_nobody_has_gets_a_person_and_a_card() {
    run(async {
        let suite = suite();
        let begun = suite.push(Acr::High).await;
        // Its check digit does not fit, as in test suites.
        let answer = suite.call(&begun, &[("user_id", "X123456789")]).await;
        let token = suite.redeem(begun, &answer).await;
        assert_eq!(token.text_claim(ID), Some("X123456789"));
        assert_eq!(token.text_claim("urn:telematik:claims:organization"), Some("109900019"));
        assert_eq!(
            token.text_claim("urn:telematik:claims:profession"),
            Some("1.2.276.0.76.4.49")
        );
    });
}

#[test]
fn other_methods_and_levels_can_be_wished_for() {
    run(async {
        let suite = suite();
        for (amr, acr, level) in [
            ("urn:telematik:auth:eID", None, Acr::High),
            ("urn:telematik:auth:other", None, Acr::High),
            (
                "urn:telematik:auth:other",
                Some("gematik-ehealth-loa-substantial"),
                Acr::Substantial,
            ),
        ] {
            let begun = suite.push(level).await;
            let user = lena();
            let mut parameters = vec![("user_id", user.as_str()), ("amr_value", amr)];
            parameters.extend(acr.map(|acr| ("acr_value", acr)));
            let answer = suite.call(&begun, &parameters).await;
            let token = suite.redeem(begun, &answer).await;
            assert_eq!(token.amr(), [amr]);
            assert_eq!(token.acr(), level);
        }
    });
}

#[test]
fn what_is_off_is_answered_with_400() {
    run(async {
        let suite = suite();
        let begun = suite.push(Acr::High).await;
        let user = lena();
        for parameters in [
            vec![("user_id", "nobody")],
            vec![("user_id", user.as_str()), ("selected_claims", EMAIL)],
            vec![
                ("user_id", user.as_str()),
                ("selected_claims", "urn:telematik:claims:id birthdate"),
            ],
            vec![("user_id", user.as_str()), ("selected_claims", "nonsense")],
            vec![("user_id", user.as_str()), ("amr_value", "urn:telematik:auth:nPA")],
            vec![("user_id", user.as_str()), ("acr_value", "gematik-ehealth-loa-low")],
            vec![("user_id", user.as_str()), ("client_id", "https://somebody.example")],
        ] {
            let answer = suite.call(&begun, &parameters).await;
            assert_eq!(answer.status, 400, "{parameters:?}");
            let body: Value = answer.json().unwrap();
            assert_eq!(body["error"], "invalid_request", "{parameters:?}");
            let description = body["error_description"].as_str().unwrap();
            assert_eq!(description.matches("(support code ").count(), 1, "{description}");
        }
        let issuer = &suite.running.addresses().insurer(Insurer::Leuchtturm).issuer;
        for request_uri in [
            "",
            "urn:ietf:params:oauth:request_uri:unknown",
            "https://nowhere.example",
        ] {
            let url = format!("{issuer}/auth?app_version=1&request_uri={request_uri}");
            assert_eq!(suite.client.get(&url, &[]).await.unwrap().status, 400, "{request_uri}");
        }
    });
}

#[test]
fn a_revoked_card_is_refused_here_too() {
    run(async {
        let suite = suite();
        let begun = suite.push(Acr::High).await;
        let renate = Person::find("renate").unwrap().kvnr();
        let answer = suite.call(&begun, &[("user_id", renate.as_str())]).await;
        assert_eq!(answer.status, 403);
        let body = answer.json::<Value>().unwrap();
        assert_eq!(body["error"], "access_denied");
        let description = body["error_description"].as_str().unwrap();
        assert_eq!(description.matches("(support code ").count(), 1, "{description}");
    });
}
