//! Which generations of keys are in force, and which records move (`docs/operations/keys.md`, "Rotation").

use serde::Deserialize;
use vault::{Generation, Generations, Vault};

use super::LoadError;
use crate::reseal::Rotation;

/// Where a rotation stands. The same on every instance before the next step is taken on any. Under the lock `quorum+hsm` the root instances' word
/// counts: those that serve get the generations with their keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationsConfig {
    /// New records are sealed under it: 1 where left out.
    pub sealing: Option<u32>,
    /// Newest that is read; `sealing` where left out.
    pub readable: Option<u32>,
    /// New people are found by it: 1 where left out.
    pub index: Option<u32>,
    /// People are still found by it, and moved away from it.
    pub older_index: Option<u32>,
    /// What becomes of people's data keys.
    pub data_keys: Option<DataKeysStep>,
}

/// A step of the rotation of data keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataKeysStep {
    /// Everybody gets a new one beside the old one.
    Begin,
    /// The old ones are destroyed, and with them the history from before.
    Finish,
}

impl GenerationsConfig {
    /// The vault, reading and writing these generations.
    ///
    /// # Errors
    /// [`LoadError::Value`] for a generation 0, or one that is read but older than what is written.
    pub fn applied_to(&self, vault: Vault) -> Result<Vault, LoadError> {
        let refused = |member, reason: &str| LoadError::Value {
            member,
            reason: reason.to_owned(),
        };
        let number = |member, number: Option<u32>| match number.map(Generation::new) {
            None => Ok(Generation::FIRST),
            Some(Some(generation)) => Ok(generation),
            Some(None) => Err(refused(member, "generations are counted from 1")),
        };
        let sealing = number("generations.sealing", self.sealing)?;
        let readable = number("generations.readable", self.readable.or(self.sealing))?;
        let index = number("generations.index", self.index)?;
        if readable < sealing {
            return Err(refused("generations.readable", "must not be below generations.sealing"));
        }
        let older = match self.older_index {
            None => None,
            older => Some(number("generations.older_index", older)?),
        };
        if older.is_some_and(|older| older >= index) {
            return Err(refused("generations.older_index", "must be below generations.index"));
        }
        let vault = vault.at_generation(sealing).reading_up_to(readable);
        Ok(vault.at_index_generation(index, older))
    }

    /// What a service with these generations in force moves in the background.
    #[must_use]
    pub fn rotations(&self, in_force: Generations) -> Vec<Rotation> {
        let wrap = (in_force.sealing() > Generation::FIRST).then_some(Rotation::Wrap);
        let index = in_force.older_index().map(|_| Rotation::Index);
        let data_keys = self.data_keys.map(|step| match step {
            DataKeysStep::Begin => Rotation::DataKeys,
            DataKeysStep::Finish => Rotation::FinishDataKeys,
        });
        [wrap, index, data_keys].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn applied(text: &str) -> Result<vault::Generations, String> {
        let config: GenerationsConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        let applied = config.applied_to(Vault::development([1; 32]));
        applied
            .map(|vault| vault.generations())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_step_of_a_rotation_can_be_written_down() {
        let numbers = |text| {
            let applied = applied(text).unwrap();
            let older = applied.older_index().map(Generation::number);
            (
                applied.sealing().number(),
                applied.readable().number(),
                applied.index().number(),
                older,
            )
        };
        assert_eq!(numbers(""), (1, 1, 1, None));
        assert_eq!(numbers("readable = 2"), (1, 2, 1, None));
        assert_eq!(numbers("sealing = 2"), (2, 2, 1, None));
        assert_eq!(numbers("sealing = 2\nindex = 2\nolder_index = 1"), (2, 2, 2, Some(1)));
    }

    #[test]
    fn what_cannot_be_a_step_is_refused() {
        for text in [
            "sealing = 0",
            "readable = 0",
            "index = 0",
            "older_index = 0",
            "sealing = 3\nreadable = 2",
            "older_index = 1",
            "index = 2\nolder_index = 2",
            "index = 2\nolder_index = 3",
            "data_keys = \"destroy\"",
            "wrap = 2",
        ] {
            assert!(applied(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_a_rotation_needs_is_moved() {
        let rotations = |text: &str| {
            let config: GenerationsConfig = toml::from_str(text).unwrap();
            let vault = config.applied_to(Vault::development([1; 32])).unwrap();
            config.rotations(vault.generations())
        };
        assert_eq!(rotations(""), []);
        assert_eq!(rotations("readable = 2\nsealing = 1"), [], "nobody writes it yet");
        assert_eq!(
            rotations("sealing = 2\nindex = 2\nolder_index = 1\ndata_keys = \"begin\""),
            [Rotation::Wrap, Rotation::Index, Rotation::DataKeys]
        );
        assert_eq!(rotations("data_keys = \"finish\""), [Rotation::FinishDataKeys]);
    }
}
