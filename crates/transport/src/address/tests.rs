#![allow(clippy::unwrap_used)]
use super::*;

fn check(rule: AddressRule, address: &str) -> Result<(), AddressClass> {
    rule.check(address.parse().unwrap())
}

#[test]
fn special_addresses_are_refused_each_for_its_class() {
    use AddressClass::*;
    for (address, class) in [
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("10.0.0.1", Private),
        ("10.255.255.255", Private),
        ("100.64.0.1", SharedAddressSpace),
        ("100.127.255.255", SharedAddressSpace),
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("169.254.169.254", LinkLocal),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("192.0.0.8", Reserved),
        ("192.0.2.1", Documentation),
        ("192.88.99.1", Reserved),
        ("192.168.0.1", Private),
        ("198.18.0.1", Benchmarking),
        ("198.19.255.255", Benchmarking),
        ("198.51.100.7", Documentation),
        ("203.0.113.9", Documentation),
        ("224.0.0.1", Multicast),
        ("239.255.255.255", Multicast),
        ("240.0.0.1", Reserved),
        ("255.255.255.255", Reserved),
        ("::", Unspecified),
        ("::1", Loopback),
        ("::7f00:1", EmbeddedIpv4),
        ("::ffff:127.0.0.1", EmbeddedIpv4),
        ("::ffff:10.0.0.1", EmbeddedIpv4),
        ("::ffff:8.8.8.8", EmbeddedIpv4),
        ("::ffff:0:10.0.0.1", EmbeddedIpv4),
        ("64:ff9b::a00:1", EmbeddedIpv4),
        ("64:ff9b:1::1", EmbeddedIpv4),
        ("100::1", Reserved),
        ("2001::1", EmbeddedIpv4),
        ("2001:2::1", Reserved),
        ("2001:20::1", Reserved),
        ("2001:db8::1", Documentation),
        ("2002:a00:1::1", EmbeddedIpv4),
        ("3fff::1", Documentation),
        ("4000::1", Reserved),
        ("5f00::1", Reserved),
        ("fc00::1", Private),
        ("fd12:3456::1", Private),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("fec0::1", Private),
        ("ff02::1", Multicast),
    ] {
        assert_eq!(check(AddressRule::PublicOnly, address), Err(class), "{address}");
    }
}

#[test]
fn public_addresses_are_admitted() {
    for address in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2001:200::1",
        "2003::1",
        "2a00:1450:4001::1",
        "3ffe::1",
    ] {
        assert_eq!(check(AddressRule::PublicOnly, address), Ok(()), "{address}");
    }
}

#[test]
fn the_sandbox_rule_adds_loopback_and_nothing_else() {
    let rule = AddressRule::LoopbackAllowed;
    assert_eq!(check(rule, "127.0.0.1"), Ok(()));
    assert_eq!(check(rule, "::1"), Ok(()));
    assert_eq!(check(rule, "10.0.0.1"), Err(AddressClass::Private));
    assert_eq!(check(rule, "169.254.169.254"), Err(AddressClass::LinkLocal));
    assert_eq!(check(rule, "::ffff:127.0.0.1"), Err(AddressClass::EmbeddedIpv4));
    assert_eq!(check(rule, "0.0.0.0"), Err(AddressClass::Unspecified));
}
