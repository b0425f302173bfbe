//! The release a verdict is about.

use crate::manifest::ApprovedInstance;
use crate::platform::Measurement;

/// What runs, and where the manifest says it comes from: enough to build it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    measurement: Measurement,
    commit: Vec<u8>,
    build_recipe: [u8; 32],
}

impl Release {
    pub(super) fn of(instance: &ApprovedInstance) -> Self {
        Self {
            measurement: instance.measurement().clone(),
            commit: instance.commit().to_vec(),
            build_recipe: *instance.build_recipe(),
        }
    }

    /// As a stated one, to try rebuilding without an instance.
    #[must_use]
    pub fn stated(measurement: Measurement, commit: Vec<u8>, build_recipe: [u8; 32]) -> Self {
        Self {
            measurement,
            commit,
            build_recipe,
        }
    }

    /// What the platform measured.
    #[must_use]
    pub fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// The source commit: 20 or 32 bytes; zeros where nobody knows it.
    #[must_use]
    pub fn commit(&self) -> &[u8] {
        &self.commit
    }

    /// SHA-256 of the build recipe (`script/release` of that commit); zeros where nobody knows it.
    #[must_use]
    pub fn build_recipe(&self) -> &[u8; 32] {
        &self.build_recipe
    }
}
