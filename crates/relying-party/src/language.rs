//! German or English: which one a page is written in.

use serde::Serialize;

/// Longest `Accept-Language` looked at, in bytes.
const MAX_HEADER_BYTES: usize = 512;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Language {
    /// German; also where nothing is said.
    #[default]
    #[serde(rename = "de")]
    German,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// Both, in the order of the switch.
    pub const ALL: [Self; 2] = [Self::German, Self::English];

    /// The value of the `lang` attribute (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }

    /// The language's name in itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::German => "Deutsch",
            Self::English => "English",
        }
    }

    /// The language with this tag.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// What a browser prefers of ours (RFC 9110 §12.5.4); German for those who want neither.
    #[must_use]
    pub fn preferred(accept_language: Option<&str>) -> Self {
        let mut best: Option<(Self, u16)> = None;
        for range in accept_language
            .filter(|text| text.len() <= MAX_HEADER_BYTES)
            .unwrap_or_default()
            .split(',')
        {
            let mut parts = range.split(';');
            let primary = parts
                .next()
                .unwrap_or_default()
                .trim()
                .split('-')
                .next()
                .unwrap_or_default();
            let Some(language) = Self::from_tag(primary.to_ascii_lowercase().as_str()) else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(Some(1000), thousandths);
            match (weight, best) {
                (None | Some(0), _) => {}
                (Some(weight), Some((_, known))) if weight <= known => {}
                (Some(weight), _) => best = Some((language, weight)),
            }
        }
        best.map_or_else(Self::default, |(language, _)| language)
    }

    /// One of two texts.
    #[must_use]
    pub const fn pick<'a>(self, german: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::German => german,
            Self::English => english,
        }
    }
}

/// A quality value (RFC 9110 §12.4.2) in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_is_chosen_and_german_where_nothing_fits() {
        let cases = [
            (None, Language::German),
            (Some(""), Language::German),
            (Some("en"), Language::English),
            (Some("EN-gb"), Language::English),
            (Some("de-AT,de;q=0.9,en;q=0.8"), Language::German),
            (Some("fr, en;q=0.3, de;q=0.2"), Language::English),
            (Some("en;q=0, de;q=0.1"), Language::German),
            (Some("tr, ar"), Language::German),
            (Some("en;q=2"), Language::German),
            (Some("en;q=0.1234"), Language::German),
            (Some("*"), Language::German),
        ];
        for (header, expected) in cases {
            assert_eq!(Language::preferred(header), expected, "{header:?}");
        }
        let long = format!("en,{}", "x".repeat(MAX_HEADER_BYTES));
        assert_eq!(Language::preferred(Some(&long)), Language::German);
    }
}
