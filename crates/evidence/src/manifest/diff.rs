//! What changes from one manifest to the next, in words a person can sign under.

use serde_json::Value;

use super::Manifest;

/// One line per change, in the order of the members: `+ measurements[sgx 1.5.0] …`, `- …`, `~ number: 6 -> 7`.
///
/// Complete: two manifests without a line between them are equal. Lists whose entries have a name are compared by name,
/// others by content.
#[must_use]
pub fn diff(old: &Manifest, new: &Manifest) -> Vec<String> {
    let tree = |manifest: &Manifest| serde_json::to_value(manifest).unwrap_or_default();
    let mut lines = Vec::new();
    compare("", &tree(old), &tree(new), &mut lines);
    lines
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                match (old.get(name), new.get(name)) {
                    (Some(old), Some(new)) => compare(&path, old, new, lines),
                    (Some(old), None) => lines.push(format!("- {path}: {old}")),
                    (None, Some(new)) => lines.push(format!("+ {path}: {new}")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => compare_lists(path, old, new, lines),
        (old, new) => lines.push(format!("~ {path}: {old} -> {new}")),
    }
}

fn compare_lists(path: &str, old: &[Value], new: &[Value], lines: &mut Vec<String>) {
    let find = |list: &[Value], label: &str| list.iter().find(|entry| self::label(entry) == label).cloned();
    for entry in old {
        let label = label(entry);
        match find(new, &label) {
            Some(changed) => compare(&format!("{path}[{label}]"), entry, &changed, lines),
            None => lines.push(format!("- {path}[{label}]: {entry}")),
        }
    }
    for entry in new {
        let label = label(entry);
        if find(old, &label).is_none() {
            lines.push(format!("+ {path}[{label}]: {entry}"));
        }
    }
}

/// By what an entry of a list is recognised: its name, its register, or the whole of it. A build is recognised by the
/// whole of its measurement, so that another measurement is never shown as a change of the old one.
fn label(entry: &Value) -> String {
    if let Some(measurement) = entry.get("measurement") {
        return measurement.to_string();
    }
    if entry.get("platform").is_some() {
        return entry.to_string();
    }
    match (entry.get("name"), entry.get("index")) {
        (Some(Value::String(name)), _) => name.clone(),
        (_, Some(index)) => index.to_string(),
        _ => entry.to_string(),
    }
}
