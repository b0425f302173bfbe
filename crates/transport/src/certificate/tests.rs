#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn certificate() -> Vec<u8> {
    let mut params = rcgen::CertificateParams::new(vec!["service.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2051, 2, 3);
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn validity_reads_both_time_forms() {
    // RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050.
    let validity = certificate_validity(&certificate()).unwrap();
    assert_eq!(validity.not_before, 1_767_225_600);
    assert_eq!(validity.not_after, 2_558_995_200);
    assert!(validity.contains(1_767_225_600));
    assert!(validity.contains(2_558_995_200));
    assert!(!validity.contains(1_767_225_599));
    assert!(!validity.contains(2_558_995_201));
}

#[test]
fn thumbprints_are_those_of_the_whole_certificate_and_of_the_key() {
    let key = rcgen::KeyPair::generate().unwrap();
    let first = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let second = params.self_signed(&key).unwrap();
    assert_ne!(
        certificate_thumbprint(first.der()),
        certificate_thumbprint(second.der())
    );
    assert_eq!(
        public_key_thumbprint_hex(first.der()).unwrap(),
        public_key_thumbprint_hex(second.der()).unwrap()
    );
    assert_eq!(certificate_thumbprint(first.der()).len(), 43);
    // SHA-256 of the empty string, FIPS 180-4.
    assert_eq!(
        certificate_thumbprint_hex(b""),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        certificate_thumbprint(b""),
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    );
}

#[test]
fn malformed_certificates_are_refused() {
    let good = certificate();
    assert!(certificate_validity(&[]).is_err());
    assert!(certificate_validity(&good[..good.len() - 1]).is_err());
    assert_eq!(
        certificate_validity(&[good.clone(), vec![0]].concat()),
        Err(CertificateError::Malformed("trailing bytes"))
    );
    assert_eq!(
        certificate_validity(&vec![0; MAX_CERTIFICATE_BYTES + 1]),
        Err(CertificateError::TooLong)
    );
    // Indefinite length is BER.
    assert!(certificate_validity(&[0x30, 0x80, 0, 0]).is_err());
    assert!(certificate_validity(&[0x30, 0x84, 0, 0, 0, 1, 0]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = certificate_validity(&bytes);
        let _ = public_key_thumbprint_hex(&bytes);
    }

    #[test]
    fn no_damage_to_a_certificate_makes_the_reader_panic(at in 0usize..300, byte in any::<u8>()) {
        let mut bytes = certificate();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        let _ = certificate_validity(&bytes);
    }
}
