//! Which language a page is in.

use axum::http::{HeaderMap, header};

/// Languages the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// German, the default.
    German,
    /// English.
    English,
}

impl Language {
    /// As in the `lang` attribute.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }

    /// The first language the browser asks for that we speak; German where there is none.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut best = (0.0, Self::German);
        for range in accepted.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let quality = parts
                .find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            let language = match tag.split('-').next() {
                Some("de") => Self::German,
                Some("en") => Self::English,
                _ => continue,
            };
            if quality > best.0 {
                best = (quality, language);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_preferred_language_we_speak_is_chosen() {
        for (value, expected) in [
            ("de-DE,de;q=0.9,en;q=0.8", Language::German),
            ("en-US,en;q=0.9", Language::English),
            ("fr, en;q=0.4, de;q=0.3", Language::English),
            ("en;q=0.3,de;q=0.7", Language::German),
            ("tr", Language::German),
            ("", Language::German),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
            assert_eq!(Language::from_headers(&headers), expected, "{value}");
        }
    }
}
