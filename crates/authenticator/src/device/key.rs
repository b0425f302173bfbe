//! The public key a device is bound with: on P-256, as every device key and most passkeys are, or RSA, as Windows makes them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use der::asn1::UintRef;
use der::{Decode as _, Reader as _, SliceReader};
use jose::base64url;
use jose::jwk::P256PublicKey;
use serde::{Deserialize, Serialize};

use crate::attestation::KeyKind;
use crate::attestation::x509::Certificate;

/// Bytes of the modulus of every RSA key that is bound: 2048 bits, what a TPM must have and Windows makes. The device record has one size, and
/// this is the longest modulus that fits into it (`docs/adr/0016`).
pub const RSA_MODULUS_BYTES: usize = 256;
/// The public exponent of every RSA key that is bound: 65537.
pub const RSA_EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

/// Stand in where the key named is of the other kind, so that an answer takes as long: the generator of P-256, and an odd number. What verifies with
/// them is refused all the same.
const NOBODYS_POINT: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03,
    0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe,
    0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce,
    0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];
const NOBODYS_MODULUS: [u8; RSA_MODULUS_BYTES] = [0xc1; RSA_MODULUS_BYTES];

/// A bound key. Stored as text in base64url: a point has 65 bytes, a modulus [`RSA_MODULUS_BYTES`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum BoundKey {
    P256(P256PublicKey),
    Rsa(RsaModulus),
}

/// A modulus of [`RSA_MODULUS_BYTES`], odd and without leading zero. The exponent is [`RSA_EXPONENT`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RsaModulus(Box<[u8; RSA_MODULUS_BYTES]>);

impl RsaModulus {
    /// `None` for any other length, an even number, or one with fewer bits.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let modulus: [u8; RSA_MODULUS_BYTES] = bytes.try_into().ok()?;
        let (first, last) = (*modulus.first()?, *modulus.last()?);
        (first & 0x80 != 0 && last & 1 != 0).then(|| Self(Box::new(modulus)))
    }
}

impl BoundKey {
    /// Whether it signed `message` as passkeys sign: ECDSA in DER, or PKCS #1 v1.5, both with SHA-256.
    ///
    /// Which of the two is computed follows from the signature's length, never from whose key this is: the time of the answer tells nothing about the
    /// record that a handle leads to.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        if signature.len() == RSA_MODULUS_BYTES {
            let (modulus, is_own) = match self {
                Self::Rsa(modulus) => (modulus.0.as_slice(), true),
                Self::P256(_) => (NOBODYS_MODULUS.as_slice(), false),
            };
            let components = RsaPublicKeyComponents {
                n: modulus,
                e: RSA_EXPONENT.as_slice(),
            };
            let verified = components.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
            return verified.is_ok() && is_own;
        }
        let (point, is_own) = match self {
            Self::P256(key) => (key.to_uncompressed(), true),
            Self::Rsa(_) => (NOBODYS_POINT, false),
        };
        let verified = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature);
        verified.is_ok() && is_own
    }

    /// The key of a device that signs in JWS. For an RSA key nobody's: whoever verifies with it refuses passkeys.
    pub(crate) fn for_jws(&self) -> Option<P256PublicKey> {
        match self {
            Self::P256(key) => Some(key.clone()),
            Self::Rsa(_) => P256PublicKey::from_uncompressed(&NOBODYS_POINT).ok(),
        }
    }

    /// Whether a certificate is this key's.
    pub(crate) fn is_certified_by(&self, certificate: &Certificate) -> bool {
        match (self, certificate.key_kind()) {
            (Self::P256(key), KeyKind::P256) => certificate.key() == key.to_uncompressed(),
            (Self::Rsa(modulus), KeyKind::Rsa) => rsa_modulus(certificate.key()).as_ref() == Some(modulus),
            _ => false,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.to_uncompressed().to_vec(),
            Self::Rsa(modulus) => modulus.0.to_vec(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            RSA_MODULUS_BYTES => RsaModulus::new(bytes).map(Self::Rsa),
            _ => P256PublicKey::from_uncompressed(bytes).ok().map(Self::P256),
        }
    }
}

/// `RSAPublicKey` (RFC 8017 §A.1.1) with the exponent of every key here.
fn rsa_modulus(der: &[u8]) -> Option<RsaModulus> {
    let mut reader = SliceReader::new(der).ok()?;
    let (modulus, exponent) = reader
        .sequence(|reader| {
            let (modulus, exponent) = (UintRef::decode(reader)?, UintRef::decode(reader)?);
            Ok::<_, der::Error>((modulus, exponent))
        })
        .ok()?;
    let is_whole = reader.is_finished() && exponent.as_bytes() == RSA_EXPONENT;
    RsaModulus::new(modulus.as_bytes()).filter(|_| is_whole)
}

impl Serialize for BoundKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(&self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for BoundKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let bytes = base64url::decode(&text).map_err(|_| D::Error::custom("key: expected base64url"))?;
        Self::from_bytes(&bytes).ok_or_else(|| D::Error::custom("key: expected a P-256 point or an RSA modulus"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nobodys_keys_are_keys() {
        assert!(P256PublicKey::from_uncompressed(&NOBODYS_POINT).is_ok());
        assert!(RsaModulus::new(&NOBODYS_MODULUS).is_some());
    }

    #[test]
    fn a_modulus_has_2048_bits_and_is_odd() {
        let good = [0xc1; RSA_MODULUS_BYTES];
        assert!(RsaModulus::new(&good).is_some());
        let mut short = good;
        short[0] = 0x7f;
        let mut even = good;
        even[RSA_MODULUS_BYTES - 1] = 0xc0;
        let zeros = [0; RSA_MODULUS_BYTES];
        for wrong in [&short[..], &even, &zeros, &good[1..], &[0xc1; 384], &[0xc1; 512], &[]] {
            assert!(RsaModulus::new(wrong).is_none());
        }
    }

    #[test]
    fn a_stored_key_is_a_point_or_a_modulus() {
        let read = |bytes: &[u8]| serde_json::from_value::<BoundKey>(base64url::encode(bytes).into());
        assert!(matches!(read(&NOBODYS_POINT), Ok(BoundKey::P256(_))));
        assert!(matches!(read(&NOBODYS_MODULUS), Ok(BoundKey::Rsa(_))));
        for wrong in [&[][..], &NOBODYS_POINT[1..], &NOBODYS_MODULUS[1..], &[0; 256], &[4; 65]] {
            assert!(read(wrong).is_err());
        }
        assert!(serde_json::from_str::<BoundKey>("\"=\"").is_err());
    }

    #[test]
    fn an_rsa_public_key_is_read_whole_or_not_at_all() {
        use crate::attestation::test_pki::{element, sequence};
        let modulus = element(0x02, &[&[0][..], &NOBODYS_MODULUS].concat());
        let exponent = element(0x02, &RSA_EXPONENT);
        let right = sequence(&[&modulus, &exponent]);
        assert!(rsa_modulus(&right).is_some());
        for (why, wrong) in [
            ("nothing", Vec::new()),
            ("bytes behind", [right.clone(), vec![0]].concat()),
            ("no exponent", sequence(&[&modulus])),
            ("a member more", sequence(&[&modulus, &exponent, &exponent])),
            ("exponent 3", sequence(&[&modulus, &element(0x02, &[3])])),
            (
                "a negative modulus",
                sequence(&[&element(0x02, &NOBODYS_MODULUS), &exponent]),
            ),
            ("a short modulus", sequence(&[&element(0x02, &[1; 255]), &exponent])),
        ] {
            assert!(rsa_modulus(&wrong).is_none(), "{why}");
        }
    }
}
