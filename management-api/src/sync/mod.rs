//! The sync server: streams deployments to gateways and collects what they report.
//!
//! A tailer follows the deploy log and publishes one picture of what is wanted; a session per gateway compares it with
//! what that gateway holds, by digest when it connects and by delta afterwards; a writer stores what gateways serve.
//! Hints and logs decide when the comparison runs, never what it finds.

mod bodies;
mod listen;
mod plan;
mod registry;
mod service;
mod session;
mod state;
pub mod status;
mod store;
mod tail;
mod view;

pub(crate) use view::{name as environment_name, scope as environment_scope, tags_match};

use crate::db::Db;
use crate::leases::{keeper::Keeper, roll::Roll};
use anyhow::Context as _;
use definition::limits::SYNC_MESSAGE_MAX_BYTES;
use proto::sync::v1::gateway_sync_server::GatewaySyncServer;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::{error, info, warn};

/// HTTP/2 ping when a connection is silent, and the wait for its answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// What the sync server needs to know.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// Where gateways connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What gateways must present.
    pub token: SecretString,
    /// Names this management node in the status of gateways.
    pub replica_id: String,
}

/// The sync server of one management node.
#[derive(Debug)]
pub struct SyncServer;

/// A running sync server.
#[derive(Debug)]
pub struct SyncHandle {
    /// The bound address.
    pub address: SocketAddr,
    /// True once the deploy log was read completely; before, gateways are turned away.
    pub ready: watch::Receiver<bool>,
    task: JoinHandle<()>,
    /// Tests wait for what the server has read.
    #[cfg(test)]
    tail: tail::Tail,
}

impl SyncHandle {
    /// Waits until everything has ended after `shutdown` was cancelled, the last status included.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            error!(%error, "the sync server panicked");
        }
    }
}

impl SyncServer {
    /// Binds the listener and starts serving until `shutdown`. Errors: the address cannot be bound.
    pub async fn start(
        db: Db,
        config: SyncConfig,
        shutdown: CancellationToken,
    ) -> anyhow::Result<SyncHandle> {
        let listener = tokio::net::TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen for gateways on {}", config.listen))?;
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            warn!(%address, "gateways connect without TLS: keep this port inside a trusted network");
        }
        let (hint, owners_hint) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (listening, listening_seen) = watch::channel(matches!(db, Db::Sqlite(_)));
        let (tailer, tail) = tail::Tailer::new(db.clone(), Arc::clone(&hint), listening_seen);
        let ready = tail.ready.clone();
        #[cfg(test)]
        let seen = tail.clone();
        let background = TaskTracker::new();
        background.spawn(tailer.run(shutdown.clone()));
        let roll = Arc::<Roll>::default();
        let (keeper, pictures) = Keeper::new(db.clone(), Arc::clone(&roll), Arc::clone(&owners_hint));
        background.spawn(keeper.run(shutdown.clone()));
        if let Db::Postgres(pool) = &db {
            let hints = listen::Hints { deployments: hint, owners: owners_hint };
            background.spawn(listen::run(pool.clone(), hints, listening, shutdown.clone()));
        }
        let context = Arc::new(session::Context {
            tail,
            bodies: bodies::Bodies::new(db.clone()),
            registry: Arc::default(),
            book: Arc::default(),
            roll,
            pictures,
            replica: config.replica_id,
            shutdown: shutdown.clone(),
        });
        let auth = service::BearerToken::new(&config.token);
        let task = tokio::spawn(serve(db, listener, context, auth, background, shutdown));
        info!(%address, "gateways can connect");
        Ok(SyncHandle {
            address,
            ready,
            task,
            #[cfg(test)]
            tail: seen,
        })
    }
}

async fn serve(
    db: Db,
    listener: tokio::net::TcpListener,
    context: Arc<session::Context>,
    auth: service::BearerToken,
    background: TaskTracker,
    shutdown: CancellationToken,
) {
    let written = CancellationToken::new();
    let writer = tokio::spawn(status::writer::run(db, Arc::clone(&context.book), written.clone()));
    let sessions = TaskTracker::new();
    let service = GatewaySyncServer::new(service::Service::new(context, sessions.clone()))
        .max_decoding_message_size(SYNC_MESSAGE_MAX_BYTES)
        .max_encoding_message_size(SYNC_MESSAGE_MAX_BYTES);
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .add_service(InterceptedService::new(service, auth))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.cancelled_owned(),
        )
        .await;
    if let Err(error) = served {
        error!(error = format!("{error:#}"), "the sync listener failed");
    }
    // Sessions end before the last status is written, so that it is the last.
    sessions.close();
    sessions.wait().await;
    background.close();
    background.wait().await;
    written.cancel();
    if let Err(error) = writer.await {
        error!(%error, "the status writer panicked");
    }
}

/// A duration that differs by up to `share` in either direction.
pub(crate) fn jittered(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 + share * rand::random_range(-1.0..=1.0))
}

/// A pause uniform between nothing and a bound that doubles with each attempt, within `(first, greatest)`.
fn full_jitter((first, greatest): (Duration, Duration), attempt: u32) -> Duration {
    let bound = first.saturating_mul(2_u32.saturating_pow(attempt.min(16))).min(greatest);
    bound.mul_f64(rand::random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests;
