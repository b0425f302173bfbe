//! `metadata.federation_entity`: who an entity is, and a Federation Master's endpoints.

use serde_json::{Map, Value, json};

use crate::entity::{Schemes, check_endpoint};
use crate::members::{self, MemberError, Members};

/// Longest organisation name the Federation Master accepts, in characters.
pub const MAX_ORGANIZATION_NAME_LENGTH: usize = 128;

/// Members of `federation_entity`. Written, exactly the present ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FederationEntity {
    /// `organization_name`: must for participants; the Federation Master has none.
    pub organization_name: Option<String>,
    /// `name`: deprecated, read from old statements.
    pub name: Option<String>,
    /// `contacts`: mail addresses.
    pub contacts: Option<Vec<String>>,
    /// `homepage_uri`
    pub homepage_uri: Option<String>,
    /// `federation_fetch_endpoint` (OpenID Federation 1.0 §8.1)
    pub federation_fetch_endpoint: Option<String>,
    /// `federation_list_endpoint` (OpenID Federation 1.0 §8.2)
    pub federation_list_endpoint: Option<String>,
    /// `idp_list_endpoint`: extension of the TI (A_22609).
    pub idp_list_endpoint: Option<String>,
}

impl FederationEntity {
    /// A participant with its name; everything else absent.
    pub fn of_participant(organization_name: impl Into<String>) -> Self {
        Self {
            organization_name: Some(organization_name.into()),
            ..Self::default()
        }
    }

    /// Reads the members; unknown ones are ignored.
    ///
    /// # Errors
    /// [`MemberError`]: a member has the wrong type, or an endpoint is no https URL.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, MemberError> {
        Ok(Self {
            organization_name: members::optional_text(members, "organization_name")?,
            name: members::optional_text(members, "name")?,
            contacts: members::optional_texts(members, "contacts")?,
            homepage_uri: members::optional_text(members, "homepage_uri")?,
            federation_fetch_endpoint: endpoint(members, "federation_fetch_endpoint")?,
            federation_list_endpoint: endpoint(members, "federation_list_endpoint")?,
            idp_list_endpoint: endpoint(members, "idp_list_endpoint")?,
        })
    }

    /// The members as they stand in a statement.
    pub fn to_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let texts = [
            ("organization_name", &self.organization_name),
            ("name", &self.name),
            ("homepage_uri", &self.homepage_uri),
            ("federation_fetch_endpoint", &self.federation_fetch_endpoint),
            ("federation_list_endpoint", &self.federation_list_endpoint),
            ("idp_list_endpoint", &self.idp_list_endpoint),
        ];
        for (member, text) in texts {
            if let Some(text) = text {
                members.insert(member.into(), json!(text));
            }
        }
        if let Some(contacts) = &self.contacts {
            members.insert("contacts".into(), json!(contacts));
        }
        members
    }
}

/// Checks an organisation's name as the Federation Master does: not empty, at most
/// [`MAX_ORGANIZATION_NAME_LENGTH`] characters, letters with umlauts and ß, digits, space and `- . & + * / ,`.
///
/// # Errors
/// [`MemberError::Value`].
pub fn check_organization_name(name: &str) -> Result<(), MemberError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "äöüÄÖÜß -.&+*/,".contains(c);
    let length = name.chars().count();
    if (1..=MAX_ORGANIZATION_NAME_LENGTH).contains(&length) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(MemberError::Value {
        member: "organization_name",
        expected: "1 to 128 letters (with umlauts and ß), digits, spaces or - . & + * / ,",
    })
}

fn endpoint(members: &Members, member: &'static str) -> Result<Option<String>, MemberError> {
    let url = members::optional_text(members, member)?;
    if let Some(url) = &url {
        check_endpoint(url, Schemes::HttpsOnly).map_err(|reason| MemberError::Url { member, reason })?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_outside_the_character_set_are_refused() {
        let long = "a".repeat(MAX_ORGANIZATION_NAME_LENGTH + 1);
        for name in [
            "",
            "<b>Kasse</b>",
            "Kasse\n",
            "Kassé",
            "Kasse (Nord)",
            "Kasse_1",
            "Kasse\u{202e}",
            &long,
        ] {
            assert!(check_organization_name(name).is_err(), "{name:?}");
        }
        let longest = "ü".repeat(MAX_ORGANIZATION_NAME_LENGTH);
        for name in ["Musterkasse Süd-West", "A & B, C. + D * E / F", "ß", "1", &longest] {
            assert!(check_organization_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn members_survive_the_round_trip() {
        let entity = FederationEntity {
            organization_name: Some("Musterkasse".into()),
            name: None,
            contacts: Some(vec!["hilfe@musterkasse.example".into()]),
            homepage_uri: Some("https://musterkasse.example".into()),
            federation_fetch_endpoint: Some("https://fm.example/federation/fetch".into()),
            federation_list_endpoint: Some("https://fm.example/federation/list".into()),
            idp_list_endpoint: Some("https://fm.example/federation/listidps".into()),
        };
        assert_eq!(FederationEntity::parse(&entity.to_members()).unwrap(), entity);
    }

    #[test]
    fn members_of_the_wrong_form_are_refused() {
        let cases = [
            json!({"organization_name": 1}),
            json!({"contacts": "a@b.example"}),
            json!({"contacts": [1]}),
            json!({"federation_fetch_endpoint": "http://fm.example/fetch"}),
            json!({"federation_list_endpoint": "/list"}),
            json!({"idp_list_endpoint": ["https://fm.example"]}),
        ];
        for case in cases {
            assert!(FederationEntity::parse(case.as_object().unwrap()).is_err(), "{case}");
        }
    }
}
