//! Apple's anonymous attestation: a certificate about the key itself, with a nonce.

use super::{MAKER, SoftKey, bytes, constraints, head, maker_name, map, text};
use crate::attestation::test_pki::{self, Template, octets, sequence, tagged, writer};
use crate::passkey::hash;

#[derive(Clone)]
pub(in super::super) struct Apple {
    /// The extension's content, where it is not the right one.
    pub(in super::super) nonce: Option<Vec<u8>>,
    pub(in super::super) has_nonce: bool,
    /// Another key in the certificate.
    pub(in super::super) spki: Option<Vec<u8>>,
    pub(in super::super) certificate: Template,
}

impl Apple {
    pub(in super::super) fn new() -> Self {
        Self {
            nonce: None,
            has_nonce: true,
            spki: None,
            certificate: Template {
                extensions: vec![constraints(false)],
                ..test_pki::end_entity(&test_pki::name("TEST-ONLY"), MAKER + 1, &maker_name())
            },
        }
    }

    pub(in super::super) fn nonce(content: &[u8]) -> Vec<u8> {
        sequence(&[&tagged(1, &octets(content))])
    }

    pub(super) fn statement(&self, key: &SoftKey, signed: &[u8]) -> Vec<u8> {
        let mut certificate = self.certificate.clone();
        certificate.spki = self.spki.clone().unwrap_or_else(|| key.spki());
        if self.has_nonce {
            let nonce = self.nonce.clone().unwrap_or_else(|| Self::nonce(&hash(&[signed])));
            let extension = writer::extension("1.2.840.113635.100.8.2", false, &nonce);
            certificate.extensions.push(extension);
        }
        let leaf = test_pki::signed(&certificate, MAKER);
        map(&[(text("x5c"), [head(4, 1), bytes(&leaf)].concat())])
    }
}
