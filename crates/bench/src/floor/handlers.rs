//! The handlers of the floor.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use bp256::r1::BrainpoolP256r1;
use bytes::Bytes;
use ecdsa::signature::Verifier;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use jose::{base64url, json, jwe, jwk::P256PublicKey, jws};
use serde::Deserialize;
use store::{Condition, Key, Outcome, Row, SealedBytes, Store, Write};
use vault::{BackgroundTask, PersonId, StateKind};

use super::{
    Floor,
    certificate::{find_kvnr, parts},
    now, operation,
};
use crate::world::{CLIENT_ID, CLIENT_NAME, REDIRECT_URI};

fn answer(result: Result<(StatusCode, String)>) -> Response<Full<Bytes>> {
    let (status, body) = result.unwrap_or_else(|error| (StatusCode::BAD_REQUEST, format!("{{\"error\":\"{error}\"}}")));
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, header::HeaderValue::from_static("no-cache"));
    response
}

/// The members of all JSON bodies.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    request_uri: Cow<'a, str>,
    #[serde(borrow, default)]
    login: Cow<'a, str>,
    #[serde(borrow, default)]
    device: Cow<'a, str>,
    #[serde(borrow, default)]
    response: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Assertion<'a> {
    #[serde(borrow)]
    challenge: Cow<'a, str>,
}

#[derive(Deserialize)]
struct CardPayload<'a> {
    #[serde(borrow)]
    njwt: Cow<'a, str>,
}

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Login, PKCE challenge.
const REQUEST_BYTES: usize = 16 + 32;

impl Floor {
    pub(super) async fn public(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
            return answer(Err(anyhow::anyhow!("body")));
        };
        let path = parts.uri.path();
        answer(if path.ends_with("/auth/challenge") {
            self.challenge(&body)
        } else if path.ends_with("/auth/device") {
            self.device(&body).await
        } else if path.ends_with("/auth/card") {
            self.card(&body).await
        } else {
            self.consent(&body)
        })
    }

    pub(super) async fn mtls(&self, request: Request<Incoming>, certificate: Option<&[u8]>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
            return answer(Err(anyhow::anyhow!("body")));
        };
        if certificate != Some(&self.client_certificate[..]) {
            return answer(Err(anyhow::anyhow!("certificate")));
        }
        answer(if parts.uri.path().ends_with("/par") {
            self.push(&body)
        } else {
            self.token(&body).await
        })
    }

    fn seal(&self, kind: StateKind, content: &[u8]) -> Result<String> {
        Ok(self.vault.login_states().seal(self.tenant, kind, now(), content)?)
    }

    fn open(&self, kind: StateKind, sealed: &str) -> Result<Vec<u8>> {
        Ok(self.vault.login_states().open(self.tenant, kind, now(), sealed)?)
    }

    /// State: login, PKCE challenge, nonce, line feed, `state`.
    fn push(&self, body: &[u8]) -> Result<(StatusCode, String)> {
        let mut state = vec![0; 16];
        self.vault.random(&mut state);
        let (mut nonce, mut echo) = (Cow::default(), Cow::default());
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "code_challenge" => state.extend_from_slice(&base64url::decode_array::<32>(&value)?),
                "nonce" => nonce = value,
                "state" => echo = value,
                _ => {}
            }
        }
        state.extend_from_slice(nonce.as_bytes());
        state.push(b'\n');
        state.extend_from_slice(echo.as_bytes());
        let sealed = self.seal(StateKind::Pushed, &state)?;
        let body = format!("{{\"request_uri\":\"{PREFIX}{sealed}\",\"expires_in\":90}}");
        Ok((StatusCode::CREATED, body))
    }

    /// State: digest of the challenge, then as before.
    fn challenge(&self, body: &[u8]) -> Result<(StatusCode, String)> {
        let body: Body<'_> = serde_json::from_slice(body)?;
        let state = self.open(
            StateKind::Pushed,
            body.request_uri.strip_prefix(PREFIX).context("prefix")?,
        )?;
        let payload = format!(
            "{{\"iss\":\"{}\",\"jti\":\"{}\",\"client_id\":\"{CLIENT_ID}\",\"client_name\":\"{CLIENT_NAME}\",\"request_hash\":\"{}\",\
             \"purpose\":\"login\",\"iat\":{},\"exp\":{}}}",
            self.issuer,
            base64url::encode(&state[..16]),
            base64url::encode(digest(&SHA256, &state).as_ref()),
            now().0,
            now().0 + 180,
        );
        let header = jws::SigningHeader {
            typ: Some("healthid-challenge+jwt"),
            ..Default::default()
        };
        let token = jws::sign(&header, payload.as_bytes(), &self.challenge_key)?;
        let state = [digest(&SHA256, token.as_bytes()).as_ref(), &state].concat();
        let login = self.seal(StateKind::Pending, &state)?;
        let body = format!(
            "{{\"login\":\"{login}\",\"challenge\":\"{token}\",\"service\":{{\"name\":\"{CLIENT_NAME}\",\"logo_uri\":null}},\"requested\":{{\"acr\":\
             \"gematik-ehealth-loa-substantial\",\"claims\":{{\"essential\":[],\"voluntary\":[{CLAIMS}]}}}},\"expires_in\":180}}"
        );
        Ok((StatusCode::OK, body))
    }

    fn pending(&self, login: &str, challenge: &str) -> Result<Vec<u8>> {
        let mut state = self.open(StateKind::Pending, login)?;
        ensure!(
            state[..32] == *digest(&SHA256, challenge.as_bytes()).as_ref(),
            "challenge"
        );
        state.drain(..32);
        Ok(state)
    }

    async fn device(&self, body: &[u8]) -> Result<(StatusCode, String)> {
        let body: Body<'_> = serde_json::from_slice(body)?;
        let assertion = jws::parse(&body.response, &json::DEFAULT)?;
        let answered: Assertion<'_> = serde_json::from_slice(assertion.unverified_payload())?;
        let state = self.pending(&body.login, &answered.challenge)?;
        let handle = base64url::decode_array::<32>(&body.device)?;
        let (person, device): ([u8; 16], [u8; 16]) = (handle[..16].try_into()?, handle[16..].try_into()?);
        let person = PersonId::from_bytes(person);
        let keys = [
            person.identity_key(self.tenant),
            self.vault.device_key(self.tenant, &person, &device)?,
        ];
        let rows = self.store.load(&keys).await?;
        let [Some(identity), Some(row)] = &rows[..] else {
            bail!("device")
        };
        let facts = self.vault.open_device(self.tenant, person, identity, &device, row)?;
        assertion.verify(&P256PublicKey::from_uncompressed(facts.bytes())?)?;
        self.ask(person, &state)
    }

    async fn card(&self, body: &[u8]) -> Result<(StatusCode, String)> {
        let body: Body<'_> = serde_json::from_slice(body)?;
        let response = jws::parse(&body.response, &json::DEFAULT)?;
        let payload: CardPayload<'_> = serde_json::from_slice(response.unverified_payload())?;
        let state = self.pending(&body.login, &payload.njwt)?;
        let certificate = response.header().x5c.first().context("x5c")?;
        let (to_be_signed, signature, point) = parts(certificate).context("certificate")?;
        self.card_authority.verify(
            to_be_signed,
            &ecdsa::der::Signature::<BrainpoolP256r1>::from_bytes(signature)?,
        )?;
        let key = ecdsa::VerifyingKey::<BrainpoolP256r1>::from_sec1_bytes(point)?;
        let signature = ecdsa::Signature::<BrainpoolP256r1>::from_slice(response.signature())?;
        key.verify(response.signing_input(), &signature)?;
        // Who it is, by the number in the certificate.
        let kvnr = authenticator::Kvnr::parse(find_kvnr(certificate).context("KVNR")?)?;
        let key = Key::lookup(self.tenant, &self.vault.blind_index(self.tenant, &kvnr)?);
        let rows = self.store.load(&[key]).await?;
        let row = rows.first().and_then(Option::as_ref).context("lookup")?;
        self.ask(self.vault.open_lookup(&key, row)?, &state)
    }

    /// State: person, then as before.
    fn ask(&self, person: PersonId, state: &[u8]) -> Result<(StatusCode, String)> {
        let login = self.seal(StateKind::Authenticated, &[person.as_bytes(), state].concat())?;
        let body = format!(
            "{{\"login\":\"{login}\",\"consent\":{{\"service\":{{\"name\":\"{CLIENT_NAME}\",\"logo_uri\":null}},\"essential\":[],\"voluntary\":[{CLAIMS}],\
             \"remembered\":true}}}}"
        );
        Ok((StatusCode::OK, body))
    }

    fn consent(&self, body: &[u8]) -> Result<(StatusCode, String)> {
        let body: Body<'_> = serde_json::from_slice(body)?;
        let state = self.open(StateKind::Authenticated, &body.login)?;
        let code = self.seal(StateKind::Code, &state)?;
        let echo = state.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let body = format!(
            "{{\"redirect\":\"{}?code={code}&state={}\"}}",
            REDIRECT_URI,
            std::str::from_utf8(echo)?
        );
        Ok((StatusCode::OK, body))
    }

    async fn token(&self, body: &[u8]) -> Result<(StatusCode, String)> {
        let (mut code, mut verifier) = (Cow::default(), Cow::default());
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "code" => code = value,
                "code_verifier" => verifier = value,
                _ => {}
            }
        }
        let state = self.open(StateKind::Code, &code)?;
        let (person, state) = state.split_first_chunk::<16>().context("person")?;
        let person = PersonId::from_bytes(*person);
        ensure!(state.len() > REQUEST_BYTES, "state");
        ensure!(
            state[16..48] == *digest(&SHA256, verifier.as_bytes()).as_ref(),
            "verifier"
        );
        let claim = Key::single_use(self.tenant, state[..16].try_into()?);
        // What is put there is not looked at again: the floor keeps no history.
        let write = Write::Put {
            key: claim,
            sealed: SealedBytes::from_sealed(Vec::new()),
            expires_at: Some(now().0 + 3_600),
        };
        let outcome = self
            .store
            .commit(operation(&self.vault), &[Condition::Absent(claim)], &[write])
            .await;
        ensure!(outcome == Outcome::Committed, "used");
        let rows = self.store.load(&[person.identity_key(self.tenant)]).await?;
        let row = rows.first().and_then(Option::as_ref).context("person")?;
        let nonce = state[48..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        let token = self.mint(person, row, std::str::from_utf8(nonce)?)?;
        let mut access = [0; 16];
        self.vault.random(&mut access);
        let body = format!(
            "{{\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_in\":300,\"id_token\":\"{token}\"}}",
            base64url::encode(&access)
        );
        Ok((StatusCode::OK, body))
    }

    fn mint(&self, person: PersonId, row: &Row, nonce: &str) -> Result<String> {
        let sub = self.vault.pseudonym(self.tenant, &person, CLIENT_ID)?;
        let capability = self
            .vault
            .background_capability(self.tenant, person, BackgroundTask::Reseal);
        let mut body = String::new();
        self.vault.with_person(capability, row, |scope| {
            let claims = scope.claims();
            body = format!(
                "{{\"iss\":\"{}\",\"sub\":\"{sub}\",\"aud\":\"{CLIENT_ID}\",\"iat\":{},\"exp\":{},\"nonce\":\"{nonce}\",\"acr\":\"gematik-ehealth-loa-substantial\",\
                 \"amr\":[\"other\"],\"auth_time\":{},\"urn:telematik:claims:display_name\":\"{}\",\"urn:telematik:claims:email\":\"{}\",\
                 \"urn:telematik:claims:profession\":\"1.2.276.0.76.4.49\",\"urn:telematik:claims:id\":\"{}\",\"urn:telematik:claims:organization\":\"{}\"}}",
                self.issuer,
                now().0,
                now().0 + 300,
                now().0,
                claims.display_name(),
                claims.email(),
                claims.kvnr().as_str(),
                claims.ik().as_str(),
            );
        })?;
        let certificates = [self.token_certificate.clone()];
        let header = jws::SigningHeader {
            typ: Some("JWT"),
            x5c: &certificates,
            ..Default::default()
        };
        let signed = jws::sign(&header, body.as_bytes(), &self.token_key)?;
        let header = jwe::EncryptionHeader {
            kid: "encryption",
            cty: Some("JWT"),
            version: Some("2.0.0"),
        };
        Ok(jwe::encrypt(&header, &self.recipient, signed.as_bytes())?)
    }
}

/// The claims asked for, as the product lists them.
const CLAIMS: &str = "\"urn:telematik:claims:display_name\",\"urn:telematik:claims:email\",\"urn:telematik:claims:profession\",\
                      \"urn:telematik:claims:id\",\"urn:telematik:claims:organization\"";
