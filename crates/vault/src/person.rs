//! What is known about a person.

use std::fmt;

use authenticator::{Ik, Kvnr};
use store::{Condition, Key, Row, TenantId, Write};
use zeroize::Zeroize;

use crate::error::PersonDataError;

/// Most bytes of a given or family name (UTF-8).
pub const MAX_NAME_BYTES: usize = 240;
/// Most bytes of the full display name (UTF-8).
pub const MAX_DISPLAY_NAME_BYTES: usize = 480;
/// Most bytes of a mail address (RFC 5321 §4.5.3.1.3 less the angle brackets).
pub const MAX_EMAIL_BYTES: usize = 254;
/// Most bytes of a date of birth.
pub const MAX_BIRTHDATE_BYTES: usize = 10;
/// Most bytes of the sex.
pub(crate) const MAX_SEX_BYTES: usize = 1;

/// Handle of a person inside one tenant: 16 random bytes, never derived from anything about her.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId([u8; 16]);

impl PersonId {
    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where her record stands.
    #[must_use]
    pub fn identity_key(&self, tenant: TenantId) -> Key {
        Key::identity(tenant, &self.0)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonId")
    }
}

/// Everything an insurer tells about a person, in clear, on its way into the vault. An empty text is "unknown". Wiped when
/// dropped; has no serde, and its `Debug` prints the type only.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonData {
    /// Health insurance number.
    pub kvnr: Kvnr,
    /// Insurer.
    pub ik: Ik,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Full name with title and affixes.
    pub display_name: String,
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; `00` stands for an unknown month or day.
    pub birthdate: String,
    /// `M`, `W`, `X` or `D`.
    pub sex: String,
    /// Mail address.
    pub email: String,
    /// Last day on which her health card is good, `YYYY-MM-DD` (RFC 3339 `full-date`).
    pub card_valid_until: String,
}

impl PersonData {
    /// Checks every member against its limits.
    ///
    /// # Errors
    /// The first member that breaks a rule.
    pub fn check(&self) -> Result<(), PersonDataError> {
        let texts = [
            ("given_name", &self.given_name, MAX_NAME_BYTES),
            ("family_name", &self.family_name, MAX_NAME_BYTES),
            ("display_name", &self.display_name, MAX_DISPLAY_NAME_BYTES),
            ("birthdate", &self.birthdate, MAX_BIRTHDATE_BYTES),
            ("sex", &self.sex, MAX_SEX_BYTES),
            ("email", &self.email, MAX_EMAIL_BYTES),
        ];
        for (member, text, limit) in texts {
            if text.len() > limit {
                return Err(PersonDataError::TooLong { member, limit });
            }
            if text.chars().any(char::is_control) {
                return Err(PersonDataError::ControlCharacter { member });
            }
        }
        if !is_birthdate(&self.birthdate) {
            return Err(PersonDataError::Birthdate);
        }
        if !matches!(self.sex.as_str(), "" | "M" | "W" | "X" | "D") {
            return Err(PersonDataError::Sex);
        }
        if !self.card_valid_until.is_empty() && full_date(&self.card_valid_until).is_none() {
            return Err(PersonDataError::CardValidUntil);
        }
        Ok(())
    }
}

impl Drop for PersonData {
    fn drop(&mut self) {
        // The number wipes itself; the institution code is public.
        self.given_name.zeroize();
        self.family_name.zeroize();
        self.display_name.zeroize();
        self.birthdate.zeroize();
        self.sex.zeroize();
        self.email.zeroize();
        self.card_valid_until.zeroize();
    }
}

impl fmt::Debug for PersonData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonData")
    }
}

/// Form and range only: whether the day exists in that month is the insurer's business.
fn is_birthdate(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let mut parts = text.split('-');
    let part = |part: Option<&str>, digits: usize, greatest: u16| match part {
        None => Some(0),
        Some(part) if part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()) => {
            part.parse::<u16>().ok().filter(|number| *number <= greatest)
        }
        Some(_) => None,
    };
    let (year, month, day) = (
        part(parts.next(), 4, 9_999),
        part(parts.next(), 2, 12),
        part(parts.next(), 2, 31),
    );
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return false;
    };
    parts.next().is_none() && year > 0 && (month > 0 || day == 0)
}

/// Year, month and day of `YYYY-MM-DD`, a day that exists (RFC 3339 §5.6 `full-date`, from the year 1 on).
pub(crate) fn full_date(text: &str) -> Option<(u16, u8, u8)> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u16, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(&[a, b, c, d])?, number(&[e, f])?, number(&[g, h])?);
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u16::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || !(1..=days).contains(&day) {
        return None;
    }
    Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

/// A person's data inside her scope. The lifetime ties it to that scope: it cannot leave it.
pub struct PersonClaims<'p> {
    pub(crate) data: PersonData,
    pub(crate) _scope: crate::scope::Brand<'p>,
}

impl PersonClaims<'_> {
    /// Health insurance number.
    #[must_use]
    pub fn kvnr(&self) -> &Kvnr {
        &self.data.kvnr
    }

    /// Insurer.
    #[must_use]
    pub fn ik(&self) -> &Ik {
        &self.data.ik
    }

    /// Given name, empty if unknown.
    #[must_use]
    pub fn given_name(&self) -> &str {
        &self.data.given_name
    }

    /// Family name, empty if unknown.
    #[must_use]
    pub fn family_name(&self) -> &str {
        &self.data.family_name
    }

    /// Full name, empty if unknown.
    #[must_use]
    pub fn display_name(&self) -> &str {
        &self.data.display_name
    }

    /// Date of birth, perhaps partial, empty if unknown.
    #[must_use]
    pub fn birthdate(&self) -> &str {
        &self.data.birthdate
    }

    /// `M`, `W`, `X` or `D`, empty if unknown.
    #[must_use]
    pub fn sex(&self) -> &str {
        &self.data.sex
    }

    /// Mail address, empty if unknown.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.data.email
    }

    /// Last day on which her health card is good, `YYYY-MM-DD`, empty if unknown.
    #[must_use]
    pub fn card_valid_until(&self) -> &str {
        &self.data.card_valid_until
    }
}

/// A person ready to be stored: give all conditions and writes to one commit.
#[derive(Debug)]
pub struct NewPerson {
    /// Her handle.
    pub id: PersonId,
    /// Nobody has this number yet, and the handle is free.
    pub conditions: Vec<Condition>,
    /// Her record, and the way from her number's index to it.
    pub writes: Vec<Write>,
}

impl NewPerson {
    /// Her record as it will be read back after the commit, so that a scope can be opened before or with it.
    #[must_use]
    pub fn identity_row(&self) -> Option<Row> {
        self.writes.iter().find_map(|write| match write {
            Write::Put {
                key,
                sealed,
                expires_at,
            } if key.kind() == store::Kind::Identity => Some(Row {
                version: 1,
                sealed: sealed.clone(),
                expires_at: *expires_at,
            }),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_date_is_a_day_that_exists() {
        assert_eq!(full_date("2028-02-29"), Some((2028, 2, 29)));
        assert_eq!(full_date("0001-01-01"), Some((1, 1, 1)));
        assert_eq!(full_date("9999-12-31"), Some((9999, 12, 31)));
        assert_eq!(full_date("2000-02-29"), Some((2000, 2, 29)));
        for bad in [
            "",
            "2028",
            "2028-02",
            "2028-02-00",
            "2028-00-01",
            "2028-13-01",
            "2028-02-30",
            "2027-02-29",
            "2100-02-29",
            "2028-04-31",
            "2028-12-32",
            "0000-01-01",
            "2028-2-29",
            "28-02-29",
            "2028/02/29",
            "29.02.2028",
            "20280229",
            "2028-02-29Z",
            "2028-02-29T00:00:00Z",
            " 2028-02-29",
            "+028-02-29",
            "2028-0\u{662}-29",
        ] {
            assert_eq!(full_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn birthdates_may_be_partial_and_nothing_else() {
        for good in [
            "",
            "1950",
            "1950-07",
            "1950-07-23",
            "1950-00-00",
            "1950-07-00",
            "2024-02-29",
        ] {
            assert!(is_birthdate(good), "{good}");
        }
        for bad in [
            "50",
            "0000",
            "1950-",
            "1950-7",
            "1950-13",
            "1950-00-12",
            "1950-01-32",
            "1950-01-01-01",
            "195O",
            "+950",
            " 1950",
        ] {
            assert!(!is_birthdate(bad), "{bad}");
        }
    }
}
