//! Why a run stops.

use authenticator::pin::PinError;

use crate::flow::FlowError;

/// No whole answer came. The words are for a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// Why the app did not do a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// She did not want to: card taken away, key not unlocked, screen closed.
    #[error("cancelled")]
    Cancelled,
    /// It could not be done. The words are the app's own, for its log.
    #[error("{0}")]
    Failed(String),
}

/// Why a run stops. Unless it [`ends`](Self::ends) it, running again goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The provider could not be reached. Running again sends the same.
    #[error("provider: {0}")]
    Unreachable(String),
    /// The protocol does not go on; the provider's refusal among others. Running again asks the person again.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The app did not do a step. Running again begins with the question before it.
    #[error("the app: {0}")]
    Step(#[from] StepError),
    /// This device is to answer or to ask, and no record of one at this insurer is kept.
    #[error("device: none is bound here")]
    NoDevice,
    /// What waits can only be asked with the device's key, and she was not to be asked for it.
    #[error("device: no ticket that still asks is kept; let her unlock the key")]
    Locked,
    /// The PIN is none.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// It is over: begin a new one.
    #[error("it is over: begin a new one")]
    Over,
}

impl RunError {
    /// Whether the run is over.
    #[must_use]
    pub fn ends(&self) -> bool {
        match self {
            Self::Flow(error) => error.ends(),
            Self::Over => true,
            Self::Unreachable(_) | Self::Step(_) | Self::NoDevice | Self::Locked | Self::Pin(_) => false,
        }
    }
}
