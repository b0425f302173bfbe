//! The tool as somebody types it: exit codes, and what stands on which output.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use common::{Running, healthid, stderr};
use serde_json::Value;

/// The list of system calls and the file rules are those of the provider: whatever a login needs is on them.
#[test]
fn a_whole_login_is_possible_in_a_process_hardened_as_the_provider_is() {
    let output = healthid(&["--hardened", "login", "--sandbox"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} {error}", output.status);
}

#[test]
fn a_login_in_a_sandbox_of_its_own_prints_claims_and_nothing_else() {
    let output = healthid(&["login", "--sandbox"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(claims["sub"].is_string());
    assert_eq!(claims["acr"], "gematik-ehealth-loa-high");
    assert_eq!(claims["urn:telematik:claims:display_name"], "Lena Beispiel");
}

#[test]
fn what_does_not_end_in_a_verified_token_ends_with_exit_code_1() {
    for (words, reason) in [
        (&["login", "--sandbox", "--decline"][..], "access_denied"),
        (&["login", "--sandbox", "--person", "renate"], "revoked"),
        (&["login", "--sandbox", "--pin", "000000"], "wrong PIN"),
        (
            &["login", "--sandbox", "--scope", "openid", "--scope", "urn:nonsense"],
            "invalid_scope",
        ),
        (
            &["login", "--sandbox", "--refuse", "urn:telematik:claims:id"],
            "essential",
        ),
        (&["login", "--at", "http://localhost:9"], "no sandbox answers"),
        (&["login", "--at", "/nowhere"], "no sandbox keeps its data"),
    ] {
        let output = healthid(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{words:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn words_that_are_off_end_with_exit_code_2() {
    for words in [
        &[][..],
        &["logni"],
        &["login", "--sandbox", "--at", "x"],
        &["rehearse", "rollover", "--key", "x"],
    ] {
        assert_eq!(healthid(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn a_running_sandbox_serves_every_command_until_it_is_interrupted() {
    let running = Running::start();
    let at = running.at();
    assert!(running.welcome.contains("Open this first"));
    let description: Value =
        serde_json::from_slice(&std::fs::read(running.data.path().join("sandbox.json")).unwrap()).unwrap();
    let record = description["services"][0]["entity_id"].as_str().unwrap();
    let phone = running.data.path().join("phone.json");
    let phone = phone.to_str().unwrap();
    let out = running.data.path().join("tls");
    std::fs::create_dir(&out).unwrap();
    for words in [
        &["login", "--at", at, "--service", "prescription", "--person", "fiona"][..],
        &["phone", "bind", "--at", at, "--person", "lena", "--out", phone],
        &["login", "--at", at, "--device", phone],
        &["phone", "account", "--at", at, "--person", "lena"],
        &["federation", "check", record, "--at", at],
        &[
            "federation",
            "check",
            description["master"].as_str().unwrap(),
            "--at",
            at,
        ],
        &["fedmaster", "list", "--at", at],
        &["certificate", "--at", at, "--out", out.to_str().unwrap()],
        &[
            "rehearse",
            "rollover",
            "--at",
            at,
            "--key",
            "token",
            "--workers",
            "2",
            "--logins",
            "3",
        ],
    ] {
        let output = healthid(words);
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    }
    // Its evidence is genuine as far as a simulation can be: nothing is refused, and nothing is claimed.
    let issuer = description["insurers"][0]["issuer"].as_str().unwrap();
    let verified = healthid(&["verify", issuer, "--at", at]);
    let text = String::from_utf8_lossy(&verified.stdout);
    assert_eq!(verified.status.code(), Some(3), "{text}{}", stderr(&verified));
    assert!(
        text.contains("ok       bound to this TLS") && !text.contains("REFUSED"),
        "{text}"
    );
    assert!(!text.to_lowercase().contains("exclu"), "{text}");
    assert!(out.join("server.pem").is_file() && out.join("server.key").is_file());
    assert_eq!(running.interrupt(), Some(0));
}

#[test]
fn policy_cases_are_answered_one_a_line() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_healthid"))
        .args(["federation", "policy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
    for (case, member) in [
        (r#"{"policies":[{"a":{"default":1}}],"metadata":{}}"#, "resolved"),
        ("nonsense", "error"),
        (
            r#"{"policies":[{"a":{"value":1}},{"a":{"value":2}}],"metadata":{}}"#,
            "error",
        ),
    ] {
        writeln!(input, "{case}").unwrap();
        let answer: Value = serde_json::from_str(&output.next().unwrap().unwrap()).unwrap();
        assert!(answer.get(member).is_some(), "{case}: {answer}");
    }
    drop(input);
    assert!(process.wait().unwrap().success());
}

#[test]
fn doctor_links_ends_with_1_for_defects_and_with_2_for_words_that_name_no_app() {
    let nobody = healthid(&["doctor", "links", "https://localhost:1/auth"]);
    let told = String::from_utf8_lossy(&nobody.stdout).into_owned();
    assert_eq!(nobody.status.code(), Some(1), "{told}");
    for words in [
        "[android.unreachable]",
        "[ios.unreachable]",
        "[address.port]",
        "expected",
        "to do",
        "[fact.ios]",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(stderr(&nobody).trim(), "healthid: 3 defects");
    for words in [
        &["--android", "app"][..],
        &["--android", "de.insurer.app:AB:CD"],
        &["--ios", "de.insurer.app"],
        &["--unknown"],
    ] {
        let words = [&["doctor", "links", "https://localhost:1/auth"], words].concat();
        assert_eq!(healthid(&words).status.code(), Some(2), "{words:?}");
    }
    let none = healthid(&["doctor", "links", "somewhere"]);
    assert_eq!(none.status.code(), Some(1));
}
