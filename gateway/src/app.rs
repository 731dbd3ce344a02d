//! The composition root: everything a gateway is made of, started and stopped in one place.

use crate::endpoint::Shared;
use crate::endpoint::kafka::Clients;
use crate::http::listener::{accept, connections_max};
use crate::http::serve::Front;
use crate::node::{self, Node};
use crate::stop::{Stop, StopReason};
use crate::table::Table;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time for connections to end after they were told to, milliseconds.
const SHUTDOWN_GRACE_MS: u64 = 10_000;

/// Settings of a gateway.
#[derive(Debug)]
pub struct GatewayConfig {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics are.
    pub node_listen: SocketAddr,
    /// Addresses of management nodes, `http://host:port`, tried in turn.
    pub management: Vec<String>,
    /// Proves this gateway to management.
    pub token: SecretString,
    /// Sharding tags; none: every API.
    pub tags: Vec<String>,
    /// Stable over restarts; absent: a new one for each process.
    pub node_id: Option<String>,
    /// Greatest number of client connections; absent: what the limit of open files allows.
    pub connections_max: Option<usize>,
    /// Kafka bootstrap servers that are reached elsewhere: as written in documents → where they are.
    pub kafka_addresses: HashMap<String, String>,
    /// Of the recorder that this process installed.
    pub metrics: PrometheusHandle,
}

/// A port that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({what}): {source}; choose another address or stop what uses it")]
pub struct StartError {
    what: &'static str,
    address: SocketAddr,
    source: std::io::Error,
}

/// A started gateway.
pub struct Running {
    /// Where clients connect.
    pub addr: SocketAddr,
    /// Where health, readiness and metrics are.
    pub node_addr: SocketAddr,
    /// True once this gateway holds a configuration; false again when it shuts down.
    pub ready: watch::Receiver<bool>,
    /// What is served.
    pub table: Arc<Table>,
    stopped: JoinHandle<()>,
}

impl Running {
    /// Waits until everything has ended after `shutdown`.
    pub async fn stopped(self) {
        if let Err(error) = self.stopped.await {
            tracing::error!(%error, "the gateway ended badly");
        }
    }
}

/// Starts a gateway; it runs until `shutdown`.
pub async fn start(config: GatewayConfig, shutdown: CancellationToken) -> Result<Running, StartError> {
    let (listener, addr) = bind("clients", config.listen).await?;
    let (node_listener, node_addr) = bind("node API", config.node_listen).await?;
    let table =
        Arc::new(Table::new(Shared { kafka: Arc::new(Clients::with_addresses(config.kafka_addresses)) }));
    let (ready_sender, ready) = watch::channel(false);
    let drain = Arc::new(Stop::default());
    let connections = TaskTracker::new();
    let limit = config.connections_max.unwrap_or_else(connections_max);
    let front = Arc::new(Front { table: Arc::clone(&table) });
    connections.spawn(accept(listener, front, limit, Arc::clone(&drain), connections.clone()));
    let node_stop = CancellationToken::new();
    let node = Node { ready: ready.clone(), metrics: config.metrics };
    let node_task = tokio::spawn(node::serve(node_listener, node, node_stop.clone()));
    let served = Arc::clone(&table);
    let stopped = tokio::spawn(async move {
        shutdown.cancelled().await;
        // Balancers look at readiness, so it goes first.
        ready_sender.send_replace(false);
        drain.signal(StopReason::Shutdown);
        served.shut_down().await;
        connections.close();
        if tokio::time::timeout(Duration::from_millis(SHUTDOWN_GRACE_MS), connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections are cut that did not end in time");
        }
        node_stop.cancel();
        node_task.await.ok();
    });
    tracing::info!(%addr, %node_addr, "the gateway listens");
    Ok(Running { addr, node_addr, ready, table, stopped })
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| StartError { what, address, source })
}
