//! Why a checkpoint or a proof was refused.

/// Why the log's word was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Not a signed note (C2SP signed-note).
    #[error("log: not a signed note: {rule}")]
    NoteMalformed {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// The note's text is not a checkpoint (C2SP tlog-checkpoint).
    #[error("log: not a checkpoint: {rule}")]
    CheckpointMalformed {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// The checkpoint is of another log.
    #[error("log: the checkpoint is of another log")]
    OtherLog,
    /// The log's signature is missing or does not verify.
    #[error("log: the log's signature is missing or does not verify")]
    SignatureInvalid,
    /// A known witness's cosignature does not verify.
    #[error("log: the cosignature of `{witness}` does not verify")]
    CosignatureInvalid {
        /// The witness's name.
        witness: String,
    },
    /// A cosignature from the future: the witness's clock or this one is wrong.
    #[error("log: the cosignature of `{witness}` is from the future")]
    CosignatureInFuture {
        /// The witness's name.
        witness: String,
    },
    /// Fewer known witnesses than the threshold.
    #[error("log: {have} witnesses, expected at least {need}")]
    TooFewWitnesses {
        /// How many cosigned.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// The entry does not stand where the proof says.
    #[error("log: the entry is not in the log")]
    NotIncluded,
    /// Two trees of one size with different content: the log tells different people different things.
    #[error("log: forked: two trees of {size} entries with different content")]
    Forked {
        /// The size of both.
        size: u64,
    },
    /// The larger tree does not contain the smaller one, or nothing shows that it does.
    #[error("log: forked: the tree of {large} entries is not shown to contain the one of {small}")]
    Inconsistent {
        /// The smaller size.
        small: u64,
        /// The larger size.
        large: u64,
    },
}

impl LogError {
    /// A stable name for logs, verdicts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoteMalformed { .. } => "log.note_malformed",
            Self::CheckpointMalformed { .. } => "log.checkpoint_malformed",
            Self::OtherLog => "log.other_log",
            Self::SignatureInvalid => "log.signature_invalid",
            Self::CosignatureInvalid { .. } => "log.cosignature_invalid",
            Self::CosignatureInFuture { .. } => "log.cosignature_in_future",
            Self::TooFewWitnesses { .. } => "log.too_few_witnesses",
            Self::NotIncluded => "log.not_included",
            Self::Forked { .. } => "log.forked",
            Self::Inconsistent { .. } => "log.inconsistent",
        }
    }
}
