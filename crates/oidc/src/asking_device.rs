//! The device a login was begun on, as far as the person at another one has to know it: what she compares with the screen in front of her.
//!
//! Browser and system are what the browser says of itself, read into two small closed lists: a hint for an honest person, no evidence. The network is
//! a keyed mark, compared and never shown.

use jose::UnixTime;

use crate::codec::{MalformedState, Reader, Writer};

/// Longest `User-Agent` that is looked at, in bytes; of a longer one, its beginning.
pub const MAX_USER_AGENT_BYTES: usize = 512;

macro_rules! families {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $code:literal $shown:literal [$($sign:literal),*]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $shown, "`")] $variant),+
        }

        impl $name {
            /// Every one, in the order in which they are looked for.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As people call it; empty for one that is not in the list.
            pub const fn shown(self) -> &'static str {
                match self { $(Self::$variant => $shown),+ }
            }

            const fn code(self) -> u8 {
                match self { $(Self::$variant => $code),+ }
            }

            fn of(user_agent: &str) -> Self {
                $(if [$($sign),*].iter().any(|sign: &&str| user_agent.contains(sign)) { return Self::$variant; })+
                Self::Other
            }

            fn from_code(code: u8) -> Result<Self, MalformedState> {
                Self::ALL.iter().copied().find(|one| one.code() == code).ok_or(MalformedState)
            }
        }
    };
}

families! {
    /// A family of browsers. Those that call themselves by another's name too stand before it.
    Browser {
        Edge 1 "Edge" ["Edg/", "EdgA/", "EdgiOS/"],
        Opera 2 "Opera" ["OPR/"],
        Samsung 3 "Samsung Internet" ["SamsungBrowser/"],
        Firefox 4 "Firefox" ["Firefox/", "FxiOS/"],
        Chrome 5 "Chrome" ["Chrome/", "CriOS/"],
        Safari 6 "Safari" ["Safari/"],
        Other 0 "" [],
    }
}

families! {
    /// A system. Android says that it is a Linux, an iPhone that it is like a Mac.
    System {
        Android 1 "Android" ["Android"],
        Iphone 2 "iPhone" ["iPhone"],
        Ipad 3 "iPad" ["iPad"],
        Windows 4 "Windows" ["Windows"],
        Mac 5 "macOS" ["Macintosh"],
        ChromeOs 6 "ChromeOS" ["CrOS"],
        Linux 7 "Linux" ["Linux"],
        Other 0 "" [],
    }
}

/// The device that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskingDevice {
    /// Its browser.
    pub browser: Browser,
    /// Its system.
    pub system: System,
    /// A keyed mark of its network, where networks are told apart.
    pub network: Option<[u8; 8]>,
    /// When its page showed the code that was scanned, or sent the request.
    pub asked_at: UnixTime,
    /// Where it sent the request to the phone itself: by which right.
    pub sent_by: Option<SendingRight>,
}

/// Names a browser's right to send requests to one phone; random. What the person says of a request is held against the right that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendingRight(pub [u8; 8]);

impl AskingDevice {
    /// From what its browser says of itself.
    pub fn new(user_agent: Option<&str>, network: Option<[u8; 8]>, asked_at: UnixTime) -> Self {
        let user_agent = user_agent.unwrap_or_default();
        let user_agent = &user_agent[..user_agent.floor_char_boundary(MAX_USER_AGENT_BYTES)];
        Self {
            browser: Browser::of(user_agent),
            system: System::of(user_agent),
            network,
            asked_at,
            sent_by: None,
        }
    }

    /// Its bytes, for a state of its own.
    pub fn to_bytes(self) -> Vec<u8> {
        self.write(Writer::default(), UnixTime(0)).finish()
    }

    /// Reads what [`Self::to_bytes`] wrote, at the beginning of these bytes, and gives the rest.
    ///
    /// # Errors
    /// [`MalformedState`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), MalformedState> {
        let mut reader = Reader::of(bytes);
        let device = Self::read(&mut reader, UnixTime(0))?;
        Ok((device, reader.rest()))
    }

    pub(crate) fn write(self, writer: Writer, near: UnixTime) -> Writer {
        let writer = writer
            .byte(
                u8::from(self.sent_by.is_some()) << 7
                    | self.browser.code() << 4
                    | self.system.code() << 1
                    | u8::from(self.network.is_some()),
            )
            .time_near(near, self.asked_at);
        let writer = match self.network {
            Some(mark) => writer.bytes(&mark),
            None => writer,
        };
        match self.sent_by {
            Some(SendingRight(right)) => writer.bytes(&right),
            None => writer,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, near: UnixTime) -> Result<Self, MalformedState> {
        let packed = reader.byte()?;
        Ok(Self {
            browser: Browser::from_code(packed >> 4 & 7)?,
            system: System::from_code(packed >> 1 & 7)?,
            asked_at: reader.time_near(near)?,
            network: match packed & 1 {
                0 => None,
                _ => Some(reader.array()?),
            },
            sent_by: match packed >> 7 {
                0 => None,
                _ => Some(SendingRight(reader.array()?)),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(user_agent: &str) -> (&'static str, &'static str) {
        let device = AskingDevice::new(Some(user_agent), None, UnixTime(0));
        (device.browser.shown(), device.system.shown())
    }

    #[test]
    fn browsers_are_called_as_people_call_them() {
        for (user_agent, browser, system) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox",
                "Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge",
                "Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome",
                "Linux",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari",
                "macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                "Chrome",
                "iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Samsung Internet",
                "Android",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 OPR/124.0",
                "Opera",
                "ChromeOS",
            ),
            ("curl/8.14.1", "", ""),
            ("", "", ""),
        ] {
            assert_eq!(seen(user_agent), (browser, system), "{user_agent}");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_name_is_looked_at() {
        let long = format!("{}ä Firefox/1", "x".repeat(MAX_USER_AGENT_BYTES - 1));
        assert_eq!(seen(&long), ("", ""));
    }

    #[test]
    fn every_device_survives_its_bytes_and_no_other_byte_is_one() {
        let near = UnixTime(1_800_000_000);
        for browser in Browser::ALL {
            for system in System::ALL {
                for (network, sent_by) in [
                    (None, None),
                    (Some([9; 8]), None),
                    (None, Some(SendingRight([7; 8]))),
                    (Some([9; 8]), Some(SendingRight([7; 8]))),
                ] {
                    let device = AskingDevice {
                        browser: *browser,
                        system: *system,
                        network,
                        asked_at: UnixTime(near.0 - 20),
                        sent_by,
                    };
                    let bytes = device.write(Writer::new(9), near).finish();
                    let mut reader = Reader::new(9, &bytes).expect("its own kind");
                    assert_eq!(AskingDevice::read(&mut reader, near), Ok(device));
                    assert!(reader.finish().is_ok());
                }
            }
        }
        let device = AskingDevice::new(Some("Firefox/1 Windows"), Some([9; 8]), near);
        let bytes = [&device.to_bytes()[..], b"rest"].concat();
        assert_eq!(AskingDevice::from_bytes(&bytes), Ok((device, &b"rest"[..])));
        for length in 0..device.to_bytes().len() {
            assert_eq!(
                AskingDevice::from_bytes(&bytes[..length]),
                Err(MalformedState),
                "{length}"
            );
        }
        for packed in [7u8, 15].map(|browser| browser << 4) {
            let bytes = [9, packed, 0];
            let mut reader = Reader::new(9, &bytes).expect("its own kind");
            assert_eq!(AskingDevice::read(&mut reader, near), Err(MalformedState));
        }
    }
}
