//! Checkpoints, and what is proven with them.

use jose::UnixTime;
use serde::{Deserialize, Serialize};
use tlog_tiles::{Checkpoint, Hash, check_record, check_tree, record_hash};

use super::keys::{TYPE_COSIGNATURE, TYPE_LOG};
use super::note::NoteSignature;
use super::{LogError, MAX_TREE_SIZE, NamedKey, Note, SigningKey};
use crate::encoding::hex_array;

/// Greatest number of hashes of a proof (C2SP tlog-witness); a tree of 2^63 entries needs no more.
pub const MAX_PROOF_HASHES: usize = 63;

/// How far a witness's clock may be ahead of this one.
const CLOCK_LEEWAY_SECONDS: u64 = 300;

/// Size and root of a tree: what one has seen of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogView {
    /// SHA-256 tree head (RFC 6962 §2.1).
    #[serde(with = "hex_array")]
    pub root: [u8; 32],
    /// Number of entries.
    pub size: u64,
}

/// Where an entry stands, and the path from it to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Counted from 0.
    pub index: u64,
    /// RFC 6962 §2.1.1, nearest sibling first; at most [`MAX_PROOF_HASHES`].
    pub path: Vec<[u8; 32]>,
}

/// A checkpoint in a signed note: parsed, nothing verified.
#[derive(Clone, Debug)]
pub struct SignedCheckpoint {
    note: Note,
    origin: String,
    view: LogView,
}

/// A checkpoint that the log signed.
#[derive(Clone, Debug)]
pub struct VerifiedCheckpoint(SignedCheckpoint);

/// A checkpoint that the log signed and enough witnesses cosigned.
#[derive(Clone, Debug)]
pub struct CosignedCheckpoint {
    view: LogView,
    witnesses: Vec<String>,
    witnessed_since: UnixTime,
}

impl SignedCheckpoint {
    /// Reads a signed note whose text is a checkpoint, in the one spelling of it.
    ///
    /// # Errors
    /// [`LogError::NoteMalformed`], [`LogError::CheckpointMalformed`].
    pub fn parse(note: &str) -> Result<Self, LogError> {
        Self::from_note(Note::parse(note)?)
    }

    fn from_note(note: Note) -> Result<Self, LogError> {
        let malformed = |rule| LogError::CheckpointMalformed { rule };
        let parsed = Checkpoint::from_bytes(note.text().as_bytes())
            .map_err(|_| malformed("origin, size, root hash, extension lines"))?;
        if parsed.to_bytes() != note.text().as_bytes() {
            return Err(malformed("the one spelling of a checkpoint"));
        }
        // Witnesses do not vouch for extension lines, so nobody here may come to rely on them.
        if !parsed.extension().is_empty() {
            return Err(malformed("no extension lines"));
        }
        if parsed.size() == 0 || parsed.size() > MAX_TREE_SIZE {
            return Err(malformed("a size from 1 to 2^40"));
        }
        Ok(Self {
            origin: parsed.origin().to_owned(),
            view: LogView {
                root: parsed.hash().0,
                size: parsed.size(),
            },
            note,
        })
    }

    /// Makes and signs one.
    pub(super) fn sign(view: LogView, key: &SigningKey) -> Result<Self, LogError> {
        let body = Checkpoint::new(&key.public().name, view.size, Hash(view.root), "").map_err(|_| {
            LogError::CheckpointMalformed {
                rule: "a name for the log",
            }
        })?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let signature = NoteSignature {
            name: key.public().name.clone(),
            key_id: key.public().id(TYPE_LOG),
            signature: key.sign(text.as_bytes()).to_vec(),
        };
        let mut note = Note::unsigned(text);
        note.add(signature);
        Self::from_note(note)
    }

    /// The log's signature, under its name as origin.
    ///
    /// # Errors
    /// [`LogError::OtherLog`], [`LogError::SignatureInvalid`].
    pub fn verify(self, log: &NamedKey) -> Result<VerifiedCheckpoint, LogError> {
        if self.origin != log.name {
            return Err(LogError::OtherLog);
        }
        let id = log.id(TYPE_LOG);
        let mut by_log = self
            .note
            .signatures()
            .iter()
            .filter(|line| line.name == log.name && line.key_id == id)
            .peekable();
        // A line of a known key must verify (C2SP signed-note), and there must be one.
        if by_log.peek().is_none() || !by_log.all(|line| log.verifies(self.note.text().as_bytes(), &line.signature)) {
            return Err(LogError::SignatureInvalid);
        }
        Ok(VerifiedCheckpoint(self))
    }

    /// The note, to add signature lines to.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }
}

impl VerifiedCheckpoint {
    /// The tree.
    #[must_use]
    pub fn view(&self) -> LogView {
        self.0.view
    }

    /// The cosignatures of known witnesses: each that is there must verify, none may be from the future, and
    /// `threshold` different witnesses must have cosigned. Lines of unknown keys are skipped (C2SP signed-note).
    ///
    /// # Errors
    /// [`LogError::CosignatureInvalid`], [`LogError::CosignatureInFuture`], [`LogError::TooFewWitnesses`].
    pub fn cosigned(
        self,
        witnesses: &[NamedKey],
        threshold: u8,
        now: UnixTime,
    ) -> Result<CosignedCheckpoint, LogError> {
        let text = self.0.note.text();
        let latest = now.plus_seconds(CLOCK_LEEWAY_SECONDS);
        let mut seen: Vec<(UnixTime, &str)> = Vec::new();
        for witness in witnesses {
            let id = witness.id(TYPE_COSIGNATURE);
            let name = || witness.name.clone();
            let mut earliest: Option<UnixTime> = None;
            for line in self.0.note.signatures() {
                if line.name != witness.name || line.key_id != id {
                    continue;
                }
                let invalid = || LogError::CosignatureInvalid { witness: name() };
                let (timestamp, signature) = line.signature.split_first_chunk::<8>().ok_or_else(invalid)?;
                let time = UnixTime(u64::from_be_bytes(*timestamp));
                if !witness.verifies(&cosigned_message(time, text), signature) {
                    return Err(invalid());
                }
                if time > latest {
                    return Err(LogError::CosignatureInFuture { witness: name() });
                }
                earliest = Some(earliest.map_or(time, |known| known.min(time)));
            }
            if let Some(time) = earliest {
                seen.push((time, &witness.name));
            }
        }
        seen.sort_unstable();
        let need = usize::from(threshold);
        // The moment at which the threshold was reached: `need` witnesses had cosigned by then.
        let Some((witnessed_since, _)) = need.checked_sub(1).and_then(|last| seen.get(last)) else {
            return Err(LogError::TooFewWitnesses { have: seen.len(), need });
        };
        Ok(CosignedCheckpoint {
            view: self.0.view,
            witnessed_since: *witnessed_since,
            witnesses: seen.iter().map(|(_, name)| (*name).to_owned()).collect(),
        })
    }

    pub(super) fn text(&self) -> &str {
        self.0.note.text()
    }
}

impl CosignedCheckpoint {
    /// The tree.
    #[must_use]
    pub fn view(&self) -> LogView {
        self.view
    }

    /// The names of the witnesses who cosigned.
    #[must_use]
    pub fn witnesses(&self) -> &[String] {
        &self.witnesses
    }

    /// When the last of the first `threshold` witnesses cosigned: since then enough of them vouch for this tree.
    #[must_use]
    pub fn witnessed_since(&self) -> UnixTime {
        self.witnessed_since
    }

    /// That an entry stands in the tree.
    ///
    /// # Errors
    /// [`LogError::NotIncluded`].
    pub fn check_included(&self, entry: &[u8], proof: &InclusionProof) -> Result<(), LogError> {
        if proof.path.len() > MAX_PROOF_HASHES || proof.index >= self.view.size {
            return Err(LogError::NotIncluded);
        }
        check_record(
            &hashes(&proof.path),
            self.view.size,
            Hash(self.view.root),
            proof.index,
            record_hash(entry),
        )
        .map_err(|_| LogError::NotIncluded)
    }
}

impl LogView {
    /// That this view and another are of one log that only grew, whichever is the older.
    ///
    /// # Errors
    /// [`LogError::Forked`] when both have one size and differ, [`LogError::Inconsistent`] when `proof` does not lead
    /// from the smaller to the larger (RFC 6962 §2.1.2).
    pub fn check_consistent(&self, other: &Self, proof: &[[u8; 32]]) -> Result<(), LogError> {
        let (small, large) = if self.size <= other.size {
            (self, other)
        } else {
            (other, self)
        };
        if small.size == large.size {
            return if small.root == large.root {
                Ok(())
            } else {
                Err(LogError::Forked { size: small.size })
            };
        }
        let inconsistent = LogError::Inconsistent {
            small: small.size,
            large: large.size,
        };
        if small.size == 0 || proof.len() > MAX_PROOF_HASHES {
            return Err(inconsistent);
        }
        check_tree(
            &hashes(proof),
            large.size,
            Hash(large.root),
            small.size,
            Hash(small.root),
        )
        .map_err(|_| inconsistent)
    }
}

/// What a witness signs (C2SP tlog-cosignature, Ed25519).
pub(super) fn cosigned_message(time: UnixTime, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {}\n{text}", time.0).into_bytes()
}

fn hashes(path: &[[u8; 32]]) -> Vec<Hash> {
    path.iter().copied().map(Hash).collect()
}
