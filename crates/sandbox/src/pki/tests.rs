#![allow(clippy::unwrap_used)]
use authenticator::challenge::{self, Challenge, Purpose, VerifiedChallenge};
use authenticator::health_card::{self, AuthorityRules, CardTrust, HealthCardError};
use authenticator::{AuthenticatedPerson, Ik, Kvnr};
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime};
use wallet::card::VirtualCard;

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);
const SEED: [u8; 32] = [42; 32];

fn challenge() -> VerifiedChallenge {
    let key = SoftwareKey::generate("idp").unwrap();
    let challenge = Challenge {
        iss: "https://idp.example".into(),
        login_id: [7; 16],
        client_id: "https://epa.example".into(),
        client_name: "Patient record".into(),
        request_hash: "aGFzaA".into(),
        purpose: Purpose::Login,
        iat: NOW,
        exp: NOW.plus_seconds(challenge::LIFETIME_SECONDS),
    };
    let token = challenge::issue(&challenge, &key).unwrap();
    challenge::verify(
        &token,
        &JwkSet {
            keys: vec![key.jwk(KeyUse::Signature)],
        },
        NOW,
    )
    .unwrap()
}

fn card(authority: &EgkAuthority, serial: u64) -> VirtualCard {
    let holder = CardHolder {
        insurer: "Testkasse Küste",
        ik: &Ik::parse("109900019").unwrap(),
        kvnr: &Kvnr::parse("Q000123451").unwrap(),
        given_name: "Ada-Liv",
        family_name: "Musterfrau-Öztürk",
        display_name: "Dr. Ada-Liv Musterfrau-Öztürk",
    };
    let scalar = derive_scalar(&SEED, "card Q000123451");
    let certificate = authority.issue_card(&holder, &scalar, serial, NOW).unwrap();
    VirtualCard::new(&scalar, &certificate, "123456", Some("12345678")).unwrap()
}

fn log_in(card: &mut VirtualCard, trust: &CardTrust, now: UnixTime) -> Result<AuthenticatedPerson, HealthCardError> {
    let challenge = challenge();
    let response = card.verify_pin("123456").unwrap().sign_challenge(challenge.token());
    let response = health_card::parse_response(&response).unwrap();
    health_card::verify(&response, &challenge, trust, &[Ik::parse("109900019").unwrap()], now)
}

fn trust(authority: &EgkAuthority, revoked: &[(u64, UnixTime)]) -> CardTrust {
    let mut trust = CardTrust::new();
    trust
        .add_authority(authority.certificate(), AuthorityRules::default())
        .unwrap();
    trust
        .add_crl(&authority.issue_crl(revoked, 1, NOW, NOW.plus_seconds(86_400)).unwrap())
        .unwrap();
    trust
}

#[test]
fn a_sandbox_card_logs_in() {
    let authority = EgkAuthority::from_seed(&SEED, NOW).unwrap();
    let person = log_in(&mut card(&authority, 1), &trust(&authority, &[]), NOW).unwrap();
    assert_eq!(person.kvnr().unwrap().as_str(), "Q000123451");
    assert_eq!(person.ik().unwrap().as_str(), "109900019");
}

#[test]
fn a_revoked_sandbox_card_is_refused_and_its_neighbours_are_not() {
    let authority = EgkAuthority::from_seed(&SEED, NOW).unwrap();
    let trust = trust(&authority, &[(2, NOW), (0x80, NOW)]);
    assert!(log_in(&mut card(&authority, 1), &trust, NOW).is_ok());
    assert_eq!(
        log_in(&mut card(&authority, 2), &trust, NOW).unwrap_err(),
        HealthCardError::Revoked
    );
    assert_eq!(
        log_in(&mut card(&authority, 0x80), &trust, NOW).unwrap_err(),
        HealthCardError::Revoked
    );
}

#[test]
fn the_same_seed_gives_the_same_cards_and_another_seed_a_stranger() {
    let authority = EgkAuthority::from_seed(&SEED, NOW).unwrap();
    let again = EgkAuthority::from_seed(&SEED, NOW).unwrap();
    assert_eq!(authority.certificate(), again.certificate());
    assert_eq!(card(&authority, 1).certificate(), card(&again, 1).certificate());
    let other = EgkAuthority::from_seed(&[43; 32], NOW).unwrap();
    let refused = log_in(&mut card(&other, 1), &trust(&authority, &[]), NOW).unwrap_err();
    assert_eq!(refused, HealthCardError::UnknownAuthority);
}

#[test]
fn a_token_certificate_is_small_and_stable_in_form() {
    let authority = ComponentAuthority::from_seed(&SEED, NOW).unwrap();
    let key = SoftwareKey::generate("token").unwrap();
    let ik = Ik::parse("109900019").unwrap();
    for name in ["Testkasse Küste", &"Betriebskrankenkasse Überlänge ".repeat(5)] {
        let der = authority
            .issue_token_certificate(key.public_key(), name, &ik, NOW)
            .unwrap();
        assert!(der.len() < 700, "{} bytes", der.len());
        use x509_cert::der::{Decode, Encode};
        let parsed = x509_cert::Certificate::from_der(&der).unwrap();
        assert_eq!(parsed.to_der().unwrap(), der);
        let spki = parsed.tbs_certificate().subject_public_key_info().to_der().unwrap();
        assert_eq!(
            jose::jwk::P256PublicKey::from_spki_der(&spki).unwrap(),
            *key.public_key()
        );
    }
}

fn verifier(authority: &TlsAuthority) -> std::sync::Arc<rustls::client::WebPkiServerVerifier> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate().to_vec().into()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .unwrap()
}

fn accepts(authority: &TlsAuthority, certificate: &[u8], name: &str, now: UnixTime) -> bool {
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime as TlsTime};
    let time = TlsTime::since_unix_epoch(std::time::Duration::from_secs(now.0));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let certificate = CertificateDer::from(certificate.to_vec());
    verifier(authority)
        .verify_server_cert(&certificate, &[], &name, &[], time)
        .is_ok()
}

#[test]
fn a_server_certificate_is_valid_for_its_names_in_its_time() {
    let authority = TlsAuthority::from_seed(&SEED, &["localhost", "sandbox.example"], NOW.minus_seconds(60)).unwrap();
    let addresses = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let server = authority
        .issue_server(&["localhost", "idp.sandbox.example"], &addresses, NOW)
        .unwrap();
    for name in ["localhost", "idp.sandbox.example", "127.0.0.1", "::1"] {
        assert!(accepts(&authority, &server.certificate, name, NOW), "{name}");
    }
    for name in ["fedmaster.sandbox.example", "example.com", "127.0.0.2"] {
        assert!(!accepts(&authority, &server.certificate, name, NOW), "{name}");
    }
    assert!(!accepts(
        &authority,
        &server.certificate,
        "localhost",
        NOW.plus_seconds(366 * DAY_SECONDS)
    ));
    assert!(!accepts(
        &authority,
        &server.certificate,
        "localhost",
        NOW.minus_seconds(4000)
    ));
}

#[test]
fn the_tls_authority_cannot_speak_for_other_peoples_names() {
    let authority = TlsAuthority::from_seed(&SEED, &["localhost"], NOW.minus_seconds(60)).unwrap();
    let foreign = authority.issue_server(&["bank.example"], &[], NOW).unwrap();
    assert!(!accepts(&authority, &foreign.certificate, "bank.example", NOW));
    let foreign = authority
        .issue_server(&["localhost"], &["192.0.2.1".parse().unwrap()], NOW)
        .unwrap();
    assert!(!accepts(&authority, &foreign.certificate, "192.0.2.1", NOW));
}

#[test]
fn a_client_certificate_lives_at_most_398_days() {
    use x509_cert::der::Decode;
    for (asked, given) in [(30, 30), (398, 398), (4000, 398)] {
        let client = client_certificate("epa.example", NOW, asked).unwrap();
        let parsed = x509_cert::Certificate::from_der(&client.certificate).unwrap();
        let validity = parsed.tbs_certificate().validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        assert_eq!(
            seconds(validity.not_after) + 1 - seconds(validity.not_before),
            given * DAY_SECONDS
        );
        let key = SoftwareKey::from_pkcs8_der("client", &client.key_pkcs8).unwrap();
        let spki = key.public_key().to_spki_der();
        assert!(client.certificate.windows(spki.len()).any(|window| window == spki));
    }
}

#[test]
fn derived_scalars_differ_by_seed_and_label() {
    let scalar = derive_scalar(&SEED, "a");
    assert_ne!(scalar, derive_scalar(&SEED, "b"));
    assert_ne!(scalar, derive_scalar(&[0; 32], "a"));
    assert!(scalar[0] < 0x80);
}
