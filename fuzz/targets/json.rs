//! The strict JSON reader: its two passes agree, and what it accepts means the same to serde_json.

#![no_main]

use jose::json::{self, DEFAULT};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let tree = json::parse(data, &DEFAULT);
    let typed = json::parse_as::<Value>(data, &DEFAULT);
    assert_eq!(tree, typed, "the tree and the typed reader disagree");
    if let Ok(tree) = tree {
        let lenient: Value = serde_json::from_slice(data).expect("accepted, but not JSON to serde_json");
        assert_eq!(tree, lenient);
    }
});
