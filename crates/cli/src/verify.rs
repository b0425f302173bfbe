//! `healthid verify`: what runs at the other end, and who says so.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use evidence::bundle::{AnswerError, SavedBundle};
use evidence::verdict::{Asked, Overall, Pins, State, Verdict, judge};
use jose::UnixTime;
use relying_party::evidence::{AskError, ask};
use transport::AddressRule;

use crate::clock::now;
use crate::failure;
use crate::trust::Trust;

mod rebuild;

/// Longest file of a saved bundle or of pins, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Judge an identity provider's evidence: hardware, firmware, what runs, who approved it, and that it is for this very connection.
///
/// Prints one line for each, and a verdict in one sentence. Exit code 0 trusted, 1 refused, 2 cannot decide, 3 simulated or development.
///
/// Examples:
///   healthid verify https://localhost:8403
///   healthid verify https://idp.insurer.example --pins pins.json
///   healthid verify https://idp.insurer.example --pins pins.json --save evidence.json
///   healthid verify --bundle evidence.json --pins pins.json --time saved
///   healthid verify https://idp.insurer.example --pins pins.json --rebuild ~/healthid
#[allow(rustdoc::bare_urls, reason = "a terminal shows these lines as they stand")]
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// Whose evidence: any address of the identity provider; its host is asked.
    #[arg(value_name = "URL", required_unless_present = "bundle", conflicts_with = "bundle")]
    url: Option<String>,
    /// A bundle saved with --save, instead of asking anybody.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Whom to believe: manifest set, log, witnesses, namespace. Left out: what a running sandbox writes for its own provider.
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,
    /// Keep the bundle and the session it came over, to be judged again later.
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    save: Option<PathBuf>,
    /// Judge a saved bundle as of this time, seconds since 1970, or `saved` for when the file says it was saved. Left out: now.
    #[arg(long, value_name = "SECONDS|saved", requires = "bundle")]
    time: Option<String>,
    /// Build the release again from this git repository, at the commit and by the recipe the manifest names, and compare: one more
    /// line. Runs that recipe on this machine, for minutes. Exit code 2 where it cannot be built or compared.
    #[arg(long, value_name = "DIR")]
    rebuild: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

/// The verdict's exit code. What keeps a verdict from being reached is said on standard error.
pub(crate) async fn run(options: Options) -> Result<u8> {
    match judged(&options).await {
        Ok(code) => Ok(code),
        Err(error) if failure::is_closed_output(&error) => Err(error),
        Err(error) => {
            // What is no bundle at all is refused; everything else is no answer, which decides nothing.
            let overall = match error.downcast_ref::<AskError>() {
                Some(AskError::Answer(AnswerError::Bundle(_))) => Overall::Refused,
                _ => Overall::Undecided,
            };
            let _ = writeln!(std::io::stderr(), "healthid: {}", failure::told(&error));
            Ok(overall.exit_code())
        }
    }
}

async fn judged(options: &Options) -> Result<u8> {
    let believed = options.trust.decide().await?;
    let pins = match (&options.pins, &believed.sandbox) {
        (Some(path), _) => path.clone(),
        (None, Some(sandbox)) => sandbox.evidence_pins.clone(),
        (None, None) => bail!("--pins: expected a file, for no sandbox runs here"),
    };
    let pins = Pins::parse(&read(&pins)?).with_context(|| pins.display().to_string())?;
    let (bundle, asked, time) = match (&options.url, &options.bundle) {
        (Some(url), None) => {
            let names = believed.sandbox.map(|description| description.host_names);
            // The person at the keyboard chose the address.
            let rule = AddressRule::Unrestricted;
            let answer = ask(url, &believed.roots, rule, &names.unwrap_or_default()).await?;
            let now = now();
            if let Some(path) = &options.save {
                let saved = SavedBundle {
                    bundle: answer.bundle.clone(),
                    fetched_at: now,
                    session: Some(answer.session.into()),
                };
                std::fs::write(path, saved.encode()).with_context(|| path.display().to_string())?;
            }
            (answer.bundle, Asked::Here(answer.session), now)
        }
        (None, Some(path)) => {
            let saved = SavedBundle::parse(&read(path)?)
                .map_err(AnswerError::Bundle)
                .map_err(AskError::Answer)
                .with_context(|| path.display().to_string())?;
            let time = match options.time.as_deref() {
                None => now(),
                Some("saved") => saved.fetched_at,
                Some(seconds) => UnixTime(
                    seconds
                        .parse()
                        .with_context(|| format!("--time {seconds}: expected seconds since 1970, or `saved`"))?,
                ),
            };
            let asked = saved
                .session
                .map_or(Asked::Somehow, |session| Asked::Recorded(session.into()));
            (saved.bundle, asked, time)
        }
        // clap asks for exactly one of the two.
        _ => bail!("expected an address or --bundle"),
    };
    let mut verdict = judge(&bundle, &asked, &pins, time);
    if let Some(repository) = &options.rebuild {
        verdict = rebuilt(verdict, repository.clone()).await?;
    }
    writeln!(std::io::stdout(), "{verdict}").context("standard output")?;
    Ok(verdict.exit_code())
}

async fn rebuilt(verdict: Verdict, repository: PathBuf) -> Result<Verdict> {
    // What is refused anyway is not worth running somebody's recipe for.
    let release = verdict.release().filter(|_| verdict.overall() != Overall::Refused);
    let Some(release) = release.cloned() else {
        return Ok(verdict.with_rebuilt(State::Unknown("not tried, because of what stands above".to_owned())));
    };
    let state = tokio::task::spawn_blocking(move || rebuild::rebuild(&release, &repository)).await?;
    Ok(verdict.with_rebuilt(state))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let name = || path.display().to_string();
    let length = std::fs::metadata(path).with_context(name)?.len();
    if length > MAX_FILE_BYTES {
        bail!("{}: longer than {MAX_FILE_BYTES} bytes", path.display());
    }
    std::fs::read(path).with_context(name)
}
