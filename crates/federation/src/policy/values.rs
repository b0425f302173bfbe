//! Values as sets: equality, subset, union, intersection, and the `scope` parameter, which is a string of
//! space-separated values but is treated as an array by every operator (§6.1.3.1.8).

use serde_json::Value;

/// The metadata parameter that is a set written as a string (RFC 7591 §2).
const SCOPE: &str = "scope";

/// JSON equality: numbers by value, arrays in order, objects whatever their order.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Equality of two values of one parameter: for `scope` the string and the array form are the same thing.
pub(super) fn equal_for(parameter: &str, a: &Value, b: &Value) -> bool {
    match (scope_tokens(parameter, a), scope_tokens(parameter, b)) {
        (None, None) => equal(a, b),
        (a_tokens, b_tokens) => {
            let a = a_tokens.map_or_else(|| a.clone(), Value::Array);
            let b = b_tokens.map_or_else(|| b.clone(), Value::Array);
            equal(&a, &b)
        }
    }
}

pub(super) fn contains(set: &[Value], value: &Value) -> bool {
    set.iter().any(|member| equal(member, value))
}

pub(super) fn is_subset(inner: &[Value], outer: &[Value]) -> bool {
    inner.iter().all(|value| contains(outer, value))
}

/// The values of `first`, then those of `second` that were not there yet.
pub(super) fn union(first: &[Value], second: &[Value]) -> Vec<Value> {
    let mut result: Vec<Value> = Vec::with_capacity(first.len() + second.len());
    for value in first.iter().chain(second) {
        if !contains(&result, value) {
            result.push(value.clone());
        }
    }
    result
}

/// The values of `first` that are in `second`, in the order of `first`, each once.
pub(super) fn intersection(first: &[Value], second: &[Value]) -> Vec<Value> {
    let mut result: Vec<Value> = Vec::new();
    for value in first {
        if contains(second, value) && !contains(&result, value) {
            result.push(value.clone());
        }
    }
    result
}

/// The elements of an array, or of a `scope` string; `None` for anything that is not a set.
pub(super) fn as_set(parameter: &str, value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values.clone()),
        other => scope_tokens(parameter, other),
    }
}

/// Strings, numbers and objects may be members of a set an operator acts on; no other type (§6.1.3.1.2 and others).
pub(super) fn is_set_member(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Object(_))
}

/// The form a result takes in metadata: `scope` becomes a string again. `None`: a `scope` value is not a string.
pub(super) fn to_metadata(parameter: &str, value: Value) -> Option<Value> {
    if parameter != SCOPE {
        return Some(value);
    }
    let Value::Array(values) = value else {
        return Some(value);
    };
    let tokens: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
    Some(Value::String(tokens?.join(" ")))
}

fn scope_tokens(parameter: &str, value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::String(text) if parameter == SCOPE => Some(
            text.split(' ')
                .filter(|token| !token.is_empty())
                .map(|token| Value::String(token.into()))
                .collect(),
        ),
        _ => None,
    }
}
