//! What a demo service is: its names, what it asks for, and what it shows. Data, so that a sandbox can bring its own.

use authenticator::Acr;
use federation::chain::TrustAnchor;
use federation::{EntityId, Schemes};
use oidc::scope::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{LevelRule, RelyingPartyConfig};
use crate::language::Language;

/// Where the person comes back to, below the service's address.
pub const RETURN_PATH: &str = "/return";
/// The service's picture, below its address.
pub const ICON_PATH: &str = "/icon.svg";

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Localised {
    /// German.
    pub de: String,
    /// English.
    pub en: String,
}

impl Localised {
    /// A text in both languages.
    pub fn new(de: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            de: de.into(),
            en: en.into(),
        }
    }

    /// The text in one of them.
    pub fn get(&self, language: Language) -> &str {
        language.pick(&self.de, &self.en)
    }
}

/// A demo service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Personality {
    /// Short name: lower-case letters and hyphens. Begins the names of its cookies, because ports of one host share them.
    pub id: String,
    /// `client_name` and `organization_name`: letters, digits, spaces and `- . & + * / ,` (gematik digest 2.4).
    pub client_name: String,
    /// The name on its pages.
    pub name: Localised,
    /// What it is for, in one sentence.
    pub purpose: Localised,
    /// Heading of what it shows after the login.
    pub content_title: Localised,
    /// What it shows there.
    pub content: Localised,
    /// Registered scopes, all asked for unless the person's options say otherwise.
    pub scopes: Vec<String>,
    /// Claims it cannot do without.
    pub essential_claims: Vec<String>,
    /// Claims it names as voluntary, besides what the scopes imply.
    pub voluntary_claims: Vec<String>,
    /// Level it asks for.
    pub acr: Acr,
    /// Whether the level is asked for as essential, so that the provider offers nothing less.
    pub acr_is_essential: bool,
    /// What counts as reaching it.
    pub level_rule: LevelRule,
    /// Its picture, an SVG document.
    pub icon: String,
}

impl Personality {
    /// The electronic patient record: needs to know who the person is; accepts a lower level if she agreed to it.
    pub fn patient_record() -> Self {
        Self {
            id: "patient-record".into(),
            client_name: "Patientenakte Sandbox".into(),
            name: Localised::new("Patientenakte", "Patient record"),
            purpose: Localised::new(
                "Befunde, Impfungen und Arztbriefe an einem Ort. In der Sandbox ist alles erfunden.",
                "Findings, vaccinations and letters in one place. In the sandbox everything is invented.",
            ),
            content_title: Localised::new("Ihre Akte", "Your record"),
            content: Localised::new(
                "Hier stünde Ihre Akte. Gefunden würde sie über Ihre Krankenversichertennummer, angezeigt nur für Sie.",
                "Here your record would be. It would be found by your health insurance number, and shown to you only.",
            ),
            scopes: [
                Scope::OpenId,
                Scope::InsuredPerson,
                Scope::FamilyName,
                Scope::GivenName,
                Scope::DisplayName,
                Scope::BirthDate,
                Scope::Age,
                Scope::Sex,
                Scope::Email,
            ]
            .map(|scope| scope.as_str().to_owned())
            .to_vec(),
            essential_claims: vec!["urn:telematik:claims:id".into()],
            voluntary_claims: Vec::new(),
            acr: Acr::High,
            acr_is_essential: false,
            level_rule: LevelRule::OrConsentedSubstantial,
            icon: ICON_RECORD.into(),
        }
    }

    /// The e-prescription: needs number and name at the high level; a mail address only if the person likes.
    pub fn e_prescription() -> Self {
        Self {
            id: "e-prescription".into(),
            client_name: "E-Rezept Sandbox".into(),
            name: Localised::new("E-Rezept", "E-prescription"),
            purpose: Localised::new(
                "Rezepte ansehen und in der Apotheke einlösen. In der Sandbox ist alles erfunden.",
                "See prescriptions and redeem them at a pharmacy. In the sandbox everything is invented.",
            ),
            content_title: Localised::new("Ihre Rezepte", "Your prescriptions"),
            content: Localised::new(
                "Hier stünden Ihre Rezepte. Die E-Mail-Adresse wäre für Erinnerungen da; ohne sie geht es auch.",
                "Here your prescriptions would be. The e-mail address would be for reminders; it works without.",
            ),
            scopes: [Scope::OpenId, Scope::DisplayName, Scope::InsuredPerson, Scope::Email]
                .map(|scope| scope.as_str().to_owned())
                .to_vec(),
            // As the real one plans to (C_12305): what is needed is essential, and refusing it ends the login.
            essential_claims: vec![
                "urn:telematik:claims:id".into(),
                "urn:telematik:claims:display_name".into(),
            ],
            voluntary_claims: vec!["urn:telematik:claims:email".into()],
            acr: Acr::High,
            acr_is_essential: true,
            level_rule: LevelRule::AtLeast,
            icon: ICON_PRESCRIPTION.into(),
        }
    }

    /// The configuration of this service's relying party. `base_url` is where browsers reach its pages, without a slash at the end.
    pub fn relying_party_config(
        &self,
        entity_id: EntityId,
        base_url: &str,
        trust_anchor: TrustAnchor,
        schemes: Schemes,
    ) -> RelyingPartyConfig {
        RelyingPartyConfig {
            redirect_uris: vec![format!("{base_url}{RETURN_PATH}")],
            scopes: self.scopes.clone(),
            logo_uri: Some(format!("{base_url}{ICON_PATH}")),
            schemes,
            ..RelyingPartyConfig::new(entity_id, self.client_name.clone(), trust_anchor)
        }
    }

    /// The `claims` parameter for a request with these scopes: claims of scopes that are left out are left out too.
    pub fn claims(&self, scopes: &[String], acr: Acr) -> Option<Value> {
        let is_asked = |claim: &&String| {
            scopes
                .iter()
                .filter_map(|scope| Scope::parse(scope))
                .any(|scope| scope.claims().iter().any(|known| known.as_str() == claim.as_str()))
        };
        let essential: Vec<&str> = self
            .essential_claims
            .iter()
            .filter(is_asked)
            .map(String::as_str)
            .collect();
        let voluntary: Vec<&str> = self
            .voluntary_claims
            .iter()
            .filter(is_asked)
            .map(String::as_str)
            .collect();
        let mut claims = crate::client::claims_parameter(&essential, &voluntary);
        if self.acr_is_essential {
            claims["id_token"]["acr"] = json!({"essential": true, "value": acr.as_str()});
        }
        let is_empty = claims["id_token"].as_object().is_none_or(serde_json::Map::is_empty);
        (!is_empty).then_some(claims)
    }
}

const ICON_RECORD: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#0b5a7a"/><path d="M18 12h20l10 10v30H18z" fill="#fff"/><path d="M24 30h18M24 37h18M24 44h11" stroke="#0b5a7a" stroke-width="3" stroke-linecap="round"/></svg>
"##;
const ICON_PRESCRIPTION: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#1a6338"/><path d="M14 14h14v14H14zM36 14h14v14H36zM14 36h14v14H14z" fill="#fff"/><path d="M40 38h8M44 34v8M36 48h14" stroke="#fff" stroke-width="4"/></svg>
"##;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use federation::metadata::check_organization_name;

    use super::*;

    #[test]
    fn names_are_such_as_the_federation_master_accepts() {
        for personality in [Personality::patient_record(), Personality::e_prescription()] {
            assert!(check_organization_name(&personality.client_name).is_ok());
            assert!(personality.scopes.iter().all(|scope| Scope::parse(scope).is_some()));
            assert!(
                personality
                    .id
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
            let copy: Personality = serde_json::from_value(serde_json::to_value(&personality).unwrap()).unwrap();
            assert_eq!(copy, personality);
        }
    }

    #[test]
    fn the_claims_parameter_follows_the_scopes() {
        let prescription = Personality::e_prescription();
        let claims = prescription.claims(&prescription.scopes, Acr::High).unwrap();
        let expected = json!({"id_token": {
            "acr": {"essential": true, "value": "gematik-ehealth-loa-high"},
            "urn:telematik:claims:display_name": {"essential": true},
            "urn:telematik:claims:email": null,
            "urn:telematik:claims:id": {"essential": true},
        }});
        assert_eq!(claims, expected);
        let fewer = prescription
            .claims(&["openid".into(), "urn:telematik:email".into()], Acr::High)
            .unwrap();
        assert_eq!(fewer["id_token"].as_object().unwrap().len(), 2);
        assert_eq!(
            Personality::patient_record().claims(&["openid".into()], Acr::High),
            None
        );
    }
}
