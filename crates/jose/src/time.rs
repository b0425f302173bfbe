//! A moment, in the unit the JSON Web Token family uses.

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z without leap seconds: a `NumericDate` (RFC 7519 §2) that is a whole number
/// and not before 1970.
///
/// Arithmetic saturates, so a hostile `exp` near the end of the range cannot wrap round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// This moment, `seconds` later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// This moment, `seconds` earlier, not before 1970.
    #[must_use]
    pub const fn minus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Seconds passed since `earlier`; zero when `earlier` is in fact later.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::UnixTime;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(UnixTime(u64::MAX).plus_seconds(1), UnixTime(u64::MAX));
        assert_eq!(UnixTime(5).minus_seconds(6), UnixTime(0));
        assert_eq!(UnixTime(5).seconds_since(UnixTime(9)), 0);
        assert_eq!(UnixTime(9).seconds_since(UnixTime(5)), 4);
    }
}
