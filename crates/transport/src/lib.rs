//! Bytes in and bytes out: the TLS listener, mutual TLS, and the guarded fetch of federation documents.
//!
//! What it is: the only room that touches sockets, rustls, hyper and reqwest. Everything above it sees an HTTP request with a
//! [`ConnectionInfo`], or a [`Fetched`] document.
//!
//! Trusted for: that only admitted TLS versions, suites and groups are spoken (gematik.md chapter 9.2); that a client certificate it
//! reports was proven by the handshake's signature; that an address it fetches from was checked, and is the one connected to; that
//! everything coming from outside is limited in size and time.
//!
//! Does not: know the federation, OAuth or any person; decide whether a client certificate is the right one or currently valid
//! ([`certificate_validity`] reads the dates, whoever knows the time judges them); read files, the environment or the wall clock.
//!
//! | Need | Take |
//! |---|---|
//! | serve a router over TLS | [`Server::https`] with a [`ServerTls`] of one or more [`TlsIdentity`] |
//! | see who called | `Extension<ConnectionInfo>` in the handler |
//! | fetch a statement | [`Fetcher`], behind the trait [`Fetch`] so that tests need no network |
//! | call PAR, token, the authenticator API | [`HttpClient`] |
//! | ask for evidence and know the session it came over | [`BoundConnection`], at the server [`ConnectionInfo::tls_session`] |

pub mod address;
mod bound_connection;
pub mod certificate;
mod client_tls;
mod connection;
mod fetcher;
mod http_client;
mod identity;
mod limits;
mod resolver;
mod server;
mod server_tls;
mod suites;
mod tls_session;

pub use address::{AddressClass, AddressRule};
pub use bound_connection::BoundConnection;
pub use certificate::{
    CertificateError, CertificateValidity, certificate_thumbprint, certificate_thumbprint_hex, certificate_validity,
    public_key_sha256, public_key_thumbprint_hex,
};
pub use client_tls::{ClientIdentity, Roots};
pub use connection::{ConnectionInfo, RequestBody};
pub use fetcher::{Fetch, FetchError, FetchFuture, FetchLimits, Fetched, Fetcher, MAX_URL_CHARACTERS};
pub use http_client::{HttpClient, HttpClientBuilder, HttpClientError, HttpResponse, Redirects};
pub use identity::{ServerIdentities, TlsError, TlsIdentity};
pub use limits::ServerLimits;
pub use server::{DrainOutcome, Server, ServerError};
pub use server_tls::{ClientCertificates, ServerTls};
pub use suites::crypto_provider;
pub use tls_session::{EXPORTER_LABEL, TlsSession};
