//! The listener: accept, handshake, HTTP/1.1 or HTTP/2, and a shutdown that lets requests finish.
//!
//! Our own loop, because the handler must see the client certificate of the handshake, and because every step has a limit
//! ([`ServerLimits`]).

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{Either, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};

use crate::connection::{Activity, ConnectionInfo, RequestBody, WatchedStream};
use crate::identity::ServerIdentities;
use crate::limits::ServerLimits;
use crate::server_tls::ServerTls;
use crate::tls_session::TlsSession;

/// Pause after `accept` failed for want of file descriptors or memory, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a listener cannot be made.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Plain HTTP is admitted on loopback addresses only (gematik.md 9.2, A_18464).
    #[error("listener: plain HTTP on a non-loopback address, expected 127.0.0.0/8 or ::1")]
    PlainNotLoopback,
    /// The socket could not be asked for its address.
    #[error("listener: {0}")]
    Socket(#[from] std::io::Error),
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainOutcome {
    /// Every connection ended by itself within the drain time.
    Complete,
    /// So many connections were cut off when the drain time was over.
    CutOff(usize),
}

/// Makes the answer to a request that took too long.
type TimeoutAnswer = Arc<dyn Fn() -> Response<Bytes> + Send + Sync>;

/// A bound listener, ready to serve.
pub struct Server {
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: ServerLimits,
    local_addr: SocketAddr,
    timeout_answer: TimeoutAnswer,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Serves HTTPS on a bound socket.
    pub fn https(listener: TcpListener, tls: ServerTls) -> Result<Self, ServerError> {
        Self::new(listener, Some(tls))
    }

    /// Serves plain HTTP on a bound socket, which must be a loopback address.
    pub fn plain_loopback(listener: TcpListener) -> Result<Self, ServerError> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(ServerError::PlainNotLoopback);
        }
        Self::new(listener, None)
    }

    fn new(listener: TcpListener, tls: Option<ServerTls>) -> Result<Self, ServerError> {
        let local_addr = listener.local_addr()?;
        Ok(Self {
            listener,
            tls,
            limits: ServerLimits::default(),
            local_addr,
            timeout_answer: Arc::new(|| {
                tracing::warn!(event = "transport.request_timeout");
                status_only(StatusCode::REQUEST_TIMEOUT)
            }),
        })
    }

    /// Replaces the default limits.
    pub fn with_limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the empty 408 for requests that took longer than [`ServerLimits::request_timeout`]. The one who answers also writes the log.
    pub fn with_timeout_answer(mut self, answer: impl Fn() -> Response<Bytes> + Send + Sync + 'static) -> Self {
        self.timeout_answer = Arc::new(answer);
        self
    }

    /// The address bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` completes, then stops accepting and waits for requests in work, at most
    /// [`ServerLimits::drain_timeout`].
    ///
    /// `service` is an axum `Router` or any tower service that cannot fail. Each request carries a [`ConnectionInfo`] extension.
    pub async fn serve<S, B>(self, service: S, shutdown: impl Future<Output = ()> + Send) -> DrainOutcome
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (stop, stopping) = watch::channel(());
        let shared = Arc::new(Shared::new(self.tls, self.limits, self.timeout_answer));
        let places = Arc::new(Semaphore::new(self.limits.max_connections));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);

        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer_addr, place)) => {
                    let (shared, service, stopping) = (Arc::clone(&shared), service.clone(), stopping.clone());
                    connections.spawn(async move {
                        shared.connection(stream, peer_addr, service, stopping).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(event = "transport.accept_failed", kind = ?error.kind());
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }

        drop(self.listener);
        drop(stop);
        let drained = tokio::time::timeout(self.limits.drain_timeout, async {
            while connections.join_next().await.is_some() {}
        });
        match drained.await {
            Ok(()) => DrainOutcome::Complete,
            Err(_) => {
                let left = connections.len();
                connections.shutdown().await;
                DrainOutcome::CutOff(left)
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(|_| std::io::ErrorKind::BrokenPipe)?; // never closed
    let (stream, peer_addr) = listener.accept().await?;
    Ok((stream, peer_addr, place))
}

type Builder = auto::Builder<TokioExecutor>;

/// What all connections of a listener share.
struct Shared {
    acceptor: Option<TlsAcceptor>,
    identities: Option<ServerIdentities>,
    limits: ServerLimits,
    timeout_answer: TimeoutAnswer,
    http1: Builder,
    http2: Builder,
}

impl Shared {
    fn new(tls: Option<ServerTls>, limits: ServerLimits, timeout_answer: TimeoutAnswer) -> Self {
        let builder = || {
            let mut builder = Builder::new(TokioExecutor::new());
            builder
                .http1()
                .timer(TokioTimer::new())
                // hyper's own limit would also end idle connections; `Activity` keeps the two apart.
                .header_read_timeout(None)
                .max_headers(limits.max_headers)
                .max_buf_size(limits.max_header_bytes as usize);
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_header_list_size(limits.max_header_bytes)
                .max_concurrent_streams(limits.max_concurrent_streams);
            builder
        };
        Self {
            acceptor: tls.as_ref().map(|tls| TlsAcceptor::from(tls.config())),
            identities: tls.map(|tls| tls.identities().clone()),
            limits,
            timeout_answer,
            http1: builder().http1_only(),
            http2: builder().http2_only(),
        }
    }

    /// The certificate this server shows to whoever asks for this name.
    fn own_certificate(&self, server_name: Option<&str>) -> Option<Vec<u8>> {
        self.identities.as_ref()?.certificate(server_name)
    }

    async fn connection<S, B>(
        &self,
        stream: TcpStream,
        peer_addr: SocketAddr,
        service: S,
        stopping: watch::Receiver<()>,
    ) where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        // Answers are single small writes; waiting to merge them only adds delay.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = &self.acceptor else {
            let info = ConnectionInfo {
                peer_addr,
                client_certificate: None,
                tls_session: None,
                tls: false,
            };
            return self.http(&self.http1, stream, info, service, stopping).await;
        };
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, acceptor.accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                // The kind only: the message could quote what the peer sent.
                tracing::debug!(event = "transport.handshake_failed", kind = ?error.kind());
                return;
            }
            Err(_) => {
                tracing::debug!(event = "transport.handshake_timeout");
                return;
            }
        };
        let session = stream.get_ref().1;
        let info = ConnectionInfo {
            peer_addr,
            client_certificate: session
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|certificate| Arc::from(certificate.as_ref())),
            tls_session: self
                .own_certificate(session.server_name())
                .and_then(|own| TlsSession::of(session, own)),
            tls: true,
        };
        let builder = match session.alpn_protocol() {
            Some(b"h2") => &self.http2,
            _ => &self.http1,
        };
        self.http(builder, stream, info, service, stopping).await;
    }

    async fn http<T, S, B>(
        &self,
        builder: &Builder,
        stream: T,
        info: ConnectionInfo,
        service: S,
        mut stopping: watch::Receiver<()>,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let activity = Activity::new(builder.is_http1_available());
        let stream = TokioIo::new(WatchedStream::new(stream, Arc::clone(&activity)));
        let limits = self.limits;
        let answers = {
            let (activity, timeout_answer) = (Arc::clone(&activity), Arc::clone(&self.timeout_answer));
            hyper::service::service_fn(move |request: Request<Incoming>| {
                let in_work = activity.begin_request();
                let (service, info, timeout_answer) = (service.clone(), info.clone(), Arc::clone(&timeout_answer));
                async move {
                    let answer = answer(service, info, request, &limits, &*timeout_answer).await;
                    drop(in_work);
                    Ok::<_, Infallible>(answer)
                }
            })
        };
        let connection = builder.serve_connection(stream, answers);
        tokio::pin!(connection);
        let mut watch = tokio::time::interval(limits.header_timeout.min(limits.idle_timeout).max(MIN_WATCH_STEP) / 2);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                // How a connection ended is the peer's affair; handlers log what they decided.
                _ = connection.as_mut() => return,
                _ = stopping.changed(), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = watch.tick() => if activity.is_overdue(&limits) {
                    tracing::debug!(event = "transport.connection_overdue");
                    return;
                },
            }
        }
    }
}

/// Lower bound of the watch's step, so that a limit of zero in a test does not spin.
const MIN_WATCH_STEP: Duration = Duration::from_millis(2);

type Answer<B> = Response<Either<B, Full<Bytes>>>;

async fn answer<S, B>(
    service: S,
    info: ConnectionInfo,
    request: Request<Incoming>,
    limits: &ServerLimits,
    timeout_answer: &(dyn Fn() -> Response<Bytes> + Send + Sync),
) -> Answer<B>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    let version = request.version();
    let announced_too_long = request.body().size_hint().lower() > limits.max_body_bytes as u64;
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(info);
    let body = if announced_too_long {
        // Refused before a byte of it is read: the service finds the limit passed at once.
        Limited::new(Either::Right(Full::from("longer than the limit")), 0)
    } else {
        Limited::new(Either::Left(body), limits.max_body_bytes)
    };
    let request = Request::from_parts(parts, body);
    match tokio::time::timeout(limits.request_timeout, service.oneshot(request)).await {
        Ok(Ok(response)) if announced_too_long => closing(response.map(Either::Left), version),
        Ok(Ok(response)) => response.map(Either::Left),
        Ok(Err(never)) => match never {},
        Err(_) => closing(timeout_answer().map(Full::new).map(Either::Right), version),
    }
}

fn status_only(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The rest of the body is not read, so the connection cannot be used again (RFC 9112 §9.6).
fn closing<B>(mut response: Response<B>, version: Version) -> Response<B> {
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
