//! One login, step by step: each step is one request, and the whole way in one call.

use serde_json::{Value, json};
use transport::HttpResponse;

use super::wire::{self, Redirect};
use super::{Harness, Insurer, OpenedToken, Person, Push, Service, members, part};

/// A login whose challenge waits for an answer.
#[derive(Debug, Clone)]
pub struct Challenged {
    pub client_id: String,
    pub login: String,
    pub challenge: String,
    pub body: Value,
}

impl Challenged {
    /// The login's name, as the challenge states it.
    pub fn login_id(&self) -> String {
        part(&self.challenge, 1)["jti"].as_str().unwrap().to_owned()
    }
}

/// A login of somebody who is known now.
#[derive(Debug, Clone)]
pub struct Answered {
    pub client_id: String,
    pub login: String,
    pub body: Value,
}

impl Answered {
    pub fn names(&self, list: &str) -> Vec<&str> {
        let names = self.body["consent"][list].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap()).collect()
    }

    pub fn is_remembered(&self) -> bool {
        self.body["consent"]["remembered"].as_bool().unwrap()
    }
}

impl Harness {
    /// A call of the authenticator API.
    pub async fn api(&self, insurer: &Insurer, path: &str, body: &Value) -> HttpResponse {
        let url = format!("{}{path}", insurer.issuer);
        self.app().post_json(&url, body, &[]).await.unwrap()
    }

    /// Pushes and gives the request URI.
    pub async fn pushed(&self, insurer: &Insurer, service: &Service, push: &Push) -> String {
        let body = wire::json(&service.push(insurer, push).await, 201);
        let request_uri = body["request_uri"].as_str().unwrap();
        self.secret(request_uri.rsplit(':').next().unwrap());
        request_uri.to_owned()
    }

    pub async fn challenge(&self, insurer: &Insurer, client_id: &str, request_uri: &str) -> HttpResponse {
        let body = json!({"client_id": client_id, "request_uri": request_uri});
        self.api(insurer, "/auth/challenge", &body).await
    }

    pub async fn challenged(&self, insurer: &Insurer, service: &Service, push: &Push) -> Challenged {
        let request_uri = self.pushed(insurer, service, push).await;
        let response = self.challenge(insurer, &service.client_id, &request_uri).await;
        self.read_challenge(&service.client_id, &response)
    }

    pub fn read_challenge(&self, client_id: &str, response: &HttpResponse) -> Challenged {
        let body = wire::json(response, 200);
        assert_eq!(
            members(&body),
            [
                "challenge",
                "expires_at",
                "expires_in",
                "extendable",
                "login",
                "other_device",
                "requested",
                "service"
            ]
        );
        Challenged {
            client_id: client_id.to_owned(),
            login: self.secret(body["login"].as_str().unwrap()),
            challenge: self.secret(body["challenge"].as_str().unwrap()),
            body,
        }
    }

    pub async fn answer_with_card(&self, insurer: &Insurer, challenged: &Challenged, person: &Person) -> HttpResponse {
        let body = json!({
            "client_id": challenged.client_id,
            "login": challenged.login,
            "response": person.sign(&challenged.challenge),
        });
        self.api(insurer, "/auth/card", &body).await
    }

    pub fn read_answer(&self, client_id: &str, response: &HttpResponse) -> Answered {
        let body = wire::json(response, 200);
        assert_eq!(members(&body), ["consent", "expires_at", "extendable", "login"]);
        assert_eq!(
            members(&body["consent"]),
            ["essential", "remembered", "service", "voluntary"]
        );
        Answered {
            client_id: client_id.to_owned(),
            login: self.secret(body["login"].as_str().unwrap()),
            body,
        }
    }

    /// From the pushed request to a known person.
    pub async fn authenticated(&self, insurer: &Insurer, service: &Service, push: &Push, person: &Person) -> Answered {
        let challenged = self.challenged(insurer, service, push).await;
        let response = self.answer_with_card(insurer, &challenged, person).await;
        self.read_answer(&service.client_id, &response)
    }

    pub async fn decide(&self, insurer: &Insurer, answered: &Answered, decision: &Value) -> HttpResponse {
        let mut body = decision.clone();
        body["client_id"] = json!(answered.client_id);
        body["login"] = json!(answered.login);
        self.api(insurer, "/auth/consent", &body).await
    }

    pub fn read_redirect(&self, response: &HttpResponse) -> Redirect {
        let body = wire::json(response, 200);
        assert_eq!(members(&body), ["redirect"]);
        let redirect = Redirect::parse(body["redirect"].as_str().unwrap());
        if let Some(code) = redirect.value("code") {
            self.secret(code);
        }
        redirect
    }

    /// Releases these voluntary claims (`None`: all), and gives the code.
    pub async fn approved(&self, insurer: &Insurer, answered: &Answered, claims: Option<&[&str]>) -> String {
        let all = answered.names("voluntary");
        let claims = claims.unwrap_or(&all);
        let decision = json!({"decision": "approve", "claims": claims});
        let response = self.decide(insurer, answered, &decision).await;
        self.read_redirect(&response).code()
    }

    /// As [`Self::approved`] with everything, and remembers it.
    pub async fn approved_and_remembered(&self, insurer: &Insurer, answered: &Answered, claims: &[&str]) -> String {
        let decision = json!({"decision": "approve", "claims": claims, "remember": true});
        let response = self.decide(insurer, answered, &decision).await;
        self.read_redirect(&response).code()
    }

    /// A code of a card login that releases everything.
    pub async fn code(&self, insurer: &Insurer, service: &Service, push: &Push, person: &Person) -> String {
        let answered = self.authenticated(insurer, service, push, person).await;
        self.approved(insurer, &answered, None).await
    }

    /// The token of an answer that must be one.
    pub fn token(&self, service: &Service, response: &HttpResponse) -> OpenedToken {
        let body = wire::json(response, 200);
        self.secret(body["access_token"].as_str().unwrap());
        let id_token = self.secret(body["id_token"].as_str().unwrap());
        let token = service.open(&id_token);
        self.secret(token.sub());
        token
    }

    /// Redeems a code that must be good.
    pub async fn redeemed(&self, insurer: &Insurer, service: &Service, push: &Push, code: &str) -> OpenedToken {
        let response = service.redeem(insurer, push, code).await;
        self.token(service, &response)
    }

    /// A whole card login that releases everything.
    pub async fn login(&self, insurer: &Insurer, service: &Service, person: &Person) -> OpenedToken {
        let push = service.request(self);
        self.login_with(insurer, service, &push, person).await
    }

    /// A whole card login with this request.
    pub async fn login_with(&self, insurer: &Insurer, service: &Service, push: &Push, person: &Person) -> OpenedToken {
        let code = self.code(insurer, service, push, person).await;
        self.redeemed(insurer, service, push, &code).await
    }
}
