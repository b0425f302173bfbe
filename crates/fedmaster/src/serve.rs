//! A Federation Master as a process: everything is read and checked before it listens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use transport::{
    AddressRule, ClientCertificates, DrainOutcome, Fetch, Fetcher, Roots, Server, ServerError, ServerTls, TlsError,
    TlsIdentity,
};

use crate::clock::system_clock;
use crate::config::{Config, ConfigError};
use crate::keys::{KeyDirectory, KeyDirectoryError};
use crate::master::{FederationMaster, MasterOptions, OpenRegistration, RegisterError};
use crate::registration::{FormError, FormFormat, Profile, parse_forms};
use crate::registry::{RegistryError, Storage};

/// Why a Federation Master does not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file could not be read, or the address not be bound.
    #[error("{place}: {error}")]
    Io {
        /// The file or address.
        place: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// TLS material is refused.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener is refused.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Keys cannot be read or written.
    #[error(transparent)]
    Keys(#[from] KeyDirectoryError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A registration file is refused.
    #[error("{}: {error}", file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// Why.
        error: FormError,
    },
    /// A registration in a file is refused.
    #[error("{}: {error}", file.display())]
    Registration {
        /// The file.
        file: PathBuf,
        /// Why.
        error: RegisterError,
    },
}

/// A Federation Master with everything read and checked, not yet listening.
#[derive(Debug)]
pub struct Prepared {
    /// The master.
    pub master: FederationMaster,
    config: Config,
    tls: Option<ServerTls>,
}

/// Reads and checks all that serving needs, before anything listens.
///
/// # Errors
/// [`ServeError`].
pub fn prepare(config: Config) -> Result<Prepared, ServeError> {
    let entity_id = config.parsed_entity_id()?;
    let tls = match &config.tls {
        None => None,
        Some(files) => {
            let identity = TlsIdentity::from_pem(&read(&files.certificate)?, &read(&files.private_key)?)?;
            Some(ServerTls::new(identity, ClientCertificates::None)?)
        }
    };
    let (key_directory, keys) = KeyDirectory::open_or_create(config.data_dir.join("keys"))?;
    let rule = match config.profile {
        Profile::Production => AddressRule::PublicOnly,
        Profile::Sandbox => AddressRule::LoopbackAllowed,
    };
    let fetcher = match &config.roots {
        None => None,
        Some(path) => Some(Arc::new(Fetcher::new(&Roots::from_pem(&read(path)?)?, rule)?) as Arc<dyn Fetch>),
    };
    let options = MasterOptions {
        registration: if config.open_registration {
            OpenRegistration::Yes
        } else {
            OpenRegistration::No
        },
        lifetime_seconds: config.lifetime_seconds,
        storage: Storage::Directory(config.data_dir.clone()),
        fetcher,
        key_directory: Some(key_directory),
        ..MasterOptions::new(entity_id, config.profile, system_clock())
    };
    let master = FederationMaster::new(options, keys)?;
    for file in &config.participants {
        register_file(&master, file)?;
    }
    Ok(Prepared { master, config, tls })
}

/// Takes in the registrations of a `.toml` or `.json` file, all or none.
///
/// # Errors
/// [`ServeError::Io`], [`ServeError::Form`], [`ServeError::Registration`].
pub fn register_file(master: &FederationMaster, file: &Path) -> Result<usize, ServeError> {
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
    let format = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => FormFormat::Json,
        _ => FormFormat::Toml,
    };
    let forms = parse_forms(&text, format).map_err(|error| ServeError::Form {
        file: file.to_owned(),
        error,
    })?;
    master
        .register_all(forms)
        .map(|outcomes| outcomes.len())
        .map_err(|error| ServeError::Registration {
            file: file.to_owned(),
            error,
        })
}

/// Prepares and serves until `shutdown` completes.
///
/// # Errors
/// [`ServeError`], before the first request only.
pub async fn serve(config: Config, shutdown: impl Future<Output = ()> + Send) -> Result<DrainOutcome, ServeError> {
    prepare(config)?.serve(shutdown).await
}

impl Prepared {
    /// Listens, serves and watches participants until `shutdown` completes.
    ///
    /// # Errors
    /// [`ServeError`], before the first request only.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Result<DrainOutcome, ServeError> {
        let listener = TcpListener::bind(&self.config.listen)
            .await
            .map_err(|error| ServeError::Io {
                place: self.config.listen.clone(),
                error,
            })?;
        let server = match self.tls {
            Some(tls) => Server::https(listener, tls)?,
            None => Server::plain_loopback(listener)?,
        };
        tracing::info!(event = "fedmaster.listening", address = %server.local_addr());
        let (stop, mut stopping) = watch::channel(());
        let watcher = tokio::spawn({
            let master = self.master.clone();
            let interval = Duration::from_secs(self.config.check_interval_seconds);
            async move {
                let stopped = async move {
                    let _ = stopping.changed().await;
                };
                master.watch(interval, stopped).await;
            }
        });
        let outcome = server.serve(self.master.router(), shutdown).await;
        drop(stop);
        // It ends at the next await; a panic in it has been reported by the runtime.
        let _ = watcher.await;
        Ok(outcome)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|error| ServeError::Io {
        place: path.display().to_string(),
        error,
    })
}
