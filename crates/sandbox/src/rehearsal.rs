//! Rehearsing a key rollover: the steps are made while people log in all the time, and every login has to succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use transport::{AddressRule, HttpClient, HttpClientError};

use crate::description::Description;
use crate::headless::{Decision, Headless, HeadlessError, Means};
use crate::insurers::Insurer;
use crate::people::Person;
use crate::rollover::{RolloverKey, RolloverStep};
use crate::services::Service;

/// Who logs in during a rehearsal, at each insurer.
const PEOPLE: [&str; 2] = ["lena", "fiona"];
/// Failures whose reason is kept.
const MAX_REASONS: usize = 5;

/// What is rehearsed.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Which key.
    pub key: RolloverKey,
    /// Whose: an insurer's or a service's word; ignored for the provider's TLS key.
    pub of: String,
    /// Logins at the same time.
    pub workers: usize,
    /// Logins that must have ended before each next step, and after the last.
    pub logins_per_step: usize,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each step, and how many logins had succeeded before it.
    pub steps: Vec<(RolloverStep, usize)>,
    /// Logins that succeeded.
    pub succeeded: usize,
    /// Logins that failed.
    pub failed: usize,
    /// Reasons of the first failures.
    pub reasons: Vec<String>,
}

/// Why a rehearsal could not be held.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// A step was refused.
    #[error("{step}: {reason}")]
    Step {
        /// Which.
        step: &'static str,
        /// What the sandbox says.
        reason: String,
    },
    /// The sandbox does not answer.
    #[error(transparent)]
    Http(#[from] HttpClientError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] transport::TlsError),
    /// The logins cannot begin.
    #[error(transparent)]
    Headless(#[from] HeadlessError),
}

/// Where logins come from.
#[derive(Clone)]
enum Logins {
    /// One service that stays: what it keeps in memory has to cope with the new keys.
    Same(Arc<Headless>),
    /// The service as its key file has it now: for rollovers of its own keys in another process.
    Anew(Box<Description>),
}

#[derive(Default)]
struct Count {
    succeeded: AtomicUsize,
    failed: AtomicUsize,
    reasons: Mutex<Vec<String>>,
    over: AtomicBool,
    one_more: Notify,
}

impl Rehearsal {
    /// Holds the rehearsal in the sandbox that `headless` logs in to. `shares_keys`: its services are the running ones, in this process.
    /// `told` hears of each step as it is made.
    ///
    /// # Errors
    /// [`RehearsalError`]; failed logins are in the report instead.
    pub async fn hold(
        &self,
        headless: Arc<Headless>,
        shares_keys: bool,
        told: impl Fn(RolloverStep, usize),
    ) -> Result<Report, RehearsalError> {
        let description = headless.description().clone();
        let client = HttpClient::builder(headless.roots(), AddressRule::LoopbackAllowed)
            .loopback_names(&description.host_names)
            .build()?;
        let of_service = matches!(
            self.key,
            RolloverKey::ServiceCertificate | RolloverKey::ServiceEncryption
        );
        let logins = if of_service && !shares_keys {
            Logins::Anew(Box::new(description.clone()))
        } else {
            Logins::Same(headless)
        };
        let count = Arc::new(Count::default());
        let mut workers = JoinSet::new();
        for number in 0..self.workers.max(1) {
            let (rehearsal, logins, count) = (self.clone(), logins.clone(), Arc::clone(&count));
            workers.spawn(async move { rehearsal.work(number, logins, &count).await });
        }
        let steps = self.make_steps(&client, &description, &count, told).await;
        count.over.store(true, Ordering::Relaxed);
        while workers.join_next().await.is_some() {}
        Ok(Report {
            steps: steps?,
            succeeded: count.succeeded.load(Ordering::Relaxed),
            failed: count.failed.load(Ordering::Relaxed),
            reasons: count.reasons.lock().await.clone(),
        })
    }

    async fn make_steps(
        &self,
        client: &HttpClient,
        description: &Description,
        count: &Count,
        told: impl Fn(RolloverStep, usize),
    ) -> Result<Vec<(RolloverStep, usize)>, RehearsalError> {
        let mut steps = Vec::new();
        for step in RolloverStep::ALL {
            count.wait_for(self.logins_per_step).await;
            let url = format!(
                "{}/rehearsal/{}/{}/{}",
                description.portal,
                self.key.word(),
                self.of,
                step.word()
            );
            let answer = client.post_form(&url, &[], &[(crate::TOOL_HEADER, "yes")]).await?;
            if !answer.is_success() {
                let body: serde_json::Value = answer.json().unwrap_or_default();
                let reason = body.get("error_description").and_then(|text| text.as_str());
                return Err(RehearsalError::Step {
                    step: step.word(),
                    reason: reason.map_or_else(|| format!("status {}", answer.status), str::to_owned),
                });
            }
            let before = count.succeeded.load(Ordering::Relaxed);
            told(step, before);
            steps.push((step, before));
        }
        count.wait_for(self.logins_per_step).await;
        Ok(steps)
    }

    /// Logs in until the rehearsal is over.
    async fn work(&self, number: usize, logins: Logins, count: &Count) {
        let mut turn = number;
        while !count.over.load(Ordering::Relaxed) {
            turn += 1;
            match self.log_in(turn, &logins).await {
                Ok(()) => {
                    count.succeeded.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    count.failed.fetch_add(1, Ordering::Relaxed);
                    let mut reasons = count.reasons.lock().await;
                    if reasons.len() < MAX_REASONS {
                        reasons.push(in_full(&error));
                    }
                }
            }
            count.one_more.notify_waiters();
        }
    }

    async fn log_in(&self, turn: usize, logins: &Logins) -> Result<(), HeadlessError> {
        // The party whose key is moved is in every login; the other changes.
        let service = match Service::parse(&self.of) {
            Some(service) => service,
            None => Service::ALL[turn % Service::ALL.len()],
        };
        let word = match Insurer::parse(&self.of) {
            Some(Insurer::Leuchtturm) => PEOPLE[0],
            Some(Insurer::Kleeblatt) => PEOPLE[1],
            None => PEOPLE[turn / 2 % PEOPLE.len()],
        };
        let headless = match logins {
            Logins::Same(headless) => Arc::clone(headless),
            Logins::Anew(description) => Arc::new(Headless::at((**description).clone())?),
        };
        let Some(person) = Person::find(word) else {
            return Err(HeadlessError::NoIdentity);
        };
        let means = Means::Person { word, pin: person.pin };
        let options = Headless::options(service, None);
        headless
            .log_in(service, person.insurer, &options, means, &Decision::ApproveAll)
            .await?;
        Ok(())
    }
}

impl Count {
    /// Waits until so many further logins ended, well or badly.
    async fn wait_for(&self, further: usize) {
        let ended = || self.succeeded.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed);
        let goal = ended() + further;
        loop {
            let one_more = self.one_more.notified();
            if ended() >= goal {
                return;
            }
            one_more.await;
        }
    }
}

/// An error with everything behind it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
