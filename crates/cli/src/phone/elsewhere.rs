//! Answering a login that was begun on another device: the link in its code, or what its browser sent here.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use sandbox::headless::{Decision, Headless, HeadlessError, Means, Reply};
use sandbox::insurers::Insurer;
use wallet::phone::End;

use super::advice::advised;

/// A login that another device shows.
pub(super) struct Elsewhere {
    /// The service's identifier.
    pub(super) client_id: String,
    /// The sealed login.
    pub(super) login: String,
}

impl Elsewhere {
    /// From the link in the code; `None` for any other address.
    pub(super) fn of_link(address: &str) -> Option<Self> {
        let url = url::Url::parse(address).ok()?;
        Some(Self {
            client_id: member(&url, "client_id")?,
            login: member(&url, "login")?,
        })
    }

    /// Answers it, after it was told who asks and from where, as an app shows it.
    pub(super) async fn answer(
        &self,
        headless: &Headless,
        insurer: Insurer,
        means: Means<'_>,
        reply: &Reply,
    ) -> Result<String> {
        let phone = headless.phone(insurer);
        let opened = phone.resume(&self.client_id, &self.login, headless.now()).await;
        let opened = opened.map_err(advised)?;
        let known = |text: &str| if text.is_empty() { "unknown" } else { text }.to_owned();
        let from = opened.other_device().map_or_else(
            || "this device".to_owned(),
            |device| format!("{} on {}", known(&device.browser), known(&device.system)),
        );
        writeln!(std::io::stderr(), "{} asks, from {from}", opened.service().name).context("standard error")?;
        match headless.reply(opened, means, reply).await {
            Ok(End::Done) => Ok(match reply {
                Reply::Approve { .. } => "approved: the asking browser goes on",
                Reply::Decline => "declined: the asking browser goes back without a login",
                Reply::Abort(_) => "ended on both devices",
            }
            .to_owned()),
            Ok(End::GoBack { address }) => Ok(address),
            Err(HeadlessError::Phone(error)) => Err(advised(error)),
            Err(error) => Err(error.into()),
        }
    }
}

/// A member of a link that stands there once, and is not empty.
pub(super) fn member(link: &url::Url, name: &str) -> Option<String> {
    let mut values = link.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    value.filter(|value| !value.is_empty() && values.next().is_none())
}

/// What is said to it: a decision, and the number where there is one.
pub(super) fn reply(decision: Decision, number: Option<&str>) -> Result<Reply> {
    let number = number.map(str::to_owned);
    Ok(match (decision, number) {
        (Decision::Decline, _) => Reply::Decline,
        (Decision::ApproveAll, Some(number)) => Reply::Approve {
            number,
            without: Vec::new(),
        },
        (Decision::ApproveWithout(without), Some(number)) => Reply::Approve { number, without },
        (_, None) => bail!("--number: expected the two digits that the asking page shows, or --decline"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_that_names_one_login_is_one() {
        let link = Elsewhere::of_link("https://idp.example/1/wallet/?issuer=i&client_id=c%20d&login=l");
        assert!(link.is_some_and(|link| (link.client_id.as_str(), link.login.as_str()) == ("c d", "l")));
        for other in [
            "",
            "login",
            "https://idp.example/1/auth?client_id=c&request_uri=u",
            "https://idp.example/1/wallet/?login=l",
            "https://idp.example/1/wallet/?client_id=c&login=",
            "https://idp.example/1/wallet/?client_id=c&login=l&login=m",
        ] {
            assert!(Elsewhere::of_link(other).is_none(), "{other}");
        }
    }

    #[test]
    fn nothing_is_approved_elsewhere_without_a_number() {
        for decision in [Decision::ApproveAll, Decision::ApproveWithout(vec![])] {
            assert!(reply(decision, None).is_err());
        }
        assert!(matches!(reply(Decision::Decline, None), Ok(Reply::Decline)));
    }
}
