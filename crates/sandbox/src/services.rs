//! The sandbox's two demo services, openly invented.

use relying_party::demo::Personality;

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// A patient record: may ask for everything.
    Record,
    /// An e-prescription service: asks for little.
    Prescription,
}

impl Service {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Record, Self::Prescription];

    /// The word the command line knows it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Prescription => "prescription",
        }
    }

    /// The service with this word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| text.eq_ignore_ascii_case(service.word()))
    }

    /// What it is and asks for.
    #[must_use]
    pub fn personality(self) -> Personality {
        match self {
            Self::Record => Personality::patient_record(),
            Self::Prescription => Personality::e_prescription(),
        }
    }
}
