//! More time for a person (WCAG 2.2.1): the same login with a later end, as long as it is hers to ask for.
//!
//! Nothing is stored: the answer is the login sealed again, with the same identifier, and the one before stays good until its own end. So
//! whoever extends has to look first whether the login is over ([`crate::login_state::LoginId`] is claimed, or another device has decided):
//! from then on no copy lives longer than a step's lifetime, and a claim outlives that.
//!
//! Trusted for: a login is extended in the browser that began it, [`MAX_EXTENSIONS`] times in each step, and never from a picture of its code.

use jose::UnixTime;

use crate::{
    authorization::{AuthorizationError, check_authenticated, check_pending},
    login_state::{
        AUTHENTICATED_LIFETIME_SECONDS, AuthenticatedLogin, BrowserTag, MAX_EXTENSIONS, PENDING_LIFETIME_SECONDS,
        PendingLogin,
    },
};

/// Whether a person may still be given more time in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extendable {
    /// She may.
    Yes,
    /// Not by whoever asks here, or not any more.
    No,
}

impl Extendable {
    /// Whether [`extend_pending`] would do it.
    pub fn pending(client_id: &str, pending: &PendingLogin, browser: Option<BrowserTag>, now: UnixTime) -> Self {
        Self::of(extend_pending(client_id, pending.clone(), browser, now).is_ok())
    }

    /// Whether [`extend_authenticated`] would do it.
    pub fn authenticated(
        client_id: &str,
        login: &AuthenticatedLogin,
        browser: Option<BrowserTag>,
        now: UnixTime,
    ) -> Self {
        Self::of(extend_authenticated(client_id, login.clone(), browser, now).is_ok())
    }

    const fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// As a word for pages and apps.
    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// A login whose person has not authenticated yet, with a later end.
///
/// # Errors
/// [`AuthorizationError`]: expired, another client's or browser's, scanned and not opened, or extended [`MAX_EXTENSIONS`] times.
pub fn extend_pending(
    client_id: &str,
    pending: PendingLogin,
    browser: Option<BrowserTag>,
    now: UnixTime,
) -> Result<PendingLogin, AuthorizationError> {
    check_pending(client_id, &pending, now)?;
    if pending.browser.is_some() && pending.browser != browser {
        return Err(AuthorizationError::OtherBrowser);
    }
    if pending.asking.is_some() && pending.challenge_digest.is_none() {
        return Err(AuthorizationError::NotOpened);
    }
    Ok(PendingLogin {
        extended: once_more(pending.extended)?,
        expires_at: now.plus_seconds(PENDING_LIFETIME_SECONDS),
        ..pending
    })
}

/// A login whose person decides, with a later end. When she authenticated stays as it was.
///
/// # Errors
/// [`AuthorizationError`]: expired, another client's or browser's, or extended [`MAX_EXTENSIONS`] times.
pub fn extend_authenticated(
    client_id: &str,
    login: AuthenticatedLogin,
    browser: Option<BrowserTag>,
    now: UnixTime,
) -> Result<AuthenticatedLogin, AuthorizationError> {
    check_authenticated(client_id, &login, browser, now)?;
    Ok(AuthenticatedLogin {
        extended: once_more(login.extended)?,
        expires_at: now.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
        ..login
    })
}

const fn once_more(extended: u8) -> Result<u8, AuthorizationError> {
    if extended < MAX_EXTENSIONS {
        Ok(extended + 1)
    } else {
        Err(AuthorizationError::ExtendedEnough)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use authenticator::{
        Acr, IdTokenVersion, Method,
        policy::{Performed, Session},
    };

    use super::*;
    use crate::{
        asking_device::AskingDevice,
        claims_request::AmrSet,
        client::{ClientTag, RedirectTag},
        login_state::{LoginId, LoginRequest},
        prompt::Prompts,
        scope::ClaimSet,
    };

    const CLIENT: &str = "https://service.example";
    const NOW: UnixTime = UnixTime(1_800_000_000);
    const HERS: Option<BrowserTag> = Some(BrowserTag([1; 8]));
    const ANOTHER: Option<BrowserTag> = Some(BrowserTag([2; 8]));

    fn request() -> LoginRequest {
        LoginRequest {
            login_id: LoginId([7; 16]),
            client: ClientTag::of(CLIENT),
            redirect: RedirectTag::of("https://service.example/return"),
            code_challenge: [4; 32],
            nonce: "nonce".into(),
            state: "state".into(),
            essential: ClaimSet::EMPTY,
            voluntary: ClaimSet::all(),
            acr: Acr::High,
            essential_acr: None,
            essential_amr: AmrSet::default(),
            prompts: Prompts::default(),
            max_age: None,
            version: IdTokenVersion::V2,
        }
    }

    fn pending() -> PendingLogin {
        PendingLogin {
            request: request(),
            browser: HERS,
            challenge_digest: None,
            asking: None,
            extended: 0,
            expires_at: NOW.plus_seconds(PENDING_LIFETIME_SECONDS),
        }
    }

    fn authenticated() -> AuthenticatedLogin {
        AuthenticatedLogin {
            request: request(),
            browser: HERS,
            performed: Performed {
                method: Method::HealthCard,
                level: Acr::High,
                consented_to_substantial: false,
                session: Session::Fresh,
                auth_time: NOW,
            },
            device: None,
            asking: None,
            extended: 0,
            expires_at: NOW.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
        }
    }

    #[test]
    fn only_the_end_moves() {
        let later = NOW.plus_seconds(PENDING_LIFETIME_SECONDS);
        let extended = extend_pending(CLIENT, pending(), HERS, later).unwrap();
        let expected = PendingLogin {
            extended: 1,
            expires_at: later.plus_seconds(PENDING_LIFETIME_SECONDS),
            ..pending()
        };
        assert_eq!(extended, expected);
        let later = NOW.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS);
        let extended = extend_authenticated(CLIENT, authenticated(), HERS, later).unwrap();
        let expected = AuthenticatedLogin {
            extended: 1,
            expires_at: later.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
            ..authenticated()
        };
        assert_eq!(extended, expected);
    }

    #[test]
    fn each_step_is_extended_ten_times_and_no_more() {
        let (mut waiting, mut deciding, mut now) = (pending(), authenticated(), NOW);
        for _ in 0..MAX_EXTENSIONS {
            waiting = extend_pending(CLIENT, waiting, HERS, now).unwrap();
            deciding = extend_authenticated(CLIENT, deciding, HERS, now).unwrap();
            assert_eq!(PendingLogin::from_bytes(&waiting.to_bytes()).unwrap(), waiting);
            assert_eq!(AuthenticatedLogin::from_bytes(&deciding.to_bytes()).unwrap(), deciding);
            now = now.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS);
        }
        let enough = AuthorizationError::ExtendedEnough;
        assert_eq!(Extendable::pending(CLIENT, &waiting, HERS, now), Extendable::No);
        assert_eq!(Extendable::authenticated(CLIENT, &deciding, HERS, now), Extendable::No);
        assert_eq!(extend_pending(CLIENT, waiting, HERS, now), Err(enough));
        let enough = AuthorizationError::ExtendedEnough;
        assert_eq!(extend_authenticated(CLIENT, deciding, HERS, now), Err(enough));
    }

    #[test]
    fn nobody_else_extends_it_and_nobody_afterwards() {
        let scanned = PendingLogin {
            browser: None,
            asking: Some(AskingDevice::new(None, None, NOW)),
            ..pending()
        };
        let opened = PendingLogin {
            challenge_digest: Some([3; 32]),
            ..scanned.clone()
        };
        let app = PendingLogin {
            browser: None,
            ..pending()
        };
        let over = NOW.plus_seconds(PENDING_LIFETIME_SECONDS + 1);
        for (client, login, browser, now, expected) in [
            (CLIENT, pending(), ANOTHER, NOW, Err(AuthorizationError::OtherBrowser)),
            (CLIENT, pending(), None, NOW, Err(AuthorizationError::OtherBrowser)),
            (
                "https://b.example",
                pending(),
                HERS,
                NOW,
                Err(AuthorizationError::OtherClient),
            ),
            (CLIENT, pending(), HERS, over, Err(AuthorizationError::ExpiredLogin)),
            (CLIENT, scanned.clone(), HERS, NOW, Err(AuthorizationError::NotOpened)),
            (CLIENT, scanned, None, NOW, Err(AuthorizationError::NotOpened)),
            (
                CLIENT,
                opened.clone(),
                None,
                over,
                Err(AuthorizationError::ExpiredLogin),
            ),
            (CLIENT, opened, None, NOW, Ok(())),
            (CLIENT, app, None, NOW, Ok(())),
        ] {
            assert_eq!(extend_pending(client, login, browser, now).map(drop), expected);
        }
        let over = NOW.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS + 1);
        for (client, browser, now, expected) in [
            (CLIENT, ANOTHER, NOW, AuthorizationError::OtherBrowser),
            (CLIENT, None, NOW, AuthorizationError::OtherBrowser),
            ("https://b.example", HERS, NOW, AuthorizationError::OtherClient),
            (CLIENT, HERS, over, AuthorizationError::ExpiredLogin),
        ] {
            let refused = extend_authenticated(client, authenticated(), browser, now);
            assert_eq!(refused, Err(expected));
        }
    }

    #[test]
    fn a_count_that_is_none_is_no_login_and_an_ordinary_login_is_no_longer_for_it() {
        let bytes = pending().to_bytes();
        for count in [0, MAX_EXTENSIONS + 1, 255] {
            assert!(PendingLogin::from_bytes(&[&bytes[..], &[count]].concat()).is_err());
            let bytes = authenticated().to_bytes();
            assert!(AuthenticatedLogin::from_bytes(&[&bytes[..], &[count]].concat()).is_err());
        }
        assert!(PendingLogin::from_bytes(&[&bytes[..], &[1, 1]].concat()).is_err());
        let once = PendingLogin {
            extended: 1,
            ..pending()
        };
        assert_eq!(once.to_bytes().len(), bytes.len() + 1);
    }
}
