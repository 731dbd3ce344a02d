//! The composition root: everything a gateway is made of, started and stopped in one place.

use crate::consumers::close_at_their_end;
use crate::endpoint::Shared;
use crate::endpoint::http_proxy::{self, Upstream};
use crate::endpoint::kafka::Clients;
use crate::http::listener::{accept, connections_max};
use crate::http::serve::Front;
use crate::limiter::{Limiter, StoreUrl};
use crate::networks::CallbackNetworks;
use crate::node::{self, Node};
use crate::push;
use crate::security::KeyNames;
use crate::stop::{Stop, StopReason};
use crate::sync::{self, SyncConfig};
use crate::table::Table;
use crate::table::facts::NodeFacts;
use crate::trust::TrustedProxies;
use anyhow::Context as _;
use http::HeaderName;
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
    /// Tenant whose endpoints it uses; absent: everybody's.
    pub tenant: Option<String>,
    /// Stable over restarts; absent: a new one for each process.
    pub node_id: Option<String>,
    /// Name of this machine, for the list of instances.
    pub hostname: String,
    /// Greatest number of client connections; absent: what the limit of open files allows.
    pub connections_max: Option<usize>,
    /// Kafka bootstrap servers that are reached elsewhere: as written in documents → where they are.
    pub kafka_addresses: HashMap<String, String>,
    /// Proxy of endpoints that use the one of their node.
    pub system_proxy: Option<Upstream>,
    /// Header that API keys are looked for in; absent: `X-Gravitee-Api-Key`; empty: none.
    pub api_key_header: Option<String>,
    /// Query parameter that API keys are looked for in; absent: `api-key`; empty: none.
    pub api_key_parameter: Option<String>,
    /// Where the nodes count together what policies limit; absent: each node counts for itself.
    pub rate_limit_store: Option<StoreUrl>,
    /// Proxies whose word about the addresses of their clients is taken.
    pub trusted_proxies: TrustedProxies,
    /// Networks that callbacks may be in although they are not public.
    pub callback_networks: CallbackNetworks,
    /// Of the recorder that this process installed.
    pub metrics: PrometheusHandle,
}

/// A started gateway.
pub struct Running {
    /// Where clients connect.
    pub addr: SocketAddr,
    /// Where health, readiness and metrics are.
    pub node_addr: SocketAddr,
    /// True once this gateway runs everything that management wants; false again when it shuts down.
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

/// Starts a gateway; it runs until `shutdown`. Errors: an address cannot be listened on, or is none of management's.
pub async fn start(config: GatewayConfig, shutdown: CancellationToken) -> anyhow::Result<Running> {
    let (listener, addr) = bind("clients", config.listen).await?;
    let (node_listener, node_addr) = bind("node API", config.node_listen).await?;
    let limiter = Arc::new(match &config.rate_limit_store {
        Some(store) => Limiter::with_store(store)?,
        None => Limiter::default(),
    });
    let shared = Shared {
        kafka: Arc::new(Clients::with_addresses(config.kafka_addresses)),
        http: Arc::new(http_proxy::Clients::with_system_proxy(config.system_proxy)),
        node: Arc::new(NodeFacts {
            id: config.node_id.clone().unwrap_or_default(),
            tags: config.tags.clone(),
            tenant: config.tenant,
        }),
        callback_networks: Arc::new(config.callback_networks),
        limiter: Arc::clone(&limiter),
        key_names: key_names(config.api_key_header, config.api_key_parameter)?,
        ..Shared::default()
    };
    tokio::spawn(close_at_their_end(Arc::clone(&shared.consumers), shutdown.clone()));
    let table = Arc::new(Table::new(shared));
    let sync_config = SyncConfig {
        management: config.management,
        token: config.token,
        node_id: config.node_id,
        organization: String::new(),
        environments: Vec::new(),
        tags: config.tags,
        hostname: config.hostname,
        port: addr.port(),
    };
    let pushing = tokio::spawn(push::dispatch(Arc::clone(&table), shutdown.clone()));
    // Management is told until everything that this node owns was given back.
    let sync_stop = CancellationToken::new();
    let sync = sync::start(sync_config, Arc::clone(&table), sync_stop.clone())?;
    let (ready_sender, ready) = watch::channel(false);
    tokio::spawn(follow_readiness(sync.ready.clone(), ready_sender, shutdown.clone()));
    let drain = Arc::new(Stop::default());
    let connections = TaskTracker::new();
    let limit = config.connections_max.unwrap_or_else(connections_max);
    let front = Arc::new(Front::new(Arc::clone(&table), config.trusted_proxies));
    let reported = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { limiter.report(shutdown).await }
    });
    connections.spawn(accept(listener, front, limit, Arc::clone(&drain), connections.clone()));
    let node_stop = CancellationToken::new();
    let node = Node { ready: ready.clone(), metrics: config.metrics };
    let node_task = tokio::spawn(node::serve(node_listener, node, node_stop.clone()));
    let served = Arc::clone(&table);
    let stopped = tokio::spawn(async move {
        shutdown.cancelled().await;
        drain.signal(StopReason::Shutdown);
        served.shut_down().await;
        connections.close();
        let given_back = give_back(pushing, sync_stop);
        let grace = Duration::from_millis(SHUTDOWN_GRACE_MS);
        let (_, ended) = tokio::join!(given_back, tokio::time::timeout(grace, connections.wait()));
        if ended.is_err() {
            tracing::warn!(connections = connections.len(), "connections are cut that did not end in time");
        }
        sync.stopped().await;
        reported.await.ok();
        node_stop.cancel();
        node_task.await.ok();
    });
    tracing::info!(%addr, %node_addr, "the gateway listens");
    Ok(Running { addr, node_addr, ready, table, stopped })
}

/// Waits until push subscriptions were given back, then lets management go.
async fn give_back(pushing: JoinHandle<()>, sync_stop: CancellationToken) {
    if let Err(error) = pushing.await {
        tracing::error!(%error, "the dispatcher of push subscriptions panicked");
    }
    sync_stop.cancel();
}

/// Ready is what sync says until the shutdown begins; balancers look at it, so it goes first.
async fn follow_readiness(
    mut sync: watch::Receiver<bool>,
    ready: watch::Sender<bool>,
    shutdown: CancellationToken,
) {
    loop {
        ready.send_replace(*sync.borrow_and_update() && !shutdown.is_cancelled());
        tokio::select! {
            changed = sync.changed() => if changed.is_err() { break },
            () = shutdown.cancelled() => break,
        }
    }
    ready.send_replace(false);
}

fn key_names(header: Option<String>, parameter: Option<String>) -> anyhow::Result<KeyNames> {
    let defaults = KeyNames::default();
    let header = match header.as_deref().map(str::trim) {
        None => defaults.header,
        Some("") => None,
        Some(name) => Some(HeaderName::try_from(name).with_context(|| {
            format!("`{name}` is no HTTP header name for API keys, use letters, digits and dashes")
        })?),
    };
    let parameter = match parameter {
        None => defaults.parameter,
        Some(name) => Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
    };
    Ok(KeyNames { header, parameter })
}

async fn bind(what: &'static str, address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} ({what}); choose another address or stop what uses it")
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
