//! `/terminal/…`: a card terminal as the web wallet of an insurer meets it. It lists the virtual cards, lets one sign after its PIN, unblocks one.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /terminal/cards[?lang=de]` | `{"cards": [{"id", "name", "insurer", "issued_by_text", "special", "tries_left", "pin_hint"}]}` |
//! | `POST /terminal/sign` `{"card", "pin", "challenge"}` | `{"response"}`, what [`wallet::flow::Told::CardAnswered`] wants |
//! | `POST /terminal/unblock` `{"card", "puk"?}` | `{"tries_left"}` |
//!
//! `insurer` and `tries_left` are `null` for cards from files, which check no PIN. `pin_hint` is what would never stand on a real card: its PIN. A refusal is `{"reason"}` of [`Refusal`], with `tries_left`
//! (of the PUK: `uses_left`) where the card counted.
//!
//! **Trusted for** as much as a card terminal: it lets a card sign what it is given, once the PIN is right; the wallet verifies the challenge
//! before it asks. Pages of other origins than the insurers' are refused, not only kept from reading: a try they cost would be gone.
//! Cookies and other credentials have no meaning here, and the answers to pages allow none. **Does not** belong to the protocol: with a real
//! card the wallet speaks NFC.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wallet::card::{ANY_PIN_EXAMPLE, PinError, PukError};

use super::frame::Frame;
use super::{Portal, Shared};
use crate::addresses::Addresses;
use crate::cards::{CardEntry, CardsError, UseError};
use crate::insurers::Insurer;

/// Longest challenge a card is given, in bytes: five times what an insurer of ours signs.
const MAX_CHALLENGE_BYTES: usize = 8 * 1024;
/// How long a browser may remember that it may ask, in seconds.
const PREFLIGHT_SECONDS: &str = "600";

/// Why the terminal refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    /// The page that asks is not an insurer's.
    #[error("origin-refused")]
    Origin,
    /// The body is not what the address takes.
    #[error("malformed")]
    Malformed,
    /// No card has this identifier.
    #[error("card-unknown")]
    CardUnknown,
    /// The card refused the PIN.
    #[error("pin-wrong")]
    PinWrong {
        /// At least one.
        tries_left: u8,
    },
    /// The third wrong PIN was typed, now or before.
    #[error("pin-blocked")]
    PinBlocked,
    /// Not six to eight digits. Cost no try.
    #[error("pin-malformed")]
    PinMalformed {
        /// As before.
        tries_left: Option<u8>,
    },
    /// The card refused the PUK.
    #[error("puk-wrong")]
    PukWrong {
        /// How often it may still be tried.
        uses_left: u8,
    },
    /// The card's PUK was used ten times.
    #[error("puk-used-up")]
    PukUsedUp,
    /// Not eight digits. Cost nothing.
    #[error("puk-malformed")]
    PukMalformed,
    /// The sandbox's fault; its log says why.
    #[error("internal")]
    Internal,
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::CardUnknown => StatusCode::NOT_FOUND,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Origin
            | Self::PinWrong { .. }
            | Self::PinBlocked
            | Self::PinMalformed { .. }
            | Self::PukWrong { .. }
            | Self::PukUsedUp
            | Self::PukMalformed => StatusCode::FORBIDDEN,
        }
    }

    fn body(self) -> serde_json::Value {
        let reason = self.to_string();
        match self {
            Self::PinWrong { tries_left } => json!({ "reason": reason, "tries_left": tries_left }),
            Self::PinBlocked => json!({ "reason": reason, "tries_left": 0 }),
            Self::PinMalformed { tries_left } => json!({ "reason": reason, "tries_left": tries_left }),
            Self::PukWrong { uses_left } => json!({ "reason": reason, "uses_left": uses_left }),
            _ => json!({ "reason": reason }),
        }
    }

    fn of_cards(error: &CardsError) -> Self {
        match error {
            CardsError::Unknown(_) => Self::CardUnknown,
            error => {
                tracing::error!(event = "terminal.failed", reason = %error);
                Self::Internal
            }
        }
    }
}

/// A card as a wallet lists it.
#[derive(Serialize)]
struct Listed {
    id: String,
    name: String,
    insurer: Option<&'static str>,
    issued_by_text: String,
    special: &'static str,
    tries_left: Option<u8>,
    pin_hint: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    card: String,
    pin: String,
    challenge: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unblock {
    card: String,
    #[serde(default)]
    puk: Option<String>,
}

/// `GET /terminal/cards`.
pub(super) async fn cards(State(portal): Shared, frame: Frame, headers: HeaderMap) -> Response {
    answer(&portal, &headers, || {
        let cards = portal.cards.list().map_err(|error| Refusal::of_cards(&error))?;
        let listed: Vec<Listed> = cards.into_iter().map(|card| listed(&frame, card)).collect();
        Ok(json!({ "cards": listed }))
    })
}

/// `POST /terminal/sign`.
pub(super) async fn sign(State(portal): Shared, headers: HeaderMap, body: Bytes) -> Response {
    answer(&portal, &headers, || {
        let Sign { card, pin, challenge } = read(&headers, &body)?;
        if !is_compact_jws(&challenge) {
            return Err(Refusal::Malformed);
        }
        let refused = |error: UseError| match error {
            UseError::Pin(error) => of_pin(&portal, &card, error),
            UseError::Puk(_) => Refusal::Internal,
            UseError::Cards(error) => Refusal::of_cards(&error),
        };
        let mut held = portal.cards.verify_pin(&card, &pin).map_err(refused)?;
        let unlocked = held.verify_pin(&pin).map_err(|error| of_pin(&portal, &card, error))?;
        Ok(json!({ "response": unlocked.sign_challenge(&challenge) }))
    })
}

/// `POST /terminal/unblock`. Without a PUK it is the button of the sandbox's own pages.
pub(super) async fn unblock(State(portal): Shared, headers: HeaderMap, body: Bytes) -> Response {
    answer(&portal, &headers, || {
        let Unblock { card, puk } = read(&headers, &body)?;
        let unblocked = match &puk {
            Some(puk) => portal.cards.unblock_with(&card, puk),
            None => portal.cards.unblock(&card),
        };
        unblocked.map_err(|error| match error {
            UseError::Puk(PukError::WrongPuk { uses_left }) => Refusal::PukWrong { uses_left },
            UseError::Puk(PukError::UsedUp) => Refusal::PukUsedUp,
            UseError::Puk(PukError::Malformed) => Refusal::PukMalformed,
            UseError::Puk(PukError::None) | UseError::Pin(_) => Refusal::Internal,
            UseError::Cards(error) => Refusal::of_cards(&error),
        })?;
        Ok(json!({ "tries_left": tries_left(&portal, &card) }))
    })
}

/// `OPTIONS` of all three: a browser asks before a page of another origin may.
pub(super) async fn preflight(State(portal): Shared, headers: HeaderMap) -> Response {
    let Caller::Page(origin) = caller(&portal.addresses, &headers) else {
        return refuse(Refusal::Origin);
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    let fixed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    allow(&mut response, &origin);
    response
}

/// Who asks, as far as a browser says so.
enum Caller {
    /// A page of this origin, which is an insurer's.
    Page(HeaderValue),
    /// The portal's own page, or no browser at all.
    Own,
    /// A page that has no business here.
    Foreign,
}

fn caller(addresses: &Addresses, headers: &HeaderMap) -> Caller {
    if let Some(origin) = headers.get(header::ORIGIN) {
        return match origin.to_str() {
            Ok(text) if text == addresses.portal => Caller::Own,
            Ok(text) if is_insurers(addresses, text) => Caller::Page(origin.clone()),
            _ => Caller::Foreign,
        };
    }
    // A picture or a link of another page names no origin, but the browser says that it is another's.
    match headers.get("sec-fetch-site").map(HeaderValue::to_str) {
        None | Some(Ok("same-origin" | "none")) => Caller::Own,
        Some(_) => Caller::Foreign,
    }
}

/// Whether an origin serves an insurer's pages. The issuer's does, too, where pages have an address of their own.
fn is_insurers(addresses: &Addresses, origin: &str) -> bool {
    Insurer::ALL.into_iter().any(|insurer| {
        let own = addresses.insurer(insurer);
        [&own.pages, &own.issuer]
            .into_iter()
            .filter_map(|base| url::Url::parse(base).ok())
            .any(|base| base.origin().ascii_serialization() == origin)
    })
}

fn answer(portal: &Portal, headers: &HeaderMap, work: impl FnOnce() -> Result<serde_json::Value, Refusal>) -> Response {
    let origin = match caller(&portal.addresses, headers) {
        Caller::Foreign => return refuse(Refusal::Origin),
        Caller::Own => None,
        Caller::Page(origin) => Some(origin),
    };
    let mut response = match work() {
        Ok(body) => plain(StatusCode::OK, body),
        Err(refusal) => refuse(refusal),
    };
    if let Some(origin) = origin {
        allow(&mut response, &origin);
    }
    response
}

fn refuse(refusal: Refusal) -> Response {
    plain(refusal.status(), refusal.body())
}

fn plain(status: StatusCode, body: serde_json::Value) -> Response {
    const FIXED: [(HeaderName, &str); 3] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "origin"),
    ];
    (status, FIXED, axum::Json(body)).into_response()
}

fn allow(response: &mut Response, origin: &HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
}

/// A page of another origin cannot send this media type without asking first.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Refusal::Malformed);
    }
    serde_json::from_slice(body).map_err(|_| Refusal::Malformed)
}

/// A real terminal knows what its card signs by form alone; so does this one.
fn is_compact_jws(text: &str) -> bool {
    let is_part = |part: &str| {
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !part.is_empty() && part.bytes().all(in_alphabet)
    };
    text.len() <= MAX_CHALLENGE_BYTES && text.split('.').count() == 3 && text.split('.').all(is_part)
}

fn of_pin(portal: &Portal, card: &str, error: PinError) -> Refusal {
    match error {
        PinError::WrongPin { tries_left: 0 } | PinError::Blocked => Refusal::PinBlocked,
        PinError::WrongPin { tries_left } => Refusal::PinWrong { tries_left },
        PinError::Malformed => Refusal::PinMalformed {
            tries_left: tries_left(portal, card),
        },
    }
}

fn tries_left(portal: &Portal, word: &str) -> Option<u8> {
    let cards = portal.cards.list().ok()?;
    cards.into_iter().find(|card| card.word == word)?.tries_left
}

fn listed(frame: &Frame, card: CardEntry) -> Listed {
    let t = frame.t();
    Listed {
        insurer: card.insurer.map(Insurer::name),
        issued_by_text: match card.insurer {
            Some(insurer) => format!("{} {}", t.card_of, insurer.name()),
            None => t.card_foreign.to_owned(),
        },
        special: card.person.map_or(t.card_foreign_special, |person| {
            frame.language.pick(person.special.de, person.special.en)
        }),
        tries_left: card.tries_left,
        pin_hint: card.person.map_or(ANY_PIN_EXAMPLE, |person| person.pin),
        name: card.name,
        id: card.word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addresses::{PageScheme, Ports};

    fn from(name: &'static str, value: &'static str) -> Caller {
        let addresses = Addresses::new(Ports::from_base(8400), "localhost", PageScheme::Http);
        let name = HeaderName::from_static(name);
        caller(
            &addresses,
            &HeaderMap::from_iter([(name, HeaderValue::from_static(value))]),
        )
    }

    #[test]
    fn only_pages_of_the_insurers_may_ask_from_another_origin() {
        for origin in ["http://localhost:8402", "https://localhost:8403"] {
            assert!(
                matches!(from("origin", origin), Caller::Page(allowed) if allowed == origin),
                "{origin}"
            );
        }
        for origin in [
            "null",
            "",
            "http://localhost",
            "http://localhost:8406",
            "https://localhost:8402",
            "http://localhost:8402/",
            "http://localhost:84021",
            "http://localhost:8402.evil.example",
            "http://127.0.0.1:8402",
        ] {
            assert!(matches!(from("origin", origin), Caller::Foreign), "{origin}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_browser_and_what_says_another_site_is_refused() {
        assert!(matches!(from("origin", "http://localhost:8400"), Caller::Own));
        assert!(matches!(from("accept", "*/*"), Caller::Own));
        for site in ["same-origin", "none"] {
            assert!(matches!(from("sec-fetch-site", site), Caller::Own), "{site}");
        }
        for site in ["same-site", "cross-site", "", "else"] {
            assert!(matches!(from("sec-fetch-site", site), Caller::Foreign), "{site}");
        }
    }

    #[test]
    fn a_card_is_given_nothing_but_a_challenge() {
        assert!(is_compact_jws("eyJ.eyJ.c2ln"));
        let long = format!("a.{}.c", "b".repeat(MAX_CHALLENGE_BYTES));
        for text in [
            "", "a", "a.b", "a.b.c.d", "a..c", "a.b.", "a b.c.d", "a.b=.c", "ä.b.c", &long,
        ] {
            assert!(!is_compact_jws(text), "{}", &text[..text.len().min(20)]);
        }
    }
}
