//! What a sandbox may be told.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use transport::AddressRule;

use crate::addresses::{DEFAULT_PORT_BASE, PageScheme};
use crate::cards::ForeignCards;
use crate::error::StartError;

/// What a sandbox may be told. The default needs nothing.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// First of nine ports; 0 takes free ones.
    pub port_base: u16,
    /// Whether pages are plain HTTP on loopback or HTTPS.
    pub pages: PageScheme,
    /// Domain under which everybody has a name; `localhost` for everybody on the same.
    pub domain: String,
    /// Address to listen on.
    pub listen: IpAddr,
    /// Where data is kept; `None` for a directory that goes with the process.
    pub data: Option<PathBuf>,
    /// Further TLS authorities (PEM) believed when statements of foreign services are fetched.
    pub trusted_authorities: Vec<Vec<u8>>,
    /// Which addresses statements are fetched from.
    pub address_rule: AddressRule,
    /// Cards beside the sandbox's own.
    pub foreign_cards: ForeignCards,
    /// Whether the demo services may be entered by single sign-on.
    pub single_sign_on: bool,
    /// Push services that wake phones: each host, with a port where it is not 443, believed under the sandbox's authority and `trusted_authorities`.
    /// Nobody is called where none is named.
    pub push_hosts: Vec<String>,
    /// What this program was built from; `None` for a build nobody wants to repeat.
    pub built_from: Option<BuiltFrom>,
}

/// Where a program comes from, as whoever built it told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFrom {
    /// The source commit: 20 or 32 bytes.
    pub commit: Vec<u8>,
    /// SHA-256 of the build recipe.
    pub recipe: [u8; 32],
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            port_base: DEFAULT_PORT_BASE,
            pages: PageScheme::Http,
            domain: "localhost".to_owned(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            data: None,
            trusted_authorities: Vec::new(),
            address_rule: AddressRule::LoopbackAllowed,
            foreign_cards: ForeignCards::default(),
            single_sign_on: false,
            push_hosts: Vec::new(),
            built_from: None,
        }
    }
}

/// What cannot work together.
pub(super) fn check(options: &SandboxOptions) -> Result<(), StartError> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if options.domain.len() > 200 || !options.domain.split('.').all(is_label) {
        return Err(StartError::Domain);
    }
    if options.pages == PageScheme::Http && options.domain != "localhost" {
        return Err(StartError::DomainNeedsHttps);
    }
    if options.pages == PageScheme::Http && !options.listen.is_loopback() {
        return Err(StartError::ListenNeedsHttps);
    }
    Ok(())
}
