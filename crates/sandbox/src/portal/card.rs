//! `/card`: the authenticator of the sandbox. The insurer's page leads here with a sealed login; a virtual card answers; the browser goes back
//! to the insurer, who asks what to release.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use relying_party::language::Language;
use url::form_urlencoded;
use wallet::card::PinError;
use wallet::flow::FlowError;
use wallet::phone::{Phone, PhoneError};

use super::frame::{Form, Frame, is_own_form, page, see_other};
use super::{Portal, Shared, problem};
use crate::addresses::Addresses;
use crate::cards::{CardEntry, UseError};
use crate::insurers::Insurer;

/// What leads to the card page.
struct Way<'a> {
    insurer: Insurer,
    issuer: &'a str,
    client_id: &'a str,
    login: &'a str,
}

impl<'a> Way<'a> {
    fn read(portal: &Portal, value: impl Fn(&str) -> &'a str) -> Option<Self> {
        let (issuer, client_id, login) = (value("issuer"), value("client_id"), value("login"));
        let insurer = portal.addresses.insurer_of(issuer)?;
        let is_complete = !client_id.is_empty() && !login.is_empty();
        is_complete.then_some(Self {
            insurer,
            issuer,
            client_id,
            login,
        })
    }

    fn query(&self) -> [(&'a str, &'a str); 3] {
        [
            ("issuer", self.issuer),
            ("client_id", self.client_id),
            ("login", self.login),
        ]
    }
}

impl Way<'_> {
    /// The insurer's web wallet, with this login.
    fn wallet(&self, addresses: &Addresses) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.query())
            .finish();
        format!("{}/wallet/?{query}", addresses.insurer(self.insurer).pages)
    }
}

/// What is wrong with the PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CardProblem {
    None,
    Wrong { tries_left: u8 },
    Malformed,
    Blocked,
}

struct Choice {
    word: String,
    name: String,
    issued_by: String,
    special: &'static str,
    tag: &'static str,
    checked: bool,
}

#[derive(Template)]
#[template(path = "card.html")]
struct CardPage<'a> {
    frame: &'a Frame,
    service: &'a str,
    insurer: &'a str,
    issuer: &'a str,
    client_id: &'a str,
    login: &'a str,
    wallet: String,
    chosen: &'a str,
    cards: Vec<Choice>,
    others: Vec<Choice>,
    others_open: bool,
    problem: CardProblem,
    pin_is_wrong: bool,
    unblocked: bool,
}

#[derive(Template)]
#[template(path = "card_refused.html")]
struct RefusedPage<'a> {
    frame: &'a Frame,
    name: &'a str,
    special: &'a str,
    reason: &'a str,
    again: String,
}

/// `GET /card`.
pub(super) async fn choose(State(portal): Shared, frame: Frame) -> Response {
    let Some(way) = Way::read(&portal, |name| frame.query(name).unwrap_or_default()) else {
        return problem::incomplete(frame);
    };
    match show(&portal, &frame, &way, "", CardProblem::None, false).await {
        Ok(response) => response,
        Err(error) => problem::login(frame, &error),
    }
}

/// `POST /card`.
pub(super) async fn log_in(State(portal): Shared, frame: Frame, headers: HeaderMap, body: Bytes) -> Response {
    if !is_own_form(&headers, &portal.addresses.portal) {
        return problem::foreign_form(frame);
    }
    let form = Form::parse(&body);
    let Some(way) = Way::read(&portal, |name| form.value(name)) else {
        return problem::incomplete(frame);
    };
    let frame = frame.at("/card", &way.query());
    let word = form.value("card");
    let mut card = match portal.cards.verify_pin(word, form.value("pin").trim()) {
        Ok(card) => card,
        Err(UseError::Pin(error)) => {
            let wrong = match error {
                PinError::WrongPin { tries_left: 0 } | PinError::Blocked => CardProblem::Blocked,
                PinError::WrongPin { tries_left } => CardProblem::Wrong { tries_left },
                PinError::Malformed => CardProblem::Malformed,
            };
            return match show(&portal, &frame, &way, word, wrong, false).await {
                Ok(response) => response,
                Err(error) => problem::login(frame, &error),
            };
        }
        Err(error) => return problem::internal(&frame, &error),
    };
    let unlocked = match card.verify_pin(form.value("pin").trim()) {
        Ok(unlocked) => unlocked,
        Err(error) => return problem::internal(&frame, &error),
    };
    let now = (portal.clock)();
    let phone = Phone::new(portal.client.clone(), way.issuer);
    let opened = match phone.resume(way.client_id, way.login, now).await {
        Ok(opened) => opened,
        Err(error) => return problem::login(frame, &error),
    };
    match opened.answer_with_card(&unlocked).await {
        Ok(answered) => {
            let (client_id, login) = answered.into_parts();
            let pages = &portal.addresses.insurer(way.insurer).pages;
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", &client_id)
                .append_pair("login", &login)
                .finish();
            see_other(&format!("{pages}/auth/consent?{query}"))
        }
        Err(PhoneError::Flow(FlowError::Refused {
            status, description, ..
        })) if status < 500 => refused(&portal, &frame, &way, word, &description),
        Err(error) => problem::login(frame, &error),
    }
}

/// `POST /card/unblock`.
pub(super) async fn unblock(State(portal): Shared, frame: Frame, headers: HeaderMap, body: Bytes) -> Response {
    if !is_own_form(&headers, &portal.addresses.portal) {
        return problem::foreign_form(frame);
    }
    let form = Form::parse(&body);
    let Some(way) = Way::read(&portal, |name| form.value(name)) else {
        return problem::incomplete(frame);
    };
    let frame = frame.at("/card", &way.query());
    let word = form.value("card");
    if let Err(error) = portal.cards.unblock(word) {
        return problem::internal(&frame, &error);
    }
    match show(&portal, &frame, &way, word, CardProblem::None, true).await {
        Ok(response) => response,
        Err(error) => problem::login(frame, &error),
    }
}

/// The page. Asks the insurer first, so that a login that is over is not offered a card.
async fn show(
    portal: &Portal,
    frame: &Frame,
    way: &Way<'_>,
    chosen: &str,
    wrong: CardProblem,
    unblocked: bool,
) -> Result<Response, PhoneError> {
    let phone = Phone::new(portal.client.clone(), way.issuer);
    let opened = phone.resume(way.client_id, way.login, (portal.clock)()).await?;
    let wallet = way.wallet(&portal.addresses);
    // The browser that asked is another one: only the wallet can show whose, and take the number from its screen.
    if opened.is_for_other_device() {
        return Ok(see_other(&wallet));
    }
    let entries = match portal.cards.list() {
        Ok(entries) => entries,
        Err(error) => return Ok(problem::internal(frame, &error)),
    };
    let (own, others): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|card| card.person.is_none_or(|person| person.insurer == way.insurer));
    let first = own.first().map(|card| card.word.clone()).unwrap_or_default();
    let chosen = if chosen.is_empty() { &first } else { chosen };
    let others_open = others.iter().any(|card| card.word == chosen);
    let choices = |cards: Vec<CardEntry>| cards.into_iter().map(|card| choice(frame, card, chosen)).collect();
    Ok(page(
        StatusCode::OK,
        frame,
        &CardPage {
            frame,
            service: &opened.service().name,
            insurer: way.insurer.name(),
            issuer: way.issuer,
            client_id: way.client_id,
            login: way.login,
            wallet,
            chosen,
            cards: choices(own),
            others: choices(others),
            others_open,
            problem: wrong,
            pin_is_wrong: matches!(wrong, CardProblem::Wrong { .. }),
            unblocked,
        },
    ))
}

fn choice(frame: &Frame, card: CardEntry, chosen: &str) -> Choice {
    let t = frame.t();
    let issued_by = match card.insurer {
        Some(insurer) => format!("{} {}", t.card_of, insurer.name()),
        None => t.card_foreign.to_owned(),
    };
    Choice {
        checked: card.word == chosen,
        issued_by,
        special: special(
            frame.language,
            card.person.map(|person| person.special),
            t.card_foreign_special,
        ),
        tag: match card.tries_left {
            Some(0) => t.card_blocked_tag,
            Some(1) => t.card_one_left,
            Some(2) => t.card_two_left,
            _ => "",
        },
        name: card.name,
        word: card.word,
    }
}

fn special(language: Language, text: Option<crate::people::Text>, otherwise: &'static str) -> &'static str {
    text.map_or(otherwise, |text| language.pick(text.de, text.en))
}

/// The insurer's word against this card.
fn refused(portal: &Portal, frame: &Frame, way: &Way<'_>, word: &str, reason: &str) -> Response {
    let card = portal
        .cards
        .list()
        .ok()
        .and_then(|cards| cards.into_iter().find(|card| card.word == word));
    let text = card.as_ref().and_then(|card| card.person).map(|person| person.special);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(way.query())
        .finish();
    page(
        StatusCode::FORBIDDEN,
        frame,
        &RefusedPage {
            frame,
            name: card.as_ref().map_or("", |card| &card.name),
            special: special(frame.language, text, ""),
            reason,
            again: format!("/card?{query}"),
        },
    )
}
