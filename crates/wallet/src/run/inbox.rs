//! What waits for this device, asked: with the ticket that is kept, or with a look that its key signs.

use authenticator::Reason;

use super::approval::send;
use super::{App, Clock, Keystore, RunError, TRIES, Transport};
use crate::flow::{Found, Look, WaitingRequest, Want};

/// Whether asking may let her unlock the device's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// Where no ticket is kept, or it is too old: she is looking at the app and expects it.
    IfNeeded,
    /// Not at all: the app asks by itself, every few seconds. [`RunError::Locked`] where only the key could ask.
    Never,
}

/// The logins that wait for the device that is bound at this insurer, oldest first; each goes on with
/// [`Approval::resume`](super::Approval::resume). Asking moves nothing, and is asked again where an answer was lost.
///
/// The ticket that comes with a signed look is kept before the logins are given.
///
/// # Errors
/// [`RunError::NoDevice`], [`RunError::Locked`] among others.
pub async fn requests<P>(
    app: &mut App<impl Transport, impl Keystore, impl Clock, P>,
    issuer: &str,
    unlock: Unlock,
) -> Result<Vec<WaitingRequest>, RunError> {
    let issuer = issuer.trim_end_matches('/');
    let kept = app.keystore.load().await?;
    let record = kept
        .filter(|record| record.issuer == issuer)
        .ok_or(RunError::NoDevice)?;
    if let Some(ticket) = app.keystore.ticket().await? {
        match ask(&app.transport, &Look::again(issuer, &ticket)).await {
            // Too old.
            Err(RunError::Flow(error)) if error.reason() == Some(Reason::LoginUnknown) => {}
            answered => return Ok(answered?.requests),
        }
    }
    if unlock == Unlock::Never {
        return Err(RunError::Locked);
    }
    let look = Look::begin(issuer, &record, app.clock.now())?;
    let signature = app.keystore.sign(look.message()).await?;
    let found = ask(&app.transport, &look.signed(&signature)?).await?;
    if let Some(ticket) = &found.ticket {
        app.keystore.keep_ticket(ticket).await?;
    }
    Ok(found.requests)
}

async fn ask(transport: &impl Transport, want: &Want) -> Result<Found, RunError> {
    let Want::Send(request) = want else {
        return Err(RunError::Over);
    };
    Ok(Look::found(send(transport, request, TRIES).await?)?)
}
