//! Metadata policies: the language's laws hold for whatever is accepted.

#![no_main]

use federation::policy::{self, Policy, run_case};
use jose::json::{self, DEFAULT};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let answer = run_case(text);
    assert!(
        answer.get("error").is_some() != answer.get("merged").is_some(),
        "neither an answer nor an error"
    );
    let Ok(value) = json::parse(data, &DEFAULT) else { return };
    for candidate in value
        .get("policies")
        .and_then(|policies| policies.as_array())
        .into_iter()
        .flatten()
    {
        let Ok(parsed) = Policy::parse(candidate) else { continue };
        let merged = policy::combine(std::slice::from_ref(&parsed)).expect("a policy alone combines");
        assert_eq!(
            Policy::parse(&merged.to_value()).as_ref(),
            Ok(&merged),
            "what is written reads back"
        );
        if let Some(metadata) = value.get("metadata").and_then(|metadata| metadata.as_object())
            && let Ok(applied) = merged.apply(metadata)
        {
            assert_eq!(
                merged.apply(&applied).as_ref(),
                Ok(&applied),
                "applying twice is applying once"
            );
        }
    }
});
