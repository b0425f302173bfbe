//! The policyholder's half: what an insurer's app needs to know of the protocol, and cards to play it with.
//!
//! | Need | Take |
//! |---|---|
//! | a card with PIN, in memory or from a PKCS#12 file | [`card::VirtualCard`] |
//! | the protocol, run over an app's network, keys, clock and person | [`run`] |
//! | the protocol itself, for an app of one's own | [`flow`] |
//! | log in with it, bind a device, decide on consent, without a screen | [`phone::Phone`] |
//! | what runs at the identity provider, before anything is signed for it | [`provider_check::ProviderCheck`] |

#[cfg(feature = "headless")]
pub mod card;
pub mod flow;
#[cfg(feature = "headless")]
pub mod phone;
#[cfg(feature = "headless")]
pub mod provider_check;
pub mod run;
