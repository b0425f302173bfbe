//! `[tenant.wallet] brand`: the insurer's colour on her wallet and on the provider's pages.
//!
//! It colours what can be pressed and the head of her card, so people read it and read on it: a colour too close to a background is refused when
//! the configuration is read. The style sheet says nothing but colours; everything else is the same for every insurer (`assets/page.css`).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Backgrounds of light pages (`assets/page.css`): ground, surface, and the grounds of good news, warnings and bad news.
const LIGHT: [Colour; 5] = [
    Colour([0xff, 0xff, 0xff]),
    Colour([0xf3, 0xf6, 0xf8]),
    Colour([0xe8, 0xf5, 0xed]),
    Colour([0xfd, 0xf3, 0xdd]),
    Colour([0xfd, 0xec, 0xea]),
];
/// The same of dark pages.
const DARK: [Colour; 5] = [
    Colour([0x14, 0x19, 0x1d]),
    Colour([0x1e, 0x25, 0x2b]),
    Colour([0x17, 0x30, 0x1f]),
    Colour([0x33, 0x26, 0x10]),
    Colour([0x3a, 0x1b, 0x19]),
];
const BLACK: Colour = Colour([0, 0, 0]);
const WHITE: Colour = Colour([0xff, 0xff, 0xff]);
/// The colour where the insurer names none (`--accent` of `assets/page.css`).
pub(super) const NEUTRAL: Colour = Colour([0x0b, 0x5a, 0x7a]);
/// Least contrast of text with what is behind it (WCAG 2.2, success criterion 1.4.3).
const LEAST: f64 = 4.5;
/// Steps from the colour to white in which the one for dark pages is looked for.
const STEPS: u8 = 20;

/// A colour of sRGB, `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour([u8; 3]);

/// Not a colour.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no colour: expected # and six hexadecimal digits, as in \"#0b5a7a\"")]
pub struct ColourError(String);

impl TryFrom<String> for Colour {
    type Error = ColourError;

    fn try_from(text: String) -> Result<Self, ColourError> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some([0, red, green, blue]) = number.map(u32::to_be_bytes) else {
            return Err(ColourError(text));
        };
        Ok(Self([red, green, blue]))
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// Relative luminance, 0 to 1 (WCAG 2.2, definition).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Contrast ratio, 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// So many steps towards another colour.
    fn towards(self, other: Self, steps: u8) -> Self {
        let mix = |from: u8, to: u8| {
            let sum = u16::from(from) * u16::from(STEPS - steps) + u16::from(to) * u16::from(steps);
            // A mean of two bytes is a byte.
            u8::try_from(sum / u16::from(STEPS)).unwrap_or(u8::MAX)
        };
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Self([mix(a, x), mix(b, y), mix(c, z)])
    }

    /// Whether it can be read on all of these, and they on it; otherwise the worst of them.
    fn check(self, grounds: &[Self]) -> Result<(), Faint> {
        let contrasts = grounds.iter().map(|ground| (self.contrast(*ground), *ground));
        match contrasts.min_by(|one, two| one.0.total_cmp(&two.0)) {
            Some((contrast, ground)) if contrast < LEAST => Err(Faint {
                colour: self,
                ground,
                contrast: format!("{:.2}", (contrast * 100.0).floor() / 100.0),
            }),
            _ => Ok(()),
        }
    }
}

/// A colour that is too close to a background.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{colour} on {ground} has a contrast of {contrast} to 1; text needs at least {LEAST} to 1 (WCAG 2.2, 1.4.3)")]
pub struct Faint {
    colour: Colour,
    ground: Colour,
    /// Two decimals, rounded down.
    contrast: String,
}

/// Why an insurer's colours are not shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BrandError {
    /// Too light for light pages.
    #[error("wallet.brand: {0}: a darker colour is needed")]
    Light(Faint),
    /// Too dark for dark pages.
    #[error("wallet.brand_dark: {0}: a lighter colour is needed, or none: then one is made from wallet.brand")]
    Dark(Faint),
    /// A colour for dark pages alone.
    #[error("wallet.brand_dark: needs wallet.brand beside it")]
    DarkAlone,
}

/// An insurer's colours, each of which can be read on its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brand {
    pub(super) light: Colour,
    dark: Colour,
}

impl Brand {
    /// Of the two members of the configuration. `None`: the insurer names no colour.
    pub(super) fn of(light: Option<Colour>, dark: Option<Colour>) -> Result<Option<Self>, BrandError> {
        let Some(light) = light else {
            return if dark.is_some() {
                Err(BrandError::DarkAlone)
            } else {
                Ok(None)
            };
        };
        light.check(&LIGHT).map_err(BrandError::Light)?;
        // White can be read on all of them: there is always one.
        let dark = dark.unwrap_or_else(|| {
            (0..=STEPS)
                .map(|steps| light.towards(WHITE, steps))
                .find(|colour| colour.check(&DARK).is_ok())
                .unwrap_or(WHITE)
        });
        dark.check(&DARK).map_err(BrandError::Dark)?;
        Ok(Some(Self { light, dark }))
    }

    /// `brand.css`: stands above `assets/page.css` in whatever order the two are named.
    pub(super) fn sheet(&self) -> String {
        let Self { light, dark } = self;
        let (light_strong, dark_strong) = (light.towards(BLACK, 7), dark.towards(WHITE, 10));
        let on_dark = DARK[0];
        format!(
            "html:root{{--brand:{light};--accent:{light};--accent-strong:{light_strong};--on-accent:{WHITE}}}\n\
             @media (prefers-color-scheme:dark){{html:root{{--accent:{dark};--accent-strong:{dark_strong};--on-accent:{on_dark}}}}}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STYLE: &str = include_str!("../../../../assets/page.css");

    fn colour(text: &str) -> Colour {
        Colour::try_from(text.to_owned()).unwrap()
    }

    fn brand(light: &str, dark: Option<&str>) -> Result<Option<Brand>, BrandError> {
        Brand::of(Some(colour(light)), dark.map(colour))
    }

    #[test]
    fn a_colour_is_written_as_it_is_read_and_nothing_else_is_one() {
        assert_eq!(colour("#0B5a7A").to_string(), "#0b5a7a");
        for text in [
            "",
            "#",
            "0b5a7a",
            "#0b5a7",
            "#0b5a7a0",
            "#0b5a7g",
            "#+b5a7a",
            "##b5a7a",
            "red",
            "#0b5a7a;}",
            "#äbc7a",
        ] {
            assert_eq!(
                Colour::try_from(text.to_owned()),
                Err(ColourError(text.to_owned())),
                "{text}"
            );
        }
    }

    /// The examples of the definition, and one computed by hand.
    #[test]
    fn contrast_is_what_the_guidelines_say() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 1e-9);
        assert!((colour("#767676").contrast(WHITE) - 4.54).abs() < 0.005);
        assert!((colour("#777777").contrast(WHITE) - 4.48).abs() < 0.005);
    }

    #[test]
    fn the_backgrounds_are_those_of_the_pages() {
        let (light, rest) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let dark = rest.split_once("\n}").unwrap().0;
        let names = ["ground", "surface", "good-ground", "warn-ground", "bad-ground"];
        for (part, grounds) in [(light, LIGHT), (dark, DARK)] {
            for (name, ground) in names.into_iter().zip(grounds) {
                assert!(part.contains(&format!("--{name}: {ground};")), "{name} {ground}");
            }
            let backgrounds = part
                .lines()
                .filter(|line| line.trim_start().starts_with("--"))
                .filter(|line| {
                    let name = line.split(':').next().unwrap_or_default();
                    name.ends_with("ground") || name.ends_with("surface")
                });
            assert_eq!(backgrounds.count(), names.len());
        }
        assert!(light.contains(&format!("--accent: {NEUTRAL};")));
    }

    #[test]
    fn every_colour_dark_enough_for_light_pages_has_one_for_dark_pages() {
        let mut admitted = 0;
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let Ok(Some(brand)) = Brand::of(Some(Colour([red, green, blue])), None) else {
                        continue;
                    };
                    admitted += 1;
                    assert!(brand.light.contrast(WHITE) >= LEAST);
                    assert!(
                        DARK.iter().all(|ground| brand.dark.contrast(*ground) >= LEAST),
                        "{brand:?}"
                    );
                }
            }
        }
        assert!(admitted > 1000, "{admitted}");
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_refused_with_its_contrast() {
        let said = |light: &str, dark: Option<&str>| brand(light, dark).unwrap_err().to_string();
        assert_eq!(
            said("#ffcc00", None),
            "wallet.brand: #ffcc00 on #fdecea has a contrast of 1.32 to 1; text needs at least 4.5 to 1 (WCAG 2.2, 1.4.3): a darker colour is needed"
        );
        assert!(
            said("#767676", None).contains("#767676 on #fdecea"),
            "4.54 on white is not enough on every ground"
        );
        assert!(said("#0b5a7a", Some("#0b5a7a")).starts_with("wallet.brand_dark: #0b5a7a on "));
        assert_eq!(Brand::of(None, Some(WHITE)), Err(BrandError::DarkAlone));
        assert_eq!(Brand::of(None, None), Ok(None));
    }

    #[test]
    fn the_sheet_says_colours_and_nothing_else() {
        let sheet = brand("#1a6338", Some("#93d7ad")).unwrap().unwrap().sheet();
        assert!(sheet.contains("--brand:#1a6338;--accent:#1a6338;"), "{sheet}");
        assert!(sheet.contains("--accent:#93d7ad;"), "{sheet}");
        assert!(!sheet.contains("url(") && !sheet.contains("http"), "{sheet}");
    }
}
