//! `healthid sandbox`: a whole federation on this machine.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use authenticator::health_card::RevokedCard;
use clap::Args;
use sandbox::addresses::{DEFAULT_PORT_BASE, PageScheme};
use sandbox::cards::{CardFile, ForeignCards, P12_PASSWORD};
use sandbox::{BuiltFrom, Sandbox, SandboxOptions};
use tracing_subscriber::EnvFilter;
use transport::AddressRule;

/// Start a whole GesundheitsID federation on this machine: Federation Master, two insurers, two services, health cards.
///
/// Needs no network and no root. Prints where to click; Ctrl-C ends it.
///
/// Examples:
///   healthid sandbox
///   healthid sandbox --data ~/healthid-sandbox
///   healthid sandbox --https --domain ti.test --port-base 9400
///   healthid sandbox --card card.p12 --card-ca GEM.EGK-CA51_TEST-ONLY.der
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// First of nine ports in a row; 0 takes free ones.
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT_BASE)]
    port_base: u16,
    /// Serve pages over HTTPS too, with the sandbox's own authority (the file is printed).
    #[arg(long)]
    https: bool,
    /// Give everybody a name under this domain: master.DOMAIN, idp.DOMAIN, record.DOMAIN … They must lead to this machine (/etc/hosts).
    #[arg(long, value_name = "DOMAIN", default_value = "localhost", requires_if("*", "https"))]
    domain: String,
    /// Address to listen on. Others than loopback need --https.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Keep data here: keys, registrations, people's devices and consents, tries left on cards.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A further TLS authority to believe when statements of your services are fetched, PEM. May be repeated.
    #[arg(long, value_name = "FILE")]
    trust_ca: Vec<PathBuf>,
    /// Fetch statements from private networks too, not only from this machine and public addresses.
    #[arg(long)]
    any_address: bool,
    /// Let the demo services in by single sign-on for 15 minutes after a login in the same browser.
    #[arg(long)]
    sso: bool,
    /// A push service that wakes phones: its host, with a port where it is not 443. The wallet offers it then. May be repeated.
    #[arg(long, value_name = "HOST")]
    push_host: Vec<String>,
    #[command(flatten)]
    cards: CardOptions,
    /// What is logged to standard error: error, warn, info, debug, or a filter such as provider=debug.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
}

/// Cards beside the sandbox's own.
#[derive(Debug, Clone, Args)]
pub(crate) struct CardOptions {
    /// A health card from a PKCS#12 file, of gematik's test PKI for example. May be repeated.
    #[arg(long = "card", value_name = "FILE")]
    pub(crate) card: Vec<PathBuf>,
    /// Password of the card files.
    #[arg(long, value_name = "PASSWORD", default_value = P12_PASSWORD)]
    pub(crate) card_password: String,
    /// Authority that issued the cards, DER or PEM. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) card_ca: Vec<PathBuf>,
    /// A card to refuse as revoked: common name of its issuer, colon, serial number in hexadecimal. May be repeated.
    #[arg(long, value_name = "ISSUER:SERIAL")]
    pub(crate) revoked_card: Vec<String>,
}

impl CardOptions {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<ForeignCards> {
        let files = self.card.iter().map(|path| {
            Ok(CardFile {
                label: path
                    .file_name()
                    .unwrap_or(path.as_os_str())
                    .to_string_lossy()
                    .into_owned(),
                bytes: read(path)?,
                password: self.card_password.clone(),
            })
        });
        Ok(ForeignCards {
            files: files.collect::<Result<_>>()?,
            authorities: self.card_ca.iter().map(|path| read(path)).collect::<Result<_>>()?,
            revoked: self
                .revoked_card
                .iter()
                .map(|text| revoked(text))
                .collect::<Result<_>>()?,
        })
    }
}

fn revoked(text: &str) -> Result<RevokedCard> {
    let Some((issuer, serial)) = text.rsplit_once(':') else {
        bail!("--revoked-card {text}: expected the issuer's common name, a colon and the serial number");
    };
    Ok(RevokedCard {
        issuer: issuer.to_owned(),
        serial: serial.to_owned(),
    })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// Only to read the defaults of [`Options`] where it is not a command's own.
#[derive(clap::Parser)]
struct Defaults {
    #[command(flatten)]
    options: Options,
}

impl Options {
    /// Everything left out but the first port.
    pub(crate) fn on_ports(port_base: u16) -> Self {
        let Defaults { mut options } = clap::Parser::parse_from(["sandbox"]);
        options.port_base = port_base;
        options
    }

    fn sandbox(&self) -> Result<SandboxOptions> {
        Ok(SandboxOptions {
            port_base: self.port_base,
            pages: if self.https {
                PageScheme::Https
            } else {
                PageScheme::Http
            },
            domain: self.domain.clone(),
            listen: self.listen,
            data: self.data.clone(),
            trusted_authorities: self.trust_ca.iter().map(|path| read(path)).collect::<Result<_>>()?,
            address_rule: if self.any_address {
                AddressRule::Unrestricted
            } else {
                AddressRule::LoopbackAllowed
            },
            foreign_cards: self.cards.read()?,
            single_sign_on: self.sso,
            push_hosts: self.push_host.clone(),
            built_from: built_from(option_env!("HEALTHID_COMMIT"), option_env!("HEALTHID_RECIPE")),
        })
    }
}

/// What `script/release` tells the compiler. It tells no commit where the checkout has changes; other builds are told nothing.
fn built_from(commit: Option<&str>, recipe: Option<&str>) -> Option<BuiltFrom> {
    let commit = bytes(commit?).filter(|commit| matches!(commit.len(), 20 | 32))?;
    let recipe = bytes(recipe?)?.try_into().ok()?;
    Some(BuiltFrom { commit, recipe })
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let (pairs, []) = hexadecimal.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| {
        let text = std::str::from_utf8(pair).ok()?;
        text.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(text)?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.iter().map(byte).collect()
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let filter = EnvFilter::try_new(&options.log).with_context(|| format!("--log {}", options.log))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .compact()
        .init();
    #[expect(clippy::disallowed_methods, reason = "only told, never decided by")]
    let begun = std::time::Instant::now();
    let running = Sandbox::start(options.sandbox()?).await?;
    let words = sandbox::welcome(running.description(), begun.elapsed().as_millis());
    // A sandbox whose words nobody reads (any more) runs all the same.
    let mut output = std::io::stdout();
    let _ = write!(output, "\n{words}\n").and_then(|()| output.flush());
    end().await?;
    tracing::info!(event = "stopping", "finishing requests at work");
    running.stop().await;
    Ok(())
}

/// Ctrl-C, or a polite request of the system to end.
async fn end() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::built_from;

    #[test]
    fn only_a_whole_commit_and_recipe_are_believed() {
        let (commit, recipe) = ("0a".repeat(20), "b1".repeat(32));
        let built = built_from(Some(&commit), Some(&recipe)).unwrap();
        assert_eq!((built.commit, built.recipe), (vec![0x0a; 20], [0xb1; 32]));
        let short = &commit[1..];
        for (commit, recipe) in [
            (None, Some(recipe.as_str())),
            (Some(commit.as_str()), None),
            (Some(short), Some(&recipe)),
            (Some(&commit[2..]), Some(&recipe)),
            (Some(&commit), Some(&commit)),
            (Some(&"+1".repeat(20)), Some(&recipe)),
            (Some(""), Some("")),
        ] {
            assert_eq!(built_from(commit, recipe), None, "{commit:?}");
        }
    }
}
