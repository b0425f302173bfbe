//! Every limit of a listener, by name.

use std::time::Duration;

/// What a listener grants a peer. The defaults suit the provider; tests and the sandbox change single fields.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Connections open at once. Beyond it, new ones wait in the kernel's queue.
    pub max_connections: usize,
    /// From accepting a connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of an HTTP/1.1 request to the end of its headers. Checked in steps of half this time.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the answer's headers: body received, request decided. Answered with 408.
    pub request_timeout: Duration,
    /// A connection without a request in work is closed after this time.
    pub idle_timeout: Duration,
    /// Size of all request headers together, with the request line, in bytes. Answered with 431. hyper wants at least 8 KiB.
    pub max_header_bytes: u32,
    /// Number of request headers. Answered with 431.
    pub max_headers: usize,
    /// Size of a request body in bytes. Answered with 413.
    pub max_body_bytes: usize,
    /// Requests at work at once on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// After the shutdown signal: time for requests at work to finish.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(90),
            max_header_bytes: 16 * 1024,
            max_headers: 64,
            max_body_bytes: 64 * 1024,
            max_concurrent_streams: 64,
            drain_timeout: Duration::from_secs(10),
        }
    }
}
