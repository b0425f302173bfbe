//! Taking in an insurer's people from a file, one JSON object a line. No line is ever quoted in an error: it is about a person.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
};

use authenticator::{Ik, Kvnr};
use jose::json::{self, Limits};
use provider::Provider;
use serde::Deserialize;
use vault::PersonData;

/// Largest line, in bytes: every member at its longest.
const LINE_LIMITS: Limits = Limits {
    bytes: 4 * 1024,
    depth: 2,
};

/// One line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kvnr: String,
    ik: String,
    #[serde(default)]
    given_name: String,
    #[serde(default)]
    family_name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    birthdate: String,
    #[serde(default)]
    geschlecht: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    card_valid_until: String,
}

impl Line {
    fn person(self) -> Result<PersonData, String> {
        Ok(PersonData {
            kvnr: Kvnr::parse(&self.kvnr).map_err(|error| format!("member 'kvnr': {error}"))?,
            ik: Ik::parse(&self.ik).map_err(|error| format!("member 'ik': {error}"))?,
            given_name: self.given_name,
            family_name: self.family_name,
            display_name: self.display_name,
            birthdate: self.birthdate,
            sex: self.geschlecht,
            email: self.email,
            card_valid_until: self.card_valid_until,
        })
    }
}

/// Takes in every line, and tells how many there were.
pub(crate) async fn people(provider: &Provider, issuer: &str, file: &Path) -> Result<u64, String> {
    let name = file.display();
    let open = std::fs::File::open(file).map_err(|error| format!("{name}: {error}"))?;
    let mut count = 0;
    for (at, line) in BufReader::new(open).lines().enumerate() {
        let line = line.map_err(|error| format!("{name}: {error}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let told = |reason: String| format!("{name}, line {}: {reason}", at + 1);
        let person = json::parse_as::<Line>(line.as_bytes(), &LINE_LIMITS)
            .map_err(|_| "expected an object with kvnr, ik and the members the help names".to_owned())
            .and_then(Line::person)
            .map_err(told)?;
        provider
            .import_person(issuer, person)
            .await
            .map_err(|error| told(error.to_string()))?;
        count += 1;
    }
    Ok(count)
}

/// Deletes everybody whose number stands on a line, and tells how many there were.
pub(crate) async fn deletions(provider: &Provider, issuer: &str, file: &Path) -> Result<u64, String> {
    let name = file.display();
    let open = std::fs::File::open(file).map_err(|error| format!("{name}: {error}"))?;
    let mut count = 0;
    for (at, line) in BufReader::new(open).lines().enumerate() {
        let line = line.map_err(|error| format!("{name}: {error}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let told = |reason: String| format!("{name}, line {}: {reason}", at + 1);
        let kvnr = Kvnr::parse(line.trim()).map_err(|error| told(error.to_string()))?;
        let deleted = provider.delete_person(issuer, &kvnr).await;
        count += u64::from(deleted.map_err(|error| told(error.to_string()))?);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(line: &str) -> Result<PersonData, String> {
        json::parse_as::<Line>(line.as_bytes(), &LINE_LIMITS)
            .map_err(|error| error.to_string())
            .and_then(Line::person)
    }

    #[test]
    fn a_person_needs_number_and_insurer_and_may_lack_the_rest() {
        let person =
            read(r#"{"kvnr":"Q000123451","ik":"109900019","given_name":"Ada-Liv","birthdate":"1984"}"#).unwrap();
        assert!(person.check().is_ok());
        assert_eq!((person.given_name.as_str(), person.email.as_str()), ("Ada-Liv", ""));
    }

    #[test]
    fn the_cards_last_day_may_be_absent_and_must_be_a_day_otherwise() {
        let with = |member: &str| {
            let person = read(&format!(r#"{{"kvnr":"Q000123451","ik":"109900019"{member}}}"#))?;
            person.check().map_err(|error| error.to_string())?;
            Ok::<_, String>(person.card_valid_until.clone())
        };
        let day = |day: &str| with(&format!(r#","card_valid_until":"{day}""#));
        assert_eq!(day("2028-02-29").as_deref(), Ok("2028-02-29"));
        assert_eq!(with("").as_deref(), Ok(""));
        for wrong in [
            "2027-02-29",
            "2027-00-01",
            "2027-04-31",
            "2027-04",
            "30.04.2027",
            "2027-04-30T12:00:00Z",
        ] {
            let refused = Err("card_valid_until must be a day that exists, YYYY-MM-DD".to_owned());
            assert_eq!(day(wrong), refused, "{wrong}");
        }
        for wrong in ["20270430", "[]", "{}", "true"] {
            assert!(with(&format!(r#","card_valid_until":{wrong}"#)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_that_is_no_person_is_refused_without_being_quoted() {
        for line in [
            "",
            "[]",
            r#"{"kvnr":"Q000123451"}"#,
            r#"{"kvnr":"Q000123452","ik":"109900019"}"#,
            r#"{"kvnr":"Q000123451","ik":"109900018"}"#,
            r#"{"kvnr":"Q000123451","ik":"109900019","name":"Ada-Liv"}"#,
            r#"{"kvnr":"Q000123451","kvnr":"Q000123451","ik":"109900019"}"#,
        ] {
            let Err(reason) = read(line) else { panic!("{line}") };
            assert!(!reason.contains("Q00012345") && !reason.contains("Ada"), "{reason}");
        }
    }
}
