//! A platform that does not exist: quotes, certificates and collateral in Intel's shape, under a root made here.
//!
//! The verifier judges them with the code that judges genuine ones; only the root differs, and no verifier believes it
//! unless it was built with the feature `simulated` and told so. **Says nothing about hardware:** whoever holds the seed
//! can claim any measurement. For sandboxes, tests and development, never in a release of the provider.

mod collateral;
pub(crate) mod der;
mod key;
mod platform;
mod vendor;

pub use platform::{SimulatedEnclave, SimulatedPlatform};
pub use vendor::SimulatedVendor;

#[cfg(test)]
pub(crate) use collateral::CollateralShape;
#[cfg(test)]
pub(crate) use platform::{DomainShape, PlatformShape};

/// Stands in every certificate made here, and so in every binary that can make one: what a release is searched for.
pub const MARKER: &str = "healthid simulated platform, no hardware";

/// The simulation cannot go on: the cryptography library refused a key or a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulation cannot make a key or a signature")]
pub struct SimulationError;
