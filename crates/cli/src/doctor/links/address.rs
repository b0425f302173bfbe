//! The address that should have opened an app.

use anyhow::{Context as _, Result, bail};
use authenticator::app_links::component;
use url::Url;

use super::finding::Finding;

/// Longest address that is looked at, in characters: a phone opens no longer one either.
const MAX_ADDRESS_CHARACTERS: usize = 8192;

/// An address with a host.
pub(super) struct Address {
    url: Url,
    host: String,
}

impl Address {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_ADDRESS_CHARACTERS {
            bail!("the address is longer than {MAX_ADDRESS_CHARACTERS} characters");
        }
        let url = Url::parse(text).with_context(|| "not an absolute address".to_owned())?;
        let host = url.host_str().context("the address has no host")?.to_owned();
        Ok(Self { url, host })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// What rules look at.
    pub(super) fn parts(&self) -> component::Address<'_> {
        component::Address {
            path: self.url.path(),
            query: self.url.query().unwrap_or_default(),
            fragment: self.url.fragment().unwrap_or_default(),
        }
    }

    /// Where a file of the host lies.
    pub(super) fn at_root(&self, path: &str) -> String {
        format!("{}{path}", self.url.origin().ascii_serialization())
    }

    /// The one value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut values = self.url.query_pairs().filter(|(key, _)| key == name);
        let value = values.next()?.1.into_owned();
        values.next().is_none().then_some(value)
    }

    /// What the address alone tells.
    pub(super) fn findings(&self, whose: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.url.scheme() != "https" {
            findings.push(Finding::defect(
                "address.scheme",
                format!("{whose} begins with https (A_22659, A_22660: verified links only)"),
                format!("{}://", self.url.scheme()),
                "use an https address: any app may claim another scheme, and phones verify none of them",
            ));
        }
        if let Some(port) = self.url.port() {
            findings.push(Finding::defect(
                "address.port",
                format!("{whose} on port 443: phones fetch the files of a host there and nowhere else"),
                format!("port {port}"),
                "serve authorization endpoint and files on port 443",
            ));
        }
        findings
    }
}
