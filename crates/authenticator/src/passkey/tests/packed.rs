//! Statements of the formats `packed` and `none`.

use super::super::soft::{AT, Attests, bytes, head, map, number, sign, text};
use super::super::*;
use super::{new_key, registered};
use crate::attestation::test_pki;

#[test]
fn a_packed_statement_that_is_not_what_its_format_says_is_refused() {
    let soft = new_key(|_| {});
    let data = soft.authenticator_data(soft.flags | AT);
    let client_data = soft.client_data_bytes();
    let signed = [data.as_slice(), &hash(&[&client_data])].concat();
    let (right, leaf) = (
        sign(&test_pki::key(81), &signed),
        test_pki::signed(&soft.certificate, 80),
    );
    let statement = |algorithm: i64, signature: &[u8], chain: Vec<u8>| {
        map(&[
            (text("alg"), number(algorithm)),
            (text("sig"), bytes(signature)),
            (text("x5c"), chain),
        ])
    };
    let chain = [head(4, 1), bytes(&leaf)].concat();
    let try_it = |statement: Vec<u8>| {
        registered(&Registration {
            credential_id: soft.id.clone(),
            client_data: client_data.clone(),
            attestation_object: soft.object(statement),
        })
    };
    assert_eq!(
        try_it(statement(-7, &right, chain.clone())).unwrap().device.class,
        "passkey"
    );
    let by_key = soft.key.sign(&signed);
    let over_other = sign(&test_pki::key(81), &data);
    for (why, wrong, expected) in [
        (
            "signed by the new key",
            statement(-7, &by_key, chain.clone()),
            StatementError::Signature,
        ),
        (
            "over something else",
            statement(-7, &over_other, chain.clone()),
            StatementError::Signature,
        ),
        (
            "another algorithm than the certificate's",
            statement(-257, &right, chain.clone()),
            StatementError::Algorithm,
        ),
        (
            "no certificate",
            statement(-7, &right, vec![0x80]),
            StatementError::Certificate,
        ),
        (
            "a certificate that is none",
            statement(-7, &right, [head(4, 1), bytes(b"x")].concat()),
            StatementError::Certificate,
        ),
        (
            "certificates that are no list",
            statement(-7, &right, bytes(&leaf)),
            StatementError::Members,
        ),
        (
            "no algorithm",
            map(&[(text("sig"), bytes(&right))]),
            StatementError::Members,
        ),
        (
            "no signature",
            map(&[(text("alg"), number(-7))]),
            StatementError::Members,
        ),
        (
            "its own word, by another key",
            map(&[(text("alg"), number(-7)), (text("sig"), bytes(&right))]),
            StatementError::Signature,
        ),
        (
            "its own word, another algorithm that is read",
            map(&[(text("alg"), number(-257)), (text("sig"), bytes(&by_key))]),
            StatementError::Algorithm,
        ),
        (
            "its own word, an algorithm that is not read",
            map(&[(text("alg"), number(-35)), (text("sig"), bytes(&by_key))]),
            StatementError::Algorithm,
        ),
    ] {
        assert_eq!(try_it(wrong).unwrap_err(), expected.into(), "{why}");
    }
    // An algorithm that is not read is nobody's word.
    let unread = try_it(statement(-8, &right, chain)).unwrap();
    assert_eq!(unread.failed, [Check::AttestationFormat]);
    // A statement where there must be none.
    let silent = new_key(|soft| soft.attests = Attests::None);
    let spoken = Registration {
        attestation_object: silent.object(map(&[(text("alg"), number(-7))])),
        ..silent.registration()
    };
    assert_eq!(registered(&spoken).unwrap_err(), StatementError::Members.into());
}
