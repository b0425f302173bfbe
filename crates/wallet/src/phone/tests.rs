#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn an_authorization_address_names_service_and_request() {
    let address = LoginAddress::parse(
        "https://idp.example/109900019/auth?client_id=https%3A%2F%2Fepa.example&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc",
    )
    .unwrap();
    assert_eq!(address.client_id, "https://epa.example");
    assert_eq!(address.request_uri, "urn:ietf:params:oauth:request_uri:abc");
}

#[test]
fn addresses_without_one_of_each_are_refused() {
    let long = format!(
        "https://idp.example/auth?client_id=a&request_uri={}",
        "x".repeat(MAX_ADDRESS_CHARACTERS)
    );
    for address in [
        "",
        "idp.example/auth?client_id=a&request_uri=b",
        "https://idp.example/auth",
        "https://idp.example/auth?client_id=a",
        "https://idp.example/auth?request_uri=b",
        "https://idp.example/auth?client_id=&request_uri=b",
        "https://idp.example/auth?client_id=a&client_id=c&request_uri=b",
        "https://idp.example/auth?client_id=a&request_uri=b&request_uri=c",
        &long,
    ] {
        assert!(
            matches!(LoginAddress::parse(address), Err(PhoneError::Address)),
            "{address}"
        );
    }
}

#[test]
fn a_refusal_tells_the_providers_reason() {
    let refused = error::refused(
        400,
        br#"{"error":"access_denied","error_description":"card: revoked (support code ABCD-EFGH)"}"#,
    );
    assert_eq!(
        refused.to_string(),
        "the provider refused: access_denied: card: revoked (support code ABCD-EFGH)"
    );
    let strange = error::refused(502, b"<html>");
    assert!(matches!(strange, PhoneError::Refused { status: 502, error, .. } if error == "http_502"));
}

#[test]
fn a_device_survives_its_file_and_counts_on() {
    let text = json!({
        "issuer": "https://idp.example", "device": "h", "name": "Handy", "valid_until": 5, "counter": 7,
        "private_key": jose::base64url::encode(&jose::SoftwareKey::generate("device").unwrap().to_pkcs8_der()),
    });
    let mut device = BoundDevice::from_json(&text.to_string()).unwrap();
    device.sign_challenge("challenge", UnixTime(1)).unwrap();
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
