//! A whole ceremony as its participants type it, on one machine, with simulated evidence and, where it is installed, SoftHSM.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const HOLDERS: [(&str, &str); 5] = [
    ("auditor", "auditor"),
    ("insurer-a", "insurer"),
    ("insurer-b", "insurer"),
    ("operator-a", "operator"),
    ("operator-b", "operator"),
];

struct Table {
    directory: tempfile::TempDir,
    /// Words that name the token, if there is one.
    hsm: Vec<String>,
}

impl Table {
    fn new(with_hsm: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut table = Self {
            directory,
            hsm: Vec::new(),
        };
        if with_hsm {
            table.init_token();
        }
        for (name, role) in HOLDERS {
            table.done(&["holder-key", "--name", name, "--role", role]);
        }
        table
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn init_token(&mut self) {
        let Some(module) = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            println!("SKIPPED the second lock: SoftHSM 2 is not installed (Debian: softhsm2)");
            return;
        };
        std::fs::create_dir(self.at("tokens")).unwrap();
        let configuration = format!("directories.tokendir = {}\n", self.at("tokens").display());
        std::fs::write(self.at("softhsm2.conf"), configuration).unwrap();
        std::fs::write(self.at("pin"), "271828\n").unwrap();
        let made = Command::new("softhsm2-util")
            .args([
                "--init-token",
                "--free",
                "--label",
                "ceremony",
                "--pin",
                "271828",
                "--so-pin",
                "31415926",
            ])
            .env("SOFTHSM2_CONF", self.at("softhsm2.conf"))
            .output()
            .unwrap();
        assert!(made.status.success());
        let pin = self.at("pin").display().to_string();
        let words = [
            "--hsm-module",
            module,
            "--hsm-token",
            "ceremony",
            "--hsm-pin-file",
            &pin,
        ];
        self.hsm = words.map(str::to_owned).into();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_healthid"));
        command
            .arg("ceremony")
            .args(words)
            .current_dir(self.directory.path())
            .env("SOFTHSM2_CONF", self.at("softhsm2.conf"));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().unwrap()
    }

    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn genesis(&self, out: &str) -> String {
        let mut words = vec![
            "genesis",
            "--threshold",
            "3",
            "--at-least",
            "insurer=1",
            "--at-least",
            "auditor=1",
        ];
        let cards: Vec<_> = HOLDERS.iter().map(|(name, _)| format!("{name}.card.json")).collect();
        for card in &cards {
            words.extend(["--card", card]);
        }
        words.extend(["--out", out]);
        words.extend(self.hsm.iter().map(String::as_str));
        self.done(&words)
    }

    /// A cold start to which these holders post; exit code and what it said.
    fn cold_start(&self, out: &str, holders: &[&str]) -> (Option<i32>, String) {
        let mut words = vec!["cold-start", "--genesis", "genesis", "--out", out];
        words.extend(self.hsm.iter().map(String::as_str));
        let mut child = self
            .command(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("ready:") {
            assert!(std::io::BufRead::read_line(&mut said, &mut text).unwrap() > 0, "{text}");
        }
        let mut input = child.stdin.take().unwrap();
        for holder in holders {
            let key = format!("{holder}.key.json");
            let posted = self.done(&["share", "post", "--key", &key, "--genesis", "genesis", "--to", out]);
            let _ = writeln!(input, "{}", posted.trim()); // it may have had enough
        }
        drop(input);
        std::io::Read::read_to_string(&mut said, &mut text).unwrap();
        (child.wait().unwrap().code(), text)
    }
}

fn root_in(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with("root "))
}

#[test]
fn auditor_plays_a_whole_ceremony_on_a_laptop() {
    let table = Table::new(true);
    let said = table.genesis("genesis");
    assert!(said.contains("REHEARSAL") && said.contains("excludes nobody"), "{said}");
    for (name, _) in HOLDERS {
        let key = format!("{name}.key.json");
        table.done(&["share", "acknowledge", "--key", &key, "--genesis", "genesis"]);
    }
    let verified = table.done(&["verify-transcript", "--at", "genesis"]);
    assert!(verified.contains("acknowledged by 5 of 5"), "{verified}");
    assert!(verified.contains("transcript verified"), "{verified}");

    let (code, text) = table.cold_start("cold", &["auditor", "insurer-b", "operator-a"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the seed is the one of genesis"), "{text}");
    if !table.hsm.is_empty() {
        let root = root_in(&said).unwrap();
        assert!(root.ends_with("lock quorum+hsm"));
        assert_eq!(root_in(&text), Some(root), "the same root as at genesis");
    }
    let verified = table.done(&["verify-transcript", "--at", "cold", "--genesis", "genesis"]);
    assert!(verified.contains("the seed of that genesis is back"), "{verified}");

    for role in ["root", "serve"] {
        let out = format!("join-{role}");
        let said = table.done(&["join", "--genesis", "genesis", "--role", role, "--out", &out]);
        for line in [
            "got",
            "admission.machine_not_listed",
            "admission.measurement_not_listed",
        ] {
            assert!(said.contains(line), "{said}");
        }
        let verified = table.done(&["verify-transcript", "--at", &out]);
        assert!(
            verified.contains("keys forwarded") && verified.contains("refused"),
            "{verified}"
        );
    }
}

#[test]
fn ceremony_stops_where_it_must() {
    let table = Table::new(false);
    table.genesis("genesis");
    let (code, text) = table.cold_start("too-few", &["auditor", "insurer-a"]);
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = table.cold_start("no-auditor", &["insurer-a", "insurer-b", "operator-a", "operator-b"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(!text.contains("the seed is"), "{text}");

    // Another genesis' pins do not believe this one's manifest.
    table.genesis("another");
    let other_pins = table.at("another/pins.json").display().to_string();
    table.refused(&["verify-transcript", "--at", "genesis", "--pins", &other_pins]);
    // Another instance's evidence under this offer.
    let evidence = std::fs::read(table.at("genesis/evidence")).unwrap();
    std::fs::copy(table.at("too-few/evidence"), table.at("genesis/evidence")).unwrap();
    let said = table.refused(&["verify-transcript", "--at", "genesis"]);
    assert!(said.contains("bound to other keys"), "{said}");
    std::fs::write(table.at("genesis/evidence"), evidence).unwrap();
    // One character of the transcript.
    let transcript = std::fs::read_to_string(table.at("genesis/transcript")).unwrap();
    let (middle, changed) = (transcript.len() / 2, transcript.as_bytes()[transcript.len() / 2]);
    let mut bytes = transcript.clone().into_bytes();
    bytes[middle] = if changed == b'A' { b'B' } else { b'A' };
    std::fs::write(table.at("genesis/transcript"), bytes).unwrap();
    table.refused(&["verify-transcript", "--at", "genesis"]);
    std::fs::write(table.at("genesis/transcript"), transcript).unwrap();
    table.done(&["verify-transcript", "--at", "genesis"]);
    // A share posted to one cold start is of no use to another.
    let first = table.at("too-few/auditor.posted.json");
    let mut words = table.command(&["cold-start", "--genesis", "genesis", "--out", "third"]);
    let mut child = words
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", first.display()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("refused:") && said.contains("ceremony.not_opened"),
        "{said}"
    );
    // A holder's keys are not overwritten.
    table.refused(&["holder-key", "--name", "auditor", "--role", "auditor"]);
}
