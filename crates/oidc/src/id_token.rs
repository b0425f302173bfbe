//! The ID token's body (A_22706, A_23129-03, gematik digest 6.5): these members and no others.

use authenticator::policy::LevelOutcome;
use jose::UnixTime;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    birthdate::Birthdate,
    scope::{Claim, ClaimSet},
    token::ID_TOKEN_LIFETIME_SECONDS,
};

/// Profession OID of insured persons.
pub const INSURED_PERSON_PROFESSION: &str = "1.2.276.0.76.4.49";

/// What is known about a person, in clear. Lives only inside the vault's person scope; empty texts count as unknown.
#[derive(Clone, Copy)]
pub struct PersonFacts<'a> {
    /// Date of birth, perhaps partial.
    pub birthdate: &'a str,
    /// Full name with title and affixes.
    pub display_name: &'a str,
    /// Given name.
    pub given_name: &'a str,
    /// Family name.
    pub family_name: &'a str,
    /// M, W, X or D.
    pub sex: &'a str,
    /// Mail address.
    pub email: &'a str,
    /// Health insurance number (KVNR).
    pub health_insurance_number: &'a str,
    /// Institution code (IK) of the insurer.
    pub insurer: &'a str,
}

impl std::fmt::Debug for PersonFacts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonFacts")
    }
}

/// The body of one ID token.
#[derive(Debug)]
pub struct IdToken<'a> {
    /// Issuer.
    pub iss: &'a str,
    /// Pairwise pseudonym (A_23197).
    pub sub: &'a str,
    /// Client identifier.
    pub aud: &'a str,
    /// Time of issue; expiry follows (A_22316).
    pub iat: UnixTime,
    /// From the pushed request.
    pub nonce: &'a str,
    /// Level, method, time of authentication, consent, silence.
    pub authentication: &'a LevelOutcome,
    /// What the person released.
    pub released: ClaimSet,
    /// What is known about her.
    pub person: PersonFacts<'a>,
}

impl Serialize for IdToken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("iss", self.iss)?;
        body.serialize_entry("sub", self.sub)?;
        body.serialize_entry("aud", self.aud)?;
        body.serialize_entry("iat", &self.iat.0)?;
        body.serialize_entry("exp", &self.iat.plus_seconds(ID_TOKEN_LIFETIME_SECONDS).0)?;
        body.serialize_entry("nonce", self.nonce)?;
        body.serialize_entry("acr", self.authentication.acr.as_str())?;
        body.serialize_entry("amr", &[self.authentication.amr.as_str()])?;
        body.serialize_entry("auth_time", &self.authentication.auth_time.0)?;
        for claim in self.released.iter() {
            self.serialize_claim(&mut body, claim)?;
        }
        if self.authentication.states_consent {
            body.serialize_entry("urn:telematik:auth:consent", &["loa-substantial"])?;
        }
        if self.authentication.states_silent {
            body.serialize_entry("urn:telematik:auth:interactive", "silent")?;
        }
        body.end()
    }
}

impl IdToken<'_> {
    /// Writes one released claim; what the insurer does not know is left out (A_22990).
    fn serialize_claim<M: SerializeMap>(&self, body: &mut M, claim: Claim) -> Result<(), M::Error> {
        let person = &self.person;
        let text = match claim {
            Claim::BirthDate => match Birthdate::parse(person.birthdate) {
                Some(date) => return body.serialize_entry(claim.as_str(), &date.claim()),
                None => return Ok(()),
            },
            Claim::Age => match Birthdate::parse(person.birthdate).and_then(|date| date.age_at(self.iat)) {
                Some(age) => return body.serialize_entry(claim.as_str(), &age.to_string()),
                None => return Ok(()),
            },
            Claim::DisplayName => person.display_name,
            Claim::GivenName => person.given_name,
            Claim::FamilyName => person.family_name,
            Claim::Sex => person.sex,
            Claim::Email => person.email,
            Claim::Profession => INSURED_PERSON_PROFESSION,
            Claim::HealthInsuranceNumber => person.health_insurance_number,
            Claim::Insurer => person.insurer,
        };
        if text.is_empty() {
            Ok(())
        } else {
            body.serialize_entry(claim.as_str(), text)
        }
    }
}

#[cfg(test)]
mod tests;
