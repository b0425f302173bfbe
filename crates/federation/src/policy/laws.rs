//! Laws every pair and triple of policies obeys, tried with generated ones over a small alphabet.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Policy, combine};

fn letters() -> impl Strategy<Value = Value> {
    proptest::sample::subsequence(vec!["a", "b", "c"], 0..=3).prop_map(|set| json!(set))
}

/// Everything a parameter may look like, absence included.
fn metadata_value() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        letters().prop_map(Some),
        proptest::sample::select(vec!["a", "b", "c"]).prop_map(|letter| Some(json!(letter))),
        Just(Some(json!(true))),
    ]
}

fn operators() -> impl Strategy<Value = Value> {
    let single = || prop_oneof![letters(), Just(json!("a")), Just(json!(null))];
    (
        proptest::option::weighted(0.2, single()),
        proptest::option::weighted(0.3, letters()),
        proptest::option::weighted(0.2, letters()),
        proptest::option::weighted(0.2, letters()),
        proptest::option::weighted(0.4, letters()),
        proptest::option::weighted(0.3, letters()),
        proptest::option::weighted(0.4, any::<bool>()),
    )
        .prop_map(|(value, add, default, one_of, subset_of, superset_of, essential)| {
            let mut members = Map::new();
            let sets = [
                ("value", value),
                ("add", add),
                ("default", default),
                ("one_of", one_of),
                ("subset_of", subset_of),
                ("superset_of", superset_of),
                ("essential", essential.map(Value::Bool)),
            ];
            for (name, configured) in sets {
                if let Some(configured) = configured {
                    members.insert(name.into(), configured);
                }
            }
            Value::Object(members)
        })
}

/// Valid policies about one or two parameters.
fn policy() -> impl Strategy<Value = Policy> {
    (operators(), operators()).prop_filter_map("the policy must be valid", |(p, scope)| {
        Policy::parse(&json!({"p": p, "q": scope})).ok()
    })
}

fn metadata() -> impl Strategy<Value = Map<String, Value>> {
    (metadata_value(), metadata_value()).prop_map(|(p, q)| {
        let mut metadata = Map::new();
        for (name, value) in [("p", p), ("q", q)] {
            if let Some(value) = value {
                metadata.insert(name.into(), value);
            }
        }
        metadata
    })
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(sorted).collect();
            values.sort_by_key(ToString::to_string);
            Value::Array(values)
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), sorted(value)))
            .collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 50_000, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_survives_the_round_trip(policy in policy()) {
        prop_assert_eq!(Policy::parse(&policy.to_value()).unwrap(), policy);
    }

    #[test]
    fn merging_with_itself_changes_nothing(policy in policy()) {
        let merged = combine(&[policy.clone(), policy.clone()]).unwrap();
        prop_assert_eq!(sorted(&merged.to_value()), sorted(&policy.to_value()));
    }

    #[test]
    fn merging_is_associative(a in policy(), b in policy(), c in policy()) {
        let all = combine(&[a.clone(), b.clone(), c.clone()]);
        let left = combine(&[a.clone(), b.clone()]).and_then(|ab| combine(&[ab, c.clone()]));
        let right = combine(&[b, c]).and_then(|bc| combine(&[a, bc]));
        prop_assert_eq!(all.is_ok(), right.is_ok());
        prop_assert_eq!(all.is_ok(), left.is_ok());
        if let (Ok(all), Ok(left), Ok(right)) = (all, left, right) {
            prop_assert_eq!(all.to_value(), left.to_value());
            prop_assert_eq!(all.to_value(), right.to_value());
        }
    }

    #[test]
    fn merging_succeeds_in_either_order_with_the_same_sets(a in policy(), b in policy()) {
        let one = combine(&[a.clone(), b.clone()]);
        let other = combine(&[b, a]);
        prop_assert_eq!(one.is_ok(), other.is_ok());
        if let (Ok(one), Ok(other)) = (one, other) {
            // `default` and `value` are equal by the merge rule, so only orders may differ.
            prop_assert_eq!(sorted(&one.to_value()), sorted(&other.to_value()));
        }
    }

    #[test]
    fn a_merged_policy_is_valid_itself(a in policy(), b in policy()) {
        if let Ok(merged) = combine(&[a, b]) {
            prop_assert!(Policy::parse(&merged.to_value()).is_ok());
        }
    }

    #[test]
    fn merging_never_loosens(a in policy(), b in policy(), metadata in metadata()) {
        let Ok(merged) = combine(&[a.clone(), b.clone()]) else { return Ok(()) };
        let Ok(resolved) = merged.apply(&metadata) else { return Ok(()) };
        // What satisfies the merged policy satisfies each part, and no part wants to change it any more.
        for part in [a, b] {
            prop_assert_eq!(part.apply(&resolved), Ok(resolved.clone()));
        }
    }

    #[test]
    fn applying_twice_is_applying_once(policy in policy(), metadata in metadata()) {
        let Ok(resolved) = policy.apply(&metadata) else { return Ok(()) };
        prop_assert_eq!(policy.apply(&resolved), Ok(resolved));
    }

    #[test]
    fn resolved_metadata_never_holds_null(policy in policy(), metadata in metadata()) {
        if let Ok(resolved) = policy.apply(&metadata) {
            prop_assert!(resolved.values().all(|value| !value.is_null()));
        }
    }

    #[test]
    fn no_line_makes_a_case_panic(line in ".{0,200}") {
        let _ = super::run_case(&line);
    }
}
