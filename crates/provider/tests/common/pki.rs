//! The smallest public key infrastructure that does: authorities for cards, for token keys and for TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use authenticator::health_card::{AuthorityRules, CardTrust};
use jose::jwk::P256PublicKey;
use jose::{SoftwareKey, UnixTime};
use provider::TokenCertificates;
use transport::{ClientIdentity, Roots, TlsIdentity};
use wallet::card::VirtualCard;

use super::clock::NOW;

// The sandbox's certificate writer, alone: it can write what is wrong in one point.
#[allow(dead_code)]
#[path = "../../../sandbox/src/pki/x509.rs"]
pub mod x509;

use x509::{IssuerKey, Template};

pub const DAY: u64 = 86_400;
pub const PIN: &str = "123456";
/// TLS is judged by the machine's clock, which no test may know: these certificates are valid whenever anybody runs them.
const TLS_FROM: UnixTime = UnixTime(1_500_000_000);
const TLS_UNTIL: UnixTime = UnixTime(4_000_000_000);

fn brainpool(number: u8) -> IssuerKey {
    IssuerKey::Brainpool(Box::new(ecdsa::SigningKey::from_slice(&[number; 32]).unwrap()))
}

fn p256(number: u8) -> SoftwareKey {
    SoftwareKey::from_scalar("pki", &[number; 32]).unwrap()
}

fn authority(common_name: &str, key: &IssuerKey, not_before: UnixTime, not_after: UnixTime) -> Vec<u8> {
    let name = x509::name(&[(x509::COMMON_NAME, common_name)]);
    let spki = key.spki();
    let template = Template {
        serial: vec![1],
        issuer: name.clone(),
        not_before,
        not_after,
        subject: name,
        extensions: vec![
            x509::subject_key_identifier(&spki),
            x509::basic_constraints(true),
            x509::key_usage(x509::CERTIFICATE_AND_LIST_SIGN),
        ],
        spki,
    };
    x509::certificate(&template, key).unwrap()
}

const EGK_AUTHORITY: &str = "GEM.EGK-CA97 TEST-ONLY";
const EGK_KEY: u8 = 11;
/// Model of the authenticators that the tests' policy believes.
pub const PASSKEY_MODEL: [u8; 16] = [0xa5; 16];
const PASSKEY_MAKER: &str = "Maker of authenticators TEST-ONLY";
const PASSKEY_MAKER_KEY: u8 = 41;
const PASSKEY_BATCH_KEY: u8 = 42;

/// The root of their maker, PEM.
pub fn passkey_maker() -> String {
    let key = IssuerKey::P256(Box::new(p256(PASSKEY_MAKER_KEY)));
    let der = authority(PASSKEY_MAKER, &key, TLS_FROM, TLS_UNTIL);
    let coded = jose::base64url::encode(&der).replace('-', "+").replace('_', "/");
    let padded = format!("{coded}{}", "=".repeat((4 - coded.len() % 4) % 4));
    let lines = padded
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap());
    let lines: Vec<&str> = lines.collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// The key a batch of them attests with, and its certificate.
pub fn passkey_batch() -> (SoftwareKey, Vec<u8>) {
    let key = p256(PASSKEY_BATCH_KEY);
    let template = Template {
        serial: vec![2],
        issuer: x509::name(&[(x509::COMMON_NAME, PASSKEY_MAKER)]),
        not_before: TLS_FROM,
        not_after: TLS_UNTIL,
        subject: x509::name(&[
            (x509::COUNTRY, "DE"),
            (x509::ORGANIZATION, "Maker"),
            (x509::ORGANIZATIONAL_UNIT, "Authenticator Attestation"),
            (x509::COMMON_NAME, "Batch 1"),
        ]),
        extensions: vec![
            x509::basic_constraints(false),
            x509::extension("1.3.6.1.4.1.45724.1.1.4", false, &x509::element(0x04, &PASSKEY_MODEL)),
        ],
        spki: IssuerKey::P256(Box::new(p256(PASSKEY_BATCH_KEY))).spki(),
    };
    let issuer = IssuerKey::P256(Box::new(p256(PASSKEY_MAKER_KEY)));
    (key, x509::certificate(&template, &issuer).unwrap())
}

/// Serial number of the card that is on the revocation list.
pub const REVOKED_SERIAL: u8 = 99;

/// The authority whose cards the providers of all tests accept, and its list.
pub fn card_trust() -> Arc<CardTrust> {
    static TRUST: LazyLock<Arc<CardTrust>> = LazyLock::new(|| {
        let (authority, list) = card_authority(NOW);
        let mut trust = CardTrust::new();
        trust.add_authority(&authority, AuthorityRules::default()).unwrap();
        trust.add_crl(&list).unwrap();
        Arc::new(trust)
    });
    Arc::clone(&TRUST)
}

/// That authority's certificate and list (DER), valid around this moment.
pub fn card_authority(now: UnixTime) -> (Vec<u8>, Vec<u8>) {
    let (from, until) = (now.minus_seconds(400 * DAY), now.plus_seconds(4000 * DAY));
    let key = brainpool(EGK_KEY);
    let name = x509::name(&[(x509::COMMON_NAME, EGK_AUTHORITY)]);
    let revoked = [(vec![REVOKED_SERIAL], from)];
    let list = x509::revocation_list(&name, &revoked, from, until, &[x509::crl_number(1)], &key).unwrap();
    (authority(EGK_AUTHORITY, &key, from, until), list)
}

/// A certificate over a TPM's attestation key, and the root it is issued by.
pub fn tpm_certificate(key: &P256PublicKey) -> (Vec<u8>, Vec<u8>) {
    const NAME: &str = "emulated TPMs TEST-ONLY";
    let issuer = IssuerKey::P256(Box::new(p256(14)));
    let root = authority(NAME, &issuer, TLS_FROM, TLS_UNTIL);
    let template = Template {
        serial: vec![4],
        issuer: x509::name(&[(x509::COMMON_NAME, NAME)]),
        not_before: TLS_FROM,
        not_after: TLS_UNTIL,
        subject: x509::name(&[(x509::COMMON_NAME, "attestation key TEST-ONLY")]),
        spki: key.to_spki_der(),
        extensions: vec![x509::key_usage(x509::DIGITAL_SIGNATURE)],
    };
    (x509::certificate(&template, &issuer).unwrap(), root)
}

/// A card of the authority for this number, of this insurer. `number` gives key and serial number.
pub fn card(number: u8, ik: &str, kvnr: &str) -> VirtualCard {
    card_at(NOW, number, ik, kvnr)
}

/// As [`card`], valid around this moment.
pub fn card_at(now: UnixTime, number: u8, ik: &str, kvnr: &str) -> VirtualCard {
    card_of(brainpool(EGK_KEY), now, number, ik, kvnr)
}

/// A card of somebody who is no authority.
pub fn forged_card(number: u8, ik: &str, kvnr: &str) -> VirtualCard {
    card_of(brainpool(66), NOW, number, ik, kvnr)
}

fn card_of(issuer: IssuerKey, now: UnixTime, number: u8, ik: &str, kvnr: &str) -> VirtualCard {
    let spki = brainpool(number).spki();
    let template = Template {
        serial: vec![number],
        issuer: x509::name(&[(x509::COMMON_NAME, EGK_AUTHORITY)]),
        not_before: now.minus_seconds(300 * DAY),
        not_after: now.plus_seconds(1000 * DAY),
        subject: x509::name(&[
            (x509::COUNTRY, "DE"),
            (x509::ORGANIZATIONAL_UNIT, ik),
            (x509::ORGANIZATIONAL_UNIT, kvnr),
            (x509::COMMON_NAME, "Test card"),
        ]),
        extensions: vec![
            x509::subject_key_identifier(&spki),
            x509::policies(&["1.2.276.0.76.4.70"]),
            x509::admission("Versicherte/-r", "1.2.276.0.76.4.49"),
            x509::basic_constraints(false),
            x509::key_usage(x509::DIGITAL_SIGNATURE),
        ],
        spki,
    };
    let certificate = x509::certificate(&template, &issuer).unwrap();
    VirtualCard::new(&[number; 32], &certificate, PIN, None).unwrap()
}

/// Certifies token keys, and counts how often it was asked.
#[derive(Default)]
pub struct ComponentAuthority {
    pub issued: std::sync::atomic::AtomicUsize,
}

impl TokenCertificates for ComponentAuthority {
    fn issue(&self, _: &str, organization_name: &str, key: &P256PublicKey, now: UnixTime) -> Option<Vec<u8>> {
        self.issued.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let template = Template {
            serial: key.x()[..16].to_vec(),
            issuer: x509::name(&[(x509::COMMON_NAME, "GEM.KOMP-CA97 TEST-ONLY")]),
            not_before: now,
            not_after: now.plus_seconds(5 * 365 * DAY),
            subject: x509::name(&[(x509::COMMON_NAME, organization_name)]),
            spki: key.to_spki_der(),
            extensions: vec![
                x509::admission("sektoraler IDP", "1.2.276.0.76.4.307"),
                x509::key_usage(x509::DIGITAL_SIGNATURE),
            ],
        };
        x509::certificate(&template, &IssuerKey::P256(Box::new(p256(12)))).ok()
    }
}

const TLS_AUTHORITY: &str = "provider tests TLS-CA TEST-ONLY";
const TLS_KEY: u8 = 13;

/// What clients of the tests believe.
pub fn roots() -> Roots {
    static ROOTS: LazyLock<Roots> = LazyLock::new(|| {
        let mut roots = Roots::none();
        roots.add_der(&tls_authority()).unwrap();
        roots
    });
    ROOTS.clone()
}

/// The certificate (DER) of the authority behind them.
pub fn tls_authority() -> Vec<u8> {
    let key = IssuerKey::P256(Box::new(p256(TLS_KEY)));
    authority(TLS_AUTHORITY, &key, TLS_FROM, TLS_UNTIL)
}

/// A TLS server certificate for a host, with this key.
pub fn server_certificate(host: &str, key: &SoftwareKey, until: UnixTime) -> Vec<u8> {
    server_certificate_of(&[host], key, until)
}

/// As [`server_certificate`], for several hosts, valid whenever anybody runs the tests.
pub fn lasting_server_certificate(hosts: &[&str], key: &SoftwareKey) -> Vec<u8> {
    server_certificate_of(hosts, key, TLS_UNTIL)
}

fn server_certificate_of(hosts: &[&str], key: &SoftwareKey, until: UnixTime) -> Vec<u8> {
    let template = Template {
        serial: vec![3],
        issuer: x509::name(&[(x509::COMMON_NAME, TLS_AUTHORITY)]),
        not_before: TLS_FROM,
        not_after: until,
        subject: x509::name(&[(x509::COMMON_NAME, hosts[0])]),
        spki: key.public_key().to_spki_der(),
        extensions: vec![x509::subject_alt_name(hosts, &[])],
    };
    x509::certificate(&template, &IssuerKey::P256(Box::new(p256(TLS_KEY)))).unwrap()
}

/// The servers' identity, for both hosts.
pub fn server_identity() -> TlsIdentity {
    static IDENTITY: LazyLock<TlsIdentity> = LazyLock::new(|| {
        let key = SoftwareKey::generate("tls").unwrap();
        let template = Template {
            serial: vec![2],
            issuer: x509::name(&[(x509::COMMON_NAME, TLS_AUTHORITY)]),
            not_before: TLS_FROM,
            not_after: TLS_UNTIL,
            subject: x509::name(&[(x509::COMMON_NAME, "localhost")]),
            spki: key.public_key().to_spki_der(),
            extensions: vec![
                x509::subject_alt_name(
                    &["localhost", super::HOST_OF_ITS_OWN, super::UNKNOWN_HOST],
                    &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
                ),
                x509::extended_key_usage(&["1.3.6.1.5.5.7.3.1"]),
                x509::basic_constraints(false),
                x509::key_usage(x509::DIGITAL_SIGNATURE),
            ],
        };
        let issuer = IssuerKey::P256(Box::new(p256(TLS_KEY)));
        let certificate = x509::certificate(&template, &issuer).unwrap();
        TlsIdentity::new(&[certificate], &key.to_pkcs8_der()).unwrap()
    });
    IDENTITY.clone()
}

/// A self-signed TLS client certificate with its key (RFC 8705 §2.2).
#[derive(Clone)]
pub struct ClientCertificate {
    pub der: Vec<u8>,
    pub public_key: P256PublicKey,
    pub identity: ClientIdentity,
}

impl ClientCertificate {
    pub fn new() -> Self {
        Self::valid(NOW.minus_seconds(DAY), NOW.plus_seconds(300 * DAY))
    }

    /// Valid whenever anybody runs the tests.
    pub fn lasting() -> Self {
        Self::valid(TLS_FROM, TLS_UNTIL)
    }

    pub fn valid(not_before: UnixTime, not_after: UnixTime) -> Self {
        let key = SoftwareKey::generate("tls-client").unwrap();
        let name = x509::name(&[(x509::COMMON_NAME, "service")]);
        let template = Template {
            serial: vec![3],
            issuer: name.clone(),
            not_before,
            not_after,
            subject: name,
            spki: key.public_key().to_spki_der(),
            extensions: vec![
                x509::extended_key_usage(&["1.3.6.1.5.5.7.3.2"]),
                x509::key_usage(x509::DIGITAL_SIGNATURE),
            ],
        };
        let pkcs8 = key.to_pkcs8_der();
        let public_key = key.public_key().clone();
        let der = x509::certificate(&template, &IssuerKey::P256(Box::new(key))).unwrap();
        let identity = ClientIdentity::new(std::slice::from_ref(&der), &pkcs8).unwrap();
        Self {
            der,
            public_key,
            identity,
        }
    }
}
