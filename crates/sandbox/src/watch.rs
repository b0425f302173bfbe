//! What a running sandbox has seen happen between its parties, for the guided tour, which claims nothing else.
//!
//! Looks at method, path and status of requests that were answered, and at where a redirect leads: never at a body, a query or a cookie. Knows no
//! persons and no browsers: on a machine that several people use at once, "seen" may be somebody else's doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use relying_party::demo::RETURN_PATH;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A person opened a service.
    ServiceOpened,
    /// A service pushed a request to an insurer, who took it.
    RequestPushed,
    /// An insurer showed its login page.
    LoginShown,
    /// A browser loaded the wallet.
    WalletOpened,
    /// An insurer accepted a health card's answer.
    CardAnswered,
    /// A person decided what to release.
    Decided,
    /// An insurer issued an ID token.
    TokenIssued,
    /// A service believed a token and logged somebody in.
    LoggedIn,
}

const KINDS: usize = 8;

/// Whose router it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    /// The provider's public address.
    Provider,
    /// The provider's address for services.
    ProviderMtls,
    /// A service's pages.
    Service,
}

/// When each thing was seen last, counted in things seen.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: AtomicU64,
    last: [AtomicU64; KINDS],
}

impl Watch {
    /// This moment. What is seen from now on is seen since.
    pub(crate) fn mark(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// Whether it was seen since a [`Watch::mark`].
    pub(crate) fn saw(&self, what: Seen, mark: u64) -> bool {
        self.last[what as usize].load(Ordering::SeqCst) > mark
    }

    fn see(&self, what: Seen) {
        let at = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        self.last[what as usize].fetch_max(at, Ordering::SeqCst);
    }
}

/// A party's routes under watch.
pub(crate) fn layer(router: Router, watch: &Arc<Watch>, party: Party) -> Router {
    router.layer(middleware::from_fn_with_state((Arc::clone(watch), party), look))
}

async fn look(State((watch, party)): State<(Arc<Watch>, Party)>, request: Request<Body>, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    if let Some(what) = recognise(party, &method, &path, response.status(), location) {
        watch.see(what);
    }
    response
}

/// What an answered request means, if it means anything here.
fn recognise(party: Party, method: &Method, path: &str, status: StatusCode, location: Option<&str>) -> Option<Seen> {
    // The provider's paths begin with the insurer's.
    let below = match party {
        Party::Service => path,
        Party::Provider | Party::ProviderMtls => &path[path.get(1..)?.find('/')? + 1..],
    };
    let (ok, moved) = (status.is_success(), status.is_redirection());
    // A page that the browser had already.
    let unchanged = status == StatusCode::NOT_MODIFIED;
    match (party, method.as_str(), below) {
        (Party::Provider, "GET", "/auth") if ok => Some(Seen::LoginShown),
        (Party::Provider, "GET", "/wallet/" | "/wallet/config.json") if ok || unchanged => Some(Seen::WalletOpened),
        (Party::Provider, "POST", "/auth/card") if ok => Some(Seen::CardAnswered),
        (Party::Provider, "POST", "/auth/consent") if ok || moved => Some(Seen::Decided),
        (Party::ProviderMtls, "POST", "/par") if ok => Some(Seen::RequestPushed),
        (Party::ProviderMtls, "POST", "/token") if ok => Some(Seen::TokenIssued),
        (Party::Service, "GET", "/") if ok => Some(Seen::ServiceOpened),
        // A login that failed is told on a page, not by going on.
        (Party::Service, "GET", RETURN_PATH) if moved && location == Some("/account") => Some(Seen::LoggedIn),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(party: Party, method: &str, path: &str, status: u16, location: Option<&str>) -> Option<Seen> {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let status = StatusCode::from_u16(status).unwrap_or_default();
        recognise(party, &method, path, status, location)
    }

    #[test]
    fn what_succeeded_is_seen() {
        for (party, method, path, status, what) in [
            (Party::Service, "GET", "/", 200, Seen::ServiceOpened),
            (Party::ProviderMtls, "POST", "/109900019/par", 201, Seen::RequestPushed),
            (Party::Provider, "GET", "/109900019/auth", 200, Seen::LoginShown),
            (Party::Provider, "GET", "/109900019/wallet/", 200, Seen::WalletOpened),
            (
                Party::Provider,
                "GET",
                "/109900019/wallet/config.json",
                304,
                Seen::WalletOpened,
            ),
            (Party::Provider, "POST", "/109900019/auth/card", 200, Seen::CardAnswered),
            (Party::Provider, "POST", "/109900019/auth/consent", 302, Seen::Decided),
            (Party::ProviderMtls, "POST", "/109900019/token", 200, Seen::TokenIssued),
        ] {
            assert_eq!(meaning(party, method, path, status, None), Some(what), "{path}");
        }
        let back = meaning(Party::Service, "GET", RETURN_PATH, 303, Some("/account"));
        assert_eq!(back, Some(Seen::LoggedIn));
    }

    #[test]
    fn what_failed_or_is_something_else_is_not() {
        for (party, method, path, status, location) in [
            (Party::ProviderMtls, "POST", "/109900019/par", 401, None),
            (Party::Provider, "POST", "/109900019/par", 201, None),
            (Party::Provider, "POST", "/109900019/auth/card", 403, None),
            (Party::Provider, "GET", "/109900019/auth/card", 200, None),
            (Party::Provider, "GET", "/109900019/auth/consent", 200, None),
            (
                Party::Provider,
                "GET",
                "/109900019/auth",
                302,
                Some("https://service.example"),
            ),
            (Party::Provider, "GET", "/109900019", 200, None),
            (Party::Provider, "GET", "", 200, None),
            (Party::Provider, "GET", "/", 404, None),
            (Party::Service, "GET", RETURN_PATH, 200, None),
            (Party::Service, "GET", RETURN_PATH, 303, Some("/elsewhere")),
            (Party::Service, "POST", "/", 200, None),
        ] {
            assert_eq!(
                meaning(party, method, path, status, location),
                None,
                "{method} {path} {status}"
            );
        }
    }

    #[test]
    fn only_what_came_after_the_mark_counts() {
        let watch = Watch::default();
        watch.see(Seen::LoggedIn);
        let mark = watch.mark();
        assert!(!watch.saw(Seen::LoggedIn, mark) && watch.saw(Seen::LoggedIn, 0));
        watch.see(Seen::Decided);
        assert!(!watch.saw(Seen::LoggedIn, mark) && watch.saw(Seen::Decided, mark));
        watch.see(Seen::LoggedIn);
        assert!(watch.saw(Seen::LoggedIn, mark));
    }
}
