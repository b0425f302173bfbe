#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Operator, Policy, PolicyError, PolicyViolation, check_critical, combine, run_case};

fn parse(operators: Value) -> Result<Policy, PolicyError> {
    Policy::parse(&json!({"p": operators}))
}

fn merged(first: Value, second: Value) -> Result<Value, PolicyError> {
    let policies = [parse(first)?, parse(second)?];
    combine(&policies).map(|policy| policy.to_value()["p"].clone())
}

/// Applies operators to parameter `p`; `Value::Null` in and out stands for absence.
fn applied(operators: Value, before: Value) -> Result<Value, PolicyViolation> {
    applied_to("p", operators, before)
}

fn applied_to(name: &str, operators: Value, before: Value) -> Result<Value, PolicyViolation> {
    let policy = Policy::parse(&json!({name: operators})).unwrap();
    let mut metadata = serde_json::Map::new();
    if !before.is_null() {
        metadata.insert(name.into(), before);
    }
    let resolved = policy.apply(&metadata)?;
    Ok(resolved.get(name).cloned().unwrap_or(Value::Null))
}

#[test]
fn operators_of_the_wrong_type_are_refused() {
    let cases = [
        json!({"add": "a"}),
        json!({"add": null}),
        json!({"add": {"a": 1}}),
        json!({"add": [true]}),
        json!({"add": [["a"]]}),
        json!({"add": [null]}),
        json!({"default": null}),
        json!({"one_of": "a"}),
        json!({"one_of": [true, false]}),
        json!({"one_of": []}),
        json!({"subset_of": "a"}),
        json!({"subset_of": 1}),
        json!({"subset_of": [null]}),
        json!({"superset_of": {}}),
        json!({"superset_of": "a b"}),
        json!({"essential": "true"}),
        json!({"essential": 1}),
        json!({"essential": null}),
        json!({"essential": [true]}),
        json!([]),
        json!("value"),
        json!(null),
    ];
    for case in cases {
        assert!(parse(case.clone()).is_err(), "{case} was accepted");
    }
}

#[test]
fn operators_of_every_supported_type_are_accepted() {
    let cases = [
        json!({"value": "a"}),
        json!({"value": 1}),
        json!({"value": false}),
        json!({"value": ["a"]}),
        json!({"value": {"a": 1}}),
        json!({"value": null}),
        json!({"default": "a"}),
        json!({"default": 2.5}),
        json!({"default": true}),
        json!({"default": []}),
        json!({"add": ["a"]}),
        json!({"add": [1, 2]}),
        json!({"add": [{"a": 1}]}),
        json!({"add": []}),
        json!({"one_of": ["a"]}),
        json!({"one_of": [1]}),
        json!({"one_of": [{"a": 1}]}),
        json!({"subset_of": []}),
        json!({"superset_of": []}),
        json!({"essential": false}),
        json!({}),
    ];
    for case in cases {
        let policy = parse(case.clone()).unwrap();
        assert_eq!(policy.to_value(), json!({"p": case}));
    }
}

#[test]
fn a_policy_that_is_no_object_is_refused() {
    for policy in [json!([]), json!("x"), json!(1), json!(null)] {
        assert!(Policy::parse(&policy).is_err(), "{policy} was accepted");
    }
}

#[test]
fn combinations_that_are_not_allowed_are_refused() {
    let cases = [
        // one_of speaks of one value, the others of sets (§6.1.3.1.4)
        json!({"one_of": ["a"], "add": ["a"]}),
        json!({"one_of": ["a"], "subset_of": ["a"]}),
        json!({"one_of": ["a"], "superset_of": ["a"]}),
        // value and the rest (§6.1.3.1.1)
        json!({"value": ["a"], "add": ["b"]}),
        json!({"value": "a", "add": ["a"]}),
        json!({"value": null, "add": ["a"]}),
        json!({"value": null, "add": []}),
        json!({"value": null, "default": "a"}),
        json!({"value": "c", "one_of": ["a", "b"]}),
        json!({"value": ["a"], "one_of": ["a", "b"]}),
        json!({"value": null, "one_of": ["a"]}),
        json!({"value": ["a", "c"], "subset_of": ["a", "b"]}),
        json!({"value": "a", "subset_of": ["a"]}),
        json!({"value": null, "subset_of": ["a"]}),
        json!({"value": ["a"], "superset_of": ["a", "b"]}),
        json!({"value": "a", "superset_of": ["a"]}),
        json!({"value": null, "superset_of": ["a"]}),
        json!({"value": null, "essential": true}),
        // add and subset_of (§6.1.3.1.2), subset_of and superset_of (§6.1.3.1.5)
        json!({"add": ["a", "c"], "subset_of": ["a", "b"]}),
        json!({"add": ["a"], "subset_of": []}),
        json!({"subset_of": ["a"], "superset_of": ["a", "b"]}),
        json!({"subset_of": [], "superset_of": ["a"]}),
    ];
    for case in cases {
        assert!(parse(case.clone()).is_err(), "{case} was accepted");
    }
}

#[test]
fn combinations_whose_condition_holds_are_accepted() {
    let cases = [
        json!({"value": ["a", "b"], "add": ["a"]}),
        json!({"value": ["a"], "default": ["b"]}),
        json!({"value": "a", "one_of": ["a", "b"]}),
        json!({"value": ["a"], "subset_of": ["a", "b"]}),
        json!({"value": [], "subset_of": ["a"]}),
        json!({"value": ["a", "b"], "superset_of": ["a"]}),
        json!({"value": ["a", "b"], "superset_of": ["b", "a"], "subset_of": ["a", "b"]}),
        json!({"value": false, "essential": true}),
        json!({"value": null, "essential": false}),
        json!({"add": ["a"], "default": ["b"]}),
        json!({"add": ["a"], "subset_of": ["a", "b"]}),
        json!({"add": ["a"], "superset_of": ["b"]}),
        json!({"add": ["a"], "essential": true}),
        json!({"default": "a", "one_of": ["b"]}),
        json!({"default": ["c"], "subset_of": ["a"]}),
        json!({"default": ["c"], "superset_of": ["a"]}),
        json!({"one_of": ["a"], "essential": true, "default": "a"}),
        json!({"subset_of": ["a", "b"], "superset_of": ["a"]}),
        json!({"subset_of": ["a"], "superset_of": ["a"]}),
    ];
    for case in cases {
        assert!(parse(case.clone()).is_ok(), "{case} was refused");
    }
}

#[test]
fn merging_follows_the_rule_of_each_operator() {
    let cases = [
        (
            json!({"value": ["a"]}),
            json!({"value": ["a"]}),
            json!({"value": ["a"]}),
        ),
        (json!({"value": null}), json!({"value": null}), json!({"value": null})),
        (json!({"value": 1}), json!({"value": 1.0}), json!({"value": 1})),
        (
            json!({"add": ["b", "a"]}),
            json!({"add": ["c", "a"]}),
            json!({"add": ["b", "a", "c"]}),
        ),
        (
            json!({"default": {"x": 1, "y": 2}}),
            json!({"default": {"y": 2, "x": 1}}),
            json!({"default": {"x": 1, "y": 2}}),
        ),
        (
            json!({"one_of": ["a", "b", "c"]}),
            json!({"one_of": ["c", "b", "d"]}),
            json!({"one_of": ["b", "c"]}),
        ),
        (
            json!({"subset_of": ["a", "b"]}),
            json!({"subset_of": ["c"]}),
            json!({"subset_of": []}),
        ),
        (
            json!({"superset_of": ["a"]}),
            json!({"superset_of": ["b"]}),
            json!({"superset_of": ["a", "b"]}),
        ),
        (
            json!({"essential": false}),
            json!({"essential": true}),
            json!({"essential": true}),
        ),
        (
            json!({"essential": true}),
            json!({"essential": false}),
            json!({"essential": true}),
        ),
        (
            json!({"essential": false}),
            json!({"essential": false}),
            json!({"essential": false}),
        ),
        (
            json!({"add": ["a"]}),
            json!({"superset_of": ["b"]}),
            json!({"add": ["a"], "superset_of": ["b"]}),
        ),
        (
            json!({"value": "a"}),
            json!({"one_of": ["a", "b"]}),
            json!({"value": "a", "one_of": ["a", "b"]}),
        ),
    ];
    for (first, second, expected) in cases {
        assert_eq!(
            merged(first.clone(), second.clone()).unwrap(),
            expected,
            "{first} with {second}"
        );
    }
}

#[test]
fn merges_that_are_not_allowed_are_refused() {
    let cases = [
        (json!({"value": "a"}), json!({"value": "b"})),
        (json!({"value": ["a", "b"]}), json!({"value": ["a"]})),
        (json!({"value": null}), json!({"value": "a"})),
        (json!({"value": "1"}), json!({"value": 1})),
        (json!({"default": "a"}), json!({"default": "b"})),
        (json!({"default": false}), json!({"default": true})),
        (json!({"one_of": ["a"]}), json!({"one_of": ["b"]})),
        (json!({"value": ["a"]}), json!({"add": ["b"]})),
        (json!({"add": ["b"]}), json!({"value": ["a"]})),
        (json!({"value": null}), json!({"default": "a"})),
        (json!({"value": null}), json!({"essential": true})),
        (json!({"essential": true}), json!({"value": null})),
        (json!({"value": "c"}), json!({"one_of": ["a"]})),
        (json!({"value": ["c"]}), json!({"subset_of": ["a"]})),
        (json!({"value": ["c"]}), json!({"superset_of": ["a"]})),
        (json!({"add": ["c"]}), json!({"subset_of": ["a"]})),
        (json!({"add": ["a"]}), json!({"one_of": ["a"]})),
        (json!({"subset_of": ["a"]}), json!({"superset_of": ["b"]})),
        (json!({"subset_of": ["a"]}), json!({"one_of": ["a"]})),
        (
            json!({"subset_of": ["a", "b"], "superset_of": ["a"]}),
            json!({"subset_of": ["b"]}),
        ),
        (
            json!({"subset_of": ["a", "b"], "add": ["a"]}),
            json!({"subset_of": ["b"]}),
        ),
    ];
    for (first, second) in cases {
        assert!(
            merged(first.clone(), second.clone()).is_err(),
            "{first} with {second} was accepted"
        );
    }
}

#[test]
fn operators_act_as_defined() {
    let cases = [
        (json!({"value": "b"}), json!("a"), json!("b")),
        (json!({"value": "b"}), json!(null), json!("b")),
        (json!({"value": null}), json!("a"), json!(null)),
        (json!({"add": ["b"]}), json!(null), json!(["b"])),
        (json!({"add": ["a", "b"]}), json!(["c", "a"]), json!(["c", "a", "b"])),
        (json!({"default": ["b"]}), json!(null), json!(["b"])),
        (json!({"default": ["b"]}), json!(["a"]), json!(["a"])),
        (json!({"default": "b"}), json!(7), json!(7)),
        (json!({"one_of": ["a", "b"]}), json!("b"), json!("b")),
        (json!({"one_of": ["a"]}), json!(null), json!(null)),
        (json!({"one_of": [1]}), json!(1.0), json!(1.0)),
        (json!({"one_of": [{"a": 1}]}), json!({"a": 1}), json!({"a": 1})),
        (json!({"subset_of": ["a", "b", "c"]}), json!(["a", "e"]), json!(["a"])),
        (json!({"subset_of": ["a"]}), json!(["d"]), json!([])),
        (json!({"subset_of": ["a"]}), json!(null), json!(null)),
        (json!({"superset_of": ["a"]}), json!(["b", "a"]), json!(["b", "a"])),
        (json!({"superset_of": ["a"]}), json!(null), json!(null)),
        (json!({"essential": true}), json!(false), json!(false)),
        (json!({"essential": true}), json!({}), json!({})),
        (json!({"essential": false}), json!(null), json!(null)),
        // table of §6.1.3.1.8
        (
            json!({"essential": true, "subset_of": ["a", "b", "c"]}),
            json!(["d", "e"]),
            json!([]),
        ),
        // order: value, add, default, one_of, subset_of, superset_of, essential
        (
            json!({"value": ["a", "b"], "add": ["b"]}),
            json!(["z"]),
            json!(["a", "b"]),
        ),
        (json!({"add": ["b"], "default": ["c"]}), json!(null), json!(["b"])),
        (json!({"default": "a", "one_of": ["a"]}), json!(null), json!("a")),
        (
            json!({"default": ["a", "x"], "subset_of": ["a"]}),
            json!(null),
            json!(["a"]),
        ),
        (json!({"default": "a", "essential": true}), json!(null), json!("a")),
        (
            json!({"add": ["a"], "superset_of": ["a"]}),
            json!(["b"]),
            json!(["b", "a"]),
        ),
    ];
    for (operators, before, after) in cases {
        assert_eq!(
            applied(operators.clone(), before.clone()).unwrap(),
            after,
            "{operators} on {before}"
        );
    }
}

#[test]
fn metadata_that_violates_the_policy_is_refused() {
    let cases = [
        (json!({"one_of": ["a"]}), json!("b")),
        (json!({"one_of": ["a"]}), json!(["a"])),
        (json!({"one_of": ["a"]}), json!(true)),
        (json!({"one_of": ["1"]}), json!(1)),
        (json!({"superset_of": ["a", "b"]}), json!(["a"])),
        (json!({"superset_of": ["a"]}), json!("a")),
        (json!({"superset_of": ["a"]}), json!([])),
        (json!({"subset_of": ["a"], "superset_of": ["a"]}), json!(["b"])),
        (json!({"subset_of": ["a"]}), json!("a")),
        (json!({"subset_of": ["a"]}), json!({"a": 1})),
        (json!({"subset_of": ["a"]}), json!([true])),
        (json!({"add": ["a"]}), json!("a")),
        (json!({"add": ["a"]}), json!(1)),
        (json!({"add": ["a"]}), json!([["a"]])),
        (json!({"essential": true}), json!(null)),
        (json!({"essential": true, "subset_of": ["a"]}), json!(null)),
        (json!({"essential": true, "one_of": ["a"]}), json!(null)),
        (json!({"default": "c", "one_of": ["a"]}), json!(null)),
        (json!({"default": ["c"], "superset_of": ["a"]}), json!(null)),
        (json!({"add": ["c"], "superset_of": ["a"]}), json!(null)),
    ];
    for (operators, before) in cases {
        assert!(
            applied(operators.clone(), before.clone()).is_err(),
            "{operators} accepted {before}"
        );
    }
}

#[test]
fn metadata_with_null_is_refused() {
    let policy = parse(json!({"value": "a"})).unwrap();
    let metadata = json!({"other": null});
    assert_eq!(
        policy.apply(metadata.as_object().unwrap()),
        Err(PolicyViolation::Null {
            parameter: "other".into()
        })
    );
}

#[test]
fn scope_is_treated_as_a_set_and_stays_a_string() {
    let cases = [
        (
            json!({"subset_of": ["openid", "email"]}),
            json!("openid profile email"),
            json!("openid email"),
        ),
        (
            json!({"superset_of": ["openid"]}),
            json!("openid email"),
            json!("openid email"),
        ),
        (json!({"add": ["openid"]}), json!("email"), json!("email openid")),
        (
            json!({"default": ["openid", "email"]}),
            json!(null),
            json!("openid email"),
        ),
        (json!({"default": "openid"}), json!(null), json!("openid")),
        (json!({"value": ["openid", "email"]}), json!("x"), json!("openid email")),
        (
            json!({"value": "openid email", "superset_of": ["email"]}),
            json!("x"),
            json!("openid email"),
        ),
        (json!({"subset_of": ["openid"]}), json!("email"), json!("")),
        (
            json!({"one_of": ["openid email", "openid"]}),
            json!("openid"),
            json!("openid"),
        ),
        (json!({"value": null}), json!("openid"), json!(null)),
    ];
    for (operators, before, after) in cases {
        assert_eq!(
            applied_to("scope", operators.clone(), before.clone()).unwrap(),
            after,
            "{operators} on {before}"
        );
    }
    let refused = applied_to("scope", json!({"superset_of": ["email"]}), json!("openid"));
    assert!(refused.is_err());
    let array_of_numbers = applied_to("scope", json!({"default": [1]}), json!(null));
    assert!(array_of_numbers.is_err());
}

#[test]
fn only_scope_is_split_at_spaces() {
    assert!(applied_to("scopes", json!({"subset_of": ["a"]}), json!("a b")).is_err());
}

#[test]
fn scope_values_merge_whether_string_or_array() {
    let first = Policy::parse(&json!({"scope": {"value": "openid email"}})).unwrap();
    let second = Policy::parse(&json!({"scope": {"value": ["openid", "email"]}})).unwrap();
    let third = Policy::parse(&json!({"scope": {"value": "openid"}})).unwrap();
    assert!(combine(&[first.clone(), second]).is_ok());
    assert!(combine(&[first, third]).is_err());
}

#[test]
fn unknown_operators_are_ignored_unless_critical() {
    let policy = parse(json!({"regexp": "^a", "essential": true})).unwrap();
    assert_eq!(policy.to_value(), json!({"p": {"regexp": "^a", "essential": true}}));
    assert!(applied(json!({"regexp": "^a"}), json!("b")).is_ok());
    assert!(check_critical(&["regexp".into()]).is_err());
    assert!(check_critical(&["value".into()]).is_err());
    assert!(check_critical(&[]).is_err());
    assert!(applied(json!({"Value": "a"}), json!("b")).unwrap() == json!("b"));
}

#[test]
fn every_step_is_told() {
    let first = parse(json!({"add": ["a"]})).unwrap();
    let second = parse(json!({"add": ["b"], "essential": true})).unwrap();
    let (policy, steps) = super::combine_explained(&[first, second]).unwrap();
    let told: Vec<_> = steps
        .iter()
        .map(|step| (step.level, step.operator, step.result.clone()))
        .collect();
    assert_eq!(
        told,
        [
            (0, Operator::Add, json!(["a"])),
            (1, Operator::Add, json!(["a", "b"])),
            (1, Operator::Essential, json!(true)),
        ]
    );
    let (_, applied) = policy.apply_explained(&serde_json::Map::new()).unwrap();
    assert_eq!(applied.len(), 2);
    assert_eq!(applied[0].before, None);
    assert_eq!(applied[0].after, Some(json!(["a", "b"])));
}

#[test]
fn too_many_values_are_refused() {
    let many: Vec<String> = (0..=super::MAX_VALUES).map(|n| n.to_string()).collect();
    assert!(parse(json!({"add": many})).is_err());
    assert!(applied(json!({"add": ["a"]}), json!(many)).is_err());
    let parameters: serde_json::Map<String, Value> = (0..=super::MAX_PARAMETERS)
        .map(|n| (n.to_string(), json!({})))
        .collect();
    assert!(Policy::parse(&Value::Object(parameters)).is_err());
}

#[test]
fn a_case_is_answered_with_both_results_or_the_kind_of_error() {
    let answer =
        run_case(r#"{"policies":[{"p":{"add":["a"]}},null,{"p":{"add":["b"]}}],"metadata":{"p":["c"],"q":1}}"#);
    assert_eq!(
        answer,
        json!({"merged": {"p": {"add": ["a", "b"]}}, "resolved": {"p": ["c", "a", "b"], "q": 1}})
    );
    let empty = json!({"merged": {}, "resolved": {"q": 1}});
    for line in [
        r#"{"policies":[],"metadata":{"q":1}}"#,
        r#"{"policies":null,"metadata":{"q":1}}"#,
        r#"{"metadata":{"q":1}}"#,
        r#"{"policies":[null,{}],"metadata":{"q":1}}"#,
    ] {
        assert_eq!(run_case(line), empty, "{line}");
    }
    let refused = [
        (
            r#"{"policies":[{"p":{"one_of":["a"]}}],"metadata":{"p":"b"}}"#,
            "invalid_metadata",
        ),
        (r#"{"policies":[{"p":{"essential":true}}]}"#, "invalid_metadata"),
        (r#"{"policies":[],"metadata":[]}"#, "invalid_metadata"),
        (
            r#"{"policies":[{"p":{"value":1}},{"p":{"value":2}}],"metadata":{}}"#,
            "invalid_policy",
        ),
        (r#"{"policies":{},"metadata":{}}"#, "invalid_policy"),
        (r#"{"policies":[[]],"metadata":{}}"#, "invalid_policy"),
        (r#"{"policies":[{"p":{"value":1},"p":{"value":2}}]}"#, "invalid_policy"),
        ("[]", "invalid_policy"),
        ("", "invalid_policy"),
        ("{", "invalid_policy"),
    ];
    for (line, error) in refused {
        let answer = run_case(line);
        assert_eq!(answer["error"], error, "{line}");
        assert!(!answer["error_description"].as_str().unwrap().is_empty());
    }
}

#[test]
fn the_specifications_example_resolves() {
    // OpenID Federation 1.0 §6.1.5: the trust anchor's and the intermediate's policy for relying parties.
    let answer = run_case(
        &json!({
            "policies": [
                {
                    "grant_types": {
                        "default": ["authorization_code"],
                        "subset_of": ["authorization_code", "refresh_token"],
                        "superset_of": ["authorization_code"]
                    },
                    "token_endpoint_auth_method": {
                        "one_of": ["private_key_jwt", "self_signed_tls_client_auth"],
                        "essential": true
                    },
                    "subject_type": {"value": "pairwise"},
                    "contacts": {"add": ["helpdesk@federation.example.org"]}
                },
                {
                    "grant_types": {"subset_of": ["authorization_code"]},
                    "token_endpoint_auth_method": {"one_of": ["self_signed_tls_client_auth"]},
                    "contacts": {"add": ["helpdesk@org.example.org"]}
                }
            ],
            "metadata": {
                "redirect_uris": ["https://rp.example.org/callback"],
                "token_endpoint_auth_method": "self_signed_tls_client_auth",
                "contacts": ["rp_admins@rp.example.org"]
            }
        })
        .to_string(),
    );
    assert_eq!(
        answer["resolved"],
        json!({
            "redirect_uris": ["https://rp.example.org/callback"],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "subject_type": "pairwise",
            "contacts": [
                "rp_admins@rp.example.org",
                "helpdesk@federation.example.org",
                "helpdesk@org.example.org"
            ]
        })
    );
    assert_eq!(
        answer["merged"]["grant_types"]["subset_of"],
        json!(["authorization_code"])
    );
}
