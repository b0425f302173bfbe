//! The sockets, and the identity that remembers where they were.

use std::net::{IpAddr, SocketAddr};

use jose::UnixTime;
use tokio::net::TcpListener;

use super::options::SandboxOptions;
use crate::addresses::{PageScheme, Ports};
use crate::data::{DataDir, DataError, Identity};
use crate::error::StartError;

/// The sockets, in the order of the ports; pages' own sockets only where pages are plain.
pub(super) struct Sockets {
    pub(super) portal: TcpListener,
    pub(super) master: TcpListener,
    pub(super) provider_pages: Option<TcpListener>,
    pub(super) provider: TcpListener,
    pub(super) provider_mtls: TcpListener,
    pub(super) record: TcpListener,
    pub(super) record_pages: Option<TcpListener>,
    pub(super) prescription: TcpListener,
    pub(super) prescription_pages: Option<TcpListener>,
}

impl Sockets {
    /// Binds `wanted`, and says what was bound: 0 gives a free port.
    async fn bind(listen: IpAddr, wanted: Ports, pages: PageScheme) -> Result<(Self, Ports), StartError> {
        let mut bound = Vec::new();
        for (at, port) in wanted.all().into_iter().enumerate() {
            let is_page_socket = matches!(at, 2 | 6 | 8);
            if is_page_socket && pages == PageScheme::Https {
                bound.push((None, port));
                continue;
            }
            let address = SocketAddr::new(listen, port);
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| StartError::Bind { address, error })?;
            let port = listener
                .local_addr()
                .map_err(|error| StartError::Bind { address, error })?
                .port();
            bound.push((Some(listener), port));
        }
        let mut ports = wanted.all();
        for (port, (_, real)) in ports.iter_mut().zip(&bound) {
            *port = *real;
        }
        let mut listeners = bound.into_iter().map(|(listener, _)| listener);
        let mut next = || listeners.next().flatten();
        let missing = || StartError::Internal("a socket is missing");
        let sockets = Self {
            portal: next().ok_or_else(missing)?,
            master: next().ok_or_else(missing)?,
            provider_pages: next(),
            provider: next().ok_or_else(missing)?,
            provider_mtls: next().ok_or_else(missing)?,
            record: next().ok_or_else(missing)?,
            record_pages: next(),
            prescription: next().ok_or_else(missing)?,
            prescription_pages: next(),
        };
        Ok((sockets, Ports::from_all(ports)))
    }
}

/// The identity and the sockets belong together: what was kept decides where free ports were.
pub(super) async fn identity_and_sockets(
    options: &SandboxOptions,
    data: &DataDir,
    now: UnixTime,
) -> Result<(Identity, Sockets), StartError> {
    let kept = data.identity()?;
    let wanted = match (&kept, options.port_base) {
        (Some(kept), 0) => kept.ports,
        (_, 0) => Ports::from_all([0; 9]),
        (_, base) if base > u16::MAX - 9 => return Err(StartError::PortBase),
        (_, base) => Ports::from_base(base),
    };
    if let Some(kept) = &kept {
        let mut asked = kept.clone();
        (asked.ports, asked.pages) = (wanted, options.pages);
        asked.domain.clone_from(&options.domain);
        if asked.addresses_in_words() != kept.addresses_in_words() {
            return Err(StartError::Data(DataError::OtherAddresses {
                path: data.path().to_owned(),
                found: kept.addresses_in_words(),
                asked: asked.addresses_in_words(),
            }));
        }
    }
    let (sockets, ports) = Sockets::bind(options.listen, wanted, options.pages).await?;
    match kept {
        Some(kept) => Ok((kept, sockets)),
        None => {
            let identity = Identity::new(now, ports, &options.domain, options.pages);
            data.keep_identity(&identity)?;
            Ok((identity, sockets))
        }
    }
}
