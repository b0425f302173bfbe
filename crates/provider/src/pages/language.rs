//! Which language a page is in: what was chosen on a page before, else what the browser prefers, else German.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Remembers the choice; holds nothing but the language.
const COOKIE: &str = "healthid_lang";

const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Languages the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// German, the default.
    German,
    /// English.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::German, Self::English];

    /// Its own name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::German => "Deutsch",
            Self::English => "English",
        }
    }

    fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.tag() == tag)
    }

    /// As in the `lang` attribute.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }

    /// A day as people write it: "31. Juli 2031", "31 July 2031". What is no `YYYY-MM-DD` stays as it is.
    pub(crate) fn day(self, iso: &str) -> String {
        let (months, dot) = match self {
            Self::German => (GERMAN_MONTHS, "."),
            Self::English => (ENGLISH_MONTHS, ""),
        };
        let written = || {
            let (year, rest) = iso.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let month = months.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
            Some(format!("{}{dot} {month} {year}", day.parse::<u8>().ok()?))
        };
        written().unwrap_or_else(|| iso.to_owned())
    }

    /// The language chosen before, else the first one the browser asks for that we speak, else German.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        if let Some(chosen) = crate::browser::cookie(headers, COOKIE).and_then(Self::from_tag) {
            return chosen;
        }
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

/// `?lang=en` on any page remembers the language and shows the same page again, without the parameter.
pub(crate) async fn switch(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let chosen = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("lang="))
        .and_then(Language::from_tag);
    let Some(language) = chosen.filter(|_| request.method() == Method::GET) else {
        return next.run(request).await;
    };
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("lang=")).collect();
    // Only the query: the browser stays at the address it is at, whatever that looks like.
    let location = format!("?{}", rest.join("&"));
    let cookie = format!(
        "{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000",
        language.tag()
    );
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(header::LOCATION, location), (header::SET_COOKIE, cookie)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn choosing_a_language_never_leads_to_another_address() {
        let pages = axum::Router::new()
            .fallback(|| async { "page" })
            .layer(axum::middleware::from_fn(switch));
        let request = Request::get("//evil.example/auth?lang=en&client_id=a")
            .body(axum::body::Body::empty())
            .unwrap();
        let response = pages.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[header::LOCATION], "?client_id=a");
    }

    #[test]
    fn a_day_is_written_as_people_write_it() {
        assert_eq!(Language::German.day("2031-07-31"), "31. Juli 2031");
        assert_eq!(Language::English.day("2031-07-01"), "1 July 2031");
        assert_eq!(Language::German.day("2026-03-09"), "9. März 2026");
        for odd in ["", "2031", "2031-07", "2031-00-01", "2031-13-01", "2031-07-x", "--"] {
            assert_eq!(Language::German.day(odd), odd);
        }
    }

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
