//! An authenticator in memory, for tests. It does what it is told, wrong things too.
#![allow(clippy::unwrap_used)]

mod android;
mod apple;
mod cbor;
mod key;
mod tpm;

use jose::base64url;
use serde_json::{Value, json};

pub(super) use self::android::Android;
pub(super) use self::apple::Apple;
pub(super) use self::cbor::{bytes, cose, head, map, number, text};
pub(super) use self::key::{SoftKey, rsa, sign};
pub(super) use self::tpm::{Tpm, alternative_name};
use super::{Assertion, AttestationFormat, Registration, USER_HANDLE_BYTES, hash};
use crate::attestation::test_pki::{self, DAY, NOW, Template, element, sequence, writer};

pub(super) const ORIGIN: &str = "https://idp.example";
pub(super) const RP_ID: &str = "idp.example";
pub(super) const AAGUID: [u8; 16] = [0xa5; 16];
pub(super) const UP: u8 = 0x01;
pub(super) const UV: u8 = 0x04;
pub(super) const BE: u8 = 0x08;
pub(super) const BS: u8 = 0x10;
pub(super) const AT: u8 = 0x40;
pub(super) const ED: u8 = 0x80;
/// Number of the maker's key; the one above it attests.
pub(super) const MAKER: u8 = 80;

/// How it attests.
#[derive(Clone)]
pub(super) enum Attests {
    None,
    Itself,
    ByMaker,
    Tpm(Tpm),
    Apple(Apple),
    Android(Android),
}

impl Attests {
    /// In which a policy believes it.
    pub(super) const fn format(&self) -> AttestationFormat {
        match self {
            Self::None | Self::Itself | Self::ByMaker => AttestationFormat::Packed,
            Self::Tpm(_) => AttestationFormat::Tpm,
            Self::Apple(_) => AttestationFormat::Apple,
            Self::Android(_) => AttestationFormat::AndroidKey,
        }
    }
}

/// An authenticator with one key. Every part of what it says can be changed.
pub(super) struct Soft {
    pub(super) key: SoftKey,
    pub(super) id: Vec<u8>,
    pub(super) rp_id: String,
    pub(super) flags: u8,
    pub(super) counter: u32,
    pub(super) aaguid: [u8; 16],
    pub(super) attests: Attests,
    pub(super) client_data: Value,
    /// Members of the COSE key, CBOR.
    pub(super) cose: Option<Vec<u8>>,
    /// Behind everything.
    pub(super) extensions: Vec<u8>,
    /// The maker's certificate for it (`packed`).
    pub(super) certificate: Template,
    /// What it calls its statement, where that is not its format's name.
    pub(super) format: Option<&'static str>,
}

/// `id-fido-gen-ce-aaguid` for this model.
pub(super) fn model_extension(aaguid: &[u8], critical: bool) -> Vec<u8> {
    writer::extension("1.3.6.1.4.1.45724.1.1.4", critical, &element(0x04, aaguid))
}

pub(super) fn constraints(is_authority: bool) -> Vec<u8> {
    let content = if is_authority {
        element(0x01, &[0xff])
    } else {
        Vec::new()
    };
    writer::extension("2.5.29.19", true, &sequence(&[&content]))
}

pub(super) fn maker_name() -> Vec<u8> {
    test_pki::name("Maker's root")
}

pub(super) fn subject(unit: &str) -> Vec<u8> {
    const COUNTRY: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.4.6");
    const UNIT: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.4.11");
    const ORGANIZATION: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.4.10");
    writer::name(&[
        (COUNTRY, "DE"),
        (ORGANIZATION, "Maker"),
        (UNIT, unit),
        (writer::COMMON_NAME, "Model 1"),
    ])
}

/// The maker's root, PEM.
pub(super) fn maker_root() -> String {
    let name = maker_name();
    let der = test_pki::signed(&test_pki::authority(&name, MAKER, &name), MAKER);
    let coded = base64url::encode(&der).replace('-', "+").replace('_', "/");
    let padded = format!("{coded}{}", "=".repeat((4 - coded.len() % 4) % 4));
    let lines: Vec<&str> = padded
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

impl Soft {
    /// Right in every point, for this challenge.
    pub(super) fn new(kind: &str, challenge: &[u8; 32]) -> Self {
        Self {
            key: SoftKey::p256(),
            id: vec![0x1d; 32],
            rp_id: RP_ID.to_owned(),
            flags: UP | UV,
            counter: 1,
            aaguid: AAGUID,
            attests: Attests::ByMaker,
            client_data: json!({
                "type": kind,
                "challenge": base64url::encode(challenge),
                "origin": ORIGIN,
                "crossOrigin": false,
            }),
            cose: None,
            extensions: Vec::new(),
            certificate: Template {
                not_after: NOW.plus_seconds(DAY * 400),
                extensions: vec![constraints(false), model_extension(&AAGUID, false)],
                ..test_pki::end_entity(&subject("Authenticator Attestation"), MAKER + 1, &maker_name())
            },
            format: None,
        }
    }

    fn cose_key(&self) -> Vec<u8> {
        self.cose.clone().unwrap_or_else(|| self.key.cose())
    }

    pub(super) fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = [
            &hash(&[self.rp_id.as_bytes()])[..],
            &[flags],
            &self.counter.to_be_bytes(),
        ]
        .concat();
        if flags & AT != 0 {
            data.extend(self.aaguid);
            data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
            data.extend(&self.id);
            data.extend(self.cose_key());
        }
        data.extend(&self.extensions);
        data
    }

    pub(super) fn client_data_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.client_data).unwrap()
    }

    /// About `signed`: authenticator data, then the hash of the client data.
    pub(super) fn statement(&self, signed: &[u8]) -> Vec<u8> {
        match &self.attests {
            Attests::None => map(&[]),
            Attests::Itself => map(&[
                (text("alg"), number(self.key.algorithm())),
                (text("sig"), bytes(&self.key.sign(signed))),
            ]),
            Attests::ByMaker => {
                let leaf = test_pki::signed(&self.certificate, MAKER);
                let chain = [head(4, 1), bytes(&leaf)].concat();
                let signature = sign(&test_pki::key(MAKER + 1), signed);
                map(&[
                    (text("alg"), number(-7)),
                    (text("sig"), bytes(&signature)),
                    (text("x5c"), chain),
                ])
            }
            Attests::Tpm(tpm) => tpm.statement(&self.key, signed),
            Attests::Apple(apple) => apple.statement(&self.key, signed),
            Attests::Android(android) => android.statement(&self.key, signed),
        }
    }

    fn format(&self) -> &'static str {
        let own = match &self.attests {
            Attests::None => "none",
            Attests::Itself | Attests::ByMaker => "packed",
            Attests::Tpm(_) => "tpm",
            Attests::Apple(_) => "apple",
            Attests::Android(_) => "android-key",
        };
        self.format.unwrap_or(own)
    }

    pub(super) fn object(&self, statement: Vec<u8>) -> Vec<u8> {
        map(&[
            (text("fmt"), text(self.format())),
            (text("attStmt"), statement),
            (text("authData"), bytes(&self.authenticator_data(self.flags | AT))),
        ])
    }

    pub(super) fn registration(&self) -> Registration {
        let client_data = self.client_data_bytes();
        let signed = [self.authenticator_data(self.flags | AT), hash(&[&client_data]).to_vec()].concat();
        Registration {
            credential_id: self.id.clone(),
            attestation_object: self.object(self.statement(&signed)),
            client_data,
        }
    }

    pub(super) fn assertion(&self, user_handle: [u8; USER_HANDLE_BYTES]) -> Assertion {
        let client_data = self.client_data_bytes();
        let authenticator_data = self.authenticator_data(self.flags);
        let signed = [authenticator_data.clone(), hash(&[&client_data]).to_vec()].concat();
        Assertion {
            credential_id: self.id.clone(),
            signature: self.key.sign(&signed),
            client_data,
            authenticator_data,
            user_handle,
        }
    }
}
