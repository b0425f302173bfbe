//! The namespace seed, split among holders: k of n, and of each named role at least so many. The rule is data.
//!
//! ```text
//! seed ── all of c components ──> component 1      ── Shamir, k of n, among all holders
//!                                 component of each role with a minimum m ── Shamir, m of its holders
//! ```
//!
//! Whoever lacks the mix lacks a component, and all components but one say nothing about the seed: the rule is in the
//! arithmetic, not in a check that could be left out. Shamir's scheme over GF(256) is the library `vsss-rs`'s.
//!
//! A share that was changed would make another seed. So genesis publishes a hash of each share, which says nothing about it
//! (a share is as random as the seed), and a wrong share is named by its number.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256};
use evidence::manifest::{OrganisationRole, RoleSet};
use vsss_rs::Gf256;
use zeroize::Zeroizing;

use crate::hierarchy::KEY_BYTES;
use crate::lock::NamespaceSeed;
use crate::random::VaultRandom;
use crate::secret_memory::Secret;

/// Most holders.
pub const MAX_HOLDERS: usize = 16;
/// A part: its number and as many bytes as the seed.
const PART_BYTES: usize = 1 + KEY_BYTES;
/// Bytes of a share: form, number, role, its part of the component of all, its part of its role's component.
pub const SHARE_BYTES: usize = 3 + 2 * PART_BYTES;
const FORM: u8 = 1;

const ROLES: [OrganisationRole; 4] = [
    OrganisationRole::Auditor,
    OrganisationRole::Insurer,
    OrganisationRole::Manufacturer,
    OrganisationRole::Operator,
];

const fn role_code(role: OrganisationRole) -> u8 {
    match role {
        OrganisationRole::Auditor => 1,
        OrganisationRole::Insurer => 2,
        OrganisationRole::Manufacturer => 3,
        OrganisationRole::Operator => 4,
    }
}

/// Which holders together open the seed: `threshold` of all, and of each role at least its minimum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharePolicy {
    threshold: usize,
    /// The role of each holder, by number from 1.
    holders: Vec<OrganisationRole>,
    minima: Vec<(OrganisationRole, usize)>,
}

/// Why a rule is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too few or too many holders.
    #[error("a seed has 2 to {MAX_HOLDERS} holders")]
    Holders,
    /// The threshold is below 2 or above the number of holders.
    #[error("the threshold must be from 2 to the number of holders")]
    Threshold,
    /// A role's minimum is 0, named twice, above the number of its holders, or all minima together exceed the threshold.
    #[error(
        "the minimum of a role must be from 1 to the number of its holders, once, and together not above the threshold"
    )]
    Minimum,
}

impl SharePolicy {
    /// A rule over holders in order of their numbers.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(
        threshold: usize,
        holders: Vec<OrganisationRole>,
        minima: Vec<(OrganisationRole, usize)>,
    ) -> Result<Self, PolicyError> {
        if !(2..=MAX_HOLDERS).contains(&holders.len()) {
            return Err(PolicyError::Holders);
        }
        if !(2..=holders.len()).contains(&threshold) {
            return Err(PolicyError::Threshold);
        }
        for (index, (role, least)) in minima.iter().enumerate() {
            let of_role = holders.iter().filter(|holder| *holder == role).count();
            let twice = minima[..index].iter().any(|(earlier, _)| earlier == role);
            if twice || !(1..=of_role).contains(least) {
                return Err(PolicyError::Minimum);
            }
        }
        if minima.iter().map(|(_, least)| least).sum::<usize>() > threshold {
            return Err(PolicyError::Minimum);
        }
        Ok(Self {
            threshold,
            holders,
            minima,
        })
    }

    /// The rule of a manifest's share set: its members are the holders, numbered in its order.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn of_share_set(set: &RoleSet) -> Result<Self, PolicyError> {
        let holders = set.members.iter().map(|member| member.role).collect();
        let minima = set.at_least.iter().map(|(role, least)| (*role, usize::from(*least)));
        Self::new(usize::from(set.threshold), holders, minima.collect())
    }

    /// How many holders it takes.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// The role of each holder, by number from 1.
    #[must_use]
    pub fn holders(&self) -> &[OrganisationRole] {
        &self.holders
    }

    /// The least number of holders of each role that has one.
    #[must_use]
    pub fn minima(&self) -> &[(OrganisationRole, usize)] {
        &self.minima
    }

    /// Whether these holders suffice. What decides is the arithmetic; this says it beforehand, for people.
    #[must_use]
    pub fn is_met_by(&self, numbers: &[u8]) -> bool {
        let mut present: Vec<_> = numbers.to_vec();
        present.sort_unstable();
        present.dedup();
        let roles: Vec<_> = present.iter().filter_map(|number| self.role_of(*number)).collect();
        let enough =
            |(role, least): &(OrganisationRole, usize)| roles.iter().filter(|found| *found == role).count() >= *least;
        roles.len() >= self.threshold && self.minima.iter().all(enough)
    }

    fn role_of(&self, number: u8) -> Option<OrganisationRole> {
        let index = usize::from(number).checked_sub(1)?;
        self.holders.get(index).copied()
    }

    /// Place of a holder among those of the role, from 1.
    fn place_in_role(&self, number: u8, role: OrganisationRole) -> u8 {
        let up_to = usize::from(number).min(self.holders.len());
        #[allow(clippy::cast_possible_truncation)] // at most 16
        let place = self.holders[..up_to].iter().filter(|holder| **holder == role).count() as u8;
        place
    }
}

/// Why shares do not open the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Not a share of this release.
    #[error("not a share of this release")]
    Malformed,
    /// The share is not the one that was given to this holder.
    #[error("share {number} is not the one that was given to this holder")]
    Wrong {
        /// The holder's number.
        number: u8,
    },
    /// The same holder twice.
    #[error("share {number} is given twice")]
    Twice {
        /// The holder's number.
        number: u8,
    },
    /// Too few shares.
    #[error("{found} shares, {needed} are needed")]
    TooFew {
        /// Shares given.
        found: usize,
        /// Shares needed.
        needed: usize,
    },
    /// Too few of a role.
    #[error("{found} shares of role {}, {needed} are needed", .role)]
    RoleMissing {
        /// The role.
        role: OrganisationRole,
        /// Shares of the role given.
        found: usize,
        /// Shares of the role needed.
        needed: usize,
    },
    /// The shares make another seed than the one of genesis.
    #[error("the shares make another seed than the one of genesis")]
    OtherSeed,
    /// The library failed.
    #[error("the seed could not be split or combined")]
    Failed,
}

impl ShareError {
    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "share.malformed",
            Self::Wrong { .. } => "share.wrong",
            Self::Twice { .. } => "share.twice",
            Self::TooFew { .. } => "share.too_few",
            Self::RoleMissing { .. } => "share.role_missing",
            Self::OtherSeed => "share.other_seed",
            Self::Failed => "share.failed",
        }
    }
}

/// One holder's share, in clear: in secret memory, `Debug` prints the type only.
pub struct Share {
    number: u8,
    role: OrganisationRole,
    of_all: Secret<PART_BYTES>,
    /// Zeroes for a role without a minimum.
    of_role: Secret<PART_BYTES>,
}

impl Share {
    /// The holder's number, from 1.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The holder's role.
    #[must_use]
    pub const fn role(&self) -> OrganisationRole {
        self.role
    }

    /// SHA-256 over the share: published at genesis.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        hash.update(b"healthid/v1/share commitment\0");
        hash.update(&self.to_bytes()[..]);
        let mut commitment = [0; 32];
        commitment.copy_from_slice(hash.finish().as_ref());
        commitment
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; SHARE_BYTES]> {
        let mut bytes = Zeroizing::new([0; SHARE_BYTES]);
        bytes[..3].copy_from_slice(&[FORM, self.number, role_code(self.role)]);
        bytes[3..3 + PART_BYTES].copy_from_slice(&self.of_all[..]);
        bytes[3 + PART_BYTES..].copy_from_slice(&self.of_role[..]);
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ShareError> {
        let bytes: &[u8; SHARE_BYTES] = bytes.try_into().map_err(|_| ShareError::Malformed)?;
        let role = ROLES.into_iter().find(|role| role_code(*role) == bytes[2]);
        let part = |from: usize| {
            Secret::written_by(|part: &mut [u8; PART_BYTES]| part.copy_from_slice(&bytes[from..from + PART_BYTES]))
        };
        match role {
            Some(role) if bytes[0] == FORM && bytes[1] > 0 => Ok(Self {
                number: bytes[1],
                role,
                of_all: part(3),
                of_role: part(3 + PART_BYTES),
            }),
            _ => Err(ShareError::Malformed),
        }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share")
    }
}

/// Splits a seed: one share for each holder, in order of their numbers.
pub(crate) fn split(seed: &NamespaceSeed, policy: &SharePolicy) -> Result<Vec<Share>, ShareError> {
    let components = split_parts(seed.bytes(), 1 + policy.minima.len(), 1 + policy.minima.len())?;
    let [of_all, of_roles @ ..] = &components[..] else {
        return Err(ShareError::Failed);
    };
    let for_all = split_parts(&of_all[1..], policy.threshold, policy.holders.len())?;
    let mut for_roles = Vec::with_capacity(of_roles.len());
    for ((role, least), component) in policy.minima.iter().zip(of_roles) {
        let count = policy.holders.iter().filter(|holder| *holder == role).count();
        for_roles.push((*role, split_parts(&component[1..], *least, count)?));
    }
    let mut shares = Vec::with_capacity(policy.holders.len());
    for (number, (role, part)) in (1_u8..).zip(policy.holders.iter().zip(&for_all)) {
        let of_role = for_roles
            .iter()
            .find(|(of, _)| of == role)
            .and_then(|(_, parts)| parts.get(usize::from(policy.place_in_role(number, *role)) - 1));
        shares.push(Share {
            number,
            role: *role,
            of_all: secret_part(part)?,
            of_role: of_role.map_or_else(|| Ok(Secret::zeroed()), |part| secret_part(part))?,
        });
    }
    Ok(shares)
}

/// Restores the seed, if the shares are those of genesis and the mix is the rule's.
pub(crate) fn combine(
    shares: &[Share],
    policy: &SharePolicy,
    share_commitments: &[[u8; 32]],
    is_the_seed: impl FnOnce(&NamespaceSeed) -> bool,
) -> Result<NamespaceSeed, ShareError> {
    for (index, share) in shares.iter().enumerate() {
        check_share(share, policy, share_commitments)?;
        if shares[..index].iter().any(|earlier| earlier.number == share.number) {
            return Err(ShareError::Twice { number: share.number });
        }
    }
    if shares.len() < policy.threshold {
        return Err(ShareError::TooFew {
            found: shares.len(),
            needed: policy.threshold,
        });
    }
    for (role, needed) in &policy.minima {
        let found = shares.iter().filter(|share| share.role == *role).count();
        if found < *needed {
            return Err(ShareError::RoleMissing {
                role: *role,
                found,
                needed: *needed,
            });
        }
    }
    let seed = combine_whatever(shares, policy)?;
    if is_the_seed(&seed) {
        Ok(seed)
    } else {
        Err(ShareError::OtherSeed)
    }
}

/// That a share is the one genesis gave to its holder.
pub(crate) fn check_share(share: &Share, policy: &SharePolicy, commitments: &[[u8; 32]]) -> Result<(), ShareError> {
    let number = share.number;
    let wrong = ShareError::Wrong { number };
    let committed = commitments.get(usize::from(number) - 1).ok_or(wrong)?;
    let same = verify_slices_are_equal(&share.commitment(), committed).is_ok();
    if same && policy.role_of(number) == Some(share.role) {
        Ok(())
    } else {
        Err(wrong)
    }
}

/// The arithmetic alone: some seed, whichever shares these are.
fn combine_whatever(shares: &[Share], policy: &SharePolicy) -> Result<NamespaceSeed, ShareError> {
    let all: Vec<_> = shares.iter().map(|share| share.of_all.to_vec()).collect();
    let mut components = vec![numbered(1, &combine_parts(all, policy.threshold)?)];
    for (number, (role, least)) in (2_u8..).zip(&policy.minima) {
        let of_role: Vec<_> = shares
            .iter()
            .filter(|share| share.role == *role)
            .map(|share| share.of_role.to_vec())
            .collect();
        components.push(numbered(number, &combine_parts(of_role, *least)?));
    }
    let count = components.len();
    let seed = combine_parts(components, count)?;
    let seed: &[u8; KEY_BYTES] = seed[..].try_into().map_err(|_| ShareError::Failed)?;
    Ok(NamespaceSeed::from_bytes(seed))
}

fn numbered(number: u8, component: &[u8]) -> Vec<u8> {
    [&[number], component].concat()
}

fn secret_part(part: &[u8]) -> Result<Secret<PART_BYTES>, ShareError> {
    let part: &[u8; PART_BYTES] = part.try_into().map_err(|_| ShareError::Failed)?;
    Ok(Secret::copy_of(part))
}

/// `threshold` of `count` parts; one of so many is a copy for each, which the library does not call sharing.
fn split_parts(secret: &[u8], threshold: usize, count: usize) -> Result<Vec<Zeroizing<Vec<u8>>>, ShareError> {
    if threshold == 1 {
        return Ok((1_u8..)
            .take(count)
            .map(|number| Zeroizing::new(numbered(number, secret)))
            .collect());
    }
    let parts = Gf256::split_bytes(threshold, count, secret, VaultRandom).map_err(|_| ShareError::Failed)?;
    Ok(parts.into_iter().map(Zeroizing::new).collect())
}

fn combine_parts(parts: Vec<Vec<u8>>, threshold: usize) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let parts = Zeroizing::new(parts);
    if threshold == 1 || parts.len() == 1 {
        let only = parts.first().and_then(|part| part.get(1..)).ok_or(ShareError::Failed)?;
        return Ok(Zeroizing::new(only.to_vec()));
    }
    Gf256::combine_bytes(&parts[..])
        .map(Zeroizing::new)
        .map_err(|_| ShareError::Failed)
}

#[cfg(test)]
mod tests;
