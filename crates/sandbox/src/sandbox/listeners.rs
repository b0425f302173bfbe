//! What runs while the sandbox does: servers and housekeeping, until the sender is gone.

use std::time::Duration;

use axum::Router;
use fedmaster::FederationMaster;
use provider::Provider;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use transport::{Server, ServerTls};

use crate::error::StartError;

/// The Federation Master looks at all participants this often.
const WATCH_INTERVAL: Duration = Duration::from_secs(60);
/// The provider gives back the space of what expired this often.
const CLEANING_INTERVAL: Duration = Duration::from_secs(300);

fn server(socket: TcpListener, tls: Option<ServerTls>) -> Result<Server, StartError> {
    Ok(match tls {
        Some(tls) => Server::https(socket, tls)?,
        None => Server::plain_loopback(socket)?,
    })
}

/// Everything that runs.
pub(super) struct Listeners {
    pub(super) tasks: JoinSet<()>,
    pub(super) stopping: watch::Receiver<()>,
}

impl Listeners {
    /// Serves a router on a socket.
    pub(super) fn add(
        &mut self,
        socket: TcpListener,
        tls: Option<ServerTls>,
        router: Router,
    ) -> Result<(), StartError> {
        self.serve(server(socket, tls)?, router);
        Ok(())
    }

    /// Serves a router of the provider, which answers late requests in its own words.
    pub(super) fn add_provider(
        &mut self,
        socket: TcpListener,
        tls: Option<ServerTls>,
        router: Router,
        provider: &Provider,
    ) -> Result<(), StartError> {
        self.serve(
            server(socket, tls)?.with_timeout_answer(provider.timeout_answer()),
            router,
        );
        Ok(())
    }

    fn serve(&mut self, server: Server, router: Router) {
        let stopping = stopped(self.stopping.clone());
        self.tasks.spawn(async move {
            server.serve(router, stopping).await;
        });
    }

    /// Looks at participants and cleans up, now and then.
    pub(super) fn watch(&mut self, master: FederationMaster, provider: Provider) {
        let stopping = stopped(self.stopping.clone());
        self.tasks
            .spawn(async move { master.watch(WATCH_INTERVAL, stopping).await });
        let stopping = stopped(self.stopping.clone());
        self.tasks.spawn(async move {
            tokio::pin!(stopping);
            let mut ticks = tokio::time::interval(CLEANING_INTERVAL);
            loop {
                tokio::select! {
                    () = &mut stopping => return,
                    _ = ticks.tick() => if let Err(error) = provider.drop_expired().await {
                        tracing::warn!(event = "sandbox.not_cleaned", reason = %error);
                    },
                }
            }
        });
    }
}

/// Ends when the sender is gone.
async fn stopped(mut stopping: watch::Receiver<()>) {
    while stopping.changed().await.is_ok() {}
}
