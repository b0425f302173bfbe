//! One accepted connection: what the request may know of it, and when it has been quiet for too long.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full, Limited};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::limits::ServerLimits;
use crate::tls_session::TlsSession;

/// The body of a request as handlers see it: at most `max_body_bytes` ([`ServerLimits`]), then an error. One that was announced longer is
/// refused at the first look, by a body that stands in for it.
pub type RequestBody = Limited<Either<Incoming, Full<Bytes>>>;

/// What is known of the connection a request came in on. Every request carries it as an extension
/// (`axum::Extension<ConnectionInfo>`).
#[derive(Clone)]
pub struct ConnectionInfo {
    /// Address and port of the peer, as the socket reports it. Personal data: not for the log.
    pub peer_addr: SocketAddr,
    /// The client's end-entity certificate, DER, exactly as it came in the handshake; its key was proven. `None` when none was
    /// asked for or none was sent. Its dates are not judged here (GS-A_4662: see [`crate::certificate_validity`]).
    pub client_certificate: Option<Arc<[u8]>>,
    /// The TLS session, for evidence that is bound to it; `None` on plain connections.
    pub tls_session: Option<TlsSession>,
    /// Whether the connection is TLS. Plain connections exist only on loopback.
    pub tls: bool,
}

impl std::fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionInfo")
            .field("tls", &self.tls)
            .field("client_certificate", &self.client_certificate.is_some())
            .finish_non_exhaustive()
    }
}

const NOTHING_READ: u64 = u64::MAX;

/// When this connection last did something. Shared by the socket, the requests and the watch of one connection.
pub(crate) struct Activity {
    requests_in_work: AtomicUsize,
    /// Milliseconds since the process's first connection: the last begin or end of a request, or the accept.
    last_request: AtomicU64,
    /// The first byte read since then, or [`NOTHING_READ`].
    first_byte: AtomicU64,
    header_deadline_applies: bool,
}

impl Activity {
    /// `header_deadline_applies`: only HTTP/1.1 has nothing but request headers to read while no request is in work.
    pub(crate) fn new(header_deadline_applies: bool) -> Arc<Self> {
        Arc::new(Self {
            requests_in_work: AtomicUsize::new(0),
            last_request: AtomicU64::new(milliseconds()),
            first_byte: AtomicU64::new(NOTHING_READ),
            header_deadline_applies,
        })
    }

    /// Counts a request as in work until the guard is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> InWork {
        self.requests_in_work.fetch_add(1, Ordering::Relaxed);
        self.touch();
        InWork(Arc::clone(self))
    }

    /// Whether the connection is to be closed now.
    pub(crate) fn is_overdue(&self, limits: &ServerLimits) -> bool {
        if self.requests_in_work.load(Ordering::Relaxed) > 0 {
            return false;
        }
        let now = milliseconds();
        let first_byte = self.first_byte.load(Ordering::Relaxed);
        if self.header_deadline_applies
            && first_byte != NOTHING_READ
            && elapsed(first_byte, now) >= limits.header_timeout
        {
            return true;
        }
        elapsed(self.last_request.load(Ordering::Relaxed), now) >= limits.idle_timeout
    }

    fn touch(&self) {
        self.last_request.store(milliseconds(), Ordering::Relaxed);
        self.first_byte.store(NOTHING_READ, Ordering::Relaxed);
    }

    fn bytes_read(&self) {
        if self.first_byte.load(Ordering::Relaxed) == NOTHING_READ {
            self.first_byte.store(milliseconds(), Ordering::Relaxed);
        }
    }
}

fn milliseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_millis()).unwrap_or(NOTHING_READ - 1)
}

fn elapsed(since: u64, now: u64) -> Duration {
    Duration::from_millis(now.saturating_sub(since))
}

/// A request in work.
pub(crate) struct InWork(Arc<Activity>);

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.touch();
        self.0.requests_in_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A socket that reports to [`Activity`] when something was read.
pub(crate) struct WatchedStream<T> {
    stream: T,
    activity: Arc<Activity>,
}

impl<T> WatchedStream<T> {
    pub(crate) fn new(stream: T, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WatchedStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.bytes_read();
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WatchedStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
