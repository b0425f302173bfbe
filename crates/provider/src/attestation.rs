//! `GET /.well-known/healthid-evidence?nonce=…`: what this instance can show of itself, over the very connection it speaks of.
//!
//! Trusted for: one quote per interval however many ask, and a connection proof over the TLS session of this request and no other. Does not
//! judge anything: that is the caller's work (`evidence::verdict`).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use evidence::{
    binding::Session,
    bundle::{AttestError, Attestor, AttestorSettings, Bundle},
    manifest::LoggedManifest,
    produce::Producer,
};
use jose::{SoftwareKey, UnixTime, base64url};
use oidc::{
    form::Form,
    refusal::{ErrorCode, Refusal},
};
use transport::ConnectionInfo;

use crate::{
    core::{Core, StepProblem},
    support,
};

/// Bytes of a verifier's nonce.
const NONCE_BYTES: usize = 32;
/// TLS keys with a quote of their own: those of all hosts, and the ones before the last change.
const MAX_TLS_KEYS: usize = 16;

/// What an instance shows itself with: its statement, and the platform that vouches for it. A quote commits to one TLS key, so each key this
/// process serves with has a quote and an instance key of its own, made when it is first asked for.
#[derive(Debug)]
pub struct Attestation {
    producer: Box<dyn Producer>,
    shown: Mutex<Shown>,
}

/// What is said, and the quotes that commit to it.
#[derive(Debug)]
struct Shown {
    settings: AttestorSettings,
    attestors: VecDeque<([u8; 32], Arc<Attestor>)>,
}

impl Attestation {
    /// An instance on a platform. The TLS key in `settings` is replaced by that of the connection asked over.
    #[must_use]
    pub fn new(settings: AttestorSettings, producer: Box<dyn Producer>) -> Self {
        Self {
            producer,
            shown: Mutex::new(Shown {
                settings,
                attestors: VecDeque::new(),
            }),
        }
    }

    /// Makes the quote for a TLS key before anybody asks, so that the first to ask need not wait. Blocks, up to a second.
    ///
    /// # Errors
    /// [`AttestError::Production`].
    pub fn make_quote(&self, tls_key_sha256: [u8; 32], now: UnixTime) -> Result<(), AttestError> {
        // The proof over no session is thrown away.
        self.bundle_for(tls_key_sha256, now).map(|_| ())
    }

    /// A bundle whose proof is over no session, and so good for nobody.
    pub(crate) fn bundle_for(&self, tls_key_sha256: [u8; 32], now: UnixTime) -> Result<Bundle, AttestError> {
        let nobody = Session {
            nonce: [0; NONCE_BYTES],
            signer_spki_sha256: tls_key_sha256,
            exporter: [0; 32],
        };
        self.answer(&nobody, now)
    }

    /// Shows other manifests from now on, in new quotes: the last of them is in force.
    pub fn show_manifests(&self, manifests: Vec<LoggedManifest>, manifest_hash: [u8; 32]) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.settings.manifests = manifests;
        shown.settings.manifest_hash = manifest_hash;
        shown.attestors.clear();
    }

    /// `tls_key_sha256` is this server's own, so no caller can add one.
    fn attestor(&self, tls_key_sha256: [u8; 32]) -> Result<Arc<Attestor>, AttestError> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = shown.attestors.iter().find(|(key, _)| *key == tls_key_sha256) {
            return Ok(Arc::clone(known));
        }
        let settings = AttestorSettings {
            tls_key_sha256,
            ..shown.settings.clone()
        };
        let key = SoftwareKey::generate("instance").map_err(|error| AttestError::Production(Box::new(error)))?;
        let attestor = Arc::new(Attestor::new(settings, Box::new(key)));
        shown.attestors.push_back((tls_key_sha256, Arc::clone(&attestor)));
        if shown.attestors.len() > MAX_TLS_KEYS {
            shown.attestors.pop_front();
        }
        Ok(attestor)
    }

    fn answer(&self, session: &Session, now: UnixTime) -> Result<Bundle, AttestError> {
        self.attestor(session.signer_spki_sha256)?
            .answer(session, now, |report_data| self.producer.produce(report_data))
    }
}

/// Answers the evidence endpoint.
pub(crate) async fn evidence(core: &Core, connection: Option<ConnectionInfo>, query: &str) -> Response {
    match bundle(core, connection, query).await {
        Ok(response) => response,
        Err(problem) => core.problem("evidence_refused", problem).into_oauth_json(),
    }
}

async fn bundle(core: &Core, connection: Option<ConnectionInfo>, query: &str) -> Result<Response, StepProblem> {
    let attestation = core.attestation.get().cloned().ok_or_else(|| {
        StepProblem::Refused(Refusal::new(
            404,
            ErrorCode::NotFound,
            "this instance has no evidence: it runs on no platform that vouches for it, so whoever runs the machine can read everything",
        ))
    })?;
    let nonce = nonce(query)?;
    let session = connection
        .and_then(|connection| connection.tls_session)
        .ok_or_else(|| StepProblem::invalid("evidence is bound to a TLS session: ask over https"))?;
    let session = Session {
        nonce,
        signer_spki_sha256: session.server_spki_sha256().map_err(StepProblem::failed)?,
        exporter: *session.exporter(),
    };
    let now = core.now();
    // A quote may take a second. Nobody else waits for it: requests meanwhile get the one before.
    let bundle = tokio::task::spawn_blocking(move || attestation.answer(&session, now).map(|bundle| bundle.encode()))
        .await
        .map_err(StepProblem::failed)?
        .map_err(|error| match error {
            AttestError::NoQuote | AttestError::Production(_) => {
                StepProblem::Unavailable(format!("{}: {error}", error.code()))
            }
            AttestError::OtherTlsKey | AttestError::Sign(_) => {
                StepProblem::failed(format!("{}: {error}", error.code()))
            }
        })?;
    let mut response = (StatusCode::OK, [("content-type", "application/json")], bundle).into_response();
    support::no_store(response.headers_mut());
    Ok(response)
}

fn nonce(query: &str) -> Result<[u8; NONCE_BYTES], StepProblem> {
    let refused = || {
        StepProblem::invalid("parameter 'nonce' must be 32 random bytes in base64url without padding (43 characters)")
    };
    let form = Form::parse(query.as_bytes()).map_err(StepProblem::invalid)?;
    base64url::decode_array(form.value("nonce").ok_or_else(refused)?).map_err(|_| refused())
}
