//! Keys of both kinds that passkeys have.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use jose::SoftwareKey;

use super::cbor::{bytes, cose, number};
use crate::attestation::test_pki::{element, sequence};

/// Made once: it takes a while.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// The RSA key of every test.
pub(in super::super) fn rsa() -> &'static RsaKeyPair {
    &RSA
}

pub(in super::super) enum SoftKey {
    P256(SoftwareKey),
    Rsa(&'static RsaKeyPair),
}

pub(in super::super) fn sign(key: &SoftwareKey, message: &[u8]) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.to_pkcs8_der()).unwrap();
    pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

impl SoftKey {
    /// A new one.
    pub(in super::super) fn p256() -> Self {
        Self::P256(SoftwareKey::generate("passkey").unwrap())
    }

    pub(in super::super) const fn algorithm(&self) -> i64 {
        match self {
            Self::P256(_) => -7,
            Self::Rsa(_) => -257,
        }
    }

    pub(in super::super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => sign(key, message),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }

    pub(in super::super) fn modulus(pair: &RsaKeyPair) -> Vec<u8> {
        // `RSAPublicKey`: two heads of four bytes, a zero, the modulus, the exponent.
        pair.public_key().as_ref()[9..][..256].to_vec()
    }

    pub(in super::super) fn cose(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let key = key.public_key();
                cose(&[
                    (1, number(2)),
                    (3, number(-7)),
                    (-1, number(1)),
                    (-2, bytes(key.x())),
                    (-3, bytes(key.y())),
                ])
            }
            Self::Rsa(pair) => cose(&[
                (1, number(3)),
                (3, number(-257)),
                (-1, bytes(&Self::modulus(pair))),
                (-2, bytes(&[1, 0, 1])),
            ]),
        }
    }

    /// DER `SubjectPublicKeyInfo`.
    pub(in super::super) fn spki(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.public_key().to_spki_der(),
            Self::Rsa(pair) => {
                const RSA_ENCRYPTION: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
                let bits = [&[0][..], pair.public_key().as_ref()].concat();
                sequence(&[&sequence(&[&RSA_ENCRYPTION, &[0x05, 0x00]]), &element(0x03, &bits)])
            }
        }
    }
}
