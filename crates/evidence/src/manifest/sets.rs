//! Groups of people, and when enough of them have spoken.

use std::collections::BTreeMap;
use std::fmt;

use jose::jwk::P256PublicKey;
use serde::{Deserialize, Serialize};

use super::{ManifestError, check_list, check_name, rule};
use crate::encoding::p256_key;

/// Greatest number of members of a set.
pub const MAX_MEMBERS: usize = 32;

/// Which organisation a member speaks for (gemSpec_HCC's separation of duties, plus the insurers who own the data).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrganisationRole {
    /// Independent assessors.
    Auditor,
    /// The insurers.
    Insurer,
    /// Whoever builds the software.
    Manufacturer,
    /// Whoever runs the machines.
    Operator,
}

impl OrganisationRole {
    /// The wire value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Insurer => "insurer",
            Self::Manufacturer => "manufacturer",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for OrganisationRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One member of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// P-256: the signature key in a manifest set, the encryption key in a share set.
    #[serde(with = "p256_key")]
    pub key: P256PublicKey,
    /// The name the public sees beside an approval. Of the office, not of a private person.
    pub name: String,
    /// For whom it speaks.
    pub role: OrganisationRole,
}

/// A group, and the rule when enough of it have spoken: `threshold` members, among them at least so many of each role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleSet {
    /// For instance one insurer and one auditor.
    pub at_least: BTreeMap<OrganisationRole, u8>,
    /// Sorted by name.
    pub members: Vec<Member>,
    /// How many members in all.
    pub threshold: u8,
}

/// Why not enough have spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// Fewer than the threshold.
    Members {
        /// How many spoke.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// Fewer of one role than the rule asks for.
    Role {
        /// The role that is missing.
        role: OrganisationRole,
    },
}

impl RoleSet {
    /// The member of that name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Whether these members, each counted once, are enough.
    ///
    /// # Errors
    /// [`Shortfall`], the number of members first.
    pub fn check_quorum<'a>(&self, spoke: impl IntoIterator<Item = &'a Member>) -> Result<(), Shortfall> {
        let mut spoke: Vec<&Member> = spoke.into_iter().collect();
        spoke.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        spoke.dedup_by(|left, right| left.name == right.name);
        let need = usize::from(self.threshold);
        if spoke.len() < need {
            return Err(Shortfall::Members {
                have: spoke.len(),
                need,
            });
        }
        for (role, need) in &self.at_least {
            let have = spoke.iter().filter(|member| member.role == *role).count();
            if have < usize::from(*need) {
                return Err(Shortfall::Role { role: *role });
            }
        }
        Ok(())
    }

    /// The rules of a set. Whoever cannot be satisfied would lock everybody out, so such a set is refused.
    ///
    /// # Errors
    /// [`ManifestError::Rule`].
    pub fn check(&self, member: &'static str) -> Result<(), ManifestError> {
        rule(
            (1..=MAX_MEMBERS).contains(&self.members.len()),
            member,
            "1 to 32 members",
        )?;
        check_list(member, &self.members, |entry| entry.name.clone())?;
        for entry in &self.members {
            check_name(member, &entry.name)?;
        }
        let mut points: Vec<_> = self.members.iter().map(|entry| entry.key.to_uncompressed()).collect();
        points.sort_unstable();
        points.dedup();
        rule(
            points.len() == self.members.len(),
            member,
            "a key of its own for each member",
        )?;
        rule(
            (1..=self.members.len()).contains(&usize::from(self.threshold)),
            member,
            "a threshold from 1 to the number of members",
        )?;
        let mut asked = 0;
        for (role, need) in &self.at_least {
            let have = self.members.iter().filter(|entry| entry.role == *role).count();
            rule(
                *need > 0 && usize::from(*need) <= have,
                member,
                "at_least between 1 and the members of that role",
            )?;
            asked += usize::from(*need);
        }
        rule(
            asked <= usize::from(self.threshold),
            member,
            "a threshold not below the sum of at_least",
        )
    }
}
