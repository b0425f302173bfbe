//! Allowances: how often something may happen per person, device, service, network and insurer.
//!
//! Each is a burst and a pace (the generic cell rate algorithm): what is kept of one is a single moment that only moves forward, so that it can be
//! kept in the freshness ledger and holds across restarts and older databases. *Failures* are written there before the answer is told; everything
//! else is counted in memory and written every half minute, so that no ordinary login writes anything for it.
//!
//! Trusted for: who has used up an allowance is sent away (429, `Retry-After`) before any cryptography is done for him.
//!
//! Does not: know an address or a person: names are keyed hashes. The moments depend on the machine's clock: who sets it forward frees everybody;
//! who sets it back locks nobody out for longer than a whole allowance takes to refill.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use authenticator::Reason;
use jose::UnixTime;
use oidc::client::RelyingParty;
use oidc::refusal::{ErrorCode, Refusal};
use serde::Deserialize;
use transport::ConnectionInfo;
use vault::KeyAbsent;
use vault::freshness::{FactKind, FactName};

use crate::core::{Core, StepProblem};
use crate::freshness::Change;
use crate::relying_parties::ResolveError;
use crate::tenant::Tenant;

/// A burst, and how fast it refills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// How many at once.
    pub burst: u32,
    /// One more after this many milliseconds.
    pub every_milliseconds: u64,
}

impl Allowance {
    const fn new(burst: u32, every_milliseconds: u64) -> Self {
        Self {
            burst,
            every_milliseconds,
        }
    }

    const fn every(self) -> u64 {
        self.every_milliseconds.saturating_mul(1_000)
    }

    /// How long the whole burst takes to refill, in microseconds.
    const fn whole(self) -> u64 {
        self.every().saturating_mul(self.burst as u64)
    }

    /// Takes one: when it is full again then, or after how many seconds there is one.
    ///
    /// `full_at`: when it is full again as it stands, in microseconds since 1970; 0 for a full one.
    pub fn take(self, full_at: u64, now: UnixTime) -> Result<u64, u64> {
        let now = now.0.saturating_mul(1_000_000);
        let limit = now.saturating_add(self.whole());
        // A clock that went back locks nobody out for longer than the burst takes.
        let next = full_at.clamp(now, limit).saturating_add(self.every());
        if next <= limit {
            Ok(next)
        } else {
            Err((next - limit).div_ceil(1_000_000).max(1))
        }
    }
}

/// `[limits]` of the configuration; what is left out takes its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Whether callers are told apart by network: the address a connection comes from, an IPv4 address or the /64 of an IPv6 address. Off where all
    /// connections come from one address, a router in front: all callers would be one network.
    pub by_network: bool,
    /// Failing answers of one device.
    pub device_failures: Allowance,
    /// Failing answers of all devices of one person. Her card stays possible.
    pub person_failures: Allowance,
    /// Failing answers of cards and devices from one network.
    pub network_failures: Allowance,
    /// Failing answers of cards and devices at one insurer.
    pub insurer_failures: Allowance,
    /// Devices bound by one person.
    pub bindings: Allowance,
    /// Changes of one person's account: devices named, locked, unlocked, confirmed or removed, block codes set and used.
    pub account_changes: Allowance,
    /// Wrong block codes from one network.
    pub block_failures_by_network: Allowance,
    /// Wrong block codes at one insurer. Used up, right ones wait too.
    pub block_failures: Allowance,
    /// Pushed requests of one service.
    pub pushes: Allowance,
    /// Requests that browsers send to one phone.
    pub phone_requests: Allowance,
    /// Requests sent to phones from one network.
    pub phone_requests_by_network: Allowance,
    /// Services that the Federation Master, asked for each, does not know, named from one network.
    pub unknown_services_by_network: Allowance,
    /// Services that the Federation Master does not know, named at one insurer.
    pub unknown_services: Allowance,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            by_network: true,
            device_failures: Allowance::new(10, 900_000),
            person_failures: Allowance::new(20, 600_000),
            network_failures: Allowance::new(60, 10_000),
            insurer_failures: Allowance::new(2_000, 100),
            bindings: Allowance::new(20, 3_600_000),
            account_changes: Allowance::new(60, 60_000),
            block_failures_by_network: Allowance::new(10, 60_000),
            block_failures: Allowance::new(500, 5_000),
            pushes: Allowance::new(20_000, 1),
            phone_requests: Allowance::new(5, 300_000),
            phone_requests_by_network: Allowance::new(20, 30_000),
            unknown_services_by_network: Allowance::new(20, 10_000),
            unknown_services: Allowance::new(200, 500),
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    DeviceFailures,
    PersonFailures,
    NetworkFailures,
    InsurerFailures,
    Bindings,
    AccountChanges,
    BlockFailuresByNetwork,
    BlockFailures,
    Pushes,
    PhoneRequests,
    PhoneRequestsByNetwork,
    UnknownServicesByNetwork,
    UnknownServices,
}

impl Limit {
    /// As the log and the configuration name it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::DeviceFailures => "device_failures",
            Self::PersonFailures => "person_failures",
            Self::NetworkFailures => "network_failures",
            Self::InsurerFailures => "insurer_failures",
            Self::Bindings => "bindings",
            Self::AccountChanges => "account_changes",
            Self::BlockFailuresByNetwork => "block_failures_by_network",
            Self::BlockFailures => "block_failures",
            Self::Pushes => "pushes",
            Self::PhoneRequests => "phone_requests",
            Self::PhoneRequestsByNetwork => "phone_requests_by_network",
            Self::UnknownServicesByNetwork => "unknown_services_by_network",
            Self::UnknownServices => "unknown_services",
        }
    }

    const fn allowance(self, settings: &LimitSettings) -> Allowance {
        match self {
            Self::DeviceFailures => settings.device_failures,
            Self::PersonFailures => settings.person_failures,
            Self::NetworkFailures => settings.network_failures,
            Self::InsurerFailures => settings.insurer_failures,
            Self::Bindings => settings.bindings,
            Self::AccountChanges => settings.account_changes,
            Self::BlockFailuresByNetwork => settings.block_failures_by_network,
            Self::BlockFailures => settings.block_failures,
            Self::Pushes => settings.pushes,
            Self::PhoneRequests => settings.phone_requests,
            Self::PhoneRequestsByNetwork => settings.phone_requests_by_network,
            Self::UnknownServicesByNetwork => settings.unknown_services_by_network,
            Self::UnknownServices => settings.unknown_services,
        }
    }

    /// Whether somebody's attempts to get in are counted.
    const fn locks_out(self) -> bool {
        matches!(self, Self::DeviceFailures | Self::PersonFailures)
    }
}

/// The network a request comes from: an IPv4 address, or the /64 of an IPv6 address. Personal data: only ever hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(Option<[u8; 9]>);

impl Network {
    pub(crate) fn of(connection: Option<&ConnectionInfo>) -> Self {
        Self(connection.map(|connection| Self::prefix(connection.peer_addr)))
    }

    fn prefix(address: SocketAddr) -> [u8; 9] {
        let mut prefix = [0; 9];
        match address.ip().to_canonical() {
            IpAddr::V4(address) => {
                prefix[0] = 4;
                prefix[1..5].copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                prefix[0] = 6;
                prefix[1..].copy_from_slice(&address.octets()[..8]);
            }
        }
        prefix
    }

    /// The network, where networks are told apart.
    pub(crate) fn told_apart(&self, settings: &LimitSettings) -> Option<&[u8; 9]> {
        self.0.as_ref().filter(|_| settings.by_network)
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

/// One subject of one limit.
pub(crate) type Counted<'a> = (Limit, &'a [u8]);

impl Core {
    fn limit_name(&self, tenant: &Tenant, limit: Limit, about: &[u8]) -> Result<FactName, KeyAbsent> {
        let parts = [limit.code().as_bytes(), about];
        self.vault.fact_name(tenant.id(), FactKind::Limit, &parts)
    }

    /// Sends a caller away who has used up one of these, before anything is done for him.
    pub(crate) async fn check_room(&self, tenant: &Tenant, counted: &[Counted<'_>]) -> Result<(), StepProblem> {
        let ledger = self.freshness.of(tenant.id()).await?;
        for (limit, about) in counted {
            let name = self.limit_name(tenant, *limit, about)?;
            let taken = limit.allowance(&self.limits).take(ledger.limit(&name), self.now());
            taken.map_err(|seconds| used_up(*limit, seconds))?;
        }
        Ok(())
    }

    /// Takes one of an allowance, or sends the caller away. Counted in memory, and written with the next flush.
    pub(crate) async fn spend(&self, tenant: &Tenant, limit: Limit, about: &[u8]) -> Result<(), StepProblem> {
        let ledger = self.freshness.of(tenant.id()).await?;
        let name = self.limit_name(tenant, limit, about)?;
        let (allowance, now) = (limit.allowance(&self.limits), self.now());
        ledger
            .spend(name, now, |full_at| allowance.take(full_at, now))
            .map_err(|seconds| used_up(limit, seconds))
    }

    /// Gives back one that [`spend`](Self::spend) took. What has been written since stays taken.
    pub(crate) async fn give_back(&self, tenant: &Tenant, limit: Limit, about: &[u8]) -> Result<(), StepProblem> {
        let ledger = self.freshness.of(tenant.id()).await?;
        let name = self.limit_name(tenant, limit, about)?;
        ledger.give_back(&name, limit.allowance(&self.limits).every());
        Ok(())
    }

    /// Counts a failed attempt, for each of these. Durable before it is told.
    pub(crate) async fn count_failure(&self, tenant: &Tenant, counted: &[Counted<'_>]) -> Result<(), StepProblem> {
        let ledger = self.freshness.of(tenant.id()).await?;
        let now = self.now();
        let mut facts = Vec::with_capacity(counted.len());
        for (limit, about) in counted {
            let name = self.limit_name(tenant, *limit, about)?;
            let allowance = limit.allowance(&self.limits);
            if ledger.spend(name, now, |full_at| allowance.take(full_at, now)).is_err() {
                continue;
            }
            let full_at = ledger.limit(&name);
            if limit.locks_out() && allowance.take(full_at, now).is_err() {
                tracing::warn!(
                    event = "locked_out",
                    limit = limit.code(),
                    "no further attempt is looked at for a while"
                );
            }
            facts.push((name, full_at));
        }
        let change = Change {
            facts,
            ..Change::default()
        };
        Ok(self.freshness.change(tenant.id(), change).await?)
    }
}

/// The service with this identifier. Where nobody here has heard of it, the federation is asked, and only so many may be named that the Federation
/// Master does not know: whoever it knows has his allowance given back, so that registered services behind one network do not hinder each other
/// after a restart.
pub(crate) async fn resolve(
    core: &Core,
    tenant: &Tenant,
    client_id: &str,
    network: Network,
    now: UnixTime,
) -> Result<Arc<RelyingParty>, StepProblem> {
    if !core.relying_parties.is_unheard_of(client_id, now) {
        return core.relying_parties.resolve(client_id, now).await;
    }
    // Taken first: those who ask at the same time are counted too.
    let network = network.told_apart(&core.limits);
    let mut taken: Vec<Counted<'_>> = Vec::with_capacity(2);
    if let Some(network) = network {
        taken.push((Limit::UnknownServicesByNetwork, network));
    }
    taken.push((Limit::UnknownServices, &[]));
    for (limit, about) in &taken {
        core.spend(tenant, *limit, about).await?;
    }
    let resolved = core.relying_parties.try_resolve(client_id, now).await;
    if !resolved.as_ref().is_err_and(ResolveError::is_unregistered) {
        for (limit, about) in &taken {
            core.give_back(tenant, *limit, about).await?;
        }
    }
    resolved.map_err(ResolveError::problem)
}

fn used_up(limit: Limit, seconds: u64) -> StepProblem {
    let refusal = Refusal::new(
        429,
        ErrorCode::TemporarilyUnavailable,
        format_args!("too many attempts; please try again in {seconds} seconds"),
    )
    .because(Reason::TooManyTries);
    StepProblem::Limited {
        limit: limit.code(),
        seconds,
        refusal,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const T: UnixTime = UnixTime(1_795_262_400);

    fn later(seconds: u64) -> UnixTime {
        T.plus_seconds(seconds)
    }

    #[test]
    fn a_burst_is_granted_then_the_pace_holds() {
        let allowance = Allowance::new(3, 10_000);
        let mut full_at = 0;
        for _ in 0..3 {
            full_at = allowance.take(full_at, T).unwrap();
        }
        assert_eq!(allowance.take(full_at, T), Err(10));
        assert_eq!(allowance.take(full_at, later(4)), Err(6));
        full_at = allowance.take(full_at, later(10)).unwrap();
        assert_eq!(allowance.take(full_at, later(10)), Err(10));
        // After a long rest the burst is whole again, and no larger.
        for _ in 0..3 {
            full_at = allowance.take(full_at, later(10_000)).unwrap();
        }
        assert!(allowance.take(full_at, later(10_000)).is_err());
    }

    #[test]
    fn a_clock_that_went_back_locks_nobody_out_for_longer_than_the_burst_takes() {
        let allowance = Allowance::new(3, 10_000);
        let in_ten_years = allowance.take(0, later(315_360_000)).unwrap();
        assert_eq!(allowance.take(in_ten_years, T), Err(10));
        let ahead = allowance.take(in_ten_years, later(0));
        assert!(ahead.unwrap_err() <= 30);
    }

    #[test]
    fn a_network_is_an_address_or_the_half_of_one() {
        let network = |text: &str| Network::prefix(text.parse().unwrap());
        assert_eq!(network("192.0.2.1:1"), network("192.0.2.1:2"));
        assert_eq!(network("192.0.2.1:1"), network("[::ffff:192.0.2.1]:9"));
        assert_ne!(network("192.0.2.1:1"), network("192.0.2.2:1"));
        assert_eq!(network("[2001:db8:1:2::1]:1"), network("[2001:db8:1:2:ffff::9]:1"));
        assert_ne!(network("[2001:db8:1:2::1]:1"), network("[2001:db8:1:3::1]:1"));
        assert_eq!(format!("{:?}", Network(Some(network("192.0.2.1:1")))), "Network");
    }

    #[test]
    fn no_allowance_is_empty_by_default_and_the_page_says_each() {
        let settings = LimitSettings::default();
        let sample = include_str!("../../../docs/operations/provider.toml");
        for limit in [
            Limit::DeviceFailures,
            Limit::PersonFailures,
            Limit::NetworkFailures,
            Limit::InsurerFailures,
            Limit::Bindings,
            Limit::AccountChanges,
            Limit::BlockFailuresByNetwork,
            Limit::BlockFailures,
            Limit::Pushes,
            Limit::PhoneRequests,
            Limit::PhoneRequestsByNetwork,
            Limit::UnknownServicesByNetwork,
            Limit::UnknownServices,
        ] {
            let Allowance {
                burst,
                every_milliseconds,
            } = limit.allowance(&settings);
            assert!(burst > 0 && every_milliseconds > 0);
            let line = format!(
                "{} = {{ burst = {burst}, every_milliseconds = {every_milliseconds} }}",
                limit.code()
            );
            assert!(sample.contains(&line), "{line}");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_pace_allow(
            burst in 1_u32..20, every in 1_u64..5_000, gaps in proptest::collection::vec(0_u64..20, 1..200),
        ) {
            let allowance = Allowance::new(burst, every);
            let (mut now, mut full_at, mut granted) = (T, 0, 0_u64);
            for gap in gaps {
                now = now.plus_seconds(gap);
                match allowance.take(full_at, now) {
                    Ok(next) => {
                        prop_assert!(next >= full_at, "it moves forward only");
                        full_at = next;
                        granted += 1;
                    }
                    Err(seconds) => prop_assert!(allowance.take(full_at, now.plus_seconds(seconds)).is_ok()),
                }
                let elapsed_milliseconds = (now.0 - T.0) * 1_000;
                prop_assert!(granted <= u64::from(burst) + elapsed_milliseconds / every);
            }
        }
    }
}
