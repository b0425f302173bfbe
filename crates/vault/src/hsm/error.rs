//! Why the hardware security module did not do it.

/// Why a request to the hardware security module failed. No error carries a PIN, a label or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HsmError {
    /// The PKCS#11 library could not be loaded or initialised.
    #[error("the PKCS#11 library cannot be loaded or initialised")]
    Module,
    /// There is no token of that label: it was removed, or the module does not answer.
    #[error("the hardware security module or its token is gone")]
    Gone,
    /// No answer within the limit. The request may still be carried out.
    #[error("the hardware security module did not answer in time")]
    Slow,
    /// Every session is occupied and the queue is full.
    #[error("every session of the hardware security module is occupied")]
    Busy,
    /// The PIN was refused just now.
    #[error("the hardware security module refused the PIN")]
    PinWrong,
    /// The PIN was refused before and is not tried again until it is replaced.
    #[error("the PIN was refused before and is not tried again, or the module would lock itself")]
    PinNotTriedAgain,
    /// The module has locked the PIN, or it has expired: its security officer must act.
    #[error("the hardware security module has locked the PIN")]
    PinLocked,
    /// No such key.
    #[error("the hardware security module has no such key")]
    KeyAbsent,
    /// There is such a key already.
    #[error("the hardware security module has such a key already")]
    KeyExists,
    /// The key could leave the module, came from outside, or is of another kind.
    #[error("the key is not one that was made in the module and never leaves it")]
    KeyUnfit,
    /// The wrapped half was changed, or belongs to another key or namespace.
    #[error("the wrapped half does not belong to this key and namespace, or was changed")]
    NotUnwrapped,
    /// A key's label is empty, too long or not printable ASCII.
    #[error("a key's label has 1 to 32 printable ASCII characters")]
    Label,
    /// The module refused for another reason.
    #[error("the hardware security module refused")]
    Failed,
}

impl HsmError {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Module,
        Self::Gone,
        Self::Slow,
        Self::Busy,
        Self::PinWrong,
        Self::PinNotTriedAgain,
        Self::PinLocked,
        Self::KeyAbsent,
        Self::KeyExists,
        Self::KeyUnfit,
        Self::NotUnwrapped,
        Self::Label,
        Self::Failed,
    ];

    /// Stable name for events.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Module => "hsm.module",
            Self::Gone => "hsm.gone",
            Self::Slow => "hsm.slow",
            Self::Busy => "hsm.busy",
            Self::PinWrong => "hsm.pin_wrong",
            Self::PinNotTriedAgain => "hsm.pin_not_tried_again",
            Self::PinLocked => "hsm.pin_locked",
            Self::KeyAbsent => "hsm.key_absent",
            Self::KeyExists => "hsm.key_exists",
            Self::KeyUnfit => "hsm.key_unfit",
            Self::NotUnwrapped => "hsm.not_unwrapped",
            Self::Label => "hsm.label",
            Self::Failed => "hsm.failed",
        }
    }
}
