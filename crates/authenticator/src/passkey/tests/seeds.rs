//! Seeds of the fuzzer: statements a mutation alone does not find.

use super::super::soft::{Android, Apple, Attests, SoftKey, Tpm, rsa};
use super::super::*;
use super::new_key;

#[test]
#[ignore = "writes fuzz/seeds"]
fn write_the_seeds_of_the_fuzzer() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for (name, attests) in [
        ("tpm", Attests::Tpm(Tpm::new())),
        ("apple", Attests::Apple(Apple::new())),
        ("android-key", Attests::Android(Android::new())),
    ] {
        let soft = new_key(|soft| {
            soft.attests = attests;
            soft.rp_id = "localhost".to_owned();
            // Chromium's model, whom the target believes.
            soft.aaguid = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
            soft.client_data = serde_json::json!({});
        });
        let length = u8::try_from(soft.id.len()).unwrap();
        let registration = soft.registration();
        let seed = [&[length], &*soft.id, &registration.attestation_object].concat();
        std::fs::write(seeds.join("passkey").join(name), seed).unwrap();
    }
    let tpm = Tpm::new();
    let (rsa, p256) = (tpm.public_area(&SoftKey::Rsa(rsa())), tpm.public_area(&SoftKey::p256()));
    let info = tpm.cert_info(&rsa, &hash(&[b"signed"]));
    std::fs::create_dir_all(seeds.join("passkey_tpm")).unwrap();
    for (name, seed) in [("rsa", rsa), ("p256", p256), ("cert-info", info)] {
        std::fs::write(seeds.join("passkey_tpm").join(name), seed).unwrap();
    }
}
