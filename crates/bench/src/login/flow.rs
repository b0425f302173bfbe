//! One login, request by request.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};
use authenticator::device::{ASSERTION_TYP, AssertionClaims, Decision};
use aws_lc_rs::digest::{SHA256, digest};
use http::StatusCode;
use jose::{base64url, jws};
use serde::Deserialize;

use super::{now, setup::Person};
use crate::{
    client::{Connection, Connector, Media},
    world::{CLIENT_ID, PIN, REDIRECT_URI, SCOPE, TENANTS},
};

/// Which connections are opened for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// None.
    KeptAlive,
    /// One, for the person's three requests.
    NewForPerson,
    /// Three: one for the person, and one each for the service's PAR and token.
    NewForEveryone,
}

/// How the person answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// With the bound key of her phone.
    Device,
    /// With her health card.
    Card,
}

/// Where logins are sent, with the connections that are kept.
pub struct Flow {
    person: Connector,
    service: Connector,
    kept_person: Option<Connection>,
    kept_service: Option<Connection>,
    mode: Mode,
    bytes: Bytes,
}

/// Body bytes that went either way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes {
    /// To the server.
    pub sent: usize,
    /// From it.
    pub received: usize,
}

/// What a finished login leaves.
pub struct Finished {
    /// The encrypted token.
    pub id_token: String,
    /// The nonce it must carry.
    pub nonce: String,
    /// The body of the redemption, to try it again.
    pub redemption: String,
}

#[derive(Deserialize)]
struct Pushed<'a> {
    #[serde(borrow)]
    request_uri: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Challenge<'a> {
    #[serde(borrow)]
    login: Cow<'a, str>,
    #[serde(borrow)]
    challenge: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    login: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Redirect<'a> {
    #[serde(borrow)]
    redirect: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// An authenticated login that waits for consent.
pub struct Waiting {
    pub login: String,
    pub login_id: [u8; 16],
    verifier: String,
    nonce: String,
}

impl Flow {
    /// A flow without connections yet.
    pub fn new(person: Connector, service: Connector, mode: Mode) -> Self {
        Self {
            person,
            service,
            kept_person: None,
            kept_service: None,
            mode,
            bytes: Bytes::default(),
        }
    }

    /// Body bytes of everything this flow has done.
    pub const fn bytes(&self) -> Bytes {
        self.bytes
    }

    /// Opens what is kept in this mode.
    pub async fn open(&mut self) -> Result<()> {
        if self.mode == Mode::KeptAlive {
            self.kept_person = Some(self.person.open().await?);
        }
        if self.mode != Mode::NewForEveryone {
            self.kept_service = Some(self.service.open().await?);
        }
        Ok(())
    }

    /// One whole login.
    pub async fn login(&mut self, person: &mut Person, authentication: Authentication) -> Result<Finished> {
        let waiting = self.authenticate(person, authentication).await?;
        self.finish(waiting, false).await
    }

    /// As far as the question for consent.
    pub async fn authenticate(&mut self, person: &mut Person, authentication: Authentication) -> Result<Waiting> {
        let (verifier, nonce, state) = (random_text(), random_text(), random_text());
        let code_challenge = base64url::encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        let body = form(&[
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &code_challenge),
            ("code_challenge_method", "S256"),
            ("acr_values", "gematik-ehealth-loa-substantial"),
        ]);
        let pushed = self.service("par", StatusCode::CREATED, body).await?;
        let pushed: Pushed<'_> = serde_json::from_slice(&pushed)?;
        if self.mode != Mode::KeptAlive {
            self.kept_person = Some(self.person.open().await?);
        }
        let body = format!(
            "{{\"client_id\":\"{CLIENT_ID}\",\"request_uri\":\"{}\"}}",
            pushed.request_uri
        );
        let answer = self.person("auth/challenge", body).await?;
        let challenge: Challenge<'_> = serde_json::from_slice(&answer)?;
        let (path, body) = match authentication {
            Authentication::Device => {
                let response = assertion(person, &challenge.challenge)?;
                (
                    "auth/device",
                    format!(
                        "{{\"client_id\":\"{CLIENT_ID}\",\"login\":\"{}\",\"device\":\"{}\",\"response\":\"{response}\"}}",
                        challenge.login, person.handle,
                    ),
                )
            }
            Authentication::Card => {
                let card = person.card.verify_pin(PIN)?;
                (
                    "auth/card",
                    format!(
                        "{{\"client_id\":\"{CLIENT_ID}\",\"login\":\"{}\",\"response\":\"{}\"}}",
                        challenge.login,
                        card.sign_challenge(&challenge.challenge)
                    ),
                )
            }
        };
        let answer = self.person(path, body).await?;
        let asked: Asked<'_> = serde_json::from_slice(&answer)?;
        Ok(Waiting {
            login: asked.login.into_owned(),
            login_id: login_id(&challenge.challenge)?,
            verifier,
            nonce,
        })
    }

    /// From consent to token.
    pub async fn finish(&mut self, waiting: Waiting, remember: bool) -> Result<Finished> {
        let body = format!(
            "{{\"client_id\":\"{CLIENT_ID}\",\"login\":\"{}\",\"decision\":\"approve\",\"claims\":[{VOLUNTARY}],\"remember\":{remember}}}",
            waiting.login
        );
        let answer = self.person("auth/consent", body).await?;
        let answer: Redirect<'_> = serde_json::from_slice(&answer)?;
        let (_, query) = answer.redirect.split_once("code=").context("code")?;
        let code = query.split('&').next().unwrap_or(query);
        let redemption = form(&[
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", &waiting.verifier),
        ]);
        let tokens = self.service("token", StatusCode::OK, redemption.clone()).await?;
        let Tokens { id_token } = serde_json::from_slice(&tokens)?;
        ensure!(id_token.matches('.').count() == 4, "the token is no JWE");
        Ok(Finished {
            id_token,
            nonce: waiting.nonce,
            redemption,
        })
    }

    /// Redeems a code again; it must be refused.
    pub async fn redeem_again(&mut self, finished: &Finished) -> Result<()> {
        self.service("token", StatusCode::BAD_REQUEST, finished.redemption.clone())
            .await?;
        Ok(())
    }

    /// A request of the person.
    pub async fn person(&mut self, path: &str, body: String) -> Result<bytes::Bytes> {
        let connection = self.kept_person.as_mut().context("no connection")?;
        let path = format!("/{}/{path}", TENANTS[0]);
        self.bytes.sent += body.len();
        let (status, answer) = connection.post(&path, Media::Json, body).await?;
        self.bytes.received += answer.len();
        if !status.is_success() {
            bail!("{path}: {status} {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }

    /// A request of the service.
    async fn service(&mut self, path: &str, expected: StatusCode, body: String) -> Result<bytes::Bytes> {
        if self.mode == Mode::NewForEveryone {
            self.kept_service = Some(self.service.open().await?);
        }
        let connection = self.kept_service.as_mut().context("no connection")?;
        let path = format!("/{}/{path}", TENANTS[0]);
        self.bytes.sent += body.len();
        let (status, answer) = connection.post(&path, Media::Form, body).await?;
        self.bytes.received += answer.len();
        if status != expected {
            bail!("{path}: {status} {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }
}

/// What may be switched off, all of it released.
const VOLUNTARY: &str = "\"urn:telematik:claims:display_name\",\"urn:telematik:claims:email\",\"urn:telematik:claims:profession\",\
                         \"urn:telematik:claims:id\",\"urn:telematik:claims:organization\"";

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::with_capacity(1_024))
        .extend_pairs(fields)
        .finish()
}

/// 43 characters.
fn random_text() -> String {
    let mut bytes = [0; 32];
    vault::random(&mut bytes);
    base64url::encode(&bytes)
}

fn assertion(person: &mut Person, challenge: &str) -> Result<String> {
    person.counter += 1;
    let claims = AssertionClaims {
        challenge: challenge.to_owned(),
        decision: Decision::Approve,
        time: now(),
        counter: person.counter,
    };
    let header = jws::SigningHeader {
        typ: Some(ASSERTION_TYP),
        ..Default::default()
    };
    Ok(jws::sign(&header, &serde_json::to_vec(&claims)?, &person.key)?)
}

fn login_id(challenge: &str) -> Result<[u8; 16]> {
    #[derive(Deserialize)]
    struct Payload {
        jti: String,
    }
    let payload = base64url::decode(challenge.split('.').nth(1).context("payload")?)?;
    let payload: Payload = serde_json::from_slice(&payload)?;
    Ok(base64url::decode_array(&payload.jti)?)
}
