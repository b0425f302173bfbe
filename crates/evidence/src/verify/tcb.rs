//! How trustworthy a platform's own firmware and microcode are said to be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The judgement of a platform's trusted computing base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TcbStatus {
    /// Intel: nothing to do.
    UpToDate,
    /// Intel: the software inside must be hardened against the listed advisories.
    #[serde(rename = "SWHardeningNeeded")]
    SwHardeningNeeded,
    /// Intel: the machine's firmware settings must be changed.
    ConfigurationNeeded,
    /// Intel: both of these.
    #[serde(rename = "ConfigurationAndSWHardeningNeeded")]
    ConfigurationAndSwHardeningNeeded,
    /// Intel: updates are missing.
    OutOfDate,
    /// Intel: updates are missing, and settings must be changed.
    OutOfDateConfigurationNeeded,
    /// Intel: the domain was started on an older module than the one that runs now.
    #[serde(rename = "TDRelaunchAdvised")]
    TdRelaunchAdvised,
    /// Intel: so, and settings must be changed.
    #[serde(rename = "TDRelaunchAdvisedConfigurationNeeded")]
    TdRelaunchAdvisedConfigurationNeeded,
    /// Intel: the platform's keys are compromised. Never accepted.
    Revoked,
    /// AMD publishes versions instead of judgements: committed, current, launch and reported versions are all at or
    /// above the policy's floor.
    AtOrAboveFloor,
    /// Nobody judges this platform (`vtpm-dev`).
    NotRated,
}

impl TcbStatus {
    /// The vendor's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::TdRelaunchAdvised => "TDRelaunchAdvised",
            Self::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
            Self::Revoked => "Revoked",
            Self::AtOrAboveFloor => "AtOrAboveFloor",
            Self::NotRated => "NotRated",
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// AMD's processor products with SEV-SNP, as its certificates name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnpProduct {
    /// Third generation EPYC.
    Milan,
    /// Fourth generation EPYC, with its dense and embedded variants.
    Genoa,
    /// Fifth generation EPYC.
    Turin,
}

impl SnpProduct {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// AMD's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }
}

impl fmt::Display for SnpProduct {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The versions of the parts of a platform of AMD, each counted up with every security fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnpTcb {
    /// The firmware's micro-controller, since Turin; 0 before.
    pub fmc: u8,
    /// The secure processor's boot loader.
    pub bootloader: u8,
    /// Its operating system.
    pub tee: u8,
    /// Its SEV-SNP firmware.
    pub snp: u8,
    /// The processor's microcode.
    pub microcode: u8,
}

impl SnpTcb {
    /// The first part that is below `floor`.
    #[must_use]
    pub fn part_below(&self, floor: &Self) -> Option<&'static str> {
        [
            ("fmc", self.fmc, floor.fmc),
            ("bootloader", self.bootloader, floor.bootloader),
            ("tee", self.tee, floor.tee),
            ("snp", self.snp, floor.snp),
            ("microcode", self.microcode, floor.microcode),
        ]
        .into_iter()
        .find(|(_, found, least)| found < least)
        .map(|(part, ..)| part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lower_part_is_below_the_floor_whatever_the_others_are() {
        let floor = SnpTcb {
            fmc: 1,
            bootloader: 2,
            tee: 3,
            snp: 4,
            microcode: 5,
        };
        assert_eq!(floor.part_below(&floor), None);
        let high = SnpTcb {
            fmc: 255,
            bootloader: 255,
            tee: 255,
            snp: 255,
            microcode: 255,
        };
        assert_eq!(high.part_below(&floor), None);
        assert_eq!(SnpTcb { fmc: 0, ..high }.part_below(&floor), Some("fmc"));
        assert_eq!(SnpTcb { bootloader: 1, ..high }.part_below(&floor), Some("bootloader"));
        assert_eq!(SnpTcb { tee: 2, ..high }.part_below(&floor), Some("tee"));
        assert_eq!(SnpTcb { snp: 3, ..high }.part_below(&floor), Some("snp"));
        assert_eq!(SnpTcb { microcode: 4, ..high }.part_below(&floor), Some("microcode"));
    }
}
