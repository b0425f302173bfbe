//! `[tenant.wallet]`: whether an insurer offers the web wallet, and what it says there.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Origin, Url};

use super::brand::{Brand, BrandError, Colour};

/// Longest text of one member, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// What an insurer says about its web wallet. Without it the wallet is not served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletSettings {
    /// Base of a virtual card terminal that pages of the wallet may call: an http or https URL without trailing slash, query and fragment.
    /// For openly fake people only: whoever serves it sees PINs. Left out: cards are read by the app around the wallet.
    pub card_terminal: Option<String>,
    /// How to reach the insurer's support.
    pub support: Option<Support>,
    /// The insurer's colour, on light pages and on her card. Refused where text in it, or white text on it, is hard to read.
    pub brand: Option<Colour>,
    /// The same on dark pages. Left out: made from `brand`.
    pub brand_dark: Option<Colour>,
}

/// How to reach support; at least one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Support {
    /// A telephone number, as people read it.
    pub phone: Option<String>,
    /// A mail address.
    pub mail: Option<String>,
    /// A page, https.
    pub url: Option<String>,
}

/// Why settings of a wallet cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WalletSettingsError {
    /// Not a place requests can be sent to.
    #[error(
        "wallet.card_terminal: expected an http or https URL without trailing slash, user info, query and fragment"
    )]
    CardTerminal,
    /// Support without any way to reach it, or a text too long.
    #[error("wallet.support: expected phone, mail or url, each of 1 to {MAX_TEXT_BYTES} bytes")]
    Support,
    /// Not a page to open.
    #[error("wallet.support.url: expected an https URL")]
    SupportUrl,
    /// Colours that people cannot read.
    #[error(transparent)]
    Brand(#[from] BrandError),
}

impl WalletSettings {
    /// Checks what reading cannot.
    ///
    /// # Errors
    /// The first defect.
    pub fn check(&self) -> Result<(), WalletSettingsError> {
        if self.card_terminal.is_some() && self.terminal_origin().is_none() {
            return Err(WalletSettingsError::CardTerminal);
        }
        self.colours()?;
        let Some(support) = &self.support else { return Ok(()) };
        let mut ways = [&support.phone, &support.mail, &support.url]
            .into_iter()
            .flatten()
            .peekable();
        if ways.peek().is_none() || ways.any(|text| text.is_empty() || text.len() > MAX_TEXT_BYTES) {
            return Err(WalletSettingsError::Support);
        }
        let is_page = |url: &String| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        match &support.url {
            Some(url) if !is_page(url) => Err(WalletSettingsError::SupportUrl),
            _ => Ok(()),
        }
    }

    /// The insurer's colours, where it names some.
    pub(super) fn colours(&self) -> Result<Option<Brand>, BrandError> {
        Brand::of(self.brand, self.brand_dark)
    }

    /// Origin of the card terminal, as a content security policy names it. ASCII without spaces, quotes, commas and semicolons: it is one
    /// source expression whatever the operator wrote.
    #[must_use]
    pub fn terminal_origin(&self) -> Option<String> {
        let text = self.card_terminal.as_deref()?;
        let url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && text.len() <= MAX_TEXT_BYTES
            && !text.ends_with('/')
            && url.as_str().trim_end_matches('/') == text;
        let is_http = matches!(url.scheme(), "http" | "https");
        match url.origin() {
            origin @ Origin::Tuple(..) if is_plain && is_http => {
                Some(origin.ascii_serialization()).filter(|origin| is_source(origin))
            }
            _ => None,
        }
    }
}

/// The URL standard lets hosts hold characters that mean something in a policy.
fn is_source(origin: &str) -> bool {
    origin
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:/[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn terminal(url: &str) -> WalletSettings {
        WalletSettings {
            card_terminal: Some(url.to_owned()),
            ..WalletSettings::default()
        }
    }

    #[test]
    fn a_terminal_is_named_by_its_origin() {
        for (url, origin) in [
            ("http://localhost:18400", "http://localhost:18400"),
            ("https://terminal.example/a", "https://terminal.example"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(terminal(url).check(), Ok(()), "{url}");
            assert_eq!(terminal(url).terminal_origin().as_deref(), Some(origin));
        }
    }

    #[test]
    fn what_could_widen_the_policy_or_leads_nowhere_is_no_terminal() {
        for url in [
            "",
            "*",
            "https:",
            "https://*.example",
            "https://a.example;script-src",
            "https://a.example; script-src 'unsafe-inline'",
            "https://a.example,b",
            "https://a.example/",
            "https://a.example?x",
            "https://a.example#x",
            "https://user@a.example",
            "ftp://a.example",
            "data:text/plain,x",
            "javascript:alert(1)",
            "localhost:18400",
        ] {
            assert_eq!(terminal(url).check(), Err(WalletSettingsError::CardTerminal), "{url}");
        }
    }

    #[test]
    fn colours_are_read_and_refused_with_what_is_wrong_with_them() {
        let read = |text: &str| toml::from_str::<WalletSettings>(text).map(|settings| settings.check());
        assert_eq!(read("brand = \"#1a6338\""), Ok(Ok(())));
        assert_eq!(read("brand = \"#1a6338\"\nbrand_dark = \"#93d7ad\""), Ok(Ok(())));
        let faint = read("brand = \"#ffcc00\"").unwrap().unwrap_err().to_string();
        assert!(faint.starts_with("wallet.brand: #ffcc00 on "), "{faint}");
        for text in ["brand = \"green\"", "brand = \"#1a6338;}\"", "brand = 5"] {
            assert!(read(text).is_err(), "{text}");
        }
        let said = read("brand = \"green\"").unwrap_err().to_string();
        assert!(said.contains("\"green\" is no colour"), "{said}");
    }

    #[test]
    fn support_that_cannot_be_reached_is_refused() {
        let read = |text: &str| toml::from_str::<WalletSettings>(text).unwrap().check();
        assert_eq!(read("support = { phone = \"0800 000000\" }"), Ok(()));
        assert_eq!(read("support = { url = \"https://insurer.example/help\" }"), Ok(()));
        assert_eq!(read("support = {}"), Err(WalletSettingsError::Support));
        assert_eq!(read("support = { phone = \"\" }"), Err(WalletSettingsError::Support));
        assert_eq!(
            read("support = { url = \"javascript:alert(1)\" }"),
            Err(WalletSettingsError::SupportUrl)
        );
        assert_eq!(
            read("support = { url = \"http://insurer.example\" }"),
            Err(WalletSettingsError::SupportUrl)
        );
        assert!(toml::from_str::<WalletSettings>("terminal = \"https://a.example\"").is_err());
    }
}
