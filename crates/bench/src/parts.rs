//! The pure parts of a login, each alone, for counting instructions: no cryptography (emulators take other code paths for it), no clock,
//! no files while the part runs.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use authenticator::{
    Acr, Method,
    device::{ASSERTION_TYP, AssertionClaims, Decision, parse_assertion},
    policy::{AuthenticationPolicy, LevelRequest, Performed, Session},
};
use federation::{
    EntityType,
    chain::{ChainRequest, FetchedStatement, resolve},
    policy::{Policy, combine},
    relying_party::VerifiedRelyingParty,
};
use jose::{UnixTime, base64url, json, jws};
use oidc::{
    claims_request::ClaimsRequest,
    client::{PresentedCertificate, RelyingParty, check_client_certificate},
    form::Form,
    id_token::{IdToken, PersonFacts},
    login_state::{AuthenticatedLogin, AuthorizationCode, DeviceUse, LoginId, PendingLogin, PushedLogin, Remember},
    push::{self, PushedRequest},
    scope::ClaimSet,
};
use serde_json::{Value, json};

use crate::world::{CLIENT_ID, MASTER, REDIRECT_URI, SCOPE, World, entity};

/// The moment of all parts.
const NOW: UnixTime = UnixTime(1_800_000_000);

/// Every part, as `guard` lists them.
pub const NAMES: [&str; 10] = [
    "form",
    "pushed-request",
    "pushed-request-decision",
    "login-states",
    "claims-parameter",
    "authenticator-body",
    "device-assertion",
    "level-decision",
    "federation-policy",
    "id-token-body",
];

/// Does one part so many times.
pub fn run(name: &str, times: u32) -> Result<()> {
    let inputs = Inputs::new()?;
    let part: Box<dyn Fn() -> Result<()>> = match name {
        "form" => Box::new(|| inputs.form()),
        "pushed-request" => Box::new(|| inputs.pushed_request()),
        "pushed-request-decision" => Box::new(|| inputs.decision()),
        "login-states" => Box::new(|| inputs.login_states()),
        "claims-parameter" => Box::new(|| inputs.claims_parameter()),
        "authenticator-body" => Box::new(|| inputs.authenticator_body()),
        "device-assertion" => Box::new(|| inputs.device_assertion()),
        "level-decision" => Box::new(|| inputs.level_decision()),
        "federation-policy" => Box::new(|| inputs.federation_policy()),
        "id-token-body" => Box::new(|| inputs.id_token_body()),
        _ => anyhow::bail!("unknown part '{name}', expected one of {NAMES:?}"),
    };
    repeat_counted(&*part, times)
}

/// What `guard` counts, by this name: nothing that happens only once is in here.
#[inline(never)]
fn repeat_counted(part: &dyn Fn() -> Result<()>, times: u32) -> Result<()> {
    for _ in 0..times {
        part()?;
    }
    Ok(())
}

/// Everything the parts work on, made once.
struct Inputs {
    form: String,
    party: RelyingParty,
    certificate: Vec<u8>,
    pushed: PushedRequest,
    request: PushedLogin,
    performed: Performed,
    claims: String,
    body: String,
    assertion: String,
    policy: AuthenticationPolicy,
    wishes: LevelRequest,
    policies: [Value; 2],
    metadata: serde_json::Map<String, Value>,
}

impl Inputs {
    fn new() -> Result<Self> {
        let world = World::new(1, NOW)?;
        let party = party(&world)?;
        let text = |byte: u8| base64url::encode(&[byte; 32]);
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", CLIENT_ID),
                ("redirect_uri", REDIRECT_URI),
                ("response_type", "code"),
                ("scope", SCOPE),
                ("state", &text(1)),
                ("nonce", &text(2)),
                ("code_challenge", &text(3)),
                ("code_challenge_method", "S256"),
                ("acr_values", "gematik-ehealth-loa-high"),
            ])
            .finish();
        let pushed = PushedRequest::parse(form.as_bytes())?;
        let certificate = world.client_certificate.clone();
        let client = check_client_certificate(&party, presented(&certificate), NOW)?;
        let request = push::decide(&pushed, &client, LoginId([7; 16]), NOW)?;
        let device = world.device_key(0)?;
        let claims = AssertionClaims {
            // As long as a real one.
            challenge: [text(4).repeat(3), text(5).repeat(12), text(6).repeat(2)].join("."),
            decision: Decision::Approve,
            time: NOW,
            counter: 17,
        };
        let header = jws::SigningHeader {
            typ: Some(ASSERTION_TYP),
            ..Default::default()
        };
        let assertion = jws::sign(&header, &serde_json::to_vec(&claims)?, &device)?;
        let login = text(8).repeat(6);
        let wishes = request.request.level_request(CLIENT_ID);
        Ok(Self {
            body: format!(
                "{{\"client_id\":\"{CLIENT_ID}\",\"login\":\"{login}\",\"device\":\"{}\",\"response\":\"{assertion}\"}}",
                text(9)
            ),
            form,
            certificate,
            pushed,
            performed: Performed {
                method: Method::HealthCard,
                level: Acr::High,
                auth_time: NOW,
                consented_to_substantial: false,
                session: Session::Fresh,
            },
            claims: json!({"id_token": {
                "urn:telematik:claims:id": {"essential": true},
                "urn:telematik:claims:display_name": null,
                "acr": {"essential": true, "value": "gematik-ehealth-loa-high"},
                "amr": {"essential": true, "values": ["urn:telematik:auth:eGK", "urn:telematik:auth:eID"]},
            }})
            .to_string(),
            assertion,
            policy: AuthenticationPolicy::default(),
            wishes,
            policies: [
                json!({
                    "grant_types": {"default": ["authorization_code"], "subset_of": ["authorization_code"], "superset_of": ["authorization_code"]},
                    "token_endpoint_auth_method": {"one_of": ["private_key_jwt", "self_signed_tls_client_auth"], "essential": true},
                    "contacts": {"add": ["help@superior.example"]},
                    "scope": {"subset_of": ["openid", "urn:telematik:versicherter", "urn:telematik:email"]},
                }),
                json!({
                    "token_endpoint_auth_method": {"one_of": ["self_signed_tls_client_auth"]},
                    "contacts": {"add": ["help@intermediate.example"]},
                    "id_token_signed_response_alg": {"value": "ES256"},
                }),
            ],
            metadata: serde_json::from_value(json!({
                "redirect_uris": [REDIRECT_URI],
                "response_types": ["code"],
                "grant_types": ["authorization_code"],
                "token_endpoint_auth_method": "self_signed_tls_client_auth",
                "scope": "openid urn:telematik:versicherter",
                "contacts": ["service@akte.example"],
            }))?,
            party,
            request,
        })
    }

    fn form(&self) -> Result<()> {
        let form = Form::parse(black_box(self.form.as_bytes()))?;
        ensure!(black_box(form).value("scope").is_some());
        Ok(())
    }

    fn pushed_request(&self) -> Result<()> {
        black_box(PushedRequest::parse(black_box(self.form.as_bytes()))?);
        Ok(())
    }

    fn decision(&self) -> Result<()> {
        let client = check_client_certificate(black_box(&self.party), presented(&self.certificate), NOW)?;
        black_box(push::decide(black_box(&self.pushed), &client, LoginId([7; 16]), NOW)?);
        Ok(())
    }

    /// The four states of a login, written and read.
    fn login_states(&self) -> Result<()> {
        let bytes = black_box(&self.request).to_bytes();
        let pushed = PushedLogin::from_bytes(black_box(&bytes))?;
        let pending = PendingLogin {
            request: pushed.request,
            browser: None,
            challenge_digest: Some([3; 32]),
            asking: None,
            extended: 0,
            expires_at: NOW,
        };
        let bytes = pending.to_bytes();
        let pending = PendingLogin::from_bytes(black_box(&bytes))?;
        let device = Some(DeviceUse {
            device_id: [5; 16],
            counter: 17,
        });
        let authenticated = AuthenticatedLogin {
            request: pending.request,
            browser: None,
            performed: self.performed.clone(),
            device,
            asking: None,
            extended: 0,
            expires_at: NOW,
        };
        let bytes = authenticated.to_bytes();
        let authenticated = AuthenticatedLogin::from_bytes(black_box(&bytes))?;
        let request = authenticated.request;
        let code = AuthorizationCode {
            login_id: request.login_id,
            client: request.client,
            redirect: request.redirect,
            code_challenge: request.code_challenge,
            nonce: request.nonce,
            requested: request.voluntary,
            released: request.voluntary,
            performed: authenticated.performed,
            device,
            version: request.version,
            remember: Remember::No,
            expires_at: NOW,
        };
        let bytes = code.to_bytes();
        black_box(AuthorizationCode::from_bytes(black_box(&bytes))?);
        Ok(())
    }

    fn claims_parameter(&self) -> Result<()> {
        black_box(ClaimsRequest::parse(black_box(&self.claims))?);
        Ok(())
    }

    fn authenticator_body(&self) -> Result<()> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "read to be counted")]
        struct Body {
            client_id: String,
            login: String,
            device: String,
            response: String,
        }
        let body: Body = json::parse_as(black_box(self.body.as_bytes()), &json::DEFAULT)?;
        black_box(body);
        Ok(())
    }

    fn device_assertion(&self) -> Result<()> {
        black_box(parse_assertion(black_box(&self.assertion))?);
        Ok(())
    }

    fn level_decision(&self) -> Result<()> {
        let outcome = black_box(&self.policy).decide_level(black_box(&self.wishes), black_box(&self.performed), NOW)?;
        black_box(outcome);
        Ok(())
    }

    fn federation_policy(&self) -> Result<()> {
        let policies = self
            .policies
            .iter()
            .map(|policy| Policy::parse(black_box(policy)))
            .collect::<Result<Vec<_>, _>>()?;
        black_box(combine(&policies)?.apply(black_box(&self.metadata))?);
        Ok(())
    }

    fn id_token_body(&self) -> Result<()> {
        let outcome = self.policy.decide_level(&self.wishes, &self.performed, NOW)?;
        let body = serde_json::to_vec(&IdToken {
            iss: black_box("https://idp.bench.example/109900019"),
            sub: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            aud: CLIENT_ID,
            iat: NOW,
            nonce: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            authentication: &outcome,
            released: ClaimSet::all(),
            person: PersonFacts {
                birthdate: "1964-08-12",
                display_name: "Dr. Erika Musterfrau von und zu Beispielhausen",
                given_name: "Erika",
                family_name: "Musterfrau",
                sex: "W",
                email: "erika@post.example",
                health_insurance_number: "X000000000",
                insurer: "109900019",
            },
        })?;
        black_box(body);
        Ok(())
    }
}

fn presented(der: &[u8]) -> Option<PresentedCertificate<'_>> {
    Some(PresentedCertificate {
        der,
        not_before: Some(NOW.minus_seconds(60)),
        not_after: Some(NOW.plus_seconds(3_600)),
    })
}

/// The service, verified the way the provider does it.
fn party(world: &World) -> Result<RelyingParty> {
    let (service, master) = (entity(CLIENT_ID)?, entity(MASTER)?);
    let federation = world.federation()?;
    let document = |url: &str| {
        let found = federation.documents().find(|(known, _)| *known == url);
        found.map(|(_, document)| document.to_owned()).context("document")
    };
    let fetch = format!("{MASTER}/federation/fetch");
    let statements = [
        FetchedStatement::new(service.well_known_url(), document(&service.well_known_url())?),
        FetchedStatement::new(format!("{fetch}?sub={CLIENT_ID}"), document(&fetch)?),
        FetchedStatement::new(master.well_known_url(), document(&master.well_known_url())?),
    ];
    let request = ChainRequest::new(&service, EntityType::OpenIdRelyingParty);
    let chain = resolve(&request, &statements, &[world.anchor()?], NOW)?;
    let verified = VerifiedRelyingParty::from_chain(&chain, None)?;
    ensure!(verified.client_id() == &service, "another party was resolved");
    Ok(RelyingParty::from_verified(&verified))
}
