//! Deployments and the gateways that run them. Dates are milliseconds since 1970.

use super::{DeploymentOperation, DeploymentState, InstanceState};
use crate::page::{Links, Pagination};
use crate::sync::status;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// One change of what gateways have to run, and how far they are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    pub id: Uuid,
    /// Of the environment; a gateway that reached it has seen this change.
    pub revision: i64,
    #[schema(value_type = DeploymentOperation)]
    pub operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_label: Option<String>,
    /// Who made it.
    pub actor: String,
    pub created_at: i64,
    #[schema(value_type = DeploymentState)]
    pub state: &'static str,
    pub nodes: DeploymentNodes,
    pub problems: Vec<Problem>,
    /// Revision of a later deployment of the same API: gateways are measured by that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<i64>,
}

/// How many gateways are where.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentNodes {
    /// Gateways that are meant, by their tags.
    pub matching: u32,
    pub active: u32,
    /// They keep the version before.
    pub rejected: u32,
    pub degraded: u32,
    /// Online, and behind for a while.
    pub stale: u32,
    pub offline: u32,
}

/// Why something does not run on a gateway as it should.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeProblem)]
pub struct Problem {
    /// Id of the gateway.
    pub node: String,
    /// What it is about: `api`, or `environment` for all of it.
    pub kind: String,
    pub id: String,
    /// `rejected` or `degraded`.
    pub level: String,
    pub code: String,
    /// Place in the definition; empty: the whole.
    pub path: String,
    pub message: String,
    pub at: i64,
}

/// One page of deployments, latest first.
#[derive(Debug, ToSchema)]
pub struct DeploymentPage {
    pub data: Vec<Deployment>,
    pub pagination: Pagination,
    pub links: Links,
}

/// A gateway and what it serves of the environment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    pub id: String,
    pub hostname: String,
    /// Of the data plane.
    pub port: u16,
    pub version: String,
    pub tags: Vec<String>,
    /// Management node that it is connected to.
    pub replica: String,
    #[schema(value_type = InstanceState)]
    pub state: &'static str,
    pub started_at: i64,
    pub last_heartbeat_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<i64>,
    pub received_revision: i64,
    pub active_revision: i64,
    /// Revision of the environment now.
    pub head_revision: i64,
    pub problems: Vec<Problem>,
}

/// One page of gateways.
#[derive(Debug, ToSchema)]
pub struct InstancePage {
    pub data: Vec<Instance>,
    pub pagination: Pagination,
    pub links: Links,
}

impl From<status::DeploymentStatus> for Deployment {
    fn from(status: status::DeploymentStatus) -> Self {
        let status::DeploymentStatus { deployment, state, nodes, problems, superseded_by } = status;
        let status::Deployment { id, revision, kind: _, resource: _, operation, digest: _, label, actor, at } =
            deployment;
        Deployment {
            id,
            revision,
            operation,
            deployment_label: label,
            actor,
            created_at: at.timestamp_millis(),
            state: state.as_str(),
            nodes: nodes.into(),
            problems: problems.into_iter().map(Problem::from).collect(),
            superseded_by,
        }
    }
}

impl From<status::NodeCounts> for DeploymentNodes {
    fn from(counts: status::NodeCounts) -> Self {
        let status::NodeCounts { matching, active, rejected, degraded, stale, offline } = counts;
        DeploymentNodes { matching, active, rejected, degraded, stale, offline }
    }
}

impl From<status::NodeProblem> for Problem {
    fn from(problem: status::NodeProblem) -> Self {
        let status::NodeProblem { node, kind, id, level, code, path, message, at } = problem;
        Problem { node, kind, id, level, code, path, message, at: at.timestamp_millis() }
    }
}

impl From<status::Instance> for Instance {
    fn from(instance: status::Instance) -> Self {
        let status::Instance {
            id,
            build,
            hostname,
            port,
            tags,
            replica,
            state,
            started_at,
            seen_at,
            stopped_at,
            received_revision,
            active_revision,
            head,
            problems,
        } = instance;
        Instance {
            id,
            hostname,
            port,
            version: build,
            tags,
            replica,
            state: state.as_str(),
            started_at: started_at.timestamp_millis(),
            last_heartbeat_at: seen_at.timestamp_millis(),
            stopped_at: stopped_at.map(|at| at.timestamp_millis()),
            received_revision,
            active_revision,
            head_revision: head,
            problems: problems.into_iter().map(Problem::from).collect(),
        }
    }
}
