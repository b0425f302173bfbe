//! Why a login on the phone does not go on.

use transport::HttpClientError;

use crate::flow::FlowError;

/// Why a login on the phone does not go on.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The provider could not be reached.
    #[error("provider: {0}")]
    Http(#[from] HttpClientError),
    /// The protocol does not go on; the provider's refusal among others.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The key in memory failed.
    #[error("device: its key did not sign")]
    DeviceKey,
    /// The protocol core wants something that a phone without a screen does not have at this point. A defect.
    #[error("the protocol wants something else than the phone expects here")]
    OutOfStep,
}
