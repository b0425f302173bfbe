//! Which hardening controls are in force in an instance, as it reports them itself.
//!
//! The report goes into the evidence bundle, and its hash into the instance statement, so that it cannot be exchanged
//! on the way. It is a *statement of the measured program about itself*: worth as much as the measurement next to it.
//! Without trusted execution it is worth nothing against whoever owns the machine.
//!
//! A report names every control exactly once, so that leaving one out is not a way to hide that it is missing.
//!
//! **Does not:** apply a control (that is the room `harden`), or decide which must be in force (the verifier's policy).

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::digest;
use thiserror::Error;

/// Longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 160;

/// Longest encoded profile, in bytes.
pub const MAX_PROFILE_BYTES: usize = MAGIC.len() + 1 + Control::ALL.len() * (2 + 1 + MAX_REASON_BYTES);

const MAGIC: &[u8] = b"healthid hardening profile 1\n";

/// One thing that keeps a process from being looked into, or from doing what it need not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Control {
    /// `PR_SET_DUMPABLE` 0: other processes of the same user can neither trace it nor open its `/proc` files.
    NonDumpable,
    /// `RLIMIT_CORE` 0, soft and hard: a crash leaves no core file.
    NoCoreFile,
    /// `PR_SET_NO_NEW_PRIVS`: nothing it could ever execute gains a privilege by it.
    NoNewPrivileges,
    /// `mlockall`: no page reaches a swap device.
    LockedMemory,
    /// seccomp: system calls outside the reviewed list kill the process.
    SystemCallFilter,
    /// Landlock: files outside the declared set cannot be opened, by no user.
    FileAccess,
    /// `memfd_secret`: key pages are unreadable through the kernel.
    SecretMemory,
}

impl Control {
    /// Every control, in encoding order.
    pub const ALL: [Self; 7] = [
        Self::NonDumpable,
        Self::NoCoreFile,
        Self::NoNewPrivileges,
        Self::LockedMemory,
        Self::SystemCallFilter,
        Self::FileAccess,
        Self::SecretMemory,
    ];

    /// The name in bundles, verdicts and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NonDumpable => "non-dumpable",
            Self::NoCoreFile => "no-core-file",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::LockedMemory => "locked-memory",
            Self::SystemCallFilter => "system-call-filter",
            Self::FileAccess => "file-access",
            Self::SecretMemory => "secret-memory",
        }
    }

    /// Its number in the canonical encoding. Never reused.
    const fn number(self) -> u8 {
        match self {
            Self::NonDumpable => 1,
            Self::NoCoreFile => 2,
            Self::NoNewPrivileges => 3,
            Self::LockedMemory => 4,
            Self::SystemCallFilter => 5,
            Self::FileAccess => 6,
            Self::SecretMemory => 7,
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What became of a control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlState {
    /// It is required here, and it is in force.
    Required,
    /// It does not exist on this platform, or was configured away; why.
    NotApplicable(Reason),
    /// It should be in force and is not; why.
    Failed(Reason),
}

/// Why a control is not in force: at most [`MAX_REASON_BYTES`] of printable ASCII, for it is shown on terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// From any text: what is not printable ASCII becomes `?`, what is too long is cut, and none at all is `unstated`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.is_empty() {
            return Self("unstated".to_owned());
        }
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        Self(text.chars().take(MAX_REASON_BYTES).map(printable).collect())
    }

    fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        if bytes.len() > MAX_REASON_BYTES || !bytes.iter().all(|byte| *byte == b' ' || byte.is_ascii_graphic()) {
            return Err(ProfileError::Reason);
        }
        Ok(Self(bytes.iter().copied().map(char::from).collect()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The state of every control of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardeningProfile {
    controls: BTreeMap<Control, ControlState>,
}

impl HardeningProfile {
    /// A profile from what `state` says about each control.
    #[must_use]
    pub fn new(mut state: impl FnMut(Control) -> ControlState) -> Self {
        Self {
            controls: Control::ALL
                .into_iter()
                .map(|control| (control, state(control)))
                .collect(),
        }
    }

    /// The profile of a process that was not hardened at all; why.
    #[must_use]
    pub fn none(reason: &str) -> Self {
        Self::new(|_| ControlState::NotApplicable(Reason::new(reason)))
    }

    /// The same profile with one control's state replaced: for what is only known later, like secret memory.
    #[must_use]
    pub fn with(mut self, control: Control, state: ControlState) -> Self {
        self.controls.insert(control, state);
        self
    }

    /// Every control with its state, in encoding order.
    pub fn controls(&self) -> impl Iterator<Item = (Control, &ControlState)> {
        self.controls.iter().map(|(control, state)| (*control, state))
    }

    /// Whether this control is in force.
    #[must_use]
    pub fn is_in_force(&self, control: Control) -> bool {
        self.controls.get(&control) == Some(&ControlState::Required)
    }

    /// The controls that should be in force and are not.
    pub fn failures(&self) -> impl Iterator<Item = (Control, &Reason)> {
        self.controls().filter_map(|(control, state)| match state {
            ControlState::Failed(reason) => Some((control, reason)),
            ControlState::Required | ControlState::NotApplicable(_) => None,
        })
    }

    /// The canonical bytes: a headline, the number of controls, then for each its number, its state (0 in force,
    /// 1 not applicable, 2 failed), the length of the reason and the reason. One byte each but the reason.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        push_length(&mut bytes, self.controls.len());
        for (control, state) in &self.controls {
            let (state, reason) = match state {
                ControlState::Required => (0, ""),
                ControlState::NotApplicable(reason) => (1, reason.as_str()),
                ControlState::Failed(reason) => (2, reason.as_str()),
            };
            bytes.extend([control.number(), state]);
            push_length(&mut bytes, reason.len());
            bytes.extend(reason.as_bytes());
        }
        bytes
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, &self.to_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        hash
    }

    /// Reads canonical bytes, and only those: whatever is accepted encodes to the same bytes again.
    ///
    /// # Errors
    /// Refused, each for its own reason: a foreign headline, a control that is unknown, missing, repeated or out of
    /// order, an unknown state, a reason that is missing, superfluous, too long or not printable, bytes missing or left.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(ProfileError::Headline)?;
        if usize::from(take_byte(&mut rest)?) != Control::ALL.len() {
            return Err(ProfileError::Incomplete);
        }
        let mut controls = BTreeMap::new();
        for control in Control::ALL {
            // Complete and in order: so each place admits one number only.
            if take_byte(&mut rest)? != control.number() {
                return Err(ProfileError::Incomplete);
            }
            let state = take_byte(&mut rest)?;
            let length = usize::from(take_byte(&mut rest)?);
            let (reason, after) = rest.split_at_checked(length).ok_or(ProfileError::Truncated)?;
            rest = after;
            let state = match (state, reason.is_empty()) {
                (0, true) => ControlState::Required,
                (1, false) => ControlState::NotApplicable(Reason::parse(reason)?),
                (2, false) => ControlState::Failed(Reason::parse(reason)?),
                (0, false) | (1 | 2, true) => return Err(ProfileError::Reason),
                _ => return Err(ProfileError::State),
            };
            controls.insert(control, state);
        }
        if !rest.is_empty() {
            return Err(ProfileError::TrailingBytes);
        }
        Ok(Self { controls })
    }
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    // Reasons and the list of controls are shorter than 256 by construction.
    bytes.push(u8::try_from(length).unwrap_or(u8::MAX));
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, ProfileError> {
    let (first, after) = rest.split_first().ok_or(ProfileError::Truncated)?;
    *rest = after;
    Ok(*first)
}

/// Why bytes are no hardening profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// They do not begin as a profile of this version does.
    #[error("not a hardening profile of version 1")]
    Headline,
    /// A control is missing, unknown, repeated or out of order.
    #[error("the profile does not name each control exactly once, in order")]
    Incomplete,
    /// A state that does not exist.
    #[error("unknown state of a control")]
    State,
    /// A reason where none belongs, none where one belongs, too long, or not printable ASCII.
    #[error("the reason of a control is missing, superfluous, too long or not printable")]
    Reason,
    /// Bytes are missing.
    #[error("the profile ends too early")]
    Truncated,
    /// Bytes are left.
    #[error("bytes follow the profile")]
    TrailingBytes,
}

impl ProfileError {
    /// A stable code for logs and verdicts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Headline => "profile.headline",
            Self::Incomplete => "profile.incomplete",
            Self::State => "profile.state",
            Self::Reason => "profile.reason",
            Self::Truncated => "profile.truncated",
            Self::TrailingBytes => "profile.trailing_bytes",
        }
    }
}

#[cfg(test)]
mod tests;
