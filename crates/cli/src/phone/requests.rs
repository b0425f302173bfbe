//! `healthid phone requests`: logins that a browser sent to this phone.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use sandbox::headless::{Decision, Headless, Means, Reply};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wallet::phone::{AbortWhy, BoundDevice, WaitingRequest};

use super::advice::advised;
use super::elsewhere::{self, Elsewhere};
use super::{bound_at, check_provider};
use crate::person::{Decides, read_device, write_device};
use crate::running::Which;

/// See which logins wait for this phone, and answer one of them.
///
/// A login comes here from a browser in which an earlier one was approved with this phone and its page was ticked to send the next one here. Prints what
/// waits as JSON, the oldest first; with --answer, what became of that one.
///
/// Examples:
///   healthid phone requests --device lena-phone.json
///   healthid phone requests --device lena-phone.json --answer 3f2a91bc --number 47
///   healthid phone requests --device lena-phone.json --answer 3f2a91bc --abort not-me
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Requests {
    #[command(flatten)]
    which: Which,
    /// The phone: the file `healthid phone bind` wrote.
    #[arg(long, value_name = "FILE")]
    device: PathBuf,
    /// Answer this one: its `request` in the list.
    #[arg(long, value_name = "REQUEST")]
    answer: Option<String>,
    /// Approve it: the two digits that the asking page shows. A wrong number ends the login.
    #[arg(long, value_name = "DIGITS", requires = "answer")]
    number: Option<String>,
    #[command(flatten)]
    decides: Decides,
    /// End it on both devices.
    #[arg(long, value_name = "WHY", requires = "answer", conflicts_with_all = ["number", "decline"])]
    abort: Option<Why>,
}

/// Why a login is ended for everybody.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Why {
    /// She did not begin it; that browser sends nothing any more.
    NotMe,
    /// Somebody is on the phone with her, and tells her what to do.
    PhoneCall,
}

impl Requests {
    /// Which request, and what is said to it; `None` where they are only listed.
    fn reply(&self) -> Result<Option<(String, Reply)>> {
        let Some(request) = self.answer.clone() else {
            if self.decides.decision() != Decision::ApproveAll {
                bail!("--answer: expected which request is answered");
            }
            return Ok(None);
        };
        let reply = match self.abort {
            Some(Why::NotMe) => Reply::Abort(AbortWhy::NotMe),
            Some(Why::PhoneCall) => Reply::Abort(AbortWhy::PhoneCall),
            None => elsewhere::reply(self.decides.decision(), self.number.as_deref())?,
        };
        Ok(Some((request, reply)))
    }
}

pub(super) async fn run(options: Requests) -> Result<()> {
    let reply = options.reply()?;
    let mut device = read_device(&options.device)?;
    let place = options.which.enter(Default::default()).await?;
    let said = look(&place.headless, &mut device, reply).await;
    // Counter and ticket, whatever came of it.
    write_device(&options.device, &device)?;
    place.leave().await;
    writeln!(std::io::stdout(), "{}", said?).context("standard output")
}

async fn look(headless: &Headless, device: &mut BoundDevice, reply: Option<(String, Reply)>) -> Result<String> {
    let insurer = bound_at(headless, device)?;
    check_provider(headless, insurer).await?;
    let phone = headless.phone(insurer);
    let waiting = phone.requests(device, headless.now()).await.map_err(advised)?;
    let Some((wanted, reply)) = reply else {
        return Ok(serde_json::to_string_pretty(&list(&waiting))?);
    };
    let Some(request) = waiting.iter().find(|request| id(request) == wanted) else {
        bail!(
            "--answer {wanted}: expected one of the {} that wait; list them without --answer. A request waits for five minutes, and not after it was answered",
            waiting.len()
        );
    };
    let elsewhere = Elsewhere {
        client_id: request.client_id.clone(),
        login: request.login.clone(),
    };
    elsewhere.answer(headless, insurer, Means::Device(device), &reply).await
}

/// A name that stays the same while others come and go: whoever answers by it answers what he has seen.
fn id(request: &WaitingRequest) -> String {
    let digest = Sha256::digest(&request.login);
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list(waiting: &[WaitingRequest]) -> serde_json::Value {
    let entries = waiting.iter().map(|request| {
        json!({
            "request": id(request),
            "client_id": request.client_id,
            "service": request.service.as_ref().map(|service| &service.name),
            "asked_at": request.asked_at,
        })
    });
    json!({ "requests": entries.collect::<Vec<_>>() })
}
