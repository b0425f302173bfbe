//! The job that keeps an eye on participants: fetch, check, record.

use std::time::Duration;

use federation::EntityId;
use federation::statement::MEDIA_TYPE;
use futures_util::StreamExt as _;
use futures_util::stream;
use transport::{Fetch, Fetched};

use crate::check::{ParticipantCheck, check_participant};
use crate::finding::{Finding, Rule};
use crate::master::FederationMaster;
use crate::participant::Participant;
use crate::registration::Registration;
use crate::registry::RegistryError;

/// What a check of this registration gave; the finding says why there was no statement.
type Outcome = (Registration, Result<ParticipantCheck, Finding>);

/// Statements fetched at the same time.
const CONCURRENT_FETCHES: usize = 8;

impl FederationMaster {
    /// Fetches and checks one participant now. `None` when there is no such participant, or no fetcher.
    ///
    /// # Errors
    /// [`RegistryError`] when the outcome cannot be written down.
    pub async fn synchronise(&self, entity_id: &EntityId) -> Result<Option<Participant>, RegistryError> {
        let (Some(fetcher), Some(participant)) = (self.inner.options.fetcher.clone(), self.participant(entity_id))
        else {
            return Ok(None);
        };
        let outcome = self.examine(fetcher.as_ref(), &participant.registration).await;
        self.record(vec![(participant.registration, outcome)]).await?;
        Ok(self.participant(entity_id))
    }

    /// Fetches and checks all participants once.
    ///
    /// # Errors
    /// [`RegistryError`] when the outcome cannot be written down.
    pub async fn synchronise_all(&self) -> Result<(), RegistryError> {
        let Some(fetcher) = self.inner.options.fetcher.clone() else {
            return Ok(());
        };
        let fetcher = &fetcher;
        let outcomes: Vec<_> = stream::iter(self.participants())
            .map(|participant| async move {
                let outcome = self.examine(fetcher.as_ref(), &participant.registration).await;
                (participant.registration, outcome)
            })
            .buffer_unordered(CONCURRENT_FETCHES)
            .collect()
            .await;
        self.record(outcomes).await
    }

    /// Checks all participants every `interval` until `shutdown`.
    pub async fn watch(&self, interval: Duration, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut ticks = tokio::time::interval(interval.max(Duration::from_secs(1)));
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = &mut shutdown => return,
                outcome = self.synchronise_all() => if let Err(error) = outcome {
                    tracing::error!(event = "fedmaster.registry_not_written", %error);
                },
            }
        }
    }

    async fn examine(&self, fetcher: &dyn Fetch, registration: &Registration) -> Result<ParticipantCheck, Finding> {
        let url = registration.entity_id().well_known_url();
        let unreachable = |found: String| Finding::new(Rule::Reachable, &*url, "an entity statement", found);
        let fetched = match fetcher.fetch(&url, MEDIA_TYPE).await {
            Err(error) => return Err(unreachable(error.to_string())),
            Ok(fetched) if fetched.status != 200 => return Err(unreachable(format!("HTTP status {}", fetched.status))),
            Ok(fetched) => fetched,
        };
        let compact = String::from_utf8_lossy(&fetched.body);
        let mut check = check_participant(compact.trim(), registration, &self.context(), self.now());
        check.findings.extend(media_type_finding(&fetched));
        Ok(check)
    }

    /// Writes outcomes down, where waiting for the disk holds nobody up.
    async fn record(&self, outcomes: Vec<Outcome>) -> Result<(), RegistryError> {
        let master = self.clone();
        tokio::task::spawn_blocking(move || master.record_blocking(outcomes))
            .await
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::Other).into()))
    }

    /// Only for participants whose registration is still the one that was checked.
    fn record_blocking(&self, outcomes: Vec<Outcome>) -> Result<(), RegistryError> {
        let now = self.now();
        self.registry_mut().observe(|participants| {
            for (registration, outcome) in outcomes {
                let Some(participant) = participants.get_mut(registration.entity_id()) else {
                    continue;
                };
                if participant.registration != registration {
                    continue;
                }
                let before = participant.state;
                participant.observe(outcome, now);
                if before != participant.state {
                    tracing::info!(
                        event = "fedmaster.participant_state",
                        entity_id = %registration.entity_id(),
                        state = participant.state.as_str(),
                        rule = ?participant.findings.first().map(|finding| finding.rule),
                    );
                }
            }
        })
    }
}

fn media_type_finding(fetched: &Fetched) -> Option<Finding> {
    let found = fetched.media_type();
    if found.as_deref() == Some(MEDIA_TYPE) {
        return None;
    }
    let found = found.unwrap_or_else(|| "nothing".to_owned());
    Some(Finding::new(Rule::MediaType, "Content-Type", MEDIA_TYPE, found))
}
