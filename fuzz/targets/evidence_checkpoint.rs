//! Signed notes, checkpoints, and proofs: the text as it comes, and the bytes as sizes and hashes of a tree. Nobody here
//! holds a log's key, so nothing may verify.

#![no_main]

use evidence::transparency::{LogView, NamedKey, Note, SignedCheckpoint};
use libfuzzer_sys::fuzz_target;

fn number(data: &[u8], at: usize) -> u64 {
    data.get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(note) = Note::parse(text) {
            assert_eq!(note.encode(), text, "a note is written in another way than it was read");
        }
        if let Ok(checkpoint) = SignedCheckpoint::parse(text) {
            let log = NamedKey {
                key: [0x42; 32],
                name: "log.example".to_owned(),
            };
            assert!(checkpoint.verify(&log).is_err(), "a forged checkpoint verifies");
        }
    }
    // Two views and a path between them, of any size.
    let view = |at| LogView {
        root: [u8::try_from(at).unwrap_or_default(); 32],
        size: number(data, at),
    };
    let path: Vec<[u8; 32]> = data.as_chunks::<32>().0.to_vec();
    let (one, other) = (view(0), view(8));
    if one.check_consistent(&other, &path).is_ok() {
        assert!(
            one.size == other.size && one.root == other.root,
            "made-up roots are consistent"
        );
    }
});
