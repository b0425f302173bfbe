//! The client certificate of this handshake, and of nothing else: no header is ever asked.

use std::sync::Arc;

use jose::UnixTime;
use oidc::client::PresentedCertificate;
use transport::ConnectionInfo;

/// The certificate the peer proved, if any, with its dates read.
#[derive(Debug, Default, Clone)]
pub(crate) struct PeerCertificate {
    der: Option<Arc<[u8]>>,
    validity: Option<(UnixTime, UnixTime)>,
}

impl PeerCertificate {
    /// From the connection the request came in on.
    pub(crate) fn of(connection: Option<&ConnectionInfo>) -> Self {
        let der = connection.and_then(|connection| connection.client_certificate.clone());
        let validity = der
            .as_deref()
            .and_then(|der| transport::certificate_validity(der).ok())
            .map(|validity| (UnixTime(validity.not_before), UnixTime(validity.not_after)));
        Self { der, validity }
    }

    /// Whether there is one.
    pub(crate) const fn is_present(&self) -> bool {
        self.der.is_some()
    }

    /// As the protocol checks it.
    pub(crate) fn presented(&self) -> Option<PresentedCertificate<'_>> {
        self.der.as_deref().map(|der| PresentedCertificate {
            der,
            not_before: self.validity.map(|(from, _)| from),
            not_after: self.validity.map(|(_, until)| until),
        })
    }
}
