//! Keys as authenticators write them (COSE, RFC 9052 §7.1): ES256 and RS256, each in the one form that Web Authentication admits (§6.5.1.1).

use jose::jwk::P256PublicKey;

use crate::attestation::cbor::Item;
use crate::device::{BoundKey, RSA_EXPONENT, RsaModulus};

/// COSE identifier of ES256.
pub(super) const ES256: i64 = -7;
/// COSE identifier of RS256 (RFC 8812 §2).
pub(super) const RS256: i64 = -257;

const KEY_TYPE: i128 = 1;
const ALGORITHM: i128 = 3;
/// RFC 9053 §7.1.1.
const EC2: i128 = 2;
const CURVE: i128 = -1;
const P256: i128 = 1;
const X: i128 = -2;
const Y: i128 = -3;
/// RFC 8230 §4.
const RSA: i128 = 3;
const MODULUS: i128 = -1;
const EXPONENT: i128 = -2;

/// Exactly the members of a key of one of the two kinds.
pub(super) fn key(item: &Item<'_>) -> Option<BoundKey> {
    let says = |label: i128, value: i128| item.numbered(label) == Some(&Item::Integer(value));
    let count = item.map()?.len();
    if count == 5 && says(KEY_TYPE, EC2) && says(ALGORITHM, ES256.into()) && says(CURVE, P256) {
        let coordinate = |label| <[u8; 32]>::try_from(item.numbered(label)?.bytes()?).ok();
        let key = P256PublicKey::from_coordinates(&coordinate(X)?, &coordinate(Y)?);
        return key.ok().map(BoundKey::P256);
    }
    if count == 4 && says(KEY_TYPE, RSA) && says(ALGORITHM, RS256.into()) {
        let exponent = item.numbered(EXPONENT)?.bytes()?;
        let modulus = RsaModulus::new(item.numbered(MODULUS)?.bytes()?);
        return modulus.filter(|_| exponent == RSA_EXPONENT).map(BoundKey::Rsa);
    }
    None
}
