//! The gateway's end of the control plane: learns what to run and reports what runs.
//!
//! It reconciles by digest when it connects and follows deltas afterwards. The seam to the data plane is `Applier`.
//! While management is away, everything that was applied keeps serving; nothing here ever stops a request.

mod apply;
mod assignments;
mod client;
mod holdings;
mod session;
mod status;

use bytes::Bytes;
use definition::consumer::{
    API_KEY_SCHEMA_VERSION, KIND_API_KEY, KIND_SUBSCRIPTION, SUBSCRIPTION_SCHEMA_VERSION,
};
use definition::deployment::{API_SCHEMA_VERSION, KIND_API};
use definition::digest::Digest;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use uuid::Uuid;

pub(crate) use assignments::Assigned;
pub use assignments::Assignments;
pub use status::{EnvironmentStatus, SyncStatus};

/// The kinds of resources that this build reads, each with the version of its body.
const READABLE: &[(&str, u32)] = &[
    (KIND_API, API_SCHEMA_VERSION),
    (KIND_SUBSCRIPTION, SUBSCRIPTION_SCHEMA_VERSION),
    (KIND_API_KEY, API_KEY_SCHEMA_VERSION),
];

/// One resource to put in place or to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyChange {
    /// Resource kind, `definition::deployment::KIND_API` above all.
    pub kind: String,
    pub id: String,
    pub op: ApplyOp,
}

/// What to do with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyOp {
    /// Run this content; its digest has been checked.
    Upsert {
        digest: Digest,
        /// Canonical bytes of the resource.
        body: Bytes,
        /// Revision of the environment that made it wanted.
        revision: u64,
    },
    /// Stop running it.
    Delete,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The new content serves.
    Active,
    /// The new content serves, with a problem that may pass (a broker is away).
    Degraded,
    /// The new content cannot serve; what served before still does.
    Rejected,
    /// The resource no longer serves.
    Removed,
}

/// Why a resource does not serve as it should, in words that users may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable, in capitals.
    pub code: String,
    /// Place in the resource, dotted with indexes; empty for the whole.
    pub path: String,
    /// The reason and the fix; never a secret.
    pub message: String,
}

/// Code of problems with what is behind an API, which come and go while it serves.
pub const ENDPOINT_UNAVAILABLE: &str = "ENDPOINT_UNAVAILABLE";

/// The outcome of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyOutcome {
    pub kind: String,
    pub id: String,
    /// Content the outcome is about; none for a removal.
    pub digest: Option<Digest>,
    pub level: Level,
    pub problem: Option<Problem>,
}

/// APIs that serve with a problem found after they were put in place, by id, with the content that the problem is about.
pub type Degraded = BTreeMap<String, (Digest, Problem)>;

/// Builds and swaps; implemented by the gateway's table.
pub trait Applier: Send + Sync + 'static {
    /// Applies a batch atomically: each change is built alone; good ones are swapped in together; a bad one leaves its
    /// old version serving. Gives one outcome per change.
    fn apply(&self, changes: Vec<ApplyChange>) -> impl Future<Output = Vec<ApplyOutcome>> + Send;

    /// Problems that show later, as they come and go; by default there are none.
    fn degraded(&self) -> watch::Receiver<Arc<Degraded>> {
        watch::channel(Arc::default()).1
    }

    /// Where management's assignments of push subscriptions go; `None`: this gateway takes none.
    fn owns(&self) -> Option<&Arc<Assignments>> {
        None
    }
}

/// What the sync client needs to know.
#[derive(Debug, Clone)]
pub struct SyncConfig {
    /// `http://host:port` of management nodes, tried in turn.
    pub management: Vec<String>,
    /// What management expects.
    pub token: SecretString,
    /// Stable name of the node; without one, each process is a node of its own.
    pub node_id: Option<String>,
    /// Organization to serve; empty for all.
    pub organization: String,
    /// Environments to serve; empty for all.
    pub environments: Vec<String>,
    /// Sharding tags; without any, the gateway takes every API.
    pub tags: Vec<String>,
    /// Shown in the list of instances.
    pub hostname: String,
    /// Port of the data plane, shown in the list of instances.
    pub port: u16,
}

/// A running sync client.
#[derive(Debug)]
pub struct SyncHandle {
    /// True from the first complete reconciliation on: everything that management counted was applied, each resource
    /// active, degraded or refused. It stays true while management is away.
    pub ready: watch::Receiver<bool>,
    /// What is held and how old it is.
    pub status: watch::Receiver<SyncStatus>,
    /// The node id in use.
    pub node_id: String,
    task: JoinHandle<()>,
}

impl SyncHandle {
    /// Waits until the client has said good-bye after `shutdown` was cancelled.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the sync client panicked");
        }
    }
}

/// Who this gateway process is; the same in all of its sessions.
#[derive(Debug)]
struct Identity {
    config: SyncConfig,
    node_id: String,
    process_id: String,
    /// Start of the process, milliseconds since 1970: a later process of the same node has a greater one.
    incarnation: u64,
}

/// Starts following management until `shutdown`. Errors: an address that is none, or no address at all.
pub fn start<A: Applier>(
    config: SyncConfig,
    applier: Arc<A>,
    shutdown: CancellationToken,
) -> anyhow::Result<SyncHandle> {
    let endpoints = client::endpoints(&config.management)?;
    let node_id = config.node_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let identity = Identity {
        config,
        node_id: node_id.clone(),
        process_id: Uuid::new_v4().to_string(),
        incarnation: u64::try_from(since_1970.as_millis()).unwrap_or(0),
    };
    let (publisher, ready, status) = status::Publisher::new();
    let task = tokio::spawn(follow(endpoints, identity, applier, publisher, shutdown));
    Ok(SyncHandle { ready, status, node_id, task })
}

async fn follow<A: Applier>(
    endpoints: Vec<(String, Endpoint)>,
    identity: Identity,
    applier: Arc<A>,
    publisher: status::Publisher,
    shutdown: CancellationToken,
) {
    let ageing = publisher.age();
    tokio::select! {
        () = client::run(endpoints, &identity, &*applier, &publisher, &shutdown) => {}
        () = ageing => {}
    }
}
