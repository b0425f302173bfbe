//! `healthid phone move`: a new phone bound with the old one, each half a command of its own, for the other half is often an app under test.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use sandbox::headless::Headless;
use sandbox::insurers::Insurer;
use wallet::phone::{
    Asking, BindingWish, BoundDevice, Compared, EndWhy, MoveEnd, NewPhone, OfferShown, OldPhone, Shown, StepError,
};

use super::advice::advised;
use super::elsewhere::member;
use super::{bound_at, check_provider};
use crate::person::{read_device, write_device};
use crate::running::Which;

/// How often either phone looks. Apps look every two or three seconds; this one speaks to a sandbox on its own machine.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Move to a new phone with the old one instead of the card: two commands, one for each phone.
///
/// Only for a phone in your own hand: whoever makes you type his number on your phone is bound.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The old phone: prints the link that its code holds, and reads the two digits of the new phone from standard input.
    ///
    /// Instead of the digits: no, not-me, or phone-call. Example: healthid phone move out --device old.json
    Out(Out),
    /// The new phone: takes the offer in the link, prints two digits, and waits until they were typed on the old phone.
    ///
    /// Example: healthid phone move in 'http://localhost:8402/109900019/wallet/?issuer=…&move=…' --out new.json
    In(In),
}

/// The old phone.
#[derive(Debug, Args)]
pub(crate) struct Out {
    #[command(flatten)]
    which: Which,
    /// The phone: the file `healthid phone bind` wrote.
    #[arg(long, value_name = "FILE")]
    device: PathBuf,
}

/// The new phone.
#[derive(Debug, Args)]
pub(crate) struct In {
    /// The link that the old phone shows, with issuer and move.
    link: String,
    #[command(flatten)]
    which: Which,
    /// File to keep the phone's key in.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The person's name for the phone.
    #[arg(long, default_value = "healthid phone")]
    name: String,
    /// Device class of the insurer's policy.
    #[arg(long, default_value = "software")]
    class: String,
}

pub(super) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Out(options) => out(options).await,
        Command::In(options) => into(options).await,
    }
}

async fn out(options: Out) -> Result<()> {
    let mut device = read_device(&options.device)?;
    let place = options.which.enter(Default::default()).await?;
    let ended = vouch(&place.headless, &mut device).await;
    // Its counter, whatever came of it.
    write_device(&options.device, &device)?;
    place.leave().await;
    say(&match ended? {
        MoveEnd::Moved { name, .. } => format!("{name} is bound; this phone is too, until you take it back"),
        MoveEnd::Ended => "ended: nothing is bound".to_owned(),
    })
}

async fn vouch(headless: &Headless, device: &mut BoundDevice) -> Result<MoveEnd> {
    let insurer = bound_at(headless, device)?;
    check_provider(headless, insurer).await?;
    let moved = headless
        .phone(insurer)
        .move_out(device, &mut Terminal::default(), headless.clock())
        .await;
    moved.map_err(advised)
}

async fn into(options: In) -> Result<()> {
    let (issuer, offer) = of_link(&options.link).ok_or_else(|| {
        anyhow!(
            "{}: expected the link that `healthid phone move out` or a wallet shows, with one issuer and one move",
            options.link
        )
    })?;
    let place = options.which.enter(Default::default()).await?;
    let insurer = Insurer::ALL
        .into_iter()
        .find(|insurer| place.headless.description().issuer(*insurer) == issuer)
        .with_context(|| format!("{issuer}: none of this sandbox's insurers"))?;
    check_provider(&place.headless, insurer).await?;
    let wish = BindingWish {
        name: &options.name,
        class: &options.class,
        consent_to_substantial: true,
        hardware: None,
    };
    let phone = place.headless.phone(insurer);
    let bound = phone
        .move_in(&offer, &wish, &mut Terminal::default(), place.headless.clock())
        .await;
    place.leave().await;
    let device = bound.map_err(advised)?;
    write_device(&options.out, &device)?;
    let until = oidc::birthdate::calendar_day(device.valid_until());
    let (name, file) = (device.name(), options.out.display());
    say(&format!("{name} is bound until {until}; kept in {file}"))
}

/// Issuer and offer of the link that an old phone shows.
fn of_link(link: &str) -> Option<(String, String)> {
    let url = url::Url::parse(link).ok()?;
    Some((member(&url, "issuer")?, member(&url, "move")?))
}

/// Standard output for what a script reads, standard error for who sits in front of it. Says everything once.
#[derive(Default)]
struct Terminal {
    said: Option<String>,
}

impl Terminal {
    async fn once(&mut self, line: &str, hint: &str) -> Result<(), StepError> {
        if self.said.as_deref() != Some(line) {
            say(line).and_then(|()| hint_at(hint)).map_err(failed)?;
            self.said = Some(line.to_owned());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        Ok(())
    }
}

impl OldPhone for Terminal {
    async fn show_offer(&mut self, offer: &OfferShown) -> Result<Shown, StepError> {
        let link = offer.link.as_deref().unwrap_or(&offer.offer);
        let hint = "open this link on the new phone, or: healthid phone move in 'LINK' --out FILE";
        self.once(link, hint).await?;
        Ok(Shown::Still)
    }

    async fn compare(&mut self, asking: &Asking, _: u64) -> Result<Compared, StepError> {
        let (name, class) = (&asking.name, &asking.class);
        hint_at(&format!("{name} ({class}) asks to be bound")).map_err(failed)?;
        loop {
            hint_at("type the two digits it shows; or no, not-me, phone-call").map_err(failed)?;
            let typed = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).map(|_| line)
            });
            let line = typed.await.map_err(failed)?.map_err(failed)?;
            if line.is_empty() {
                // Standard input has ended.
                return Err(StepError::Cancelled);
            }
            match line.trim() {
                "no" => return Ok(Compared::End(EndWhy::Declined)),
                "not-me" => return Ok(Compared::End(EndWhy::NotMe)),
                "phone-call" => return Ok(Compared::End(EndWhy::PhoneCall)),
                digits if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                    return Ok(Compared::Number(digits.to_owned()));
                }
                _ => {}
            }
        }
    }
}

impl NewPhone for Terminal {
    async fn show_number(&mut self, number: &str, _: u64) -> Result<(), StepError> {
        self.once(number, "type these two digits on the old phone").await
    }
}

fn failed(error: impl std::fmt::Display) -> StepError {
    StepError::Failed(error.to_string())
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}

fn hint_at(line: &str) -> Result<()> {
    writeln!(std::io::stderr(), "{line}").context("standard error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_with_one_issuer_and_one_offer_is_an_old_phones() {
        let link = of_link("https://idp.example/1/wallet/?issuer=https%3A%2F%2Fidp.example%2F1&move=o");
        assert_eq!(link, Some(("https://idp.example/1".to_owned(), "o".to_owned())));
        for other in [
            "",
            "o",
            "https://idp.example/1/wallet/?issuer=i",
            "https://idp.example/1/wallet/?issuer=i&move=",
            "https://idp.example/1/wallet/?issuer=i&move=a&move=b",
            "https://idp.example/1/wallet/?issuer=i&client_id=c&login=l",
        ] {
            assert_eq!(of_link(other), None, "{other}");
        }
    }
}
