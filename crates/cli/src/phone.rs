//! `healthid phone`: a policyholder's phone without a screen.

mod advice;
mod elsewhere;
mod moving;
mod requests;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use sandbox::headless::{Headless, HeadlessError};
use sandbox::insurers::Insurer;
use wallet::phone::{AnsweredLogin, BindingWish, BoundDevice, TakeBack};

use self::elsewhere::Elsewhere;
use crate::certificate::write_secret;
use crate::person::{Decides, Holder, Who, write_device};
use crate::running::Which;

/// Play an insured person's phone: answer logins, bind a device, look after the account.
///
/// Before anything is signed, the phone judges what runs at the identity provider, and says it on standard error; it stops where that is refused.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer a login: opens the address your service sent the person to, prints the address she goes back to.
    ///
    /// Or the link in the code that another device shows, with --number: then that one goes on.
    ///
    /// Example: healthid phone open 'http://localhost:8402/109900019/auth?client_id=…&request_uri=…' --person ada
    Open(Open),
    /// Bind this phone to a person by a card login, so that later logins need no card for a while.
    ///
    /// Example: healthid phone bind --person lena --out lena-phone.json
    Bind(Bind),
    Requests(requests::Requests),
    #[command(subcommand)]
    Move(moving::Command),
    /// Write a person's virtual health card as PEM, key and certificate, for software of yours that plays the card itself.
    ///
    /// Openly fake: whoever has the file needs no PIN. Example: healthid phone card --person lena --out lena-card.pem
    Card(Card),
    /// Show what stands in the person's account: remembered consents and bound devices, as JSON.
    Account(Account),
    /// Take a bound device or a remembered consent back, by the id that `account` shows.
    Revoke(Revoke),
}

/// Answer a login.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// The authorization address, with client_id and request_uri; or the link of another device's code, with client_id and login.
    address: String,
    /// The two digits that the other device's page shows. A wrong number ends the login.
    #[arg(long, value_name = "DIGITS")]
    number: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    decides: Decides,
}

/// Bind this phone.
#[derive(Debug, Args)]
pub(crate) struct Bind {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    who: Who,
    /// File to keep the phone's key in.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The person's name for the phone.
    #[arg(long, default_value = "healthid phone")]
    name: String,
    /// Device class: secure-element (high), hardware-keystore or software (substantial). Left out, what the person's phone can do.
    #[arg(long)]
    class: Option<String>,
}

/// Write a card.
#[derive(Debug, Args)]
pub(crate) struct Card {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    who: Who,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Show the account.
#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    who: Who,
}

/// Take something back.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    who: Who,
    /// Record of a bound device.
    #[arg(
        long = "bound-device",
        value_name = "ID",
        required_unless_present = "consent",
        conflicts_with = "consent"
    )]
    bound_device: Option<String>,
    /// Record of a remembered consent.
    #[arg(long, value_name = "ID")]
    consent: Option<String>,
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Open(options) => open(options).await,
        Command::Bind(options) => bind(options).await,
        Command::Requests(options) => requests::run(options).await,
        Command::Move(command) => moving::run(command).await,
        Command::Card(options) => card(options).await,
        Command::Account(options) => account(options).await,
        Command::Revoke(options) => revoke(options).await,
    }
}

async fn open(options: Open) -> Result<()> {
    let mut holder = options.who.holder()?;
    let decision = options.decides.decision();
    let elsewhere = match Elsewhere::of_link(&options.address) {
        Some(elsewhere) => Some((
            elsewhere,
            elsewhere::reply(decision.clone(), options.number.as_deref())?,
        )),
        None => None,
    };
    let place = options.which.enter(Default::default()).await?;
    let insurer = insurer_of(&place.headless, &options)?;
    check_provider(&place.headless, insurer).await?;
    let outcome = match elsewhere {
        Some((elsewhere, reply)) => elsewhere.answer(&place.headless, insurer, holder.means(), &reply).await,
        None => {
            let answered = place
                .headless
                .answer(insurer, &options.address, holder.means(), &decision)
                .await;
            answered.map_err(Into::into)
        }
    };
    holder.keep()?;
    place.leave().await;
    writeln!(std::io::stdout(), "{}", outcome?).context("standard output")
}

/// The insurer whose address it is; else the one named, or the person's.
fn insurer_of(headless: &Headless, options: &Open) -> Result<Insurer> {
    let entry = headless.description().insurers.iter().find(|entry| {
        [&entry.issuer, &entry.pages]
            .into_iter()
            .any(|base| options.address.starts_with(&format!("{base}/")))
    });
    match entry.and_then(|entry| Insurer::parse(&entry.word)) {
        Some(insurer) => Ok(insurer),
        None => options.who.insurer(),
    }
}

/// The insurer where a phone is bound.
fn bound_at(headless: &Headless, device: &BoundDevice) -> Result<Insurer> {
    let mut insurers = Insurer::ALL.into_iter();
    insurers
        .find(|insurer| headless.description().issuer(*insurer) == device.issuer())
        .with_context(|| {
            format!(
                "this phone is bound at {}, which is none of this sandbox's insurers; bind one here with `healthid phone bind --out FILE`",
                device.issuer()
            )
        })
}

async fn bind(options: Bind) -> Result<()> {
    let person = options.who.person()?;
    let Holder::Person { pin, .. } = options.who.holder()? else {
        bail!("binding needs a person's own card: use --person");
    };
    let place = options.which.enter(Default::default()).await?;
    let wish = BindingWish {
        name: &options.name,
        class: options.class.as_deref().unwrap_or(person.device_class),
        consent_to_substantial: true,
        hardware: None,
    };
    let insurer = options.who.insurer()?;
    check_provider(&place.headless, insurer).await?;
    let bound = place.headless.bind(insurer, person.word, &pin, &wish).await;
    place.leave().await;
    let device = bound?;
    write_device(&options.out, &device)?;
    let until = oidc::birthdate::calendar_day(device.valid_until());
    let file = options.out.display();
    writeln!(
        std::io::stdout(),
        "{} is bound until {until}; kept in {file}",
        person.display_name
    )
    .context("standard output")
}

async fn card(options: Card) -> Result<()> {
    let person = options.who.person()?;
    let place = options.which.enter(Default::default()).await?;
    let card = place.headless.cards().card(person.word);
    place.leave().await;
    write_secret(&options.out, card?.to_pem()?.as_bytes())?;
    let file = options.out.display();
    writeln!(std::io::stdout(), "the card of {} is in {file}", person.display_name).context("standard output")
}

async fn account(options: Account) -> Result<()> {
    let place = options.which.enter(Default::default()).await?;
    let account = in_account(&place.headless, &options.who, async |answered| {
        Ok(answered.account().await?)
    })
    .await;
    place.leave().await;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&account?)?).context("standard output")
}

async fn revoke(options: Revoke) -> Result<()> {
    let place = options.which.enter(Default::default()).await?;
    let what = match (&options.bound_device, &options.consent) {
        (Some(id), _) => TakeBack::Device(id),
        (None, Some(id)) => TakeBack::Consent(id),
        (None, None) => bail!("--bound-device or --consent is needed"),
    };
    let done = in_account(&place.headless, &options.who, async |answered| {
        Ok(answered.take_back(what).await?)
    })
    .await;
    place.leave().await;
    done?;
    writeln!(std::io::stdout(), "taken back").context("standard output")
}

/// Logs in to the account and does something there.
async fn in_account<T>(
    headless: &Headless,
    who: &Who,
    act: impl AsyncFnOnce(&AnsweredLogin<'_>) -> Result<T, HeadlessError>,
) -> Result<T> {
    let mut holder = who.holder()?;
    check_provider(headless, who.insurer()?).await?;
    let phone = headless.phone(who.insurer()?);
    let opened = phone.open_account(headless.now()).await?;
    let answered = match &mut holder {
        Holder::Person { person, pin } => {
            let mut card = headless.cards().verify_pin(person.word, pin)?;
            opened.answer_with_card(&card.verify_pin(pin)?).await
        }
        Holder::Card { card, pin } => opened.answer_with_card(&card.verify_pin(pin)?).await,
        Holder::Device { device, .. } => opened.answer_with_device(device, headless.now()).await,
    };
    holder.keep()?;
    Ok(act(&answered?).await?)
}

/// As an app shows it before its person signs anything. `healthid verify` shows the lines behind the sentence.
async fn check_provider(headless: &Headless, insurer: Insurer) -> Result<()> {
    let verdict = headless.check_provider(insurer).await?;
    writeln!(std::io::stderr(), "identity provider: {}", verdict.sentence()).context("standard error")
}
