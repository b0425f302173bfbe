//! What a shortcut's query says.

use authenticator::{Acr, Amr, Kvnr};
use oidc::scope::{Claim, ClaimSet, Scope};
use url::form_urlencoded;

use super::Refused;
use super::performed::Wishes;

/// A query with at least one of the shortcuts' parameters.
pub(super) struct ShortcutQuery {
    parameters: Vec<(String, String)>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Ask {
    /// The requested claims, by essential and optional.
    Claims,
    /// The requested claims, the old way.
    AllClaims,
    /// A login.
    LogIn {
        /// Whose.
        kvnr: Kvnr,
        /// As what; `None` for the card login it is.
        wishes: Option<Wishes>,
    },
}

impl ShortcutQuery {
    /// Reads a query; `None` where it is an ordinary one.
    pub(super) fn read(query: &str) -> Option<Self> {
        let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let is_shortcut = parameters
            .iter()
            .any(|(name, _)| matches!(name.as_str(), "user_id" | "app_version" | "device_type"));
        is_shortcut.then_some(Self { parameters })
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.parameters.iter().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// The pushed request.
    pub(super) fn request_uri(&self) -> &str {
        self.value("request_uri").unwrap_or_default()
    }

    /// The service, where the caller names it.
    pub(super) fn client_id(&self) -> Option<&str> {
        self.value("client_id")
    }

    /// What is asked for.
    pub(super) fn ask(&self) -> Result<Ask, Refused> {
        let Some(user_id) = self.value("user_id") else {
            // Who sends both is answered the newer way.
            return Ok(if self.value("app_version").is_some() {
                Ask::Claims
            } else {
                Ask::AllClaims
            });
        };
        // The reference server checks the pattern only, and test suites use numbers whose check digits do not fit.
        let kvnr = Kvnr::parse_shape(user_id)
            .map_err(|_| Refused::invalid("parameter 'user_id' must be one capital letter and nine digits"))?;
        let amr = self
            .value("amr_value")
            .map(|text| Amr::parse(text).ok_or_else(|| Refused::invalid("parameter 'amr_value' names no method")))
            .transpose()?;
        let acr = self
            .value("acr_value")
            .map(|text| Acr::parse(text).ok_or_else(|| Refused::invalid("parameter 'acr_value' names no level")))
            .transpose()?;
        let wishes = (amr.is_some() || acr.is_some()).then_some(Wishes { amr, acr });
        Ok(Ask::LogIn { kvnr, wishes })
    }

    /// The voluntary claims released: all, or those `selected_claims` names, by claim or by scope.
    pub(super) fn selected(&self, essential: ClaimSet, voluntary: ClaimSet) -> Result<ClaimSet, Refused> {
        let Some(text) = self.value("selected_claims") else {
            return Ok(voluntary);
        };
        let mut selected = ClaimSet::EMPTY;
        for name in text.split_whitespace() {
            let claims = match (Claim::parse(name), Scope::parse(name)) {
                (Some(claim), _) => ClaimSet::EMPTY.with(claim),
                (None, Some(scope)) => scope.claims(),
                (None, None) => return Err(Refused::invalid("parameter 'selected_claims' names no claim")),
            };
            selected = selected.union(claims);
        }
        if !selected.contains_all(essential) {
            return Err(Refused::invalid(
                "parameter 'selected_claims' must hold every essential claim",
            ));
        }
        if !essential.union(voluntary).contains_all(selected) {
            return Err(Refused::invalid(
                "parameter 'selected_claims' must hold requested claims only",
            ));
        }
        Ok(selected.without(essential))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ask(query: &str) -> Result<Ask, Refused> {
        ShortcutQuery::read(query).unwrap().ask()
    }

    #[test]
    fn ordinary_queries_are_left_to_the_provider() {
        for query in [
            "",
            "request_uri=a&client_id=b",
            "USER_ID=X123456789",
            "amr_value=x&acr_value=y&selected_claims=z",
        ] {
            assert!(ShortcutQuery::read(query).is_none(), "{query}");
        }
    }

    #[test]
    fn each_shortcut_is_recognised() {
        assert!(matches!(ask("request_uri=a&app_version=1.0"), Ok(Ask::Claims)));
        assert!(matches!(ask("request_uri=a&device_type=phone"), Ok(Ask::AllClaims)));
        assert!(matches!(
            ask("request_uri=a&device_type=phone&app_version=1"),
            Ok(Ask::Claims)
        ));
        // A number without a right check digit, as test suites have them.
        let Ok(Ask::LogIn { kvnr, wishes: None }) = ask("request_uri=a&user_id=X123456789") else {
            panic!("a login");
        };
        assert_eq!(kvnr.as_str(), "X123456789");
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        for query in [
            "user_id=",
            "user_id=x123456789",
            "user_id=X12345678",
            "user_id=X1234567890",
            "user_id=X123456789&amr_value=urn:telematik:auth:nPA",
            "user_id=X123456789&acr_value=gematik-ehealth-loa-low",
            "user_id=X123456789&acr_value=",
        ] {
            assert!(ask(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_selection_holds_what_is_essential_and_nothing_unasked() {
        let claim = |name| ClaimSet::EMPTY.with(Claim::parse(name).unwrap());
        let (id, email) = (claim("urn:telematik:claims:id"), claim("urn:telematik:claims:email"));
        let selected = |text: &str| {
            ShortcutQuery::read(&format!("user_id=a&selected_claims={text}"))
                .unwrap()
                .selected(id, email)
        };
        assert!(selected("urn:telematik:claims:id").unwrap().is_empty());
        let both = selected("urn:telematik:claims:id%20urn:telematik:email").unwrap();
        assert_eq!(both.bits(), email.bits());
        for text in [
            "",
            "urn:telematik:claims:email",
            "urn:telematik:claims:id+birthdate",
            "urn:telematik:claims:id+nonsense",
        ] {
            assert!(selected(text).is_err(), "{text}");
        }
        let all = ShortcutQuery::read("user_id=a").unwrap().selected(id, email).unwrap();
        assert_eq!(all.bits(), email.bits());
    }
}
