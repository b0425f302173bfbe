//! `healthid certificate`: a TLS server certificate of the sandbox's authority, for a service of one's own.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use sandbox::certificates::issue_server_certificate;

use crate::running::describe;

/// Issue a TLS server certificate with the sandbox's authority, so that everybody in the sandbox believes your service.
///
/// Example: healthid certificate --name localhost --out .
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Portal of a running sandbox, or its data directory.
    #[arg(long, value_name = "URL|DIR", default_value = crate::running::PORTAL)]
    at: String,
    /// DNS name of your service; several are fine. The authority may speak for localhost and the sandbox's --domain only.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    name: Vec<String>,
    /// Directory for server.pem (certificate) and server.key (private key).
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let description = describe(&options.at).await?;
    let names: Vec<&str> = options.name.iter().map(String::as_str).collect();
    let loopback = [IpAddr::from([127, 0, 0, 1])];
    let issued = issue_server_certificate(&description.data, &names, &loopback)?;
    let (certificate, key) = (options.out.join("server.pem"), options.out.join("server.key"));
    std::fs::write(&certificate, issued.certificate_pem).with_context(|| certificate.display().to_string())?;
    write_secret(&key, issued.key_pem.as_bytes())?;
    let (certificate, key) = (certificate.display(), key.display());
    writeln!(
        std::io::stdout(),
        "certificate {certificate}, key {key}, issued by {}",
        description.ca.display()
    )
    .context("standard output")
}

/// Writes a file only its owner reads.
pub(crate) fn write_secret(file: &Path, content: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut opened = options.open(file).with_context(|| file.display().to_string())?;
    opened.write_all(content).with_context(|| file.display().to_string())
}
