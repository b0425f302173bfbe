//! One line in, one answer out: how `healthid federation policy` judges policies and metadata.

use jose::json;
use serde_json::{Map, Value, json};

use super::{Policy, PolicyError, combine};

/// Limits of one case: larger than a statement, since it holds a whole chain's policies.
const LIMITS: json::Limits = json::Limits {
    bytes: 1024 * 1024,
    depth: 32,
};
/// Most policies in one case.
const MAX_POLICIES: usize = 32;

/// Judges one case: `{"policies": [the trust anchor's, then each intermediate's], "metadata": {..}}`, all of one
/// entity type. Absent or `null` policies (single or all) count as "this superior has none"; absent metadata is `{}`.
///
/// Answers `{"merged": {..}, "resolved": {..}}`, or `{"error": .., "error_description": ..}` with error
/// `invalid_policy` (a policy is malformed, or the policies cannot be merged) or `invalid_metadata` (the metadata
/// violates the merged policy). Never panics.
pub fn run_case(line: &str) -> Value {
    let case = match Case::parse(line) {
        Ok(case) => case,
        Err(description) => return refusal("invalid_policy", &description),
    };
    let policies: Result<Vec<Policy>, PolicyError> = case.policies.iter().map(Policy::parse).collect();
    let merged = match policies.and_then(|policies| combine(&policies)) {
        Ok(merged) => merged,
        Err(error) => return refusal("invalid_policy", &error.to_string()),
    };
    let Value::Object(metadata) = &case.metadata else {
        return refusal("invalid_metadata", "member metadata must be a JSON object");
    };
    match merged.apply(metadata) {
        Ok(resolved) => json!({"merged": merged.to_value(), "resolved": resolved}),
        Err(violation) => refusal("invalid_metadata", &violation.to_string()),
    }
}

struct Case {
    policies: Vec<Value>,
    metadata: Value,
}

impl Case {
    fn parse(line: &str) -> Result<Self, String> {
        let case = json::parse(line.as_bytes(), &LIMITS).map_err(|error| error.to_string())?;
        let Value::Object(mut members) = case else {
            return Err("a case must be a JSON object with policies and metadata".into());
        };
        let policies = match members.remove("policies") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(policies)) => policies,
            Some(_) => return Err("member policies must be an array of JSON objects".into()),
        };
        if policies.len() > MAX_POLICIES {
            return Err(format!("member policies must hold at most {MAX_POLICIES} policies"));
        }
        let metadata = match members.remove("metadata") {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(metadata) => metadata,
        };
        Ok(Self {
            policies: policies.into_iter().filter(|policy| !policy.is_null()).collect(),
            metadata,
        })
    }
}

fn refusal(error: &str, description: &str) -> Value {
    json!({"error": error, "error_description": description})
}
