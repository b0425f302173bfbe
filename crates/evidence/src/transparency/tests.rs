#![allow(clippy::unwrap_used)]

use std::path::Path;

use jose::UnixTime;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);

struct Fixture {
    directory: TempDir,
    log: LogWriter,
    public: NamedKey,
    witnesses: Vec<Witness>,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let key = SigningKey::generate("log.example/manifests").unwrap();
    let public = key.public().clone();
    let witnesses = ["a", "b", "c"]
        .map(|name| {
            Witness::new(
                SigningKey::generate(&format!("witness.example/{name}")).unwrap(),
                public.clone(),
                directory.path().join(name),
            )
        })
        .into();
    Fixture {
        log: LogWriter::open(directory.path().join("log"), key).unwrap(),
        directory,
        public,
        witnesses,
    }
}

impl Fixture {
    fn append(&self, count: u64) {
        append_numbered(&self.log, count);
    }

    fn note(&self) -> String {
        self.log.reader().checkpoint().unwrap().unwrap()
    }

    fn cosign(&self, witness: &Witness, at: UnixTime) -> Result<String, WitnessError> {
        let old_size = witness.last().unwrap().map_or(0, |view| view.size);
        witness.cosign(
            &CosignRequest {
                old_size,
                checkpoint: &self.note(),
                consistency: &self.log.reader().prove_consistency(old_size).unwrap(),
            },
            at,
        )
    }

    fn cosign_all(&self, at: UnixTime) {
        for witness in &self.witnesses {
            let line = self.cosign(witness, at).unwrap();
            self.log.reader().add_cosignature(&line).unwrap();
        }
    }

    fn keys(&self) -> Vec<NamedKey> {
        self.witnesses.iter().map(|witness| witness.public().clone()).collect()
    }

    fn judged(&self, note: &str, threshold: u8) -> Result<CosignedCheckpoint, LogError> {
        SignedCheckpoint::parse(note)?
            .verify(&self.public)?
            .cosigned(&self.keys(), threshold, NOW)
    }
}

fn append_numbered(log: &LogWriter, count: u64) {
    let size = log.reader().view().unwrap().map_or(0, |view| view.size);
    let entries: Vec<String> = (size..size + count).map(|index| format!("entry {index}")).collect();
    let entries: Vec<&[u8]> = entries.iter().map(String::as_bytes).collect();
    assert_eq!(log.append_all(&entries).unwrap(), size);
}

/// A second log under the same key: what a log operator does who tells two stories.
fn second_story(fixture: &Fixture) -> (TempDir, LogWriter) {
    let directory = tempfile::tempdir().unwrap();
    let key = LogWriterKey::copy(&fixture.log);
    let log = LogWriter::open(directory.path().join("log"), key).unwrap();
    (directory, log)
}

struct LogWriterKey;

impl LogWriterKey {
    fn copy(log: &LogWriter) -> SigningKey {
        let key = log.key();
        SigningKey::from_pkcs8(&key.public().name, &key.to_pkcs8().unwrap()).unwrap()
    }
}

#[test]
fn every_entry_of_a_growing_log_is_proven_and_no_other() {
    let fixture = fixture();
    for size in 1..=20 {
        fixture.append(1);
        let fresh = fixture.note();
        let checkpoint = SignedCheckpoint::parse(&fresh)
            .unwrap()
            .verify(&fixture.public)
            .unwrap();
        assert_eq!(checkpoint.view().size, size);
    }
    fixture.cosign_all(NOW);
    let checkpoint = fixture.judged(&fixture.note(), 3).unwrap();
    for index in 0..20 {
        let proof = fixture.log.reader().prove_inclusion(index).unwrap();
        let entry = format!("entry {index}");
        assert_eq!(fixture.log.reader().entry(index).unwrap(), entry.as_bytes());
        checkpoint.check_included(entry.as_bytes(), &proof).unwrap();
        assert_eq!(
            checkpoint.check_included(b"entry 20", &proof),
            Err(LogError::NotIncluded)
        );
        let elsewhere = InclusionProof {
            index: (index + 1) % 20,
            ..proof.clone()
        };
        assert_eq!(
            checkpoint.check_included(entry.as_bytes(), &elsewhere),
            Err(LogError::NotIncluded)
        );
        for path in [
            vec![],
            proof.path[1..].to_vec(),
            [proof.path.clone(), vec![[0; 32]]].concat(),
        ] {
            let changed = InclusionProof { index, path };
            assert_eq!(
                checkpoint.check_included(entry.as_bytes(), &changed),
                Err(LogError::NotIncluded)
            );
        }
    }
    for index in [20, u64::MAX] {
        let beyond = InclusionProof { index, path: vec![] };
        assert_eq!(
            checkpoint.check_included(b"entry 0", &beyond),
            Err(LogError::NotIncluded)
        );
        assert!(fixture.log.reader().prove_inclusion(index).is_err());
    }
}

#[test]
fn the_directory_is_served_as_c2sp_tlog_tiles_says() {
    let fixture = fixture();
    fixture.append(257);
    let log = fixture.directory.path().join("log");
    let length = |path: &str| std::fs::metadata(log.join(path)).map(|meta| meta.len()).ok();
    // "A tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1."
    assert_eq!(length("tile/0/000"), Some(8192));
    assert_eq!(length("tile/1/000.p/1"), Some(32));
    assert_eq!(length("tile/0/001.p/1"), Some(32));
    assert_eq!(length("tile/2/000.p/1"), None);
    let bundle = std::fs::read(log.join("tile/entries/001.p/1")).unwrap();
    assert_eq!(bundle, [&[0, 9][..], b"entry 256"].concat());
    assert_eq!(fixture.log.reader().entry(255).unwrap(), b"entry 255");
    let note = fixture.note();
    assert!(note.starts_with("log.example/manifests\n257\n"), "{note}");
    fixture.cosign_all(NOW);
    let checkpoint = fixture.judged(&fixture.note(), 3).unwrap();
    for index in [0, 100, 255, 256] {
        let proof = fixture.log.reader().prove_inclusion(index).unwrap();
        checkpoint
            .check_included(format!("entry {index}").as_bytes(), &proof)
            .unwrap();
    }
    // Growth across the edge of a tile is proven too, whatever was added at once.
    let (_directory, other) = second_story(&fixture);
    for (count, old_size) in [(1, 1), (254, 255), (1, 256), (1, 257)] {
        append_numbered(&other, count);
        let old = other.reader().view().unwrap().unwrap();
        assert_eq!(old.size, old_size);
        let proof = fixture.log.reader().prove_consistency(old_size).unwrap();
        old.check_consistent(&checkpoint.view(), &proof).unwrap();
    }
    assert_eq!(other.reader().entry(254).unwrap(), b"entry 254");
}

#[test]
fn the_notes_of_the_cosignature_specification_are_read() {
    // C2SP tlog-cosignature's example: the form only, its keys are not published.
    let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let checkpoint = SignedCheckpoint::parse(note).unwrap();
    assert_eq!(checkpoint.note().encode(), note);
    assert_eq!(checkpoint.note().signatures().len(), 2);
    // Eight bytes of time, then Ed25519: 1679315147, as in the specification's signed message.
    let cosignature = &checkpoint.note().signatures()[1];
    assert_eq!(cosignature.signature.len(), 72);
    assert_eq!(cosignature.signature[..8], 1_679_315_147_u64.to_be_bytes());
}

#[test]
fn malformed_notes_and_checkpoints_are_refused() {
    let fixture = fixture();
    fixture.append(3);
    let good = fixture.note();
    SignedCheckpoint::parse(&good).unwrap();
    let text = good.split("\n\n").next().unwrap();
    let signature = good.split("\n\n").nth(1).unwrap();
    let root = text.lines().nth(2).unwrap();
    let cases = [
        ("no signature", format!("{text}\n\n")),
        ("no text", format!("\n{signature}")),
        ("cut off", good.trim_end().to_owned()),
        ("a hyphen", good.replace('\u{2014}', "-")),
        ("carriage returns", good.replace('\n', "\r\n")),
        ("signature too short", format!("{text}\n\n\u{2014} log.example AAAA\n")),
        ("not base64", format!("{text}\n\n\u{2014} log.example AAAA!AAA\n")),
        ("base64 of another spelling", good.replacen("=\n", "\n", 1)),
        ("a name with a plus", format!("{text}\n\n\u{2014} a+b AAAAAAAA\n")),
        ("no root", format!("log.example/manifests\n3\n\n{signature}")),
        ("leading zero", good.replacen("\n3\n", "\n03\n", 1)),
        ("a sign", good.replacen("\n3\n", "\n+3\n", 1)),
        ("empty tree", good.replacen("\n3\n", "\n0\n", 1)),
        ("huge tree", good.replacen("\n3\n", "\n18446744073709551615\n", 1)),
        ("extension line", format!("{text}\nmore\n\n{signature}")),
        ("root too short", good.replacen(root, "AAAA", 1)),
        ("too long", format!("{good}{}", signature.repeat(200))),
    ];
    for (what, note) in cases {
        let error = SignedCheckpoint::parse(&note).unwrap_err();
        assert!(
            matches!(error.code(), "log.note_malformed" | "log.checkpoint_malformed"),
            "{what}: {error}"
        );
    }
    let many = format!("{text}\n\n{}", signature.repeat(MAX_NOTE_SIGNATURES + 1));
    assert!(SignedCheckpoint::parse(&many).is_err());
}

#[test]
fn only_the_named_logs_own_signature_counts() {
    let fixture = fixture();
    fixture.append(3);
    let note = fixture.note();
    let stranger = SigningKey::generate(&fixture.public.name).unwrap();
    let parsed = SignedCheckpoint::parse(&note).unwrap();
    // The same name with another key has another key identifier.
    assert_eq!(
        parsed.clone().verify(stranger.public()).unwrap_err(),
        LogError::SignatureInvalid
    );
    let other_name = NamedKey {
        name: "log.example/other".to_owned(),
        ..fixture.public.clone()
    };
    assert_eq!(parsed.verify(&other_name).unwrap_err(), LogError::OtherLog);
    // The checkpoint of another size under the same signature line.
    let changed = note.replacen("\n3\n", "\n4\n", 1);
    assert_eq!(
        SignedCheckpoint::parse(&changed)
            .unwrap()
            .verify(&fixture.public)
            .unwrap_err(),
        LogError::SignatureInvalid
    );
}

#[test]
fn a_checkpoint_needs_the_threshold_of_different_witnesses() {
    let fixture = fixture();
    fixture.append(1);
    let need = |have| LogError::TooFewWitnesses { have, need: 2 };
    assert_eq!(fixture.judged(&fixture.note(), 2).unwrap_err(), need(0));
    // One witness twice is one witness.
    for at in [NOW, NOW.plus_seconds(1)] {
        let line = fixture.cosign(&fixture.witnesses[0], at).unwrap();
        fixture.log.reader().add_cosignature(&line).unwrap();
    }
    assert_eq!(fixture.note().matches('\u{2014}').count(), 3);
    assert_eq!(fixture.judged(&fixture.note(), 2).unwrap_err(), need(1));
    // A witness nobody knows does not help.
    let stranger = Witness::new(
        SigningKey::generate("witness.example/stranger").unwrap(),
        fixture.public.clone(),
        fixture.directory.path().join("stranger"),
    );
    let line = fixture.cosign(&stranger, NOW).unwrap();
    fixture.log.reader().add_cosignature(&line).unwrap();
    assert_eq!(fixture.judged(&fixture.note(), 2).unwrap_err(), need(1));
    let line = fixture.cosign(&fixture.witnesses[1], NOW.plus_seconds(7)).unwrap();
    fixture.log.reader().add_cosignature(&line).unwrap();
    let cosigned = fixture.judged(&fixture.note(), 2).unwrap();
    assert_eq!(cosigned.witnesses(), ["witness.example/a", "witness.example/b"]);
    // The moment the second one had cosigned, not the first.
    assert_eq!(cosigned.witnessed_since(), NOW.plus_seconds(7));
}

#[test]
fn a_cosignature_that_is_forged_moved_or_from_the_future_refuses_the_checkpoint() {
    let fixture = fixture();
    fixture.append(1);
    fixture.cosign_all(NOW);
    let old = fixture.note();
    fixture.append(1);
    let fresh = fixture.note();
    // Cosignatures of the tree before, moved to this one.
    let moved = format!(
        "{}{}",
        fresh,
        old.split("\n\n").nth(1).unwrap().split_once('\n').unwrap().1
    );
    let error = fixture.judged(&moved, 2).unwrap_err();
    assert_eq!(error.code(), "log.cosignature_invalid", "{error}");
    // The timestamp is signed: an earlier one does not make a manifest older than it is.
    let cosigned = SignedCheckpoint::parse(&old).unwrap();
    let mut note = Note::unsigned(cosigned.note().text().to_owned());
    for mut line in cosigned.note().signatures().iter().cloned() {
        if line.name != fixture.public.name {
            line.signature[..8].copy_from_slice(&(NOW.0 - 100_000).to_be_bytes());
        }
        note.add(line);
    }
    let error = fixture.judged(&note.encode(), 2).unwrap_err();
    assert_eq!(error.code(), "log.cosignature_invalid", "{error}");
    for witness in &fixture.witnesses {
        let line = fixture.cosign(witness, NOW.plus_seconds(301)).unwrap();
        fixture.log.reader().add_cosignature(&line).unwrap();
    }
    let error = fixture.judged(&fixture.note(), 2).unwrap_err();
    assert_eq!(error.code(), "log.cosignature_in_future", "{error}");
}

#[test]
fn a_log_that_tells_two_stories_is_found_out() {
    let fixture = fixture();
    fixture.append(5);
    let told = fixture.log.reader().view().unwrap().unwrap();
    let (_directory, other) = second_story(&fixture);
    for _ in 0..5 {
        other.append(b"another story").unwrap();
    }
    let forked = other.reader().view().unwrap().unwrap();
    assert_eq!(forked.size, told.size);
    assert_eq!(
        told.check_consistent(&forked, &[]),
        Err(LogError::Forked { size: 5 }),
        "two checkpoints of one size"
    );
    for _ in 0..4 {
        other.append(b"longer").unwrap();
    }
    let longer = other.reader().view().unwrap().unwrap();
    let proof = other.reader().prove_consistency(5).unwrap();
    let inconsistent = Err(LogError::Inconsistent { small: 5, large: 9 });
    assert_eq!(told.check_consistent(&longer, &proof), inconsistent);
    assert_eq!(longer.check_consistent(&told, &proof), inconsistent);
    // The same proof is good for the story it belongs to, and no proof is good for none.
    forked.check_consistent(&longer, &proof).unwrap();
    assert_eq!(forked.check_consistent(&longer, &[]), inconsistent);
    assert_eq!(forked.check_consistent(&longer, &vec![[0; 32]; 64]), inconsistent);
}

#[test]
fn a_witness_never_cosigns_a_fork_or_a_shrunk_log_and_remembers() {
    let fixture = fixture();
    let witness = &fixture.witnesses[0];
    fixture.append(5);
    fixture.cosign(witness, NOW).unwrap();
    let before = witness.last().unwrap();
    let (_directory, other) = second_story(&fixture);
    for _ in 0..9 {
        other.append(b"another story").unwrap();
    }
    let note = other.reader().checkpoint().unwrap().unwrap();
    let ask = |old_size, consistency: &[[u8; 32]]| {
        witness.cosign(
            &CosignRequest {
                old_size,
                checkpoint: &note,
                consistency,
            },
            NOW,
        )
    };
    let error = ask(5, &other.reader().prove_consistency(5).unwrap()).unwrap_err();
    assert_eq!(error.code(), "log.inconsistent");
    // A log that pretends the witness starts anew.
    let error = ask(0, &[]).unwrap_err();
    assert!(matches!(error, WitnessError::OtherSize { size: 5 }), "{error}");
    let (_directory, shorter) = second_story(&fixture);
    shorter.append(b"entry 0").unwrap();
    let error = witness
        .cosign(
            &CosignRequest {
                old_size: 5,
                checkpoint: &shorter.reader().checkpoint().unwrap().unwrap(),
                consistency: &[],
            },
            NOW,
        )
        .unwrap_err();
    assert_eq!(error.code(), "log.inconsistent");
    assert_eq!(witness.last().unwrap(), before, "a refusal changes nothing");
    fixture.append(1);
    fixture.cosign(witness, NOW).unwrap();
}

#[test]
fn a_witness_without_readable_state_cosigns_nothing() {
    let fixture = fixture();
    let witness = &fixture.witnesses[0];
    fixture.append(1);
    for state in [
        "",
        "{}",
        r#"{"origin":"log.example/other","view":{"root":"00","size":1}}"#,
    ] {
        std::fs::write(fixture.directory.path().join("a"), state).unwrap();
        let error = witness
            .cosign(
                &CosignRequest {
                    old_size: 0,
                    checkpoint: &fixture.note(),
                    consistency: &[],
                },
                NOW,
            )
            .unwrap_err();
        assert_eq!(error.code(), "witness.state_unreadable", "{state:?}");
    }
}

#[test]
fn a_directory_with_damaged_tiles_or_of_another_log_is_not_continued() {
    let fixture = fixture();
    fixture.append(3);
    let path = fixture.directory.path().join("log");
    let stranger = SigningKey::generate(&fixture.public.name).unwrap();
    assert!(LogWriter::open(&path, stranger).is_err());
    let tile = path.join("tile/0/000.p/3");
    let mut data = std::fs::read(&tile).unwrap();
    data[40] ^= 1;
    std::fs::write(&tile, data).unwrap();
    let again = LogWriter::open(&path, LogWriterKey::copy(&fixture.log));
    assert!(matches!(again, Err(LogWriterError::Damaged)), "{again:?}");
    assert!(fixture.log.append(b"more").is_err());
    assert!(fixture.log.reader().prove_inclusion(0).is_err());
}

#[test]
fn entries_without_content_or_above_the_limit_are_refused() {
    let fixture = fixture();
    for length in [0, MAX_ENTRY_BYTES + 1] {
        let error = fixture.log.append(&vec![b'x'; length]).unwrap_err();
        assert!(matches!(error, LogWriterError::EntryLength), "{length}");
    }
    fixture.log.append(&vec![b'x'; MAX_ENTRY_BYTES]).unwrap();
    assert_eq!(fixture.log.reader().entry(0).unwrap().len(), MAX_ENTRY_BYTES);
    assert!(!Path::new(&fixture.directory.path().join("log/checkpoint.new")).exists());
}

#[test]
fn keys_survive_their_file_and_names_that_cannot_stand_in_a_note_are_refused() {
    let key = SigningKey::generate("witness.example/a").unwrap();
    let again = SigningKey::from_pkcs8("witness.example/a", &key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(again.public(), key.public());
    for name in ["", "a b", "a+b", "a\nb", "\u{2014}", &"x".repeat(101)] {
        assert_eq!(SigningKey::generate(name).unwrap_err(), KeyFileError::Name, "{name:?}");
    }
    assert_eq!(
        SigningKey::from_pkcs8("a", b"no key").unwrap_err(),
        KeyFileError::NotEd25519Pkcs8
    );
    assert_eq!(format!("{key:?}"), "SigningKey");
}

proptest! {
    #[test]
    fn whatever_is_read_as_a_note_is_written_back_as_it_was(text in "[ -~\n]{0,60}", line in "[ -~]{0,40}") {
        let note = format!("{text}\n\n\u{2014} {line}\n");
        if let Ok(parsed) = Note::parse(&note) {
            prop_assert_eq!(parsed.encode(), note);
        }
    }

    #[test]
    fn no_bytes_make_a_note_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SignedCheckpoint::parse(&String::from_utf8_lossy(&bytes));
    }
}
