//! Invented people, and the only honest way to a capability: a login.

#![allow(dead_code, clippy::unwrap_used)]

use authenticator::challenge::{self, Challenge, Purpose};
use authenticator::device::{self, AssertionClaims, BindingClaims, BindingRequest, Decision};
use authenticator::policy::{AuthenticationPolicy, Performed, Session};
use authenticator::{Acr, AuthenticatedPerson, Ik, Kvnr, Method};
use jose::jwk::{JwkSet, KeyUse};
use jose::{SoftwareKey, UnixTime, base64url, jws};
use store::{Key, Row, SealedBytes, TenantId, Write};
use vault::{NewPerson, PersonCapability, PersonData, PersonId, SealedChange, Vault};

pub const NOW: UnixTime = UnixTime(1_800_000_000);
/// Until when the events of these tests are kept.
pub const UNTIL_DAY: u32 = 20_900;

pub fn vault() -> Vault {
    Vault::development([1; 32])
}

pub fn tenant() -> TenantId {
    vault::tenant_id("https://idp.example/109900019")
}

pub fn other_tenant() -> TenantId {
    vault::tenant_id("https://idp.example/109900020")
}

pub fn ada() -> PersonData {
    PersonData {
        kvnr: Kvnr::parse("Q000123451").unwrap(),
        ik: Ik::parse("109900019").unwrap(),
        given_name: "Ada".into(),
        family_name: "Mustermüller-Ößler".into(),
        display_name: "Dr. Ada Gräfin von Mustermüller-Ößler".into(),
        birthdate: "1984-02-29".into(),
        sex: "W".into(),
        email: "ada@example.org".into(),
        card_valid_until: "2028-02-29".into(),
    }
}

pub fn ben() -> PersonData {
    PersonData {
        kvnr: Kvnr::parse("T902100070").unwrap(),
        ik: Ik::parse("109900019").unwrap(),
        given_name: "Ben".into(),
        family_name: "O'Beispiel".into(),
        display_name: "Ben O'Beispiel".into(),
        birthdate: "1950".into(),
        sex: "X".into(),
        email: String::new(),
        card_valid_until: String::new(),
    }
}

/// The row a change becomes when it is committed.
pub fn row(change: &SealedChange) -> Row {
    let version = match change.condition {
        store::Condition::Absent(_) => 1,
        store::Condition::VersionIs(_, version) => version + 1,
    };
    row_of(&change.write, version)
}

pub fn row_of(write: &Write, version: u64) -> Row {
    match write {
        Write::Put { sealed, expires_at, .. } => Row {
            version,
            sealed: sealed.clone(),
            expires_at: *expires_at,
        },
        Write::Delete(_) => panic!("a deletion is no row"),
    }
}

pub fn lookup_row(person: &NewPerson) -> (Key, Row) {
    let write = person
        .writes
        .iter()
        .find(|write| write.key().kind() == store::Kind::Lookup)
        .unwrap();
    (*write.key(), row_of(write, 1))
}

/// The row with its bytes changed.
pub fn change(row: &Row, change: impl FnOnce(&mut Vec<u8>)) -> Row {
    let mut bytes = row.sealed.as_bytes().to_vec();
    change(&mut bytes);
    Row {
        sealed: SealedBytes::from_sealed(bytes),
        ..row.clone()
    }
}

/// Somebody who just logged in with a device key.
pub fn authenticated(person: PersonId) -> AuthenticatedPerson {
    let (device_key, provider) = (SoftwareKey::generate("d").unwrap(), SoftwareKey::generate("p").unwrap());
    let policy = AuthenticationPolicy::default();
    let by_card = Performed {
        method: Method::HealthCard,
        level: Acr::High,
        auth_time: NOW,
        consented_to_substantial: false,
        session: Session::Fresh,
    };
    let request = BindingRequest {
        device_id: [1; 16],
        person_id: *person.as_bytes(),
        public_key: device_key.public_key().clone(),
        name: "phone".into(),
        evidence: device::ClassEvidence::Claimed {
            class: "software".into(),
        },
        consented_to_substantial: true,
        hardware: None,
    };
    let proof = BindingClaims {
        challenge_id: base64url::encode(&[7; 16]),
    };
    let proof = sign(device::BINDING_TYP, serde_json::to_vec(&proof).unwrap(), &device_key);
    let bound = device::bind(&request, &proof, &[7; 16], &by_card, &policy, NOW).unwrap();

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
    let token = challenge::issue(&challenge, &provider).unwrap();
    let keys = JwkSet {
        keys: vec![provider.jwk(KeyUse::Signature)],
    };
    let challenge = challenge::verify(&token, &keys, NOW).unwrap();
    let claims = AssertionClaims {
        challenge: token,
        decision: Decision::Approve,
        time: NOW,
        counter: 1,
    };
    let assertion = sign(device::ASSERTION_TYP, serde_json::to_vec(&claims).unwrap(), &device_key);
    let assertion = device::parse_assertion(&assertion).unwrap();
    device::verify(&assertion, &challenge, &bound, &policy, NOW)
        .unwrap()
        .person
}

fn sign(typ: &str, claims: Vec<u8>, key: &SoftwareKey) -> String {
    let header = jws::SigningHeader {
        typ: Some(typ),
        ..Default::default()
    };
    jws::sign(&header, &claims, key).unwrap()
}

pub fn login(vault: &Vault, tenant: TenantId, person: PersonId) -> PersonCapability {
    vault.capability_for(tenant, &authenticated(person), None).unwrap()
}
