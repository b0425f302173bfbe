//! Who logs in, with what, and what she decides: the options `login` and `phone` share.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use sandbox::cards::P12_PASSWORD;
use sandbox::headless::{Decision, Means};
use sandbox::insurers::Insurer;
use sandbox::people::{DEFAULT_PIN, PEOPLE, Person};
use wallet::card::VirtualCard;
use wallet::phone::BoundDevice;

use crate::certificate::write_secret;
use crate::sandbox_command::read;

/// Who logs in.
#[derive(Debug, Clone, Args)]
pub(crate) struct Who {
    /// An invented person, by her word or insurance number: lena, ada, juergen, fiona, maximiliane, kim, hatice, otto, jonas, emma, stefan,
    /// bernd (card blocked), renate (card revoked), walter (card expired), yasmin (card of another insurer). Left out, the first one of the insurer.
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// The PIN she types; left out, the right one.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) pin: Option<String>,
    /// The insurer asked: leuchtturm or kleeblatt. Left out, the person's own.
    #[arg(long, value_name = "INSURER")]
    pub(crate) insurer: Option<String>,
    /// A health card from a PKCS#12 file instead of an invented person's.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["person", "device"])]
    pub(crate) card: Option<PathBuf>,
    /// Password of the card file.
    #[arg(long, value_name = "PASSWORD", default_value = P12_PASSWORD)]
    pub(crate) card_password: String,
    /// Log in with a bound phone instead of the card: the file `healthid phone bind` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) device: Option<PathBuf>,
}

/// What she decides.
#[derive(Debug, Clone, Args)]
pub(crate) struct Decides {
    /// Do not release this voluntary claim or scope. May be repeated.
    #[arg(long, value_name = "CLAIM|SCOPE")]
    refuse: Vec<String>,
    /// Release nothing: decline the login as a whole.
    #[arg(long, conflicts_with = "refuse")]
    decline: bool,
}

impl Decides {
    pub(crate) fn decision(&self) -> Decision {
        match (self.decline, self.refuse.is_empty()) {
            (true, _) => Decision::Decline,
            (false, true) => Decision::ApproveAll,
            (false, false) => Decision::ApproveWithout(self.refuse.clone()),
        }
    }
}

/// Somebody with something in her hand.
pub(crate) enum Holder {
    /// An invented person with her card.
    Person {
        /// Who.
        person: &'static Person,
        /// What she types.
        pin: String,
    },
    /// A card from a file.
    Card {
        /// The card.
        card: Box<VirtualCard>,
        /// What is typed.
        pin: String,
    },
    /// A bound phone.
    Device {
        /// The phone.
        device: Box<BoundDevice>,
        /// Where it is kept.
        file: PathBuf,
    },
}

impl Who {
    pub(crate) fn person(&self) -> Result<&'static Person> {
        let Some(asked) = &self.person else {
            let insurer = match &self.insurer {
                Some(text) => parse_insurer(text)?,
                None => Insurer::Leuchtturm,
            };
            return PEOPLE
                .iter()
                .find(|person| person.insurer == insurer)
                .context("this insurer has no insured person");
        };
        Person::find(asked).with_context(|| {
            let words: Vec<&str> = PEOPLE.iter().map(|person| person.word).collect();
            format!("--person {asked}: expected one of {}", words.join(", "))
        })
    }

    /// The insurer asked.
    pub(crate) fn insurer(&self) -> Result<Insurer> {
        match &self.insurer {
            Some(text) => parse_insurer(text),
            // Foreign cards are known to the first insurer.
            None if self.card.is_some() => Ok(Insurer::Leuchtturm),
            None => Ok(self.person()?.insurer),
        }
    }

    /// What is in her hand.
    pub(crate) fn holder(&self) -> Result<Holder> {
        if let Some(file) = &self.device {
            let device = Box::new(read_device(file)?);
            return Ok(Holder::Device {
                device,
                file: file.clone(),
            });
        }
        if let Some(path) = &self.card {
            let card =
                VirtualCard::load_p12(&read(path)?, &self.card_password).with_context(|| path.display().to_string())?;
            let pin = self.pin.clone().unwrap_or_else(|| DEFAULT_PIN.to_owned());
            return Ok(Holder::Card {
                card: Box::new(card),
                pin,
            });
        }
        let person = self.person()?;
        let pin = self.pin.clone().unwrap_or_else(|| person.pin.to_owned());
        Ok(Holder::Person { person, pin })
    }
}

fn parse_insurer(text: &str) -> Result<Insurer> {
    Insurer::parse(text).with_context(|| format!("--insurer {text}: expected leuchtturm or kleeblatt"))
}

impl Holder {
    /// What is held to the phone.
    pub(crate) fn means(&mut self) -> Means<'_> {
        match self {
            Self::Person { person, pin } => Means::Person { word: person.word, pin },
            Self::Card { card, pin } => Means::Card { card, pin },
            Self::Device { device, .. } => Means::Device(device),
        }
    }

    /// Keeps a phone's counter, whatever came of the login.
    pub(crate) fn keep(&self) -> Result<()> {
        match self {
            Self::Device { device, file } => write_device(file, device),
            Self::Person { .. } | Self::Card { .. } => Ok(()),
        }
    }
}

/// Reads what `write_device` wrote.
pub(crate) fn read_device(file: &Path) -> Result<BoundDevice> {
    let text = String::from_utf8(read(file)?).ok();
    let device = text.and_then(|text| BoundDevice::from_json(&text).ok());
    match device {
        Some(device) => Ok(device),
        None => bail!(
            "{}: not a bound phone; make one with `healthid phone bind --out FILE`",
            file.display()
        ),
    }
}

/// Writes a bound phone where only its owner reads it.
pub(crate) fn write_device(file: &Path, device: &BoundDevice) -> Result<()> {
    write_secret(file, device.to_json().as_bytes())
}
