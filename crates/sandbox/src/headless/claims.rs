//! What is released when some of it is refused.

use oidc::scope::Scope;
use wallet::phone::AnsweredLogin;

use super::HeadlessError;

/// The voluntary claims that are released when some are refused.
pub(super) fn kept(answered: &AnsweredLogin<'_>, refused: &[String]) -> Result<Vec<String>, HeadlessError> {
    let claims = &answered.consent().claims;
    without(&claims.essential, &claims.voluntary, refused)
}

/// The voluntary claims that stay when some are refused, by claim or scope.
fn without(essential: &[String], voluntary: &[String], refused: &[String]) -> Result<Vec<String>, HeadlessError> {
    let mut kept = voluntary.to_vec();
    for name in refused {
        let claims: Vec<&str> = match Scope::parse(name) {
            Some(scope) => scope.claims().iter().map(|claim| claim.as_str()).collect(),
            None => vec![name],
        };
        let before = kept.len();
        kept.retain(|claim| !claims.contains(&claim.as_str()));
        if kept.len() == before {
            let is_essential = essential.iter().any(|claim| claims.contains(&claim.as_str()));
            return Err(if is_essential {
                HeadlessError::Essential(name.clone())
            } else {
                HeadlessError::NotAsked(name.clone())
            });
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn claims_are_refused_by_their_name_or_by_their_scope() {
        let voluntary = names(&["urn:telematik:claims:email", "birthdate"]);
        let kept = without(&[], &voluntary, &names(&["urn:telematik:email"])).unwrap();
        assert_eq!(kept, ["birthdate"]);
        let kept = without(&[], &voluntary, &names(&["birthdate", "urn:telematik:claims:email"])).unwrap();
        assert!(kept.is_empty());
    }

    #[test]
    fn what_is_essential_or_was_not_asked_for_cannot_be_refused() {
        let essential = names(&["urn:telematik:claims:id"]);
        let refused = |name| without(&essential, &[], &names(&[name])).unwrap_err();
        assert!(matches!(
            refused("urn:telematik:versicherter"),
            HeadlessError::Essential(_)
        ));
        assert!(matches!(
            refused("urn:telematik:claims:id"),
            HeadlessError::Essential(_)
        ));
        assert!(matches!(refused("birthdate"), HeadlessError::NotAsked(_)));
        assert!(matches!(refused(""), HeadlessError::NotAsked(_)));
    }
}
