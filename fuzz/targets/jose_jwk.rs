//! Keys and key sets: what is read is written the same, and a private member never passes.

#![no_main]

use jose::json::{self, DEFAULT};
use jose::jwk::{Jwk, JwkSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = json::parse(data, &DEFAULT) else { return };
    if let Ok(key) = Jwk::from_value(&value) {
        assert!(value.get("d").is_none());
        assert_eq!(Jwk::from_value(&key.to_value()).as_ref(), Ok(&key));
        let text = serde_json::to_string(&key).expect("a key is writable");
        assert_eq!(
            serde_json::from_str::<Jwk>(&text).expect("what was written reads back"),
            key
        );
    }
    if let Ok(set) = JwkSet::from_value(&value) {
        assert_eq!(JwkSet::from_value(&set.to_value()).as_ref(), Ok(&set));
        for key in &set.keys {
            if let Some(kid) = &key.kid {
                assert_eq!(set.by_kid(kid), Some(key));
            }
        }
    }
});
