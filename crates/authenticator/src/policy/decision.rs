//! What one login may do, must do, and what its token says: gematik digest 8.3 (levels), 6.7 and 8.2 (amr).
//!
//! Two questions, asked in this order. *Before* the person does anything: may the session she has be used
//! ([`AuthenticationPolicy::check_sso`]), and which methods may be offered
//! ([`AuthenticationPolicy::permitted_methods`])? *After*: does what she did suffice, and how is it named
//! ([`AuthenticationPolicy::decide_level`])?

use jose::UnixTime;
use serde::{Deserialize, Serialize};

use super::AuthenticationPolicy;
use crate::challenge::Purpose;
use crate::level::{Acr, Amr, IdTokenVersion, Method};

/// How strongly a service asks for a level or a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// A wish: `acr_values`, or a `claims` member without `essential: true`.
    #[default]
    Voluntary,
    /// `essential: true` in the `claims` parameter.
    Essential,
}

/// What a service asked of the authentication.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRequest {
    /// Who asks.
    pub client_id: String,
    /// Levels asked for; empty counts as high.
    pub acr_values: Vec<Acr>,
    /// How strongly the level is asked for.
    pub acr_demand: Demand,
    /// Methods asked for; empty means any.
    pub amr_values: Vec<Amr>,
    /// How strongly the methods are asked for.
    pub amr_demand: Demand,
    /// `prompt=login`.
    pub prompt_login: bool,
    /// `max_age`, in seconds.
    pub max_age_seconds: Option<u64>,
    /// Version of the ID token to be minted.
    pub version: IdTokenVersion,
}

/// The facts of an authentication that happened: what [`crate::AuthenticatedPerson`] leaves behind in sealed login
/// state once the person herself has been looked up.
///
/// Plain data, trusted exactly as far as the sealed state it was opened from: it proves nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Performed {
    /// What happened.
    pub method: Method,
    /// The level it reached.
    pub level: Acr,
    /// When the person really acted.
    pub auth_time: UnixTime,
    /// Whether she consented, once and informed, to logins below high (A_27593).
    pub consented_to_substantial: bool,
    /// Whether this login rests on a session instead of a fresh act.
    pub session: Session,
}

/// Whether a login rests on a fresh act of the person or on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Session {
    /// The person acted for this login.
    Fresh,
    /// Single sign-on.
    SingleSignOn,
}

/// What the ID token says about the authentication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelOutcome {
    /// Member `acr`.
    pub acr: Acr,
    /// Element 0 of member `amr`.
    pub amr: Amr,
    /// Member `auth_time`: when the person really acted.
    pub auth_time: UnixTime,
    /// Whether `urn:telematik:auth:consent` = `["loa-substantial"]` is released (version 2, level substantial).
    pub states_consent: bool,
    /// Whether `urn:telematik:auth:interactive` = `"silent"` is released (version 2, single sign-on).
    pub states_silent: bool,
}

/// Why a session may not be used; the person has to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SsoRefusal {
    /// `prompt=login` or `max_age=0`.
    #[error("prompt=login or max_age=0: single sign-on is excluded")]
    FreshLoginDemanded,
    /// The service is not on the insurer's list.
    #[error("single sign-on is not admitted for this client_id")]
    ClientNotAdmitted,
    /// A guest login leaves no session.
    #[error("a guest login is never continued")]
    GuestSession,
    /// Older than the policy or `max_age` admits, or dated in the future.
    #[error("the session is older than policy or max_age admits")]
    TooOld,
    /// The session's level, method or consent does not meet what is asked.
    #[error("the session does not meet the level or method asked for")]
    TooWeak,
}

/// Why what the person did does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelRefusal {
    /// The insurer does not offer this method, or not at this level.
    #[error("the method is not admitted by the insurer's policy")]
    MethodNotAdmitted,
    /// The service demands other methods.
    #[error("amr: the service demands another method")]
    OtherMethodDemanded,
    /// The service demands high, the login reached substantial: step up with a card.
    #[error("acr: gematik-ehealth-loa-high is demanded, a card login is needed")]
    StepUpNeeded,
    /// Substantial without the person's consent to it (A_27593).
    #[error("acr: gematik-ehealth-loa-substantial needs the person's consent")]
    ConsentMissing,
    /// `prompt=login` or `max_age` not met.
    #[error("max_age or prompt=login: the authentication is too old")]
    TooOld,
}

/// The one name of an authentication on the wire: gematik digest 6.7 and 8.2.
///
/// Substantial is `mEW` in version 1 and `other` in version 2, whatever the method was; a session is `sso` in
/// version 1 at level high and `other` in version 2; else the method's own name.
#[must_use]
pub fn amr_for(method: Method, level: Acr, session: Session, version: IdTokenVersion) -> Amr {
    match (version, level, session) {
        (IdTokenVersion::V1, Acr::Substantial, _) => Amr::WithConsent,
        (IdTokenVersion::V2, Acr::Substantial, _) | (IdTokenVersion::V2, Acr::High, Session::SingleSignOn) => {
            Amr::Other
        }
        (IdTokenVersion::V1, Acr::High, Session::SingleSignOn) => Amr::Sso,
        (_, Acr::High, Session::Fresh) => match method {
            Method::HealthCard => Amr::HealthCard,
            Method::GuestHealthCard => Amr::GuestHealthCard,
            Method::IdentityCard => Amr::IdentityCard,
            Method::DeviceKey => Amr::Other,
        },
    }
}

impl LevelRequest {
    /// The least level the service accepts: substantial where it is among those asked for or where high is only a
    /// wish, else high.
    #[must_use]
    pub fn least_level(&self) -> Acr {
        let asks_high = !self.acr_values.contains(&Acr::Substantial);
        if asks_high && self.acr_demand == Demand::Essential {
            Acr::High
        } else {
            Acr::Substantial
        }
    }

    fn demands_fresh_login(&self) -> bool {
        self.prompt_login || self.max_age_seconds == Some(0)
    }

    /// Whether an authentication of this name and method answers the demanded methods.
    fn admits(&self, method: Method, amr: Amr) -> bool {
        // A guest login is only ever given where it was asked for, and nothing else where only it was asked for.
        let guest_asked = self.amr_values.contains(&Amr::GuestHealthCard);
        if method == Method::GuestHealthCard {
            return guest_asked;
        }
        self.amr_demand == Demand::Voluntary || self.amr_values.is_empty() || self.amr_values.contains(&amr)
    }
}

impl AuthenticationPolicy {
    /// Methods this insurer may offer for this request, in the policy's order.
    ///
    /// A method is offered when a level it reaches satisfies both sides; for device keys, when some class does.
    #[must_use]
    pub fn permitted_methods(&self, request: &LevelRequest) -> Vec<Method> {
        self.methods
            .iter()
            .filter(|rule| {
                let reachable: Vec<Acr> = match rule.method {
                    Method::DeviceKey => self
                        .device_classes
                        .iter()
                        .filter(|class| class.admits(Purpose::Login))
                        .map(|class| class.level.min(rule.level))
                        .collect(),
                    Method::HealthCard | Method::GuestHealthCard | Method::IdentityCard => {
                        vec![rule.level]
                    }
                };
                reachable
                    .into_iter()
                    .filter(|level| *level >= request.least_level())
                    .any(|level| {
                        request.admits(
                            rule.method,
                            amr_for(rule.method, level, Session::Fresh, request.version),
                        )
                    })
            })
            .map(|rule| rule.method)
            .collect()
    }

    /// Whether the session `performed` may stand for a fresh login (gematik digest 8.3, 8.5).
    ///
    /// # Errors
    /// [`SsoRefusal`]; the person then authenticates as if there were no session.
    pub fn check_sso(&self, request: &LevelRequest, performed: &Performed, now: UnixTime) -> Result<(), SsoRefusal> {
        if request.demands_fresh_login() {
            return Err(SsoRefusal::FreshLoginDemanded);
        }
        if !self.sso.allowed_clients.contains(&request.client_id) {
            return Err(SsoRefusal::ClientNotAdmitted);
        }
        if performed.method == Method::GuestHealthCard {
            return Err(SsoRefusal::GuestSession);
        }
        let limit = request
            .max_age_seconds
            .map_or(self.sso.max_age_seconds, |age| age.min(self.sso.max_age_seconds));
        if performed.auth_time > now || now.seconds_since(performed.auth_time) > limit {
            return Err(SsoRefusal::TooOld);
        }
        let session = Performed {
            session: Session::SingleSignOn,
            ..performed.clone()
        };
        self.decide_level(request, &session, now)
            .map(|_| ())
            .map_err(|_| SsoRefusal::TooWeak)
    }

    /// Whether what the person did suffices, and how the token names it (gematik digest 8.3).
    ///
    /// The level is always stated truthfully: asked for substantial, a card login answers high.
    ///
    /// # Errors
    /// [`LevelRefusal`]: another method, a step-up or a fresh login is needed.
    pub fn decide_level(
        &self,
        request: &LevelRequest,
        performed: &Performed,
        now: UnixTime,
    ) -> Result<LevelOutcome, LevelRefusal> {
        let admitted = self.level_of(performed.method).ok_or(LevelRefusal::MethodNotAdmitted)?;
        if performed.level > admitted {
            return Err(LevelRefusal::MethodNotAdmitted);
        }
        if performed.level < request.least_level() {
            return Err(LevelRefusal::StepUpNeeded);
        }
        if performed.level == Acr::Substantial && !performed.consented_to_substantial {
            return Err(LevelRefusal::ConsentMissing);
        }
        let amr = amr_for(performed.method, performed.level, performed.session, request.version);
        if !request.admits(performed.method, amr) {
            return Err(LevelRefusal::OtherMethodDemanded);
        }
        // A fresh login happened after the request and meets every `max_age`; reading the consent page must not undo it.
        let single_sign_on = performed.session == Session::SingleSignOn;
        let age_seconds = now.seconds_since(performed.auth_time);
        let too_old = request.max_age_seconds.is_some_and(|limit| age_seconds > limit);
        if single_sign_on && (too_old || request.demands_fresh_login()) {
            return Err(LevelRefusal::TooOld);
        }
        let version_2 = request.version == IdTokenVersion::V2;
        Ok(LevelOutcome {
            acr: performed.level,
            amr,
            auth_time: performed.auth_time,
            states_consent: version_2 && performed.level == Acr::Substantial,
            states_silent: version_2 && single_sign_on,
        })
    }
}

#[cfg(test)]
mod tests;
