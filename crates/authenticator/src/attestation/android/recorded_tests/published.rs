//! The form in which the expected results were published, read and written.
#![allow(clippy::unwrap_used)]
use serde_json::{Map, Value as Json, json};

use super::super::application::{ApplicationId, Package};
use super::super::authorizations::{AuthorizationList, RootOfTrust, Tag, Value, VerifiedBootState};
use super::super::description::{KeyDescription, SecurityLevel};
use crate::attestation::test_pki::{self, element, integer, octets, sequence, set};

/// Names of the tags in the published files.
pub(super) const NAMES: &[(&str, Tag)] = &[
    ("purposes", Tag::PURPOSE),
    ("algorithms", Tag::ALGORITHM),
    ("keySize", Tag::KEY_SIZE),
    ("blockModes", Tag::BLOCK_MODE),
    ("digests", Tag::DIGEST),
    ("paddings", Tag::PADDING),
    ("ecCurve", Tag::EC_CURVE),
    ("mlDsaVariant", Tag::ML_DSA_VARIANT),
    ("rsaPublicExponent", Tag::RSA_PUBLIC_EXPONENT),
    ("rsaOaepMgfDigests", Tag::RSA_OAEP_MGF_DIGEST),
    ("activeDateTime", Tag::ACTIVE_DATE_TIME),
    ("originationExpireDateTime", Tag::ORIGINATION_EXPIRE_DATE_TIME),
    ("usageExpireDateTime", Tag::USAGE_EXPIRE_DATE_TIME),
    ("usageCountLimit", Tag::USAGE_COUNT_LIMIT),
    ("noAuthRequired", Tag::NO_AUTH_REQUIRED),
    ("userAuthType", Tag::USER_AUTH_TYPE),
    ("authTimeout", Tag::AUTH_TIMEOUT),
    ("allowWhileOnBody", Tag::ALLOW_WHILE_ON_BODY),
    ("trustedUserPresenceRequired", Tag::TRUSTED_USER_PRESENCE_REQUIRED),
    ("trustedConfirmationRequired", Tag::TRUSTED_CONFIRMATION_REQUIRED),
    ("unlockedDeviceRequired", Tag::UNLOCKED_DEVICE_REQUIRED),
    ("creationDateTime", Tag::CREATION_DATE_TIME),
    ("origin", Tag::ORIGIN),
    ("rollbackResistant", Tag::ROLLBACK_RESISTANT),
    ("rootOfTrust", Tag::ROOT_OF_TRUST),
    ("osVersion", Tag::OS_VERSION),
    ("osPatchLevel", Tag::OS_PATCH_LEVEL),
    ("attestationApplicationId", Tag::ATTESTATION_APPLICATION_ID),
    ("attestationIdBrand", Tag::ATTESTATION_ID_BRAND),
    ("attestationIdDevice", Tag::ATTESTATION_ID_DEVICE),
    ("attestationIdProduct", Tag::ATTESTATION_ID_PRODUCT),
    ("attestationIdSerial", Tag::ATTESTATION_ID_SERIAL),
    ("attestationIdImei", Tag::ATTESTATION_ID_IMEI),
    ("attestationIdMeid", Tag::ATTESTATION_ID_MEID),
    ("attestationIdManufacturer", Tag::ATTESTATION_ID_MANUFACTURER),
    ("attestationIdModel", Tag::ATTESTATION_ID_MODEL),
    ("vendorPatchLevel", Tag::VENDOR_PATCH_LEVEL),
    ("bootPatchLevel", Tag::BOOT_PATCH_LEVEL),
    ("attestationIdSecondImei", Tag::ATTESTATION_ID_SECOND_IMEI),
    ("moduleHash", Tag::MODULE_HASH),
];

fn base64(bytes: &[u8]) -> String {
    let alphabet = jose::base64url::encode(bytes).replace('-', "+").replace('_', "/");
    format!("{alphabet}{}", "=".repeat((4 - alphabet.len() % 4) % 4))
}

fn level(level: SecurityLevel) -> &'static str {
    match level {
        SecurityLevel::Software => "SOFTWARE",
        SecurityLevel::TrustedEnvironment => "TRUSTED_ENVIRONMENT",
        SecurityLevel::StrongBox => "STRONG_BOX",
    }
}

/// What we read, in the published form.
pub(super) fn published_form(description: &KeyDescription) -> Json {
    json!({
        "attestationVersion": description.attestation_version.to_string(),
        "attestationSecurityLevel": level(description.attestation_security_level),
        "keyMintVersion": description.key_mint_version.to_string(),
        "keyMintSecurityLevel": level(description.key_mint_security_level),
        "attestationChallenge": base64(&description.challenge),
        "uniqueId": base64(&description.unique_id),
        "softwareEnforced": published_list(&description.software_enforced),
        "hardwareEnforced": published_list(&description.hardware_enforced),
    })
}

fn published_list(list: &AuthorizationList) -> Json {
    let members = list.iter().map(|(tag, value)| {
        let (name, _) = NAMES.iter().find(|(_, known)| *known == tag).unwrap();
        ((*name).to_owned(), published_value(tag, value))
    });
    Json::Object(members.collect::<Map<_, _>>())
}

fn published_value(tag: Tag, value: &Value) -> Json {
    match value {
        Value::Set => json!(true),
        Value::Integer(0) if tag == Tag::ORIGIN => json!("GENERATED"),
        Value::Integer(number) => json!(number.to_string()),
        Value::Integers(numbers) => {
            let mut sorted: Vec<String> = numbers.iter().map(u64::to_string).collect();
            sorted.sort();
            json!(sorted)
        }
        Value::Bytes(bytes) if tag == Tag::MODULE_HASH => json!(base64(bytes)),
        Value::Bytes(bytes) => json!(String::from_utf8(bytes.clone()).unwrap()),
        Value::RootOfTrust(root) => published_root(root),
        Value::ApplicationId(id) => published_application(id),
        Value::Unknown(_) => panic!("the recorded chains have no tag unknown to the schema, found {tag:?}"),
    }
}

fn published_root(root: &RootOfTrust) -> Json {
    json!({
        "verifiedBootKey": base64(&root.verified_boot_key),
        "deviceLocked": root.device_locked,
        "verifiedBootState": match root.verified_boot_state {
            VerifiedBootState::Verified => "VERIFIED",
            VerifiedBootState::SelfSigned => "SELF_SIGNED",
            VerifiedBootState::Unverified => "UNVERIFIED",
            VerifiedBootState::Failed => "FAILED",
        },
        "verifiedBootHash": base64(root.verified_boot_hash.as_ref().unwrap()),
    })
}

fn published_application(id: &ApplicationId) -> Json {
    let package = |package: &Package| json!({"name": package.name, "version": package.version.to_string()});
    let packages: Vec<Json> = id.packages.iter().map(package).collect();
    let signatures: Vec<String> = id.signatures.iter().map(|digest| base64(digest)).collect();
    json!({"packages": packages, "signatures": signatures})
}

pub(super) fn bytes_of(text: &Json) -> Vec<u8> {
    let alphabet = text.as_str().unwrap().trim_end_matches('=');
    jose::base64url::decode(&alphabet.replace('+', "-").replace('/', "_")).unwrap()
}

fn number_of(text: &Json) -> u64 {
    text.as_str().unwrap().parse().unwrap()
}

/// A published list as DER, by the schema.
pub(super) fn encoded_list(list: &Json) -> Vec<u8> {
    let members = NAMES.iter().filter_map(|(name, tag)| Some((*tag, list.get(*name)?)));
    let tags: Vec<Vec<u8>> = members
        .map(|(tag, value)| test_pki::tagged(tag.0, &encoded_value(tag, value)))
        .collect();
    sequence(&[&tags.concat()])
}

fn encoded_value(tag: Tag, value: &Json) -> Vec<u8> {
    match value {
        Json::Bool(_) => test_pki::NULL.to_vec(),
        Json::Array(numbers) => set(&numbers
            .iter()
            .map(|number| integer(number_of(number)))
            .collect::<Vec<_>>()),
        Json::Object(_) if tag == Tag::ROOT_OF_TRUST => {
            let states = ["VERIFIED", "SELF_SIGNED", "UNVERIFIED", "FAILED"];
            let state = states
                .iter()
                .position(|state| value["verifiedBootState"] == *state)
                .unwrap();
            let locked = if value["deviceLocked"] == true { 0xff } else { 0x00 };
            sequence(&[
                &octets(&bytes_of(&value["verifiedBootKey"])),
                &element(0x01, &[locked]),
                &element(0x0a, &[u8::try_from(state).unwrap()]),
                &octets(&bytes_of(&value["verifiedBootHash"])),
            ])
        }
        Json::Object(_) => {
            let package = |package: &Json| {
                let name = package["name"].as_str().unwrap();
                sequence(&[&octets(name.as_bytes()), &integer(number_of(&package["version"]))])
            };
            let packages: Vec<Vec<u8>> = value["packages"].as_array().unwrap().iter().map(package).collect();
            let signatures = value["signatures"].as_array().unwrap().iter();
            let signatures: Vec<Vec<u8>> = signatures.map(|digest| octets(&bytes_of(digest))).collect();
            octets(&sequence(&[&set(&packages), &set(&signatures)]))
        }
        Json::String(_) if tag == Tag::ORIGIN => integer(0),
        Json::String(_) if tag == Tag::MODULE_HASH => octets(&bytes_of(value)),
        Json::String(text) if (Tag::ATTESTATION_ID_BRAND..=Tag::ATTESTATION_ID_MODEL).contains(&tag) => {
            octets(text.as_bytes())
        }
        Json::String(text) if tag == Tag::ATTESTATION_ID_SECOND_IMEI => octets(text.as_bytes()),
        Json::String(_) => integer(number_of(value)),
        other => panic!("{tag:?}: {other}"),
    }
}
