//! A TPM that certifies a key. Every part of what it says can be changed.

use der::asn1::ObjectIdentifier;

use super::{AAGUID, MAKER, SoftKey, bytes, constraints, head, maker_name, map, model_extension, number, sign, text};
use crate::attestation::test_pki::{self, DAY, NOW, Template, element, sequence, writer};
use crate::passkey::hash;

pub(in super::super) const AIK_PURPOSE: &str = "2.23.133.8.3";

/// What the statement and its two structures say.
#[derive(Clone)]
pub(in super::super) struct Tpm {
    pub(in super::super) version: &'static str,
    pub(in super::super) algorithm: i64,
    pub(in super::super) magic: u32,
    pub(in super::super) kind: u16,
    pub(in super::super) extra_data: Option<Vec<u8>>,
    pub(in super::super) name: Option<Vec<u8>>,
    pub(in super::super) attributes: u32,
    pub(in super::super) name_algorithm: u16,
    pub(in super::super) symmetric: u16,
    pub(in super::super) exponent: u32,
    /// Behind the public area, and behind the certificate information.
    pub(in super::super) behind: [Vec<u8>; 2],
    /// Another public area altogether.
    pub(in super::super) area: Option<Vec<u8>>,
    pub(in super::super) certificate: Template,
    /// Signed by an RSA key, as Windows has it.
    pub(in super::super) rsa_aik: bool,
    pub(in super::super) signature: Option<Vec<u8>>,
}

/// Manufacturer, model, version.
pub(in super::super) fn alternative_name(attributes: &[(&str, &str)]) -> Vec<u8> {
    let attributes: Vec<_> = attributes
        .iter()
        .map(|(id, value)| (ObjectIdentifier::new(id).unwrap(), *value))
        .collect();
    let name = element(0xa4, &writer::name(&attributes));
    writer::extension("2.5.29.17", true, &sequence(&[&name]))
}

pub(in super::super) const TPM_NAME: [(&str, &str); 3] = [
    ("2.23.133.2.1", "id:FFFFF1D0"),
    ("2.23.133.2.2", "TEST-ONLY"),
    ("2.23.133.2.3", "id:00010002"),
];

impl Tpm {
    /// Right in every point: constraints, purpose, alternative name and model stand in this order in its certificate.
    pub(in super::super) fn new() -> Self {
        Self {
            version: "2.0",
            algorithm: -7,
            magic: 0xff54_4347,
            kind: 0x8017,
            extra_data: None,
            name: None,
            // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, decrypt, sign: what Windows makes.
            attributes: 0x0006_0472,
            name_algorithm: 0x000b,
            symmetric: 0x0010,
            exponent: 0,
            behind: [Vec::new(), Vec::new()],
            area: None,
            certificate: Template {
                not_after: NOW.plus_seconds(DAY * 400),
                extensions: vec![
                    constraints(false),
                    writer::extended_key_usage(&[AIK_PURPOSE]),
                    alternative_name(&TPM_NAME),
                    model_extension(&AAGUID, false),
                ],
                ..test_pki::end_entity(&sequence(&[]), MAKER + 1, &maker_name())
            },
            rsa_aik: false,
            signature: None,
        }
    }

    pub(in super::super) fn public_area(&self, key: &SoftKey) -> Vec<u8> {
        let sized = |content: &[u8]| [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat();
        let (kind, parameters) = match key {
            SoftKey::P256(key) => {
                // No scheme, P-256, no derivation.
                let fixed = [0x00, 0x10, 0x00, 0x03, 0x00, 0x10];
                let key = key.public_key();
                (0x0023_u16, [&fixed[..], &sized(key.x()), &sized(key.y())].concat())
            }
            SoftKey::Rsa(pair) => {
                let modulus = SoftKey::modulus(pair);
                let fixed = [
                    &[0x00, 0x10][..],
                    &2_048_u16.to_be_bytes(),
                    &self.exponent.to_be_bytes(),
                ]
                .concat();
                (0x0001, [fixed, sized(&modulus)].concat())
            }
        };
        let area = [
            &kind.to_be_bytes()[..],
            &self.name_algorithm.to_be_bytes(),
            &self.attributes.to_be_bytes(),
            &sized(&[9; 32]),
            &self.symmetric.to_be_bytes(),
            &parameters,
            &self.behind[0],
        ];
        self.area.clone().unwrap_or_else(|| area.concat())
    }

    pub(in super::super) fn cert_info(&self, area: &[u8], signed: &[u8]) -> Vec<u8> {
        let sized = |content: &[u8]| [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat();
        let name = [&self.name_algorithm.to_be_bytes()[..], &hash(&[area])].concat();
        [
            &self.magic.to_be_bytes()[..],
            &self.kind.to_be_bytes(),
            &sized(&[0x0b; 34]),
            &sized(self.extra_data.as_deref().unwrap_or(&hash(&[signed]))),
            &[7; 25],
            &sized(self.name.as_deref().unwrap_or(&name)),
            &sized(&[0x0c; 34]),
            &self.behind[1],
        ]
        .concat()
    }

    pub(super) fn statement(&self, key: &SoftKey, signed: &[u8]) -> Vec<u8> {
        let area = self.public_area(key);
        let info = self.cert_info(&area, signed);
        let aik = SoftKey::Rsa(super::rsa());
        let mut certificate = self.certificate.clone();
        let signature = if self.rsa_aik {
            certificate.spki = aik.spki();
            aik.sign(&info)
        } else {
            sign(&test_pki::key(MAKER + 1), &info)
        };
        let leaf = test_pki::signed(&certificate, MAKER);
        map(&[
            (text("ver"), text(self.version)),
            (text("alg"), number(self.algorithm)),
            (text("x5c"), [head(4, 1), bytes(&leaf)].concat()),
            (text("sig"), bytes(self.signature.as_deref().unwrap_or(&signature))),
            (text("certInfo"), bytes(&info)),
            (text("pubArea"), bytes(&area)),
        ])
    }
}
