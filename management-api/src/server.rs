//! The composition root: from a configuration to listening servers, and back down in order.

use crate::app::AppState;
use crate::clock::Clock;
use crate::config::ManagementConfig;
use crate::db::Db;
use crate::listener::{self, SHUTDOWN_GRACE};
use crate::node::{self, Node};
use crate::subscriptions::ended;
use crate::sync::{SyncConfig, SyncHandle, SyncServer};
use crate::{router, seal, seed};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often old samples of histograms are folded away.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// A management node that serves.
#[derive(Debug)]
pub struct Running {
    /// Where the REST API listens; never port 0.
    pub rest: SocketAddr,
    /// Where gateways connect.
    pub sync: SocketAddr,
    /// Where health, readiness and metrics are.
    pub node: SocketAddr,
    tasks: JoinSet<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl Running {
    /// Waits until everything has stopped: after the token given to `start` was cancelled, or because one part
    /// failed, which stops the others.
    pub async fn wait(mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.context("a task of management panicked").and_then(|ended| ended);
            if result.is_ok() {
                result = ended;
            }
            self.shutdown.cancel();
        }
        result
    }
}

/// Starts a management node and runs it until `shutdown` is cancelled.
pub async fn run(
    config: ManagementConfig,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    start(config, metrics, shutdown).await?.wait().await
}

/// Connects to the store, brings it up to date, binds every listener and serves in the background.
///
/// `metrics` renders the recorder that the process has installed.
pub async fn start(
    config: ManagementConfig,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
) -> anyhow::Result<Running> {
    // A child: the failure of one part stops this node, and not whoever shares the process with it.
    let shutdown = shutdown.child_token();
    let db = Db::connect(&config.database_url).await.context("the store cannot be opened")?;
    let clock = Clock::system();
    seed::seed(&db, &clock, &config).await?;
    seal::check(&db, config.seal_key.as_ref()).await?;
    let rest = bind(config.rest_listen, "the REST API").await?;
    let node = bind(config.node_listen, "health and metrics").await?;
    let addresses = (rest.local_addr()?, node.local_addr()?);

    let sync_config = SyncConfig {
        listen: config.sync_listen,
        token: config.sync_token,
        replica_id: Uuid::new_v4().to_string(),
    };
    let sync = SyncServer::start(db.clone(), sync_config, shutdown.clone()).await?;
    let sync_address = sync.address;
    let app = AppState::new(db.clone(), clock, config.seal_key.as_ref(), shutdown.clone());
    let node_router = node::router(Node { db, sync_ready: sync.ready.clone(), metrics: metrics.clone() });
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(sync, shutdown.clone()));
    tasks.spawn(ended::run(app.clone(), shutdown.clone()));
    tasks.spawn(listener::serve(rest, router::service(app), shutdown.clone()));
    tasks.spawn(listener::serve(node, node_router, shutdown.clone()));
    tasks.spawn(keep_metrics(metrics, shutdown.clone()));
    tracing::info!(rest = %addresses.0, sync = %sync_address, node = %addresses.1, "management is up");
    Ok(Running { rest: addresses.0, sync: sync_address, node: addresses.1, tasks, shutdown })
}

async fn bind(address: SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{what} cannot listen on {address}"))
}

/// The sync server as one of the tasks: it ends after `shutdown`, or because it failed.
async fn follow(sync: SyncHandle, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        () = sync.stopped() => {
            anyhow::ensure!(shutdown.is_cancelled(), "the sync server ended by itself");
            Ok(())
        }
        () = async { shutdown.cancelled().await; tokio::time::sleep(SHUTDOWN_GRACE).await } => Ok(()),
    }
}

async fn keep_metrics(metrics: PrometheusHandle, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut interval = tokio::time::interval(METRICS_UPKEEP);
    loop {
        tokio::select! {
            _ = interval.tick() => metrics.run_upkeep(),
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}
