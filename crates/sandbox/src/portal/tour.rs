//! `/tour`: three minutes from a service to a login and back, one step a page, with what went over the wire.
//!
//! The address holds where the visitor is (`step`) and what the sandbox had seen when she began (`since`): the portal remembers nobody. A step shows
//! as done only what [`crate::watch`] has seen since. Nothing holds a visitor back who knows better.

mod steps;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use relying_party::language::Language;

use super::Shared;
use super::frame::{Frame, page, see_other};
use crate::addresses::Addresses;
use crate::insurers::Insurer;
use crate::people::Text;
use crate::services::Service;
use crate::watch::Watch;

use steps::{Place, STEPS, Step};

/// Whose wallet and whose record the tour shows.
const INSURER: Insurer = Insurer::Leuchtturm;
const SERVICE: Service = Service::Record;

struct Way {
    title: &'static str,
    link: String,
    current: bool,
}

struct Action {
    text: &'static str,
    link: Option<(String, &'static str)>,
}

struct Check {
    text: &'static str,
    seen: bool,
}

struct Message {
    request: &'static str,
    text: &'static str,
    source: &'static str,
}

#[derive(Template)]
#[template(path = "tour.html")]
struct TourPage<'a> {
    frame: &'a Frame,
    progress: String,
    way: Vec<Way>,
    title: &'static str,
    intro: &'static str,
    actions: Vec<Action>,
    checks: Vec<Check>,
    all_seen: bool,
    messages: Vec<Message>,
    learns: &'static str,
    stays_unknown: &'static str,
    again: String,
    before: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "tour_begin.html")]
struct BeginPage<'a> {
    frame: &'a Frame,
    begin: String,
}

/// `GET /tour`.
pub(super) async fn show(State(portal): Shared, frame: Frame) -> Response {
    let number = |name| frame.query(name).map(str::parse::<u64>);
    let watch: &Watch = &portal.watch;
    match (number("step"), number("since")) {
        (None, _) => begin(&frame, watch.mark()),
        (Some(Ok(step)), Some(Ok(since))) if since <= watch.mark() => {
            let step = usize::try_from(step).ok().and_then(|step| step.checked_sub(1));
            match step.and_then(|at| STEPS.get(at).map(|step| (at, step))) {
                Some((at, step)) => one(&portal.addresses, watch, &frame, at, step, since),
                None => see_other("/tour"),
            }
        }
        // From another sandbox, or made up.
        _ => see_other("/tour"),
    }
}

fn begin(frame: &Frame, mark: u64) -> Response {
    let begin = address(0, mark);
    page(StatusCode::OK, frame, &BeginPage { frame, begin })
}

fn one(addresses: &Addresses, watch: &Watch, frame: &Frame, at: usize, step: &'static Step, since: u64) -> Response {
    let t = frame.t();
    let checks: Vec<Check> = step
        .checks
        .iter()
        .map(|(what, text)| Check {
            text: pick(frame, *text),
            seen: watch.saw(*what, since),
        })
        .collect();
    let way = STEPS.iter().enumerate().map(|(number, step)| Way {
        title: pick(frame, step.title),
        link: address(number, since),
        current: number == at,
    });
    let actions = step.actions.iter().map(|action| Action {
        text: pick(frame, action.text),
        link: action
            .link
            .map(|(place, label)| (where_is(addresses, place), pick(frame, label))),
    });
    let messages = step.messages.iter().map(|message| Message {
        request: message.request,
        text: pick(frame, message.text),
        source: message.source,
    });
    let shown = TourPage {
        frame,
        progress: format!("{} {} {} {}", t.tour_step, at + 1, t.tour_of, STEPS.len()),
        way: way.collect(),
        title: pick(frame, step.title),
        intro: pick(frame, step.intro),
        actions: actions.collect(),
        all_seen: checks.iter().all(|check| check.seen),
        checks,
        messages: messages.collect(),
        learns: pick(frame, step.learns),
        stays_unknown: pick(frame, step.stays_unknown),
        again: address(at, since),
        before: at.checked_sub(1).map(|before| address(before, since)),
        next: (at + 1 < STEPS.len()).then(|| address(at + 1, since)),
    };
    page(StatusCode::OK, frame, &shown)
}

fn address(at: usize, since: u64) -> String {
    format!("/tour?step={}&since={since}", at + 1)
}

fn where_is(addresses: &Addresses, place: Place) -> String {
    match place {
        Place::Service(path) => format!("{}{path}", addresses.service(SERVICE).pages),
        Place::Wallet(route) => format!("{}/wallet/{route}", addresses.insurer(INSURER).pages),
        Place::Portal(path) => path.to_owned(),
    }
}

fn pick(frame: &Frame, text: Text) -> &'static str {
    match frame.language {
        Language::German => text.de,
        Language::English => text.en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_says_something_in_both_languages() {
        for step in STEPS {
            let learned = [step.learns, step.stays_unknown];
            let texts = [step.title, step.intro]
                .into_iter()
                .chain(learned.into_iter().filter(|_| !step.checks.is_empty()))
                .chain(step.actions.iter().map(|action| action.text))
                .chain(step.actions.iter().filter_map(|action| Some(action.link?.1)))
                .chain(step.checks.iter().map(|(_, text)| *text))
                .chain(step.messages.iter().map(|message| message.text));
            for text in texts {
                assert!(!text.de.is_empty() && !text.en.is_empty(), "{}", step.title.en);
                assert_ne!(text.de, text.en);
            }
            assert!(!step.actions.is_empty() && !step.messages.is_empty());
        }
    }
}
