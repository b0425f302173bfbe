//! A witness: cosigns a log's checkpoint only when the log has done nothing but grow.

use std::path::PathBuf;

use jose::UnixTime;
use jose::json::{self, Limits};
use serde::{Deserialize, Serialize};

use super::checkpoint::cosigned_message;
use super::keys::TYPE_COSIGNATURE;
use super::note::NoteSignature;
use super::{LogError, LogView, NamedKey, SignedCheckpoint, SigningKey, log_reader};

const STATE_LIMITS: Limits = Limits { bytes: 4096, depth: 4 };

/// Why a witness does not cosign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The checkpoint or its proof was refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The request starts at another size than the one the witness cosigned last (C2SP tlog-witness: 409).
    #[error("witness: the proof starts at another size, the last one cosigned is {size}")]
    OtherSize {
        /// The size the proof must start at.
        size: u64,
    },
    /// The state of the witness cannot be read, so nothing may be cosigned.
    #[error("witness: the state file is not readable as state of this log")]
    State,
    /// The state cannot be written, so nothing was cosigned.
    #[error("witness: {0}")]
    Io(#[from] std::io::Error),
}

impl WitnessError {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Log(error) => error.code(),
            Self::OtherSize { .. } => "witness.other_size",
            Self::State => "witness.state_unreadable",
            Self::Io(_) => "witness.io",
        }
    }
}

/// What a log asks a witness (C2SP tlog-witness, `add-checkpoint`).
#[derive(Clone, Debug)]
pub struct CosignRequest<'a> {
    /// The size the proof starts at: the witness's last.
    pub old_size: u64,
    /// The signed note.
    pub checkpoint: &'a str,
    /// From the old size to the checkpoint's; empty when the old size is 0 or the same.
    pub consistency: &'a [[u8; 32]],
}

/// A witness of one log. Its state is one file, and is written before a cosignature leaves.
#[derive(Debug)]
pub struct Witness {
    key: SigningKey,
    log: NamedKey,
    state: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    origin: String,
    view: LogView,
}

impl Witness {
    /// A witness of `log` that remembers in the file `state`, which need not exist yet.
    #[must_use]
    pub fn new(key: SigningKey, log: NamedKey, state: PathBuf) -> Self {
        Self { key, log, state }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &NamedKey {
        self.key.public()
    }

    /// The tree cosigned last; `None` before the first.
    ///
    /// # Errors
    /// [`WitnessError::State`] when there is a file that is not this log's state: it is never taken for a fresh start.
    pub fn last(&self) -> Result<Option<LogView>, WitnessError> {
        let bytes = match std::fs::read(&self.state) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let state: State = json::parse_as(&bytes, &STATE_LIMITS).map_err(|_| WitnessError::State)?;
        if state.origin != self.log.name {
            return Err(WitnessError::State);
        }
        Ok(Some(state.view))
    }

    /// Cosigns a checkpoint at `now`: the log signed it, and it contains everything cosigned before. Answers the
    /// signature line to be added to the note.
    ///
    /// # Errors
    /// [`WitnessError`]; nothing is cosigned then and the state is as it was.
    pub fn cosign(&self, request: &CosignRequest<'_>, now: UnixTime) -> Result<String, WitnessError> {
        let checkpoint = SignedCheckpoint::parse(request.checkpoint)?.verify(&self.log)?;
        let view = checkpoint.view();
        let last = self.last()?;
        let last_size = last.map_or(0, |last| last.size);
        if request.old_size != last_size {
            return Err(WitnessError::OtherSize { size: last_size });
        }
        if let Some(last) = last {
            if view.size < last.size {
                return Err(LogError::Inconsistent {
                    small: view.size,
                    large: last.size,
                }
                .into());
            }
            last.check_consistent(&view, request.consistency)?;
        }
        let state = State {
            origin: self.log.name.clone(),
            view,
        };
        let bytes = serde_json::to_vec(&state).map_err(|_| WitnessError::State)?;
        log_reader::write_whole(&self.state, &bytes)?;
        let signature = self.key.sign(&cosigned_message(now, checkpoint.text()));
        let line = NoteSignature {
            name: self.public().name.clone(),
            key_id: self.public().id(TYPE_COSIGNATURE),
            signature: [&now.0.to_be_bytes()[..], &signature[..]].concat(),
        };
        Ok(line.line())
    }
}
