//! The reference server's test shortcuts (gematik digest 5.2), so that existing test suites of services work unchanged: a layer in front of the
//! provider's public routes, in the sandbox only.
//!
//! | `GET …/auth?request_uri=…` with | answer |
//! |---|---|
//! | `app_version` | 200 `{"requested_essential_claims": […], "requested_optional_claims": […]}` |
//! | `device_type` | 200 `{"requested_claims": […]}` |
//! | `user_id`, perhaps `selected_claims`, `amr_value`, `acr_value` | 302 back to the service with a code |
//!
//! Nobody is logged in by decree: the named person's virtual card answers a real challenge, over TLS. Only where `amr_value` or `acr_value`
//! ask for another method, the sandbox rewrites what the card login says of itself, with the vault it holds. Neither exists in
//! `healthid-provider`.

mod performed;
mod query;

use std::sync::Arc;

use authenticator::Kvnr;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use fedmaster::Clock;
use jose::UnixTime;
use oidc::authorization::{self, AuthorizationError};
use oidc::login_state::{AuthenticatedLogin, LoginRequest, PushedLogin};
use oidc::refusal::{ErrorCode, Refusal};
use oidc::scope::ClaimSet;
use provider::Provider;
use serde_json::{Value, json};
use transport::HttpClient;
use url::form_urlencoded;
use vault::{PersonData, StateKind, Vault};
use wallet::card::{CardState, VirtualCard};
use wallet::flow::FlowError;
use wallet::phone::{Phone, PhoneError};

use crate::addresses::Addresses;
use crate::cards::Cards;
use crate::insurers::Insurer;
use crate::people::{DEFAULT_PIN, Person};

use query::{Ask, ShortcutQuery};

/// What the shortcuts work with.
pub(crate) struct Shortcuts {
    pub(crate) provider: Provider,
    pub(crate) vault: Arc<Vault>,
    pub(crate) cards: Arc<Cards>,
    pub(crate) addresses: Addresses,
    pub(crate) client: HttpClient,
    pub(crate) clock: Clock,
}

/// Why a shortcut is not taken.
#[derive(Debug)]
enum Refused {
    /// A rule of the shortcuts, or a failure of theirs.
    Here(Refusal),
    /// The provider's answer to the card, with the support code it gave.
    ByProvider {
        status: u16,
        error: String,
        description: String,
    },
}

impl Refused {
    fn invalid(description: impl std::fmt::Display) -> Self {
        Self::Here(Refusal::invalid_request(description))
    }

    fn failed(description: impl std::fmt::Display) -> Self {
        Self::Here(Refusal::new(500, ErrorCode::ServerError, description))
    }

    fn into_response(self, provider: &Provider) -> Response {
        match self {
            Self::Here(refusal) => provider.problem("sandbox.shortcut_refused", refusal).into_oauth_json(),
            Self::ByProvider {
                status,
                error,
                description,
            } => {
                let body = json!({"error": error, "error_description": description});
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
            }
        }
    }
}

impl From<AuthorizationError> for Refused {
    fn from(error: AuthorizationError) -> Self {
        Self::Here(error.refusal())
    }
}

impl From<PhoneError> for Refused {
    fn from(error: PhoneError) -> Self {
        match error {
            PhoneError::Flow(FlowError::Refused {
                status,
                error,
                description,
                ..
            }) => Self::ByProvider {
                status,
                error,
                description,
            },
            error => Self::failed(error),
        }
    }
}

/// The provider's routes with the shortcuts in front.
pub(crate) fn layer(router: Router, shortcuts: Arc<Shortcuts>) -> Router {
    router.layer(middleware::from_fn_with_state(shortcuts, intercept))
}

async fn intercept(State(shortcuts): State<Arc<Shortcuts>>, request: Request<Body>, next: Next) -> Response {
    let insurer = Insurer::ALL
        .into_iter()
        .find(|insurer| request.uri().path() == format!("/{}/auth", insurer.ik_text()));
    let query = ShortcutQuery::read(request.uri().query().unwrap_or_default());
    match (insurer, query) {
        (Some(insurer), Some(query)) if request.method() == Method::GET => shortcuts
            .answer(insurer, &query)
            .await
            .unwrap_or_else(|refused| refused.into_response(&shortcuts.provider)),
        _ => next.run(request).await,
    }
}

impl Shortcuts {
    async fn answer(&self, insurer: Insurer, query: &ShortcutQuery) -> Result<Response, Refused> {
        let (client_id, request) = self.open(insurer, query)?;
        match query.ask()? {
            Ask::Claims => Ok(document(&json!({
                "requested_essential_claims": names(request.essential),
                "requested_optional_claims": names(request.voluntary),
            }))),
            Ask::AllClaims => Ok(document(&json!({ "requested_claims": names(request.requested()) }))),
            Ask::LogIn { kvnr, wishes } => {
                let selected = query.selected(request.essential, request.voluntary)?;
                let now = (self.clock)();
                let (client_id, login) = self
                    .answer_by_card(insurer, &client_id, query.request_uri(), &kvnr, now)
                    .await?;
                let login = match wishes {
                    None => login,
                    Some(wishes) => self.rewrite(insurer, &login, |performed| wishes.apply(performed), now)?,
                };
                self.approve(insurer, &client_id, &login, selected).await
            }
        }
    }

    /// The request and whose it is: these calls do not name the service, and the sealed request knows it by a tag only.
    fn open(&self, insurer: Insurer, query: &ShortcutQuery) -> Result<(String, LoginRequest), Refused> {
        let now = (self.clock)();
        let sealed = authorization::sealed_part(query.request_uri())?;
        let tenant = vault::tenant_id(&self.addresses.insurer(insurer).issuer);
        let bytes = self
            .vault
            .login_states()
            .open(tenant, StateKind::Pushed, now, sealed)
            .map_err(|_| AuthorizationError::UnknownRequestUri)?;
        let pushed = PushedLogin::from_bytes(&bytes).map_err(|_| AuthorizationError::UnknownRequestUri)?;
        let client_id = match query.client_id() {
            Some(client_id) => client_id.to_owned(),
            None => self
                .provider
                .client_id_of(pushed.request.client)
                .ok_or(AuthorizationError::UnknownRequestUri)?,
        };
        authorization::check_request(&client_id, &pushed, now)?;
        Ok((client_id, pushed.request))
    }

    async fn answer_by_card(
        &self,
        insurer: Insurer,
        client_id: &str,
        request_uri: &str,
        kvnr: &Kvnr,
        now: UnixTime,
    ) -> Result<(String, String), Refused> {
        let (mut card, pin) = self.card(insurer, kvnr).await?;
        let unlocked = card.verify_pin(pin).map_err(Refused::failed)?;
        let addresses = self.addresses.insurer(insurer);
        let address = format!(
            "{}/auth?{}",
            addresses.issuer,
            form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", client_id)
                .append_pair("request_uri", request_uri)
                .finish()
        );
        let phone = Phone::new(self.client.clone(), &addresses.issuer);
        let opened = phone.open(&address, now).await?;
        Ok(opened.answer_with_card(&unlocked).await?.into_parts())
    }

    /// The card of a person of the register, or one made for a number nobody has. Tries left do not count here: no PIN is typed.
    async fn card(&self, insurer: Insurer, kvnr: &Kvnr) -> Result<(VirtualCard, &'static str), Refused> {
        let known = Person::find(kvnr.as_str()).filter(|person| person.insurer == insurer);
        if let Some(person) = known {
            let mut card = self.cards.card(person.word).map_err(Refused::failed)?;
            card.restore(CardState::default());
            return Ok((card, person.pin));
        }
        let data = somebody(insurer, kvnr);
        let card = self.cards.card_for(insurer, &data).map_err(Refused::failed)?;
        let issuer = &self.addresses.insurer(insurer).issuer;
        self.provider
            .import_person(issuer, data)
            .await
            .map_err(Refused::failed)?;
        Ok((card, DEFAULT_PIN))
    }

    /// Opens an authenticated login, changes what it says was performed, and seals it again.
    fn rewrite(
        &self,
        insurer: Insurer,
        sealed: &str,
        change: impl FnOnce(&mut authenticator::policy::Performed),
        now: UnixTime,
    ) -> Result<String, Refused> {
        let tenant = vault::tenant_id(&self.addresses.insurer(insurer).issuer);
        let (capability, bytes) = self
            .vault
            .open_login(tenant, StateKind::Authenticated, now, sealed)
            .map_err(Refused::failed)?;
        let mut login = AuthenticatedLogin::from_bytes(&bytes).map_err(Refused::failed)?;
        change(&mut login.performed);
        self.vault
            .seal_login(&capability, StateKind::Authenticated, now, &login.to_bytes())
            .map_err(Refused::failed)
    }

    async fn approve(
        &self,
        insurer: Insurer,
        client_id: &str,
        login: &str,
        selected: ClaimSet,
    ) -> Result<Response, Refused> {
        let url = format!("{}/auth/consent", self.addresses.insurer(insurer).issuer);
        let body = json!({
            "client_id": client_id,
            "login": login,
            "decision": "approve",
            "claims": names(selected),
        });
        let answer = self.client.post_json(&url, &body, &[]).await.map_err(Refused::failed)?;
        let text: Value = answer.json().map_err(Refused::failed)?;
        let member = |name: &str| text.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if !answer.is_success() {
            return Err(Refused::ByProvider {
                status: answer.status,
                error: member("error"),
                description: member("error_description"),
            });
        }
        let mut response = StatusCode::FOUND.into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::LOCATION,
            HeaderValue::from_str(&member("redirect")).map_err(Refused::failed)?,
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

fn document(body: &Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(body.clone())).into_response()
}

fn names(claims: ClaimSet) -> Vec<&'static str> {
    claims.iter().map(|claim| claim.as_str()).collect()
}

/// Somebody invented for a number that is not in the register.
fn somebody(insurer: Insurer, kvnr: &Kvnr) -> PersonData {
    PersonData {
        kvnr: kvnr.clone(),
        ik: insurer.ik(),
        given_name: "Toni".to_owned(),
        family_name: "Testperson".to_owned(),
        display_name: "Toni Testperson".to_owned(),
        birthdate: "1980-01-01".to_owned(),
        sex: "X".to_owned(),
        email: "toni@testperson.example".to_owned(),
        card_valid_until: String::new(),
    }
}
