//! What gateways serve, as users see it: a watermark per node and environment plus exceptions, written by the replica
//! that has the session and read from the store, so that every replica tells the same.
//!
//! Status never claims more than was observed: a revision counts as active on a node when the node reported that it
//! finished with it, except for the resources it listed as refused or degraded.

pub(crate) mod book;
mod evaluate;
mod store;
pub(crate) mod writer;

use crate::db::Db;
use crate::scope::Scope;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A node that was not heard of for this long is offline; one that is this far behind is stale.
pub const LOST_AFTER: TimeDelta = TimeDelta::seconds(30);

/// How far a deployment got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentState {
    /// No matching node has received it yet.
    Pending,
    /// Some nodes are still working on it.
    Rolling,
    /// Every online matching node serves it.
    Converged,
    /// No node is working on it any more, and some do not serve it as it should be.
    Partial,
    /// Every online matching node refused it.
    Failed,
    /// No online node matches: nothing serves it.
    NoNodes,
}

impl DeploymentState {
    /// The spelling in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            DeploymentState::Pending => "PENDING",
            DeploymentState::Rolling => "ROLLING",
            DeploymentState::Converged => "CONVERGED",
            DeploymentState::Partial => "PARTIAL",
            DeploymentState::Failed => "FAILED",
            DeploymentState::NoNodes => "NO_NODES",
        }
    }

    /// True when waiting longer changes nothing by itself.
    pub fn is_final(self) -> bool {
        match self {
            DeploymentState::Converged | DeploymentState::Partial | DeploymentState::Failed => true,
            DeploymentState::Pending | DeploymentState::Rolling | DeploymentState::NoNodes => false,
        }
    }
}

/// Nodes by what they make of a deployment. `matching` includes the offline ones; stopped nodes are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeCounts {
    pub matching: u32,
    pub active: u32,
    pub rejected: u32,
    pub degraded: u32,
    /// Online, and behind for longer than `LOST_AFTER`.
    pub stale: u32,
    pub offline: u32,
}

/// Why a resource does not serve on a node as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProblem {
    pub node: String,
    /// Resource kind, `api` above all; `environment` for what concerns all of it.
    pub kind: String,
    pub id: String,
    /// `rejected` or `degraded`.
    pub level: String,
    /// Stable code.
    pub code: String,
    /// Path into the definition, empty when the whole is meant.
    pub path: String,
    pub message: String,
    pub at: DateTime<Utc>,
}

/// A deployment and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    pub deployment: Deployment,
    pub state: DeploymentState,
    pub nodes: NodeCounts,
    pub problems: Vec<NodeProblem>,
    /// Revision of a later deployment of the same resource: that one is what nodes are measured by.
    pub superseded_by: Option<i64>,
}

/// A deployment as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub id: Uuid,
    pub revision: i64,
    pub kind: String,
    pub resource: String,
    /// `publish`, `start`, `stop` or `delete`.
    pub operation: String,
    /// Content that became wanted; none for stop and delete.
    pub digest: Option<Vec<u8>>,
    pub label: Option<String>,
    pub actor: String,
    pub at: DateTime<Utc>,
}

/// Whether a node can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// In touch and up to date, or catching up.
    Online,
    /// In touch, and behind for longer than `LOST_AFTER`.
    Stale,
    /// Not heard of for longer than `LOST_AFTER`; it may serve what it had.
    Offline,
    /// It said good-bye.
    Stopped,
}

impl InstanceState {
    /// The spelling in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            InstanceState::Online => "ONLINE",
            InstanceState::Stale => "STALE",
            InstanceState::Offline => "OFFLINE",
            InstanceState::Stopped => "STOPPED",
        }
    }
}

/// A gateway node and what it serves of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    pub build: String,
    pub hostname: String,
    /// Port of its data plane.
    pub port: u16,
    pub tags: Vec<String>,
    /// Management node that has or had its session.
    pub replica: String,
    pub state: InstanceState,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub stopped_at: Option<DateTime<Utc>>,
    pub received_revision: i64,
    pub active_revision: i64,
    /// Revision of the environment now.
    pub head: i64,
    pub problems: Vec<NodeProblem>,
}

/// One deployment of an environment with its progress; `None` if there is none of that id.
pub async fn deployment_status(db: &Db, scope: &Scope, id: Uuid) -> sqlx::Result<Option<DeploymentStatus>> {
    let Some(deployment) = store::deployment(db, scope, id).await? else { return Ok(None) };
    let wanted = store::wanted(db, scope, &deployment.kind, &deployment.resource).await?;
    let nodes = store::nodes(db, scope).await?;
    let problems = store::problems(db, scope, Some((&deployment.kind, &deployment.resource))).await?;
    Ok(Some(evaluate::deployment(Utc::now(), deployment, &wanted, &nodes, problems)))
}

/// Deployments of one resource, latest first, from `offset` on, at most `limit`.
pub async fn deployments(
    db: &Db,
    scope: &Scope,
    kind: &str,
    resource: &str,
    offset: i64,
    limit: i64,
) -> sqlx::Result<Vec<Deployment>> {
    store::deployments(db, scope, kind, resource, offset, limit).await
}

/// How many deployments of one resource there are.
pub async fn count_deployments(db: &Db, scope: &Scope, kind: &str, resource: &str) -> sqlx::Result<i64> {
    store::count_deployments(db, scope, kind, resource).await
}

/// The nodes of an environment by id, those included that stopped or vanished in the last 14 days.
pub async fn instances(db: &Db, scope: &Scope) -> sqlx::Result<Vec<Instance>> {
    let nodes = store::nodes(db, scope).await?;
    let problems = store::problems(db, scope, None).await?;
    Ok(evaluate::instances(Utc::now(), nodes, &problems))
}

/// One node of an environment.
pub async fn instance(db: &Db, scope: &Scope, id: &str) -> sqlx::Result<Option<Instance>> {
    Ok(instances(db, scope).await?.into_iter().find(|instance| instance.id == id))
}
