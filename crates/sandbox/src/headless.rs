//! Whole logins without a screen: service, insurer, card or device, consent, token, every check. What `healthid login` and the tests run.
//!
//! Against a sandbox in the same process the services are its own; against one in another process the service's keys are read from its data
//! directory, and the answer to the browser never reaches the running service: both act as the same service.

mod claims;
mod error;

use std::sync::Arc;

use authenticator::Acr;
use evidence::verdict::{Pins, Verdict};
use federation::{EntityId, Schemes};
use fedmaster::Clock;
use jose::UnixTime;
use relying_party::client::{Connections, LevelRule, LoginOptions, RelyingParty, VerifiedIdToken};
use transport::{AddressRule, HttpClient, Roots};
use wallet::card::VirtualCard;
use wallet::phone::{AbortWhy, AnsweredLogin, BindingWish, BoundDevice, End, OpenedLogin, Phone};
use wallet::provider_check::ProviderCheck;

pub use self::error::HeadlessError;
use crate::cards::{Cards, ForeignCards};
use crate::data::DataDir;
use crate::description::{Description, NoAnchor};
use crate::insurers::Insurer;
use crate::sandbox::{RunningSandbox, party_config};
use crate::service_keys;
use crate::services::Service;
use claims::kept;

/// Somebody who can log in to a sandbox without a screen.
pub struct Headless {
    description: Description,
    parties: Vec<(Service, Arc<RelyingParty>)>,
    cards: Arc<Cards>,
    client: HttpClient,
    roots: Roots,
    clock: Clock,
}

/// What the person holds.
pub enum Means<'a> {
    /// One of the sandbox's cards, by the person's word, with the PIN she types.
    Person {
        /// Whose.
        word: &'a str,
        /// What she types.
        pin: &'a str,
    },
    /// Another card.
    Card {
        /// The card.
        card: &'a mut VirtualCard,
        /// What she types.
        pin: &'a str,
    },
    /// A bound phone.
    Device(&'a mut BoundDevice),
}

/// What she decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Decision {
    /// Release everything asked for.
    #[default]
    ApproveAll,
    /// Release everything but these, by claim or scope.
    ApproveWithout(Vec<String>),
    /// Release nothing.
    Decline,
}

/// What she says to a login that was begun on another device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Release everything but these, by claim or scope.
    Approve {
        /// The two digits that the asking page shows.
        number: String,
        /// What is not released.
        without: Vec<String>,
    },
    /// Release nothing.
    Decline,
    /// End it on both devices.
    Abort(AbortWhy),
}

/// Time that goes on.
#[derive(Clone)]
pub struct Ticking(Clock);

impl wallet::run::Clock for Ticking {
    fn now(&self) -> UnixTime {
        (self.0)()
    }
}

/// A login that succeeded.
#[derive(Debug)]
pub struct Login {
    /// The verified token.
    pub token: VerifiedIdToken,
    /// How often the request was pushed.
    pub pushes: u32,
}

impl std::fmt::Debug for Headless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Headless({})", self.description.portal)
    }
}

impl Headless {
    /// With a sandbox in this process.
    ///
    /// # Errors
    /// [`HeadlessError::Tls`].
    pub fn with(running: &RunningSandbox) -> Result<Self, HeadlessError> {
        let parties = Service::ALL
            .into_iter()
            .map(|service| (service, Arc::clone(running.service(service).party())))
            .collect();
        Ok(Self {
            client: client(running.roots(), &running.description().host_names)?,
            description: running.description().clone(),
            parties,
            cards: Arc::clone(running.cards()),
            roots: running.roots().clone(),
            clock: fedmaster::system_clock(),
        })
    }

    /// With a sandbox in another process of the same user on this machine.
    ///
    /// # Errors
    /// [`HeadlessError`].
    pub fn at(description: Description) -> Result<Self, HeadlessError> {
        if !description.data.is_dir() {
            return Err(HeadlessError::NoIdentity);
        }
        let data = Arc::new(DataDir::kept(&description.data)?);
        let identity = data.identity()?.ok_or(HeadlessError::NoIdentity)?;
        let pem = std::fs::read(&description.ca)
            .map_err(|error| HeadlessError::Authority(format!("{}: {error}", description.ca.display())))?;
        let roots = Roots::from_pem(&pem)?;
        let mut parties = Vec::new();
        for service in Service::ALL {
            parties.push((service, Arc::new(party(&description, &data, &roots, service)?)));
        }
        Ok(Self {
            client: client(&roots, &description.host_names)?,
            parties,
            cards: Arc::new(Cards::open(&identity, data, &ForeignCards::default())?),
            description,
            roots,
            clock: fedmaster::system_clock(),
        })
    }

    /// The sandbox.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Its cards.
    #[must_use]
    pub fn cards(&self) -> &Arc<Cards> {
        &self.cards
    }

    /// The authorities it believes.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// A phone with an insurer's app.
    #[must_use]
    pub fn phone(&self, insurer: Insurer) -> Phone {
        Phone::new(self.client.clone(), self.description.issuer(insurer))
    }

    /// What runs at an insurer's identity provider, as an app looks before its person signs anything. Refused evidence is an error.
    ///
    /// # Errors
    /// [`HeadlessError::Provider`], [`HeadlessError::Pins`].
    pub async fn check_provider(&self, insurer: Insurer) -> Result<Verdict, HeadlessError> {
        let file = &self.description.evidence_pins;
        let pins = |reason: String| HeadlessError::Pins {
            file: file.clone(),
            reason,
        };
        let document = std::fs::read(file).map_err(|error| pins(error.to_string()))?;
        let check = ProviderCheck {
            pins: Pins::parse(&document).map_err(|error| pins(error.to_string()))?,
            roots: self.roots.clone(),
            address_rule: AddressRule::LoopbackAllowed,
            loopback_names: self.description.host_names.clone(),
        };
        let mut nonce = [0; 32];
        vault::random(&mut nonce);
        let issuer = self.description.issuer(insurer);
        Ok(check.of(issuer, nonce, self.now()).await?)
    }

    /// What a service asks for where nobody says otherwise, at this level.
    #[must_use]
    pub fn options(service: Service, acr: Option<Acr>) -> LoginOptions {
        let personality = service.personality();
        let acr = acr.unwrap_or(personality.acr);
        LoginOptions {
            acr,
            level_rule: if acr == Acr::High {
                personality.level_rule
            } else {
                LevelRule::AtLeast
            },
            claims: personality.claims(&personality.scopes, acr),
            ..LoginOptions::default()
        }
    }

    /// One login, from the pushed request to the verified token.
    ///
    /// # Errors
    /// [`HeadlessError`], by step.
    pub async fn log_in(
        &self,
        service: Service,
        insurer: Insurer,
        options: &LoginOptions,
        means: Means<'_>,
        decision: &Decision,
    ) -> Result<Login, HeadlessError> {
        let party = self.party(service);
        let begun = party
            .begin_login(self.description.issuer(insurer), options, self.now())
            .await?;
        let back = self.answer(insurer, &begun.authorization_url, means, decision).await?;
        let code = begun.session.read_callback_url(&back)?;
        let token = party.redeem(begun.session, code, self.now()).await?;
        Ok(Login {
            token,
            pushes: begun.pushes,
        })
    }

    /// The person's part of a login alone: from the address the service sent her to, to the address she goes back to.
    ///
    /// # Errors
    /// [`HeadlessError`], by step.
    pub async fn answer(
        &self,
        insurer: Insurer,
        authorization_url: &str,
        means: Means<'_>,
        decision: &Decision,
    ) -> Result<String, HeadlessError> {
        let phone = self.phone(insurer);
        let opened = phone.open(authorization_url, self.now()).await?;
        let answered = self.known(opened, means).await?;
        match decision {
            Decision::ApproveAll => Ok(answered.approve_all().await?),
            Decision::Decline => Ok(answered.decline().await?),
            Decision::ApproveWithout(refused) => {
                let kept = kept(&answered, refused)?;
                let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
                Ok(answered.approve(&kept, false).await?)
            }
        }
    }

    /// Says who she is.
    async fn known<'p>(&self, opened: OpenedLogin<'p>, means: Means<'_>) -> Result<AnsweredLogin<'p>, HeadlessError> {
        Ok(match means {
            Means::Person { word, pin } => {
                let mut card = self.cards.verify_pin(word, pin)?;
                opened.answer_with_card(&card.verify_pin(pin)?).await?
            }
            Means::Card { card, pin } => opened.answer_with_card(&card.verify_pin(pin)?).await?,
            Means::Device(device) => opened.answer_with_device(device, self.now()).await?,
        })
    }

    /// Answers a login that was begun on another device. A phone's counter rises even when the provider refuses.
    ///
    /// # Errors
    /// [`HeadlessError`], by step.
    pub async fn reply(&self, opened: OpenedLogin<'_>, means: Means<'_>, reply: &Reply) -> Result<End, HeadlessError> {
        match reply {
            Reply::Decline => Ok(opened.decline_anywhere().await?),
            Reply::Abort(why) => Ok(opened.abort(*why).await?),
            Reply::Approve { number, without } => {
                let answered = self.known(opened, means).await?;
                let decision = wallet::phone::Decision::Approve {
                    voluntary: kept(&answered, without)?,
                    remember: false,
                    number: Some(number.clone()),
                };
                Ok(answered.end(decision).await?)
            }
        }
    }

    /// Time that goes on, for what takes minutes.
    #[must_use]
    pub fn clock(&self) -> Ticking {
        Ticking(Arc::clone(&self.clock))
    }

    /// Binds a fresh phone to a person by a card login to her account.
    ///
    /// # Errors
    /// [`HeadlessError`], by step.
    pub async fn bind(
        &self,
        insurer: Insurer,
        word: &str,
        pin: &str,
        wish: &BindingWish<'_>,
    ) -> Result<BoundDevice, HeadlessError> {
        let phone = self.phone(insurer);
        let mut card = self.cards.verify_pin(word, pin)?;
        let opened = phone.open_account(self.now()).await?;
        let answered = opened.answer_with_card(&card.verify_pin(pin)?).await?;
        Ok(answered.bind_device(wish).await?)
    }

    fn party(&self, service: Service) -> &RelyingParty {
        let found = self.parties.iter().find(|(known, _)| *known == service);
        // Both constructors make one for each.
        found.map_or_else(|| unreachable!("every service has a relying party"), |(_, party)| party)
    }
}

fn client(roots: &Roots, host_names: &[String]) -> Result<HttpClient, HeadlessError> {
    Ok(HttpClient::builder(roots, AddressRule::LoopbackAllowed)
        .loopback_names(host_names)
        .build()?)
}

fn party(
    description: &Description,
    data: &DataDir,
    roots: &Roots,
    service: Service,
) -> Result<RelyingParty, HeadlessError> {
    let entry = description.service(service).ok_or(HeadlessError::NoIdentity)?;
    let keys = service_keys::read(data, service, &entry.entity_id)?.ok_or(HeadlessError::NoIdentity)?;
    let entity_id = EntityId::parse(&entry.entity_id, Schemes::HttpsOnly).map_err(|_| NoAnchor)?;
    let config = party_config(service, entity_id, &entry.pages, description.trust_anchor()?);
    let connections = Connections::over_network(roots, AddressRule::LoopbackAllowed, &description.host_names)?;
    Ok(RelyingParty::new(config, keys, connections)?)
}
