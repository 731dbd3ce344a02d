//! Deployments and the gateways that run them.

use super::{DeploymentOperation, DeploymentState, InstanceState};
use utoipa::ToSchema;
use uuid::Uuid;

/// One change of what gateways have to run.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Deployment {
    pub id: Uuid,
    pub api_id: Uuid,
    /// Of the environment; gateways that reached it have seen this change.
    pub revision: i64,
    pub operation: DeploymentOperation,
    pub deployment_label: Option<String>,
    pub actor: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    pub state: DeploymentState,
    pub nodes: DeploymentNodes,
    pub problems: Vec<DeploymentProblem>,
}

/// How many gateways are where.
#[derive(Debug, ToSchema)]
pub struct DeploymentNodes {
    /// Gateways that are meant, by their tags.
    pub matching: u64,
    pub active: u64,
    /// They keep the version before.
    pub rejected: u64,
    pub degraded: u64,
    /// Online, and not heard of for a while.
    pub stale: u64,
    pub offline: u64,
}

/// Why a gateway does not run it.
#[derive(Debug, ToSchema)]
pub struct DeploymentProblem {
    pub node: String,
    /// Place in the definition.
    pub path: String,
    pub code: String,
    pub message: String,
}

/// One page of deployments, newest first.
#[derive(Debug, ToSchema)]
pub struct DeploymentPage {
    pub data: Vec<Deployment>,
    pub pagination: crate::page::Pagination,
    pub links: crate::page::Links,
}

/// A gateway.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Instance {
    pub id: String,
    pub hostname: String,
    /// Of the data plane.
    pub port: i32,
    pub version: String,
    pub tags: Vec<String>,
    pub state: InstanceState,
    /// Milliseconds since 1970.
    pub started_at: i64,
    /// Milliseconds since 1970.
    pub last_heartbeat_at: i64,
    /// Milliseconds since 1970.
    pub stopped_at: Option<i64>,
}

/// One page of gateways.
#[derive(Debug, ToSchema)]
pub struct InstancePage {
    pub data: Vec<Instance>,
    pub pagination: crate::page::Pagination,
    pub links: crate::page::Links,
}
