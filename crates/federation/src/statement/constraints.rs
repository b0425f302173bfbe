//! Constraints a superior puts on what is below it (OpenID Federation 1.0 §6.2).

use serde_json::{Map, Value, json};

use crate::entity::EntityId;
use crate::members::{self, MemberError, Members};

/// Most names in one list of naming constraints.
pub const MAX_NAMES: usize = 256;

/// The `constraints` claim. Members that are not understood are ignored, as §6.2 demands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// `max_path_length`: how many intermediates may stand between the issuer and the chain's subject.
    pub max_path_length: Option<u64>,
    /// `naming_constraints`: which hosts may be below.
    pub naming: Option<NamingConstraints>,
    /// `allowed_entity_types`: which metadata may be below, `federation_entity` apart.
    pub allowed_entity_types: Option<Vec<String>>,
}

/// Host names in the form of RFC 5280 §4.2.1.10: `host.example` is this host, `.example` is every host below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamingConstraints {
    /// If present, a host has to match one of these.
    pub permitted: Option<Vec<String>>,
    /// A host must match none of these.
    pub excluded: Option<Vec<String>>,
}

impl Constraints {
    pub(super) fn parse(members: &Members) -> Result<Self, MemberError> {
        let max_path_length = match members.get("max_path_length") {
            None => None,
            Some(value) => Some(value.as_u64().ok_or(MemberError::Type {
                member: "max_path_length",
                expected: "a whole number that is not negative (OpenID Federation 1.0 §6.2.1)",
            })?),
        };
        let naming = match members::optional_object(members, "naming_constraints")? {
            None => None,
            Some(names) => Some(NamingConstraints {
                permitted: host_names(names, "permitted")?,
                excluded: host_names(names, "excluded")?,
            }),
        };
        let allowed_entity_types = members::optional_texts(members, "allowed_entity_types")?;
        Ok(Self {
            max_path_length,
            naming,
            allowed_entity_types,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        let mut members = Map::new();
        if let Some(length) = self.max_path_length {
            members.insert("max_path_length".into(), json!(length));
        }
        if let Some(naming) = &self.naming {
            let mut names = Map::new();
            if let Some(permitted) = &naming.permitted {
                names.insert("permitted".into(), json!(permitted));
            }
            if let Some(excluded) = &naming.excluded {
                names.insert("excluded".into(), json!(excluded));
            }
            members.insert("naming_constraints".into(), Value::Object(names));
        }
        if let Some(types) = &self.allowed_entity_types {
            members.insert("allowed_entity_types".into(), json!(types));
        }
        Value::Object(members)
    }
}

impl NamingConstraints {
    /// §6.2.2: an excluded name is refused whatever is permitted.
    pub fn permits(&self, entity: &EntityId) -> bool {
        let host = entity.host();
        let matches = |names: &Vec<String>| names.iter().any(|name| host_matches(name, host));
        !self.excluded.as_ref().is_some_and(matches) && self.permitted.as_ref().is_none_or(matches)
    }
}

fn host_names(names: &Members, member: &'static str) -> Result<Option<Vec<String>>, MemberError> {
    let Some(names) = members::optional_texts(names, member)? else {
        return Ok(None);
    };
    if names.len() > MAX_NAMES || names.iter().any(|name| name.trim_matches('.').is_empty()) {
        return Err(MemberError::Type {
            member,
            expected: "a list of host names or of domains that begin with a dot (RFC 5280 §4.2.1.10)",
        });
    }
    Ok(Some(names))
}

fn host_matches(name: &str, host: &str) -> bool {
    if !name.starts_with('.') {
        return name.eq_ignore_ascii_case(host);
    }
    // `.example.com` is satisfied by `a.example.com`, not by `example.com`.
    host.len() > name.len()
        && host.is_char_boundary(host.len() - name.len())
        && host[host.len() - name.len()..].eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::entity::Schemes;

    #[test]
    fn names_are_matched_as_rfc_5280_says() {
        let cases = [
            ("host.example.com", "host.example.com", true),
            ("HOST.example.com", "host.example.com", true),
            (".example.com", "a.example.com", true),
            (".example.com", "b.a.example.com", true),
            (".example.com", "example.com", false),
            ("example.com", "a.example.com", false),
            (".example.com", "badexample.com", false),
            (".example.com", "a.example.com.evil", false),
            ("a.example.com", "b.example.com", false),
        ];
        for (name, host, expected) in cases {
            assert_eq!(host_matches(name, host), expected, "{name} {host}");
        }
    }

    #[test]
    fn excluded_wins_over_permitted() {
        let naming = NamingConstraints {
            permitted: Some(vec![".example.com".into()]),
            excluded: Some(vec!["east.example.com".into()]),
        };
        let permits = |text| naming.permits(&EntityId::parse(text, Schemes::HttpsOnly).unwrap());
        assert!(permits("https://west.example.com:8443/a"));
        assert!(!permits("https://east.example.com"));
        assert!(!permits("https://example.com"));
        assert!(!permits("https://example.org"));
    }

    #[test]
    fn malformed_constraints_are_refused() {
        let cases = [
            json!({"max_path_length": -1}),
            json!({"max_path_length": 1.5}),
            json!({"max_path_length": "1"}),
            json!({"naming_constraints": []}),
            json!({"naming_constraints": {"permitted": "a"}}),
            json!({"naming_constraints": {"permitted": [""]}}),
            json!({"naming_constraints": {"excluded": [1]}}),
            json!({"allowed_entity_types": "openid_provider"}),
        ];
        for case in cases {
            assert!(Constraints::parse(case.as_object().unwrap()).is_err(), "{case}");
        }
        let fine = json!({"max_path_length": 0, "unknown": 1, "allowed_entity_types": []});
        assert!(Constraints::parse(fine.as_object().unwrap()).is_ok());
    }
}
