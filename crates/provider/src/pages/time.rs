//! The frame that says how long a login still lives, and offers more time. It holds no clock: it is fetched again.

use askama::Template;

use super::{Frame, Language};
use crate::extend::SOON_SECONDS;

/// The frame.
#[derive(Template)]
#[template(path = "time.html")]
pub struct TimePage<'a> {
    /// Common parts.
    pub frame: Frame<'a>,
    /// Seconds until the login ends; 0 once it has.
    pub left_seconds: u64,
    /// Gives her more time; `None` where there is none, or where the page around it has a button for that.
    pub extend: Option<String>,
    /// Whether the page around it has that button.
    pub has_button_outside: bool,
}

impl TimePage<'_> {
    const fn words(&self) -> &'static Words {
        match self.frame.language {
            Language::German => &GERMAN,
            Language::English => &ENGLISH,
        }
    }

    /// For the script, which shows new words when this one changes.
    const fn state(&self) -> &'static str {
        match self.left_seconds {
            0 => "over",
            1..SOON_SECONDS => "soon",
            _ => "calm",
        }
    }

    const fn is_extendable(&self) -> bool {
        self.extend.is_some() || self.has_button_outside
    }

    /// Whole minutes; the last one is "one minute" until it is over.
    const fn minutes(&self) -> u64 {
        let minutes = self.left_seconds / 60;
        if minutes == 0 { 1 } else { minutes }
    }
}

/// Sentences of the frame.
struct Words {
    title: &'static str,
    left: &'static str,
    minute: &'static str,
    minutes: &'static str,
    soon: &'static str,
    press: &'static str,
    no_more: &'static str,
    button: &'static str,
    over: &'static str,
}

const GERMAN: Words = Words {
    title: "Zeit für diese Anmeldung",
    left: "Zeit für diese Seite: noch",
    minute: "Minute",
    minutes: "Minuten",
    soon: "Die Zeit ist gleich um.",
    press: "Brauchen Sie länger? Dann drücken Sie „Ich brauche mehr Zeit“.",
    no_more: "Mehr Zeit gibt es nicht. Danach beginnen Sie beim Dienst noch einmal.",
    button: super::texts::MORE_TIME_GERMAN,
    over: "Die Zeit ist um. Beginnen Sie noch einmal.",
};

const ENGLISH: Words = Words {
    title: "Time for this login",
    left: "Time for this page: still",
    minute: "minute",
    minutes: "minutes",
    soon: "Time is almost up.",
    press: "Do you need longer? Then press “I need more time”.",
    no_more: "There is no more time. After that, start again at the service.",
    button: super::texts::MORE_TIME_ENGLISH,
    over: "Time is up. Please start again.",
};
