//! Which act of a person a wished-for `amr` and `acr` stand for.

use authenticator::policy::{Performed, Session};
use authenticator::{Acr, Amr, Method};

/// What the token is to say instead of "health card, high".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) amr: Option<Amr>,
    pub(super) acr: Option<Acr>,
}

impl Wishes {
    /// Rewrites what a card login performed. Contradictions are the policy's to refuse, as for any other login.
    pub(super) fn apply(self, performed: &mut Performed) {
        let wished = self.amr.unwrap_or(match self.acr {
            Some(Acr::Substantial) => Amr::Other,
            Some(Acr::High) | None => Amr::HealthCard,
        });
        performed.method = match wished {
            Amr::HealthCard | Amr::Sso => Method::HealthCard,
            Amr::GuestHealthCard => Method::GuestHealthCard,
            Amr::IdentityCard => Method::IdentityCard,
            Amr::Other | Amr::WithConsent => Method::DeviceKey,
        };
        performed.session = match wished {
            Amr::Sso => Session::SingleSignOn,
            _ => Session::Fresh,
        };
        performed.level = self.acr.unwrap_or(match wished {
            Amr::WithConsent => Acr::Substantial,
            _ => Acr::High,
        });
        performed.consented_to_substantial = performed.level == Acr::Substantial;
    }
}
