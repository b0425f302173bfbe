//! Names to addresses, under an [`AddressRule`]: what was judged is what is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use crate::address::{AddressClass, AddressRule};

/// None of the addresses behind a name is admitted.
#[derive(Debug, Error)]
#[error("address refused: {class}")]
pub(crate) struct AddressRefused {
    pub(crate) class: AddressClass,
}

/// The name has no address.
#[derive(Debug, Error)]
#[error("name has no address")]
pub(crate) struct Unresolvable;

/// A reqwest resolver that hands on only admitted addresses.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    rule: AddressRule,
    loopback_names: Arc<[String]>,
}

impl GuardedResolver {
    /// `loopback_names`: further names that mean this machine, beside `localhost`; ignored unless the rule admits loopback.
    pub(crate) fn new(rule: AddressRule, loopback_names: &[String]) -> Self {
        Self {
            rule,
            loopback_names: loopback_names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    fn is_loopback_name(&self, name: &str) -> bool {
        // RFC 6761 §6.3: localhost and everything below it is this machine, without asking anyone.
        name == "localhost" || name.ends_with(".localhost") || self.loopback_names.iter().any(|known| known == name)
    }

    /// Whether plain HTTP may be spoken to this host: only to this machine.
    pub(crate) fn is_this_machine(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => self.is_loopback_name(name),
            None => false,
        }
    }

    /// Judges an address literal; those never reach a resolver.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), AddressClass> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.rule.check(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.rule.check(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    pub(crate) fn admit(
        rule: AddressRule,
        resolved: impl IntoIterator<Item = IpAddr>,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let mut admitted = Vec::new();
        let mut refused = None;
        for address in resolved {
            match rule.check(address) {
                // Port 0: the connector puts the URL's port in.
                Ok(()) => admitted.push(SocketAddr::new(address, 0)),
                Err(class) => refused = Some(class),
            }
        }
        match (admitted.is_empty(), refused) {
            (false, _) => Ok(admitted),
            (true, Some(class)) => Err(Box::new(AddressRefused { class })),
            (true, None) => Err(Box::new(Unresolvable)),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.rule;
        let name = name.as_str().trim_end_matches('.').to_ascii_lowercase();
        let loopback = self.is_loopback_name(&name);
        Box::pin(async move {
            let addresses = if loopback {
                GuardedResolver::admit(rule, [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])?
            } else {
                let resolved = tokio::net::lookup_host((name, 0)).await.map_err(|_| Unresolvable)?;
                GuardedResolver::admit(rule, resolved.map(|address| address.ip()))?
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
