//! Which addresses may be fetched from: the guard against server-side request forgery.
//!
//! Federation documents are fetched from addresses a caller named (gematik.md 3.9 step 1). The guard judges addresses, not names: a
//! name is resolved once, what it resolved to is judged, and exactly that is connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a client of this room may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// Globally reachable unicast addresses only: production.
    PublicOnly,
    /// Those and loopback: the sandbox, and tests.
    LoopbackAllowed,
    /// Every address. Only for addresses an operator configured himself (a closed test network); never for a caller's.
    Unrestricted,
}

/// What is wrong with an address that is not public. Named after the registry it stands in (RFC 6890 and the IANA special-purpose
/// registries).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// 0.0.0.0/8, `::`.
    Unspecified,
    /// 127.0.0.0/8, `::1`.
    Loopback,
    /// 10/8, 172.16/12, 192.168/16, fc00::/7, fec0::/10.
    Private,
    /// 100.64.0.0/10, carrier-grade NAT (RFC 6598).
    SharedAddressSpace,
    /// 169.254.0.0/16 (cloud metadata services live there), fe80::/10.
    LinkLocal,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32, 3fff::/20.
    Documentation,
    /// 198.18.0.0/15 (RFC 2544).
    Benchmarking,
    /// IPv6 addresses that carry an IPv4 address: `::ffff:0:0/96`, `::/96`, 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), 2002::/16
    /// (6to4), 2001::/32 (Teredo). They reach an IPv4 address the guard would judge otherwise.
    EmbeddedIpv4,
    /// Everything else that is not global unicast: 192.0.0.0/24, 192.88.99.0/24, 240.0.0.0/4, 2001::/23, outside 2000::/3.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::SharedAddressSpace => "shared (carrier-grade NAT)",
            Self::LinkLocal => "link-local",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::EmbeddedIpv4 => "IPv6 with an embedded IPv4 address",
            Self::Reserved => "reserved",
        })
    }
}

impl AddressRule {
    /// Judges one resolved or literal address.
    pub fn check(self, address: IpAddr) -> Result<(), AddressClass> {
        let class = match address {
            IpAddr::V4(address) => classify_v4(address),
            IpAddr::V6(address) => classify_v6(address),
        };
        match (self, class) {
            (Self::Unrestricted, _) | (_, None) => Ok(()),
            (Self::LoopbackAllowed, Some(AddressClass::Loopback)) => Ok(()),
            (_, Some(class)) => Err(class),
        }
    }
}

/// `None` for a public address.
fn classify_v4(address: Ipv4Addr) -> Option<AddressClass> {
    Some(match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [100, 64..=127, ..] => AddressClass::SharedAddressSpace,
        [169, 254, ..] => AddressClass::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        [198, 18..=19, ..] => AddressClass::Benchmarking,
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => AddressClass::Reserved,
        [224..=239, ..] => AddressClass::Multicast,
        _ => return None,
    })
}

/// `None` for a public address. What is not listed as public is refused: only 2000::/3 is assigned for global unicast.
fn classify_v6(address: Ipv6Addr) -> Option<AddressClass> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, ..]
        | [0x2002, ..]
        | [0x2001, 0, ..] => AddressClass::EmbeddedIpv4,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => AddressClass::Documentation,
        [0x2001, 0..=0x01ff, ..] => AddressClass::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => AddressClass::Reserved,
    })
}

#[cfg(test)]
mod tests;
