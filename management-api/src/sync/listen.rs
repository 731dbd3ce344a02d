//! The listener: turns Postgres notifications into hints for the tailer and for the keeper of owners, on a connection of
//! its own.
//!
//! It only drains, so that its session never holds the store back. Whatever goes wrong, it connects again and hints
//! once after listening succeeded: notifications of the meantime are lost, polling covers them.

use super::full_jitter;
use crate::deploy_log::store::CHANNEL;
use crate::leases::store::CHANNEL as OWNERS_CHANNEL;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// First and greatest pause before a new connection.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Time for the connection to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Who is told.
pub(super) struct Hints {
    /// The deploy log grew.
    pub(super) deployments: Arc<Notify>,
    /// Owners of push subscriptions changed, or something that decides about them.
    pub(super) owners: Arc<Notify>,
}

/// Listens until shutdown. `listening` tells the tailer how often to poll.
pub(super) async fn run(
    pool: PgPool,
    hints: Hints,
    listening: watch::Sender<bool>,
    shutdown: CancellationToken,
) {
    let options = (*pool.connect_options()).clone();
    let mut attempt = 0;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            ended = listen(&options, &hints, &listening) => {
                if listening.send_replace(false) {
                    attempt = 0;
                    warn!(error = format!("{ended:#}"), "notifications stopped: polling more often");
                }
            }
        }
        metrics::gauge!("tidegate_tail_listener_connected").set(0.0);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(full_jitter(RECONNECT, attempt)) => attempt += 1,
        }
    }
}

/// Drains one connection; returns why it ended.
async fn listen(options: &PgConnectOptions, hints: &Hints, listening: &watch::Sender<bool>) -> sqlx::Error {
    let connect = async {
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_TIMEOUT);
        let mut listener = PgListener::connect_with(&own.connect_with(options.clone()).await?).await?;
        listener.listen_all([CHANNEL, OWNERS_CHANNEL]).await?;
        Ok(listener)
    };
    let mut listener = match connect.await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    listening.send_replace(true);
    metrics::gauge!("tidegate_tail_listener_connected").set(1.0);
    info!(channel = CHANNEL, "listening for deployments");
    hints.deployments.notify_one();
    loop {
        hints.owners.notify_one();
        match listener.try_recv().await {
            Ok(Some(notification)) if notification.channel() == OWNERS_CHANNEL => {}
            Ok(Some(_)) => hints.deployments.notify_one(),
            Ok(None) => return sqlx::Error::PoolClosed,
            Err(error) => return error,
        }
    }
}
