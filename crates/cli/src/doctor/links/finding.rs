//! What the doctor says: one finding for each thing it looked at.

use std::fmt;

/// Longest text of a file or peer that is repeated, in characters.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// As it should be.
    Good,
    /// A phone opens the browser because of it.
    Defect,
    /// Cannot be seen from here, or depends.
    Note,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    /// A stable name.
    pub(super) code: &'static str,
    /// What is said where it is good or a note.
    pub(super) found: String,
    /// For a defect.
    pub(super) expected: String,
    /// What to do about a defect.
    pub(super) advice: String,
}

impl Finding {
    pub(super) fn good(code: &'static str, found: impl Into<String>) -> Self {
        Self::of(Weight::Good, code, found.into())
    }

    pub(super) fn note(code: &'static str, found: impl Into<String>) -> Self {
        Self::of(Weight::Note, code, found.into())
    }

    pub(super) fn defect(
        code: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            expected: expected.into(),
            advice: advice.into(),
            ..Self::of(Weight::Defect, code, found.into())
        }
    }

    const fn of(weight: Weight, code: &'static str, found: String) -> Self {
        Self {
            weight,
            code,
            found,
            expected: String::new(),
            advice: String::new(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weight {
            Weight::Good => write!(f, "ok      {}", self.found),
            Weight::Note => write!(f, "note    {} [{}]", self.found, self.code),
            Weight::Defect => write!(
                f,
                "DEFECT  [{}]\n        expected  {}\n        found     {}\n        to do     {}",
                self.code, self.expected, self.found, self.advice
            ),
        }
    }
}

/// Somebody else's text: short, and without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut line: String = characters
        .by_ref()
        .take(MAX_SHOWN_CHARACTERS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// A few of them.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MAX_NAMES: usize = 8;
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(MAX_NAMES).map(shown).collect();
    match (first.is_empty(), names.count()) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}
