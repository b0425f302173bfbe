//! Android Key Attestation of the passkey's own key.

use super::{MAKER, SoftKey, bytes, head, maker_name, map, number, text};
use crate::attestation::test_pki::{self, NULL, Template, element, integer, octets, sequence, set, tagged, writer};

/// Number of the key that attests; its certificate has this serial number.
pub(in super::super) const ATTESTER: u8 = MAKER + 2;

#[derive(Clone)]
pub(in super::super) struct Android {
    pub(in super::super) algorithm: Option<i64>,
    pub(in super::super) challenge: Option<Vec<u8>>,
    /// 1: the trusted environment.
    pub(in super::super) level: u8,
    /// 0: generated.
    pub(in super::super) origin: u64,
    /// 2: to sign.
    pub(in super::super) purpose: u64,
    /// Whether every app may use it, as the software and the hardware say.
    pub(in super::super) all_applications: [bool; 2],
    pub(in super::super) has_description: bool,
    /// The extension's content, where it is not the right one.
    pub(in super::super) description: Option<Vec<u8>>,
    pub(in super::super) spki: Option<Vec<u8>>,
    pub(in super::super) signature: Option<Vec<u8>>,
    pub(in super::super) issuer: Template,
}

impl Android {
    pub(in super::super) fn new() -> Self {
        Self {
            algorithm: None,
            challenge: None,
            level: 1,
            origin: 0,
            purpose: 2,
            all_applications: [false, false],
            has_description: true,
            description: None,
            spki: None,
            signature: None,
            issuer: test_pki::authority(&test_pki::name("TEST-ONLY attestation"), ATTESTER, &maker_name()),
        }
    }

    fn describe(&self, client_data_hash: &[u8]) -> Vec<u8> {
        let level = element(0x0a, &[self.level]);
        let challenge = octets(self.challenge.as_deref().unwrap_or(client_data_hash));
        let [software, hardware] = self
            .all_applications
            .map(|all| if all { tagged(600, NULL) } else { Vec::new() });
        let hardware = sequence(&[
            &tagged(1, &set(&[integer(self.purpose)])),
            &tagged(2, &integer(3)),
            &tagged(3, &integer(256)),
            &tagged(10, &integer(1)),
            &hardware,
            &tagged(702, &integer(self.origin)),
        ]);
        sequence(&[
            &integer(300),
            &level,
            &integer(300),
            &level,
            &challenge,
            &octets(&[]),
            &sequence(&[&software]),
            &hardware,
        ])
    }

    pub(super) fn statement(&self, key: &SoftKey, signed: &[u8]) -> Vec<u8> {
        let mut certificate = test_pki::end_entity(&test_pki::name("Key"), MAKER + 1, &self.issuer.subject);
        certificate.spki = self.spki.clone().unwrap_or_else(|| key.spki());
        if self.has_description {
            let right = || self.describe(&signed[signed.len() - 32..]);
            let description = self.description.clone().unwrap_or_else(right);
            let extension = writer::extension("1.3.6.1.4.1.11129.2.1.17", false, &description);
            certificate.extensions.push(extension);
        }
        let leaf = test_pki::signed(&certificate, ATTESTER);
        let issuer = test_pki::signed(&self.issuer, MAKER);
        let signature = self.signature.clone().unwrap_or_else(|| key.sign(signed));
        map(&[
            (text("alg"), number(self.algorithm.unwrap_or(key.algorithm()))),
            (text("sig"), bytes(&signature)),
            (text("x5c"), [head(4, 2), bytes(&leaf), bytes(&issuer)].concat()),
        ])
    }
}
