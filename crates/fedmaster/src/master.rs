//! The Federation Master itself: what it says about itself and about others.
//!
//! Every statement is signed when it is asked for, with the time of asking, so that a deleted participant has no fresh statement from
//! the next request on (A_23087) and nothing waits for a timer (A_22947 to A_22949).

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use federation::idp_list::{self, IdpEntry};
use federation::profile::{self, FederationMasterEndpoints};
use federation::{EntityId, EntityType, Schemes, statement};
use jose::jwk::JwkSet;
use jose::{Signer, UnixTime};
use transport::Fetch;

use crate::check::CheckContext;
use crate::clock::Clock;
use crate::finding::Finding;
use crate::keys::{KeyDirectory, KeyDirectoryError, MasterKeys};
use crate::participant::Participant;
use crate::refusal::FederationRefusal;
use crate::registration::{ParticipantType, Profile, Registration, RegistrationForm, Role};
use crate::registry::{Registered, Registry, RegistryError, Storage};

/// Path of the fetch endpoint, below the entity identifier (production's path).
pub const FETCH_PATH: &str = "/federation/fetch";
/// Path of the list endpoint.
pub const LIST_PATH: &str = "/federation/list";
/// Path of the list of identity providers.
pub const IDP_LIST_PATH: &str = "/federation/listidps";

/// Whether anybody may register over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenRegistration {
    /// Nobody: registrations come from the operator.
    No,
    /// Anybody who reaches the port: sandboxes only.
    Yes,
}

/// How a Federation Master is set up.
#[derive(Clone)]
pub struct MasterOptions {
    /// Its entity identifier; endpoints are below it.
    pub entity_id: EntityId,
    /// Production or sandbox rules.
    pub profile: Profile,
    /// Whether `/registration` is served.
    pub registration: OpenRegistration,
    /// Life of every statement and list, in seconds. 24 h in production.
    pub lifetime_seconds: u64,
    /// Where registrations live.
    pub storage: Storage,
    /// Time.
    pub clock: Clock,
    /// Fetches participants' statements for the checks; without it they are not checked.
    pub fetcher: Option<Arc<dyn Fetch>>,
    /// Where key steps are written down; without it they are gone with the process.
    pub key_directory: Option<KeyDirectory>,
}

impl MasterOptions {
    /// A master in memory, with production's lifetime, closed registration and no checks; change what differs.
    pub fn new(entity_id: EntityId, profile: Profile, clock: Clock) -> Self {
        Self {
            entity_id,
            profile,
            registration: OpenRegistration::No,
            lifetime_seconds: profile::FEDERATION_MASTER_LIFETIME_SECONDS,
            storage: Storage::Memory,
            clock,
            fetcher: None,
            key_directory: None,
        }
    }
}

/// Why a registration was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Rules are broken; never empty.
    #[error("registration refused: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Refused(Vec<Finding>),
    /// The registry could not take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// The Federation Master. Clones share everything.
#[derive(Clone)]
pub struct FederationMaster {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: MasterOptions,
    keys: RwLock<MasterKeys>,
    registry: RwLock<Registry>,
}

impl std::fmt::Debug for FederationMaster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FederationMaster({})", self.inner.options.entity_id)
    }
}

impl FederationMaster {
    /// Sets a master up and reads the registrations its storage holds.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn new(options: MasterOptions, keys: MasterKeys) -> Result<Self, RegistryError> {
        let registry = Registry::open(options.storage.clone(), options.profile)?;
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                keys: RwLock::new(keys),
                registry: RwLock::new(registry),
            }),
        })
    }

    /// Its entity identifier.
    pub fn entity_id(&self) -> &EntityId {
        &self.inner.options.entity_id
    }

    /// Its keys as published: what others pin as trust anchor.
    pub fn published_keys(&self) -> JwkSet {
        self.keys().published()
    }

    /// The endpoints its own statement names.
    pub fn endpoints(&self) -> FederationMasterEndpoints {
        let base = self.entity_id();
        FederationMasterEndpoints {
            fetch: format!("{base}{FETCH_PATH}"),
            list: format!("{base}{LIST_PATH}"),
            idp_list: format!("{base}{IDP_LIST_PATH}"),
        }
    }

    /// Now, by its clock.
    pub fn now(&self) -> UnixTime {
        (self.inner.options.clock)()
    }

    /// Its own statement (A_22607, A_22948).
    ///
    /// # Errors
    /// [`FederationRefusal::SigningFailed`].
    pub fn own_statement(&self, now: UnixTime) -> Result<String, FederationRefusal> {
        let keys = self.keys();
        let claims = profile::federation_master_statement(
            self.entity_id(),
            &keys.published().keys,
            &self.endpoints(),
            now,
            self.inner.options.lifetime_seconds,
        );
        statement::issue(&claims, signing(&keys)?).map_err(|_| FederationRefusal::SigningFailed)
    }

    /// Its statement about a participant (AF_10101, A_22949). `sub` empty or the master itself gives its own statement, as in
    /// production.
    ///
    /// # Errors
    /// [`FederationRefusal`].
    pub fn fetch(
        &self,
        iss: Option<&str>,
        sub: Option<&str>,
        aud: Option<&str>,
        now: UnixTime,
    ) -> Result<String, FederationRefusal> {
        let iss = iss.ok_or(FederationRefusal::ParameterMissing("iss"))?;
        let sub = sub.ok_or(FederationRefusal::ParameterMissing("sub"))?;
        let iss = EntityId::parse(iss, Schemes::HttpsOnly).map_err(|_| FederationRefusal::IssuerMalformed)?;
        if iss != *self.entity_id() {
            return Err(FederationRefusal::IssuerNotMaster);
        }
        if sub.is_empty() || sub == self.entity_id().as_str() {
            return self.own_statement(now);
        }
        let sub = EntityId::parse(sub, Schemes::HttpsOnly).map_err(|_| FederationRefusal::SubjectMalformed)?;
        let registry = self.registry();
        let participant = registry
            .find(&sub)
            .filter(|participant| participant.state.is_published())
            .ok_or(FederationRefusal::SubjectUnknown)?;
        let audience = match aud {
            None => None,
            Some(aud) => {
                let aud = EntityId::parse(aud, Schemes::HttpsOnly).map_err(|_| FederationRefusal::AudienceRefused)?;
                let known = registry
                    .find(&aud)
                    .is_some_and(|participant| participant.state.is_published());
                Some(Some(aud).filter(|_| known).ok_or(FederationRefusal::AudienceRefused)?)
            }
        };
        let claims = profile::subordinate_statement(
            self.entity_id(),
            &sub,
            &participant.registration.keys().keys,
            &published_metadata(&participant.registration),
            audience.as_ref(),
            now,
            self.inner.options.lifetime_seconds,
        );
        statement::issue(&claims, signing(&self.keys())?).map_err(|_| FederationRefusal::SigningFailed)
    }

    /// The entity identifiers of all participants, or of one type (OpenID Federation 1.0 §8.2), in byte order.
    pub fn list(&self, entity_type: Option<EntityType>) -> Vec<EntityId> {
        self.registry()
            .all()
            .filter(|participant| participant.state.is_published())
            .map(|participant| &participant.registration)
            .filter(|registration| match entity_type {
                None | Some(EntityType::FederationEntity) => true,
                Some(EntityType::OpenIdProvider) => {
                    registration.participant_type() == ParticipantType::IdentityProvider
                }
                Some(EntityType::OpenIdRelyingParty) => {
                    registration.participant_type() == ParticipantType::RelyingParty
                }
            })
            .map(|registration| registration.entity_id().clone())
            .collect()
    }

    /// The signed list of identity providers (AF_10100, A_22947). Name and logo are those of the provider's last good statement,
    /// else those registered.
    ///
    /// # Errors
    /// [`FederationRefusal::SigningFailed`].
    pub fn idp_list(&self, now: UnixTime) -> Result<String, FederationRefusal> {
        let entries: Vec<IdpEntry> = self.registry().all().filter_map(idp_entry).collect();
        let exp = now.plus_seconds(self.inner.options.lifetime_seconds);
        idp_list::issue(self.entity_id(), now, exp, &entries, signing(&self.keys())?)
            .map_err(|_| FederationRefusal::SigningFailed)
    }

    /// Takes a registration in, or replaces an earlier one of the same entity.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn register(&self, form: RegistrationForm) -> Result<Registered, RegisterError> {
        let outcomes = self.register_all(vec![form])?;
        Ok(outcomes.into_iter().next().unwrap_or(Registered::Created))
    }

    /// Takes several registrations in, all or none, with one durable write.
    ///
    /// # Errors
    /// [`RegisterError`]; the findings of all forms together, members prefixed with the entity identifier if there are several.
    pub fn register_all(&self, forms: Vec<RegistrationForm>) -> Result<Vec<Registered>, RegisterError> {
        let several = forms.len() > 1;
        let mut findings = Vec::new();
        let mut registrations = Vec::with_capacity(forms.len());
        for form in forms {
            let name = form.entity_id.clone();
            match self.check_form(form) {
                Ok(registration) => registrations.push(registration),
                Err(refused) => findings.extend(refused.into_iter().map(|mut finding| {
                    if several {
                        finding.member = format!("{name}: {}", finding.member);
                    }
                    finding
                })),
            }
        }
        if !findings.is_empty() {
            return Err(RegisterError::Refused(findings));
        }
        Ok(self.registry_mut().register(registrations)?)
    }

    /// Ends a participant's membership (A_23087). Returns whether there was one.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn delete(&self, entity_id: &EntityId) -> Result<bool, RegistryError> {
        self.registry_mut().delete(entity_id)
    }

    /// One participant, published or not.
    pub fn participant(&self, entity_id: &EntityId) -> Option<Participant> {
        self.registry().find(entity_id).cloned()
    }

    /// All participants, published or not, in byte order of their identifiers.
    pub fn participants(&self) -> Vec<Participant> {
        self.registry().all().cloned().collect()
    }

    /// First step of a rollover of the master's own key: publish the next key.
    ///
    /// # Errors
    /// [`KeyDirectoryError`].
    pub fn announce_key(&self, key: Arc<dyn Signer>) -> Result<(), KeyDirectoryError> {
        self.change_keys(|keys| keys.announce(key).map_err(Into::into))
    }

    /// As [`FederationMaster::announce_key`], with a new key in the key directory, or in memory when there is none.
    ///
    /// # Errors
    /// [`KeyDirectoryError`].
    pub fn announce_new_key(&self, kid: &str) -> Result<(), KeyDirectoryError> {
        let key = match &self.inner.options.key_directory {
            Some(directory) => directory.generate(kid)?,
            None => jose::SoftwareKey::generate(kid)?,
        };
        self.announce_key(Arc::new(key))
    }

    /// Second step: sign with the announced key.
    ///
    /// # Errors
    /// [`KeyDirectoryError`].
    pub fn sign_with_key(&self, kid: &str) -> Result<(), KeyDirectoryError> {
        self.change_keys(|keys| keys.sign_with(kid).map_err(Into::into))
    }

    /// Third step: take the old key out.
    ///
    /// # Errors
    /// [`KeyDirectoryError`].
    pub fn retire_key(&self, kid: &str) -> Result<(), KeyDirectoryError> {
        self.change_keys(|keys| keys.retire(kid).map_err(Into::into))
    }

    pub(crate) fn context(&self) -> CheckContext {
        CheckContext {
            master: self.entity_id().clone(),
            profile: self.inner.options.profile,
        }
    }

    pub(crate) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        // Changes are single assignments, so a poisoned lock still holds a whole registry.
        self.inner.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.inner.registry.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_form(&self, form: RegistrationForm) -> Result<Registration, Vec<Finding>> {
        use crate::finding::Rule;
        let registration = form.check(self.inner.options.profile)?;
        if registration.entity_id() == self.entity_id() {
            let expected = "an identifier of its own (this one is the Federation Master's)";
            let found = self.entity_id().as_str();
            return Err(vec![Finding::new(Rule::EntityIdentifier, "entity_id", expected, found)]);
        }
        Ok(registration)
    }

    fn keys(&self) -> RwLockReadGuard<'_, MasterKeys> {
        self.inner.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Durable first, visible second.
    fn change_keys(
        &self,
        change: impl FnOnce(&mut MasterKeys) -> Result<(), KeyDirectoryError>,
    ) -> Result<(), KeyDirectoryError> {
        let mut keys = self.inner.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = keys.clone();
        change(&mut changed)?;
        if let Some(directory) = &self.inner.options.key_directory {
            directory.save_index(&changed)?;
        }
        *keys = changed;
        Ok(())
    }
}

fn signing(keys: &MasterKeys) -> Result<&dyn Signer, FederationRefusal> {
    keys.signing()
        .map(AsRef::as_ref)
        .ok_or(FederationRefusal::SigningFailed)
}

fn published_metadata(registration: &Registration) -> profile::Participant {
    match registration.role() {
        Role::IdentityProvider { .. } => profile::Participant::OpenIdProvider,
        Role::RelyingParty {
            redirect_uris,
            scopes,
            claims,
        } => profile::Participant::OpenIdRelyingParty {
            redirect_uris: redirect_uris.clone(),
            scopes: scopes.clone(),
            claims: claims.clone(),
        },
    }
}

fn idp_entry(participant: &Participant) -> Option<IdpEntry> {
    let registration = &participant.registration;
    let Role::IdentityProvider {
        logo_uri,
        user_type,
        pkv,
        ..
    } = registration.role()
    else {
        return None;
    };
    if !participant.state.is_published() {
        return None;
    }
    let observed = participant.observed.as_ref();
    Some(IdpEntry {
        iss: registration.entity_id().clone(),
        organization_name: observed
            .and_then(|observed| observed.organization_name.clone())
            .unwrap_or_else(|| registration.organization_name().to_owned()),
        logo_uri: observed
            .and_then(|observed| observed.logo_uri.clone())
            .unwrap_or_else(|| logo_uri.clone()),
        user_type_supported: user_type.as_str().to_owned(),
        pkv: *pkv,
    })
}
