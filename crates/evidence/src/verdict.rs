//! The verdict: what whoever connects may believe, in ten lines and one sentence.
//!
//! **Trusted for:** [`Overall::Trusted`] is said only when every line holds: genuine hardware of a kind that keeps its
//! operator out, good firmware, no debugging, a build the manifest lists, enough approvals, the log and its witnesses,
//! this very TLS session, a listed machine, hardening in force, and a vault that needs the quorum and the HSM.
//!
//! **Does not:** promise what no quote can show. Hardware attacks with physical access recover attestation keys
//! (WireTap, Battering RAM, TEE.fail), so a machine's operator with a soldering iron is out of its reach; so are side
//! channels, and what a measured program does wrong by itself. Words that claim the operator's exclusion are written in
//! one place here, behind [`Overall::Trusted`].

mod judge;
mod pins;
mod release;

use std::fmt;

pub use judge::{Asked, judge};
pub use pins::{Pins, PinsError};
pub use release::Release;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The quote is by genuine hardware of a vendor.
    Hardware,
    /// Firmware and microcode are good enough.
    Tcb,
    /// Nobody debugs the instance.
    Debug,
    /// What runs is a release, built from a named commit.
    Measurement,
    /// Who approved that release.
    Approvals,
    /// The world could see it.
    Log,
    /// The evidence is for this very connection.
    Tls,
    /// Where the machine stands.
    Site,
    /// The process keeps its neighbours out.
    Hardening,
    /// What opens the vault.
    Lock,
    /// The release's source gives what was measured: only where somebody built it again.
    Rebuilt,
}

impl Subject {
    /// All that are judged from a bundle, in the order they are printed.
    pub const ALL: [Self; 10] = [
        Self::Hardware,
        Self::Tcb,
        Self::Debug,
        Self::Measurement,
        Self::Approvals,
        Self::Log,
        Self::Tls,
        Self::Site,
        Self::Hardening,
        Self::Lock,
    ];

    /// The line's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Hardware => "hardware genuine",
            Self::Tcb => "firmware state",
            Self::Debug => "debugging off",
            Self::Measurement => "measurement",
            Self::Approvals => "approved by",
            Self::Log => "log and witnesses",
            Self::Tls => "bound to this TLS",
            Self::Site => "site",
            Self::Hardening => "hardening",
            Self::Lock => "vault's lock",
            Self::Rebuilt => "built again",
        }
    }
}

/// How a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds; what was found.
    Ok(String),
    /// It was refused.
    Refused {
        /// The stable code.
        code: &'static str,
        /// In words.
        reason: String,
    },
    /// It could not be decided; why.
    Unknown(String),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub state: State,
}

/// The whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overall {
    /// Everything holds, on hardware that keeps its operator out.
    Trusted,
    /// Something was refused.
    Refused,
    /// Nothing was refused, but something could not be decided.
    Undecided,
    /// A simulation, a development platform or a development lock: whoever runs the machine reads everything.
    Unprotected,
}

impl Overall {
    /// 0 trusted, 1 refused, 2 cannot decide, 3 simulated or development.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Trusted => 0,
            Self::Refused => 1,
            Self::Undecided => 2,
            Self::Unprotected => 3,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    overall: Overall,
    lines: Vec<Line>,
    sentence: String,
    release: Option<Box<Release>>,
}

impl Verdict {
    /// The whole.
    #[must_use]
    pub fn overall(&self) -> Overall {
        self.overall
    }

    /// As [`Overall::exit_code`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.overall.exit_code()
    }

    /// One line per subject, in the order of [`Subject::ALL`]; then that of [`Verdict::with_rebuilt`].
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How one subject stands.
    #[must_use]
    pub fn state(&self, subject: Subject) -> Option<&State> {
        self.lines
            .iter()
            .find(|line| line.subject == subject)
            .map(|line| &line.state)
    }

    /// The verdict in one sentence.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// What runs, where the manifest admits it.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.release.as_deref()
    }

    /// With one more line: what building the release again gave. It can take trust away, never give it.
    #[must_use]
    pub fn with_rebuilt(mut self, state: State) -> Self {
        let title = Subject::Rebuilt.title();
        match (&state, self.overall) {
            (State::Ok(_), _) | (_, Overall::Refused) => {}
            (State::Refused { code, reason }, _) => {
                self.overall = Overall::Refused;
                self.sentence = format!("Refused: {title}: {reason} [{code}].");
            }
            (State::Unknown(reason), before) => {
                // What was wrong before is still worth knowing.
                self.sentence = match before {
                    Overall::Unprotected => format!("Cannot decide: not built again: {reason}. {}", self.sentence),
                    _ => format!("Cannot decide: not built again: {reason}."),
                };
                self.overall = Overall::Undecided;
            }
        }
        self.lines.push(Line {
            subject: Subject::Rebuilt,
            state,
        });
        self
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.subject.title();
        match &self.state {
            State::Ok(found) => write!(formatter, "ok       {title:<18} {found}"),
            State::Refused { code, reason } => write!(formatter, "REFUSED  {title:<18} {reason} [{code}]"),
            State::Unknown(reason) => write!(formatter, "unknown  {title:<18} {reason}"),
        }
    }
}

/// The lines, an empty line, the sentence.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(formatter, "{line}")?;
        }
        write!(formatter, "\n{}", self.sentence)
    }
}

#[cfg(test)]
mod tests;
