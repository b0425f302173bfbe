//! What runs at the identity provider, judged while the person looks at her token: a service's side of `healthid verify`.

use evidence::verdict::{Asked, Pins, State, Verdict, judge};
use jose::UnixTime;
use transport::{AddressRule, Roots};

use crate::evidence::ask;

/// How a service asks a provider for evidence, and whom it believes about it.
#[derive(Debug, Clone)]
pub struct EvidenceCheck {
    /// Whom to believe.
    pub pins: Pins,
    /// TLS authorities.
    pub roots: Roots,
    /// Addresses that may be asked.
    pub address_rule: AddressRule,
    /// Further host names of this machine.
    pub loopback_names: Vec<String>,
}

impl EvidenceCheck {
    /// Asks now, over a connection of its own.
    pub(super) async fn of(&self, provider: &str, now: UnixTime) -> Judged {
        match ask(provider, &self.roots, self.address_rule, &self.loopback_names).await {
            Ok(answer) => {
                let verdict = judge(&answer.bundle, &Asked::Here(answer.session), &self.pins, now);
                Judged::Verdict(verdict)
            }
            Err(error) => Judged::NoAnswer(error.to_string()),
        }
    }
}

/// What there is to show.
pub(super) enum Judged {
    Verdict(Verdict),
    /// Why there is none.
    NoAnswer(String),
}

/// One line of the page.
pub(super) struct Line {
    pub(super) title: &'static str,
    /// Class of the tag, and its word.
    pub(super) tag: (&'static str, &'static str),
    pub(super) words: String,
}

impl Judged {
    pub(super) fn sentence(&self) -> &str {
        match self {
            Self::Verdict(verdict) => verdict.sentence(),
            Self::NoAnswer(reason) => reason,
        }
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        let Self::Verdict(verdict) = self else {
            return Vec::new();
        };
        verdict
            .lines()
            .iter()
            .map(|line| {
                let (tag, words) = match &line.state {
                    State::Ok(found) => (("tag good", "ok"), found.clone()),
                    State::Refused { code, reason } => (("tag bad", "refused"), format!("{reason} [{code}]")),
                    State::Unknown(reason) => (("tag warn", "unknown"), reason.clone()),
                };
                Line {
                    title: line.subject.title(),
                    tag,
                    words,
                }
            })
            .collect()
    }
}
