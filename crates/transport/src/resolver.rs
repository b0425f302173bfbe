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

    /// The admitted addresses of a name, with port 0.
    pub(crate) async fn addresses(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if self.is_loopback_name(&name) {
            return Self::admit(self.rule, [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let resolved = tokio::net::lookup_host((name, 0)).await.map_err(|_| Unresolvable)?;
        Self::admit(self.rule, resolved.map(|address| address.ip()))
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
        let resolver = self.clone();
        Box::pin(async move { Ok(Box::new(resolver.addresses(name.as_str()).await?.into_iter()) as Addrs) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn admitted(rule: AddressRule, resolved: &[&str]) -> Result<Vec<String>, String> {
        let resolved: Vec<IpAddr> = resolved.iter().map(|text| text.parse().unwrap()).collect();
        GuardedResolver::admit(rule, resolved)
            .map(|addresses| addresses.iter().map(|address| address.ip().to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_admitted_addresses_of_a_name_are_handed_to_the_connector() {
        // A name that rebinds between answers gains nothing: what is handed on was judged.
        let public = AddressRule::PublicOnly;
        assert_eq!(
            admitted(public, &["10.0.0.1", "9.9.9.9", "::1"]),
            Ok(vec!["9.9.9.9".into()])
        );
        assert_eq!(
            admitted(public, &["127.0.0.1"]),
            Err("address refused: loopback".into())
        );
        assert_eq!(admitted(public, &["9.9.9.9", "2a00::1"]).unwrap().len(), 2);
        assert_eq!(admitted(public, &[]), Err("name has no address".into()));
        assert_eq!(
            admitted(AddressRule::LoopbackAllowed, &["127.0.0.1", "10.0.0.1"]),
            Ok(vec!["127.0.0.1".into()])
        );
        assert_eq!(admitted(AddressRule::Unrestricted, &["10.0.0.1"]).unwrap().len(), 1);
    }

    #[test]
    fn names_of_this_machine_are_known_without_asking() {
        let resolver = GuardedResolver::new(AddressRule::LoopbackAllowed, &["Insurer.Test".to_owned()]);
        for name in ["localhost", "a.localhost", "insurer.test"] {
            assert!(resolver.is_loopback_name(name), "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "a.insurer.test", "test"] {
            assert!(!resolver.is_loopback_name(name), "{name}");
        }
    }
}
