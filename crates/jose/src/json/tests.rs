//! What JSON is refused, and that the two passes agree.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Claims {
    iss: String,
    exp: u64,
    #[serde(default)]
    nested: Option<BTreeMap<String, Value>>,
}

/// Both passes must refuse alike.
fn refused(bytes: &[u8], limits: &Limits) -> JsonError {
    let tree = parse(bytes, limits).unwrap_err();
    let typed = parse_as::<Value>(bytes, limits).unwrap_err();
    assert_eq!(tree, typed);
    tree
}

fn duplicate(member: &str) -> JsonError {
    JsonError::DuplicateMember {
        member: member.to_owned(),
    }
}

#[test]
fn duplicate_members_are_refused_at_every_level() {
    for (text, member) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"a":1,"b":2,"a":3}"#, "a"),
        (r#"{"iss":{"b":1,"b":2}}"#, "b"),
        (r#"[0,[{"deep":1,"deep":2}]]"#, "deep"),
        (r#"{"x":[{"y":{"urn:z":1,"urn:z":1}}]}"#, "urn:z"),
        // The same name, spelled with an escape.
        (r#"{"kid":1,"\u006bid":2}"#, "kid"),
        (r#"{"":1,"":2}"#, "(unnamed)"),
        // A name that could be somebody's secret is not repeated.
        (r#"{"X110411675":1,"X110411675":2}"#, "(unnamed)"),
        (r#"{"109500969":1,"109500969":2}"#, "(unnamed)"),
    ] {
        assert_eq!(refused(text.as_bytes(), &DEFAULT), duplicate(member), "{text}");
    }
}

#[test]
fn a_duplicate_is_found_in_a_large_object_too() {
    for members in [15, 16, 17, 40, 1000] {
        let names: Vec<String> = (0..members).map(|index| format!(r#""m{index}":0"#)).collect();
        let sound = format!("{{{}}}", names.join(","));
        assert!(parse(sound.as_bytes(), &DEFAULT).is_ok());
        assert!(parse_as::<Value>(sound.as_bytes(), &DEFAULT).is_ok());
        for repeated in [0, members / 2, members - 1] {
            let broken = format!(r#"{{{},"m{repeated}":0}}"#, names.join(","));
            assert_eq!(
                refused(broken.as_bytes(), &DEFAULT),
                duplicate(&format!("m{repeated}")),
                "{members}"
            );
        }
    }
}

#[test]
fn depth_is_counted_in_arrays_and_objects() {
    let limits = Limits { bytes: 1000, depth: 3 };
    for text in ["1", "[[[]]]", r#"{"a":{"a":{"a":1}}}"#, r#"[{"a":[1]}]"#] {
        assert!(parse(text.as_bytes(), &limits).is_ok(), "{text}");
        assert!(parse_as::<Value>(text.as_bytes(), &limits).is_ok(), "{text}");
    }
    for text in ["[[[[]]]]", r#"{"a":{"a":{"a":{}}}}"#, r#"[{"a":[{}]}]"#] {
        assert_eq!(
            refused(text.as_bytes(), &limits),
            JsonError::TooDeep { limit: 3 },
            "{text}"
        );
    }
    let hostile = "[".repeat(DEFAULT.bytes);
    assert_eq!(refused(hostile.as_bytes(), &DEFAULT), JsonError::TooDeep { limit: 16 });
    let boundless = Limits {
        bytes: usize::MAX,
        depth: usize::MAX,
    };
    assert!(matches!(
        refused(hostile.as_bytes(), &boundless),
        JsonError::Syntax { .. }
    ));
}

#[test]
fn length_is_limited_before_anything_is_read() {
    let limits = Limits { bytes: 8, depth: 16 };
    assert!(parse(b"\"123456\"", &limits).is_ok());
    assert_eq!(refused(b"\"1234567\"", &limits), JsonError::TooLong { limit: 8 });
    assert_eq!(
        refused(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", &limits),
        JsonError::TooLong { limit: 8 }
    );
}

#[test]
fn what_is_not_json_is_refused() {
    for bytes in [
        b"".as_slice(),
        b" ",
        b"{",
        b"{}{}",
        b"{} x",
        b"{}\0",
        b"[1,]",
        b"{\"a\":1,}",
        b"{a:1}",
        b"{'a':1}",
        b"01",
        b"+1",
        b"1e999",
        b"NaN",
        b"nul",
        b"\"\n\"",
        b"\"\\ud800\"",
        b"\"\\x\"",
        b"// c\n1",
        b"\xef\xbb\xbf{}",
    ] {
        assert!(
            matches!(refused(bytes, &DEFAULT), JsonError::Syntax { .. }),
            "{bytes:?}"
        );
    }
    for bytes in [
        b"\"\xff\"".as_slice(),
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"{\"\xfe\":1}",
        b"{}\xff",
    ] {
        assert_eq!(refused(bytes, &DEFAULT), JsonError::NotUtf8, "{bytes:?}");
    }
}

#[test]
fn a_wrong_shape_is_told_without_quoting_the_document() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[serde(rename = "n")]
        _n: u8,
    }
    for (text, expected) in [
        (r#"{"exp":1}"#, "missing field `iss`"),
        (r#"{"iss":1,"exp":1}"#, "expected a string"),
        (r#"{"iss":"geheim","exp":"geheim, expected x"}"#, "expected u64"),
        (r#"{"iss":"geheim","exp":-7}"#, "expected u64"),
        (r#"["geheim"]"#, "expected struct Claims with 3 elements"),
        (r#""geheim""#, "expected struct Claims"),
    ] {
        let error = parse_as::<Claims>(text.as_bytes(), &DEFAULT).unwrap_err();
        let JsonError::Shape { expected: told, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(told, expected, "{text}");
        assert!(
            !error.to_string().contains("geheim") && !error.to_string().contains('7'),
            "{error}"
        );
    }
    let error = parse_as::<Strict>(br#"{"n":1,"geheim, expected x":1}"#, &DEFAULT).unwrap_err();
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[test]
fn a_custom_message_is_not_repeated() {
    #[derive(Debug)]
    struct Loud;
    impl<'de> Deserialize<'de> for Loud {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format_args!("do not like {text}")))
        }
    }
    let error = parse_as::<Loud>(b"\"geheim\"", &DEFAULT).unwrap_err();
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[test]
fn a_sound_document_is_read() {
    let text = br#" {"iss":"https://idp.example","exp":1300819380,"nested":{"a":[1,-2,2.5,true,null,"\u00e4\n"]}} "#;
    let claims: Claims = parse_as(text, &DEFAULT).unwrap();
    assert_eq!(claims.exp, 1_300_819_380);
    assert_eq!(claims.nested.unwrap()["a"], json!([1, -2, 2.5, true, null, "ä\n"]));
    let tree = parse(text, &DEFAULT).unwrap();
    assert_eq!(tree, serde_json::from_slice::<Value>(text).unwrap());
}

/// Any tree within the default depth.
fn any_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Exact in binary: reading back every decimal exactly is a feature of serde_json we do not need.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 256.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_tree_survives_the_round_trip(tree in any_tree()) {
        let bytes = serde_json::to_vec(&tree).unwrap();
        prop_assert_eq!(&parse(&bytes, &DEFAULT).unwrap(), &tree);
        prop_assert_eq!(&parse_as::<Value>(&bytes, &DEFAULT).unwrap(), &tree);
    }

    #[test]
    fn no_bytes_make_the_parser_panic_and_both_passes_agree(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(parse(&bytes, &DEFAULT), parse_as::<Value>(&bytes, &DEFAULT));
    }

    #[test]
    fn no_brackets_make_the_parser_panic_and_both_passes_agree(text in r#"[\[\]{}:,"a1\\ ]{0,40}"#) {
        prop_assert_eq!(parse(text.as_bytes(), &DEFAULT), parse_as::<Value>(text.as_bytes(), &DEFAULT));
    }

    #[test]
    fn a_written_string_reads_back(text in any::<String>()) {
        let mut out = Vec::new();
        push_string(&text, &mut out);
        prop_assert_eq!(parse(&out, &DEFAULT).unwrap(), Value::String(text));
    }
}
