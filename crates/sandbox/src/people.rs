//! Invented people with virtual health cards, one for each case a service should have seen before it meets real ones.
//!
//! Nobody here exists. Numbers have right check digits (gematik digest chapter 12) and stems that begin with zeros; mail addresses are
//! under `.example` (RFC 2606).

mod register;

use authenticator::Kvnr;
use jose::UnixTime;
use vault::PersonData;

use crate::insurers::Insurer;

pub use register::PEOPLE;

/// The PIN of every card that does not say otherwise.
pub const DEFAULT_PIN: &str = "123456";
/// The PUK of every card. On the sandbox's pages unblocking is a button.
pub const PUK: &str = "12345678";

/// A text in the two languages of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// German.
    pub de: &'static str,
    /// English.
    pub en: &'static str,
}

/// When somebody was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// As an insurer's register holds it; `00` is unknown.
    On(&'static str),
    /// So that a number of years is completed today.
    YearsAgoToday(u16),
    /// So that a number of years is completed tomorrow.
    YearsAgoTomorrow(u16),
}

/// What is special about somebody's card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardCondition {
    /// Nothing.
    Good,
    /// The wrong PIN was typed three times.
    PinBlocked,
    /// On the list of revoked cards.
    Revoked,
    /// Ran out last year.
    Expired,
    /// Issued by the insurer somebody left.
    IssuedBy(Insurer),
}

/// An invented person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The word the command line knows her by.
    pub word: &'static str,
    /// Where she is insured.
    pub insurer: Insurer,
    /// Letter and eight digits of her number; the check digit is computed.
    pub kvnr_stem: &'static str,
    /// Given names.
    pub given_name: &'static str,
    /// Family name with affixes.
    pub family_name: &'static str,
    /// Full name with titles.
    pub display_name: &'static str,
    /// Date of birth.
    pub birth: Birth,
    /// `M`, `W`, `X` or `D`.
    pub sex: &'static str,
    /// Mail address, empty where there is none.
    pub email: &'static str,
    /// Her card.
    pub card: CardCondition,
    /// Its PIN.
    pub pin: &'static str,
    /// Class of the device key her phone can hold, a name of the insurers' policy.
    pub device_class: &'static str,
    /// Why she is here.
    pub special: Text,
}

impl Person {
    /// The person with this word or number.
    #[must_use]
    pub fn find(text: &str) -> Option<&'static Self> {
        PEOPLE
            .iter()
            .find(|person| text.eq_ignore_ascii_case(person.word) || text == person.kvnr().as_str())
    }

    /// Her number.
    #[must_use]
    pub fn kvnr(&self) -> Kvnr {
        kvnr_of(self.kvnr_stem)
    }

    /// The insurer on her card.
    #[must_use]
    pub const fn card_insurer(&self) -> Insurer {
        match self.card {
            CardCondition::IssuedBy(insurer) => insurer,
            _ => self.insurer,
        }
    }

    /// What her insurer knows of her at `now`, all but her card's last day.
    #[must_use]
    pub fn data(&self, now: UnixTime) -> PersonData {
        PersonData {
            kvnr: self.kvnr(),
            ik: self.insurer.ik(),
            given_name: self.given_name.to_owned(),
            family_name: self.family_name.to_owned(),
            display_name: self.display_name.to_owned(),
            birthdate: self.birth.date(now),
            sex: self.sex.to_owned(),
            email: self.email.to_owned(),
            // The card says: `Cards::register_entry`.
            card_valid_until: String::new(),
        }
    }
}

impl Birth {
    /// The date as of `now`, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(self, now: UnixTime) -> String {
        const DAY_SECONDS: u64 = 86_400;
        match self {
            Self::On(date) => date.to_owned(),
            Self::YearsAgoToday(years) => years_before(now, years),
            Self::YearsAgoTomorrow(years) => years_before(now.plus_seconds(DAY_SECONDS), years),
        }
    }
}

/// The same day `years` earlier; 28 February where there was no 29th.
fn years_before(now: UnixTime, years: u16) -> String {
    let day = oidc::birthdate::calendar_day(now);
    let (year, month_day) = day.split_once('-').unwrap_or((&day, "01-01"));
    let year = year.parse::<u16>().unwrap_or_default().saturating_sub(years);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_day = if month_day == "02-29" && !is_leap {
        "02-28"
    } else {
        month_day
    };
    format!("{year:04}-{month_day}")
}

/// A number with its check digit, from letter and eight digits.
pub(crate) fn kvnr_of(stem: &str) -> Kvnr {
    let found = (0..10).find_map(|digit| Kvnr::parse(&format!("{stem}{digit}")).ok());
    // Checked by a test: every stem in the register has the form of one, and each form has one check digit.
    #[allow(clippy::expect_used)]
    found.expect("the sandbox's stems are a letter and eight digits")
}

#[cfg(test)]
mod tests;
