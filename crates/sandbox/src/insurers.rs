//! The sandbox's two insurers, openly invented.

use authenticator::Ik;

/// One of the two insurers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insurer {
    /// Musterkasse Leuchtturm: the larger one.
    Leuchtturm,
    /// Beispiel-BKK Kleeblatt.
    Kleeblatt,
}

impl Insurer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Leuchtturm, Self::Kleeblatt];

    /// The word the command line knows it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leuchtturm => "leuchtturm",
            Self::Kleeblatt => "kleeblatt",
        }
    }

    /// The insurer with this word, name or institution code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|insurer| {
            text.eq_ignore_ascii_case(insurer.word()) || text == insurer.name() || text == insurer.ik_text()
        })
    }

    /// Its name, as lists and pages show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leuchtturm => "Musterkasse Leuchtturm",
            Self::Kleeblatt => "Beispiel-BKK Kleeblatt",
        }
    }

    /// Its institution code as text; at the same time the path of its issuer.
    #[must_use]
    pub const fn ik_text(self) -> &'static str {
        match self {
            Self::Leuchtturm => "109900019",
            Self::Kleeblatt => "109912342",
        }
    }

    /// Its institution code.
    #[must_use]
    pub fn ik(self) -> Ik {
        // Checked by a test: both codes have right check digits.
        #[allow(clippy::expect_used)]
        Ik::parse(self.ik_text()).expect("the institution codes of the sandbox have right check digits")
    }

    /// Its logo, SVG.
    #[must_use]
    pub const fn logo(self) -> &'static str {
        match self {
            Self::Leuchtturm => include_str!("../assets/leuchtturm.svg"),
            Self::Kleeblatt => include_str!("../assets/kleeblatt.svg"),
        }
    }

    /// Its colour (`[tenant.wallet] brand`).
    #[must_use]
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Leuchtturm => "#0b5a7a",
            Self::Kleeblatt => "#1a6338",
        }
    }

    /// Where its insured would write to.
    #[must_use]
    pub const fn contact(self) -> &'static str {
        match self {
            Self::Leuchtturm => "gesundheitsid@leuchtturm.example",
            Self::Kleeblatt => "gesundheitsid@kleeblatt.example",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_insurers_have_a_colour_of_their_own_that_can_be_read() {
        for insurer in Insurer::ALL {
            let brand = provider::Colour::try_from(insurer.colour().to_owned()).ok();
            assert!(brand.is_some());
            let settings = provider::WalletSettings {
                brand,
                ..provider::WalletSettings::default()
            };
            assert_eq!(settings.check(), Ok(()));
        }
        assert_ne!(Insurer::Leuchtturm.colour(), Insurer::Kleeblatt.colour());
    }

    #[test]
    fn both_insurers_are_found_by_every_name_they_have() {
        for insurer in Insurer::ALL {
            assert_eq!(insurer.ik().as_str(), insurer.ik_text());
            for text in [insurer.word(), insurer.name(), insurer.ik_text()] {
                assert_eq!(Insurer::parse(text), Some(insurer));
            }
        }
        assert_eq!(Insurer::parse("109900020"), None);
        assert_eq!(Insurer::parse(""), None);
    }
}
