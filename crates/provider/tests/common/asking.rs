//! A browser that shows a code to be scanned, and the phone that scans it.

use serde_json::{Value, json};
use transport::{HttpClient, HttpResponse};

use super::wire::{self, Redirect};
use super::{Answered, Challenged, Harness, Insurer, Person, Push, Service};

/// What the asking browser calls itself.
pub const FIREFOX: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
);

/// A browser in which a login was begun.
pub struct Asking {
    pub browser: HttpClient,
    pub client_id: String,
    /// The frame that waits for a phone.
    pub frame: String,
    /// The login in this browser.
    pub login: String,
    back: String,
}

impl Harness {
    /// A login in a browser, up to the page with the code.
    pub async fn asking(&self, insurer: &Insurer, service: &Service, push: &Push) -> Asking {
        self.asking_in(self.browser(), insurer, service, push).await
    }

    /// The same in a browser that was used before.
    pub async fn asking_in(&self, browser: HttpClient, insurer: &Insurer, service: &Service, push: &Push) -> Asking {
        let request_uri = self.pushed(insurer, service, push).await;
        let mut url = url::Url::parse(&format!("{}/auth", insurer.issuer)).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", &service.client_id)
            .append_pair("request_uri", &request_uri);
        let page = wire::page(&browser.get(url.as_str(), &[]).await.unwrap(), 200, "de");
        let frame = wire::attribute(&page, "<iframe", "src");
        Asking {
            browser,
            client_id: service.client_id.clone(),
            login: self.secret(Redirect::parse(&frame).value("login").unwrap()),
            frame,
            back: format!("{}/auth/return", insurer.issuer),
        }
    }

    /// The link in the code that a phone scans.
    pub async fn scanned(&self, asking: &Asking) -> Redirect {
        let link = Redirect::parse(&read_code(&asking.look().await));
        self.secret(link.value("login").unwrap());
        link
    }

    /// A phone that opened the link.
    pub async fn opened(&self, insurer: &Insurer, link: &Redirect) -> Challenged {
        let answer = self.open(insurer, link).await;
        self.read_challenge(&link.value("client_id").unwrap(), &answer)
    }

    /// A phone that tries to open the link.
    pub async fn open(&self, insurer: &Insurer, link: &Redirect) -> HttpResponse {
        let body = json!({"client_id": link.value("client_id"), "login": link.value("login")});
        self.api(insurer, "/auth/challenge", &body).await
    }

    /// A phone up to where the person is asked for the number.
    pub async fn on_the_phone(&self, insurer: &Insurer, asking: &Asking, person: &Person) -> Answered {
        let link = self.scanned(asking).await;
        let challenged = self.opened(insurer, &link).await;
        let answer = self.answer_with_card(insurer, &challenged, person).await;
        self.read_answer(&challenged.client_id, &answer)
    }

    /// Types a number and approves everything.
    pub async fn type_number(&self, insurer: &Insurer, answered: &Answered, number: &str) -> HttpResponse {
        let decision = json!({"decision": "approve", "claims": answered.names("voluntary"), "number": number});
        self.decide(insurer, answered, &decision).await
    }

    pub async fn abort(&self, insurer: &Insurer, client_id: &str, login: &str, why: &str) -> HttpResponse {
        let body = json!({"client_id": client_id, "login": login, "why": why});
        self.api(insurer, "/auth/abort", &body).await
    }
}

impl Asking {
    /// The same browser on a later page of the same login, by that page's frame.
    pub fn on(&self, frame: String) -> Self {
        Self {
            browser: self.browser.clone(),
            client_id: self.client_id.clone(),
            login: Redirect::parse(&frame).value("login").unwrap(),
            frame,
            back: self.back.clone(),
        }
    }

    /// The frame as it stands.
    pub async fn look(&self) -> String {
        self.look_with(&self.browser).await
    }

    /// The frame as another browser gets it.
    pub async fn look_with(&self, browser: &HttpClient) -> String {
        let answer = browser.get(&self.frame, &[FIREFOX]).await.unwrap();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'self'") && policy.contains("script-src 'self'"));
        answer.text()
    }

    /// The word for how it stands.
    pub async fn state(&self) -> String {
        wire::attribute(&self.look().await, "<main", "data-state")
    }

    /// The number the page shows.
    pub async fn number(&self) -> String {
        let page = self.look().await;
        let (_, rest) = page.split_once("class=\"number\"").unwrap();
        let (_, rest) = rest.split_once("<strong>").unwrap();
        rest[..2].to_owned()
    }

    /// Goes back to the service.
    pub async fn come_back(&self) -> HttpResponse {
        self.come_back_with(&self.browser).await
    }

    pub async fn come_back_with(&self, browser: &HttpClient) -> HttpResponse {
        let fields = [("client_id", self.client_id.as_str()), ("login", &self.login)];
        browser.post_form(&self.back, &fields, &[]).await.unwrap()
    }
}

/// A number that is not this one.
pub fn another(number: &str) -> String {
    format!("{:02}", (number.parse::<u8>().unwrap() + 1) % 100)
}

pub fn done(response: &HttpResponse) {
    assert_eq!(wire::json(response, 200), json!({"redirect": Value::Null}));
}

/// Reads the QR code of a page as a phone does, with a decoder of others.
pub fn read_code(page: &str) -> String {
    let size: usize = wire::attribute(page, "<svg", "viewBox")
        .split(' ')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    let mut dark = vec![vec![false; size]; size];
    for run in wire::attribute(page, "<path", "d").split('M').skip(1) {
        let (place, rest) = run.split_once('h').unwrap();
        let (x, y) = place.split_once(' ').unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        let length: usize = rest.split('v').next().unwrap().parse().unwrap();
        dark[y][x..x + length].fill(true);
    }
    let side = size - 8;
    let grid = rqrr::SimpleGrid::from_func(side, |x, y| dark[y + 4][x + 4]);
    rqrr::Grid::new(grid).decode().unwrap().1
}
