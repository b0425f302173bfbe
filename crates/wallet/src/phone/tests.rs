#![allow(clippy::unwrap_used)]
use super::*;
use crate::run::{Keystore as _, tests::run_at_once};
use serde_json::{Value, json};

fn file() -> Value {
    json!({
        "issuer": "https://idp.example", "device": "h", "name": "Handy", "valid_until": 5, "counter": 7,
        "private_key": jose::base64url::encode(&jose::SoftwareKey::generate("device").unwrap().to_pkcs8_der()),
    })
}

fn with(member: &str, value: Value) -> String {
    let mut changed = file();
    changed[member] = value;
    changed.to_string()
}

#[test]
fn a_device_survives_its_file_and_counts_on() {
    let text = file();
    let mut device = BoundDevice::from_json(&text.to_string()).unwrap();
    run_at_once(KeyInMemory::of(&mut device).count(8)).unwrap();
    let again: Value = serde_json::from_str(&device.to_json()).unwrap();
    assert_eq!(again["counter"], 8);
    assert_eq!(again["private_key"], text["private_key"]);
    assert!(again.get("ticket").is_none());
    assert_eq!(format!("{device:?}"), "BoundDevice");
}

#[test]
fn a_ticket_survives_the_devices_file_and_says_nothing_elsewhere() {
    let mut device = BoundDevice::from_json(&file().to_string()).unwrap();
    run_at_once(KeyInMemory::of(&mut device).keep_ticket("sealed")).unwrap();
    let mut again = BoundDevice::from_json(&device.to_json()).unwrap();
    assert_eq!(
        run_at_once(KeyInMemory::of(&mut again).ticket()),
        Ok(Some("sealed".to_owned()))
    );
    assert_eq!(format!("{device:?}"), "BoundDevice");
}

#[test]
fn damaged_device_files_are_refused() {
    for text in [
        "",
        "{}",
        r#"{"issuer":"a","device":"b","name":"c","valid_until":1,"counter":1,"private_key":"AAAA"}"#,
        &with("ticket", json!(7)),
        &with("tickets", json!("sealed")),
        &with("counter", json!(-1)),
    ] {
        assert_eq!(BoundDevice::from_json(text).map(|_| ()), Err(DeviceFileError));
    }
}

/// Compiles only if a server can await every step on whichever thread it likes.
#[allow(dead_code)]
fn every_step_can_be_awaited_in_a_server(
    phone: &Phone,
    card: &UnlockedCard<'_>,
    device: &mut BoundDevice,
    opened: impl Fn() -> OpenedLogin<'static>,
    answered: impl Fn() -> AnsweredLogin<'static>,
    screen: &mut (impl OldPhone + NewPhone),
) {
    fn is_send(_: impl Send) {}
    let now = UnixTime(0);
    let wish = BindingWish {
        name: "Handy",
        class: "software",
        consent_to_substantial: true,
        hardware: None,
    };
    is_send(phone.open("", now));
    is_send(phone.resume("", "", now));
    is_send(phone.open_account(now));
    is_send(phone.requests(device, now));
    is_send(phone.move_out(device, screen, now));
    is_send(phone.move_in("", &wish, screen, now));
    is_send(opened().answer_with_card(card));
    is_send(opened().answer_with_device(device, now));
    is_send(opened().decline());
    is_send(answered().approve(&[], false));
    is_send(answered().approve_all());
    is_send(answered().decline());
    is_send(answered().bind_device(&wish));
    is_send(answered().account());
}
