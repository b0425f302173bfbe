//! Dates of birth as insurers hold them: complete, or with unknown day or month.

use jose::UnixTime;

/// A date of birth whose month and day may be unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Birthdate {
    year: u16,
    month_day: Option<(u8, u8)>,
}

impl std::fmt::Debug for Birthdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Birthdate")
    }
}

impl Birthdate {
    /// Reads `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; `00` stands for unknown, as in insurers' stocks. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().map_or(Some(0), |part| number(part, 2))?;
        let day = parts.next().map_or(Some(0), |part| number(part, 2))?;
        if parts.next().is_some() || year == 0 || month > 12 || (month == 0 && day != 0) {
            return None;
        }
        if month == 0 || day == 0 {
            return Some(Self { year, month_day: None });
        }
        if day > days_in_month(year, month) {
            return None;
        }
        Some(Self {
            year,
            month_day: Some((u8::try_from(month).ok()?, u8::try_from(day).ok()?)),
        })
    }

    /// The claim's value: `YYYY-MM-DD`, or `YYYY` where month or day are unknown (OpenID Connect Core §5.1).
    pub fn claim(self) -> String {
        match self.month_day {
            Some((month, day)) => format!("{:04}-{month:02}-{day:02}", self.year),
            None => format!("{:04}", self.year),
        }
    }

    /// Completed years at this second, by the calendar day in UTC; `None` where the date is partial or in the future.
    pub fn age_at(self, now: UnixTime) -> Option<u16> {
        let (birth_month, birth_day) = self.month_day?;
        let (year, month, day) = civil_day(now)?;
        let had_birthday = (month, day) >= (u16::from(birth_month), u16::from(birth_day));
        year.checked_sub(self.year)?.checked_sub(u16::from(!had_birthday))
    }
}

/// `YYYY-MM-DD` of a second since 1970, in UTC; empty beyond the year 65535.
pub fn calendar_day(time: UnixTime) -> String {
    civil_day(time).map_or_else(String::new, |(year, month, day)| {
        format!("{year:04}-{month:02}-{day:02}")
    })
}

fn number(text: &str, digits: usize) -> Option<u16> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

const fn days_in_month(year: u16, month: u16) -> u16 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of a second since 1970 in UTC; `None` beyond the year 65535.
fn civil_day(now: UnixTime) -> Option<(u16, u16, u16)> {
    let mut days = now.0 / 86_400;
    let mut year: u16 = 1970;
    loop {
        let length = if days_in_month(year, 2) == 29 { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year = year.checked_add(1)?;
    }
    let mut month = 1;
    while days >= u64::from(days_in_month(year, month)) {
        days -= u64::from(days_in_month(year, month));
        month += 1;
    }
    Some((year, month, u16::try_from(days).ok()? + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2026-11-21 12:00 UTC.
    const NOW: UnixTime = UnixTime(1_795_262_400);

    #[test]
    fn partial_dates_release_the_year_only() {
        for text in ["1950", "1950-00-00", "1950-07", "1950-07-00"] {
            assert_eq!(Birthdate::parse(text).unwrap().claim(), "1950", "{text}");
            assert_eq!(Birthdate::parse(text).unwrap().age_at(NOW), None, "{text}");
        }
        assert_eq!(Birthdate::parse("1984-02-29").unwrap().claim(), "1984-02-29");
    }

    #[test]
    fn texts_that_are_no_date_are_refused() {
        for text in [
            "",
            "84",
            "1984-2-9",
            "1984-13-01",
            "1983-02-29",
            "1984-00-05",
            "1984-04-31",
            "1984-01-01-01",
            "+984-01-01",
            "0000",
        ] {
            assert_eq!(Birthdate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn age_changes_on_the_birthday() {
        assert_eq!(Birthdate::parse("2010-11-21").unwrap().age_at(NOW), Some(16));
        assert_eq!(Birthdate::parse("2010-11-22").unwrap().age_at(NOW), Some(15));
        assert_eq!(Birthdate::parse("1984-02-29").unwrap().age_at(NOW), Some(42));
        assert_eq!(Birthdate::parse("2030-01-01").unwrap().age_at(NOW), None);
    }

    #[test]
    fn the_calendar_knows_its_edges() {
        assert_eq!(civil_day(UnixTime(0)), Some((1970, 1, 1)));
        assert_eq!(civil_day(UnixTime(951_782_400)), Some((2000, 2, 29)));
        assert_eq!(civil_day(UnixTime(1_795_262_400)), Some((2026, 11, 21)));
        assert_eq!(civil_day(UnixTime(u64::MAX)), None);
    }
}
