//! The app's PIN, driven: [`PinTry`] with its one request.

use super::approval::send;
use super::{RunError, TRIES, Transport};
use crate::flow::{FlowError, Login, PinSecret, PinTry, Want};

/// Sets the PIN of a device, the first one or a new one, in a login that her card answered just now. `random` fills bytes with randomness.
/// What was wrapped before is lost. Gives what it unlocks, and the tries left.
///
/// A lost answer is asked for again: the second one is of the same PIN and a newer share, which is the one that holds.
///
/// # Errors
/// [`RunError`].
pub async fn set_pin(
    transport: &impl Transport,
    login: &Login,
    device: &str,
    pin: &str,
    random: impl FnMut(&mut [u8; 32]),
) -> Result<(PinSecret, u64), RunError> {
    let Some(sealed) = login.sealed() else {
        return Err(FlowError::OutOfOrder { told: "pin" }.into());
    };
    let begun = PinTry::set(login.issuer(), login.client_id(), sealed, device, pin, random)?;
    exchange(transport, begun, TRIES).await
}

/// Tries a PIN of a device. Gives what it unlocks if it was the right one, and the tries left.
///
/// A lost answer is not asked for again: it may have cost a try, and the next one costs another.
///
/// # Errors
/// [`RunError`].
pub async fn try_pin(
    transport: &impl Transport,
    issuer: &str,
    device: &str,
    pin: &str,
    random: impl FnMut(&mut [u8; 32]),
) -> Result<(PinSecret, u64), RunError> {
    let begun = PinTry::begin(issuer, device, pin, random)?;
    exchange(transport, begun, 1).await
}

async fn exchange(
    transport: &impl Transport,
    (attempt, want): (PinTry, Want),
    tries: usize,
) -> Result<(PinSecret, u64), RunError> {
    let Want::Send(request) = want else {
        return Err(RunError::Over);
    };
    Ok(attempt.tell(send(transport, &request, tries).await?)?)
}
