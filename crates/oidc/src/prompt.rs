//! `prompt` (OpenID Connect Core §3.1.2.1).

use thiserror::Error;

/// Why `prompt` was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PromptsError {
    /// A value nobody knows.
    #[error("parameter 'prompt' must hold values of none, login, consent, select_account, separated by single spaces")]
    Unknown,
    /// `none` goes with no other value.
    #[error("parameter 'prompt': 'none' must not be combined with other values (OpenID Connect Core section 3.1.2.1)")]
    NoneWithOthers,
}

/// The wishes of a relying party on how the person is asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Prompts(u8);

const NONE: u8 = 1;
const LOGIN: u8 = 2;
const CONSENT: u8 = 4;
const SELECT_ACCOUNT: u8 = 8;

impl Prompts {
    /// Reads the parameter.
    ///
    /// # Errors
    /// [`PromptsError`].
    pub fn parse(text: &str) -> Result<Self, PromptsError> {
        let mut bits = 0;
        for value in text.split(' ') {
            bits |= match value {
                "none" => NONE,
                "login" => LOGIN,
                "consent" => CONSENT,
                "select_account" => SELECT_ACCOUNT,
                _ => return Err(PromptsError::Unknown),
            };
        }
        if bits & NONE != 0 && bits != NONE {
            return Err(PromptsError::NoneWithOthers);
        }
        Ok(Self(bits))
    }

    /// The wishes as bits, for the sealed login state.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Wishes from bits; `None` when a bit means nothing.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits <= 15 { Some(Self(bits)) } else { None }
    }

    /// No page may be shown.
    pub const fn none(self) -> bool {
        self.0 & NONE != 0
    }

    /// The person must authenticate now (A_23030). `select_account` means the same here: one wallet may hold several people.
    pub const fn login(self) -> bool {
        self.0 & (LOGIN | SELECT_ACCOUNT) != 0
    }

    /// The person must be asked for consent even where it is remembered.
    pub const fn consent(self) -> bool {
        self.0 & CONSENT != 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn wishes_are_read() {
        assert!(Prompts::parse("none").unwrap().none());
        assert!(Prompts::parse("login consent").unwrap().login());
        assert!(Prompts::parse("login consent").unwrap().consent());
        assert!(Prompts::parse("select_account").unwrap().login());
    }

    #[test]
    fn unknown_and_contradicting_wishes_are_refused() {
        for text in ["", "Login", "login  consent", "create", "login,consent"] {
            assert_eq!(Prompts::parse(text), Err(PromptsError::Unknown), "{text:?}");
        }
        assert_eq!(Prompts::parse("none login"), Err(PromptsError::NoneWithOthers));
    }
}
