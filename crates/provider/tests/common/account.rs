//! The person's own account, as her app uses it.

use serde_json::{Value, json};
use transport::HttpResponse;

use super::wire::{self, Redirect};
use super::{Device, Harness, Insurer, Person};

/// An account somebody is in.
pub struct Account {
    pub login: String,
    pub cookie: String,
    pub overview: Value,
}

impl Account {
    fn ids(&self, list: &str) -> Vec<String> {
        let entries = self.overview[list].as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn consents(&self) -> Vec<String> {
        self.ids("consents")
    }

    /// Nothing shared, and nothing bound.
    pub fn is_empty(&self) -> bool {
        self.consents().is_empty() && self.devices().is_empty()
    }

    pub fn devices(&self) -> Vec<String> {
        self.ids("devices")
    }
}

impl Harness {
    /// Opens the account page and begins to authenticate; gives the cookie and the challenge.
    pub async fn account_challenge(&self, insurer: &Insurer) -> (String, super::Challenged) {
        let url = format!("{}/account", insurer.issuer);
        let answer = self.app().get(&url, &[]).await.unwrap();
        let page = wire::page(&answer, 200, "de");
        let cookie = answer
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let link = Redirect::parse(&wire::attribute(&page, "class=\"button\"", "href"));
        let body = json!({"client_id": insurer.issuer, "login": link.value("login").unwrap()});
        let answer = self.api(insurer, "/auth/challenge", &body).await;
        (cookie, self.read_challenge(&insurer.issuer, &answer))
    }

    /// Enters by card.
    pub async fn account(&self, insurer: &Insurer, person: &Person) -> Account {
        let (cookie, challenged) = self.account_challenge(insurer).await;
        let answer = self.answer_with_card(insurer, &challenged, person).await;
        self.entered(insurer, cookie, &answer).await
    }

    /// Enters by device.
    pub async fn account_by_device(&self, insurer: &Insurer, device: &mut Device) -> Account {
        let (cookie, challenged) = self.account_challenge(insurer).await;
        let answer = self.answer_with_device(insurer, &challenged, device).await;
        self.entered(insurer, cookie, &answer).await
    }

    async fn entered(&self, insurer: &Insurer, cookie: String, answer: &HttpResponse) -> Account {
        let login = self.read_answer(&insurer.issuer, answer).login;
        let answer = self.overview(insurer, &cookie, &login).await;
        Account {
            overview: wire::json(&answer, 200),
            login,
            cookie,
        }
    }

    pub async fn overview(&self, insurer: &Insurer, cookie: &str, login: &str) -> HttpResponse {
        let url = format!("{}/account/overview", insurer.issuer);
        let body = json!({"login": login});
        self.app().post_json(&url, &body, &[("cookie", cookie)]).await.unwrap()
    }

    /// Anything that is asked of the account; `body` without the login.
    pub async fn ask_account(&self, insurer: &Insurer, account: &Account, path: &str, body: &Value) -> HttpResponse {
        let mut body = body.clone();
        body["login"] = json!(account.login);
        let url = format!("{}/account/{path}", insurer.issuer);
        let headers = [("cookie", account.cookie.as_str())];
        self.app().post_json(&url, &body, &headers).await.unwrap()
    }

    /// The newest page of her history, as she reads it.
    pub async fn read_history(&self, insurer: &Insurer, account: &Account) -> Value {
        wire::json(&self.ask_account(insurer, account, "history", &json!({})).await, 200)
    }

    /// Takes a consent or a device back.
    pub async fn take_back(&self, insurer: &Insurer, account: &Account, what: &Value) -> HttpResponse {
        self.ask_account(insurer, account, "revoke", what).await
    }
}
