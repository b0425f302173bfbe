#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::{Value, json};

fn file() -> Value {
    json!({
        "issuer": "https://idp.example", "device": "h", "name": "Handy", "valid_until": 5, "counter": 7,
        "private_key": jose::base64url::encode(&jose::SoftwareKey::generate("device").unwrap().to_pkcs8_der()),
    })
}

#[test]
fn a_device_survives_its_file_and_counts_on() {
    let text = file();
    let mut device = BoundDevice::from_json(&text.to_string()).unwrap();
    device.count(device.record().counter + 1);
    let again: Value = serde_json::from_str(&device.to_json()).unwrap();
    assert_eq!(again["counter"], 8);
    assert_eq!(again["private_key"], text["private_key"]);
    assert_eq!(format!("{device:?}"), "BoundDevice");
}

#[test]
fn damaged_device_files_are_refused() {
    for text in [
        "",
        "{}",
        r#"{"issuer":"a","device":"b","name":"c","valid_until":1,"counter":1,"private_key":"AAAA"}"#,
    ] {
        assert_eq!(BoundDevice::from_json(text).map(|_| ()), Err(DeviceFileError));
    }
}
