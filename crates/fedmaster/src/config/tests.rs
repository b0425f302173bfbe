#![allow(clippy::unwrap_used)]

use super::*;

const COMPLETE: &str = r#"
entity_id = "https://localhost:8401"
listen = "127.0.0.1:8401"
data_dir = "data"
"#;

#[test]
fn defaults_are_those_of_production() {
    let config = Config::parse(COMPLETE).unwrap();
    assert_eq!(config.profile, Profile::Production);
    assert!(!config.open_registration);
    assert_eq!(config.lifetime_seconds, 86_400);
    assert_eq!(config.check_interval_seconds, 3_600);
    assert_eq!(config.tls, None);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    for (line, key, suggestion) in [
        ("lifetime_second = 1", "lifetime_second", Some("lifetime_seconds")),
        ("partcipants = []", "partcipants", Some("participants")),
        ("colour = 'blue'", "colour", None),
        (
            "[tls]\ncertficate = 'x'\nprivate_key = 'y'",
            "tls.certficate",
            Some("certificate"),
        ),
    ] {
        let error = Config::parse(&format!("{COMPLETE}{line}")).unwrap_err();
        assert_eq!(
            error,
            ConfigError::UnknownKey {
                key: key.into(),
                suggestion
            }
        );
    }
    let error = Config::parse(&format!("{COMPLETE}root = 'x'")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration: unknown key `root`, did you mean `roots`?"
    );
}

#[test]
fn values_that_break_a_rule_are_named() {
    for (line, expected_key) in [
        ("open_registration = true", "open_registration"),
        ("lifetime_seconds = 59", "lifetime_seconds"),
        ("lifetime_seconds = 604801", "lifetime_seconds"),
        ("check_interval_seconds = 1", "check_interval_seconds"),
    ] {
        match Config::parse(&format!("{COMPLETE}{line}")) {
            Err(ConfigError::Value { key, .. }) => assert_eq!(key, expected_key),
            other => panic!("{line}: {other:?}"),
        }
    }
    assert!(Config::parse(&format!("{COMPLETE}profile = 'sandbox'\nopen_registration = true")).is_ok());
    for text in [
        "",
        "entity_id = 1",
        &COMPLETE.replace("https:", "http:"),
        &COMPLETE.replace("127.0.0.1:", ""),
        "profile = 'test'",
    ] {
        assert!(Config::parse(text).is_err(), "{text}");
    }
}
