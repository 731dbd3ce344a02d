//! The catalogue of policies and resources: which of them this version runs, with the schemas of their settings.

use crate::auth::Actor;
use crate::connectors::{ExpandParams, Pairs, expands};
use crate::error::{ApiError, Result};
use crate::extract::Params;
use crate::scope::Scope;
use crate::wire::{self, InConnector, InEnvironment};
use axum::Json;
use axum::extract::Path;
use definition::policy::{POLICIES, PolicySpec};
use definition::resource::{RESOURCES, ResourceSpec};
use serde_json::Value;

/// Lists the policies by name
#[utoipa::path(get, path = "/policies", operation_id = "list_policies", tag = "Policies",
    params(InEnvironment, ExpandParams),
    responses((status = 200, description = "The policies", body = Vec<wire::Policy>), wire::Refusals))]
pub(crate) async fn list_policies(
    _: Actor,
    _: Scope,
    Params(params): Params<Pairs>,
) -> Json<Vec<wire::Policy>> {
    let schema = expands(&params, "schema");
    let mut policies: Vec<_> = POLICIES.iter().map(|spec| wire::Policy::new(spec, schema)).collect();
    policies.sort_by_key(|policy| policy.name);
    Json(policies)
}

/// Reads a policy
#[utoipa::path(get, path = "/policies/{connector}", operation_id = "get_policy", tag = "Policies",
    params(InConnector),
    responses((status = 200, description = "The policy", body = wire::Policy), wire::Refusals))]
pub(crate) async fn get_policy(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<wire::Policy>> {
    Ok(Json(wire::Policy::new(policy(&path.connector)?, false)))
}

/// Reads the JSON schema of a policy's settings
#[utoipa::path(get, path = "/policies/{connector}/schema", operation_id = "get_policy_schema", tag = "Policies",
    params(InConnector),
    responses((status = 200, description = "The schema", body = Object), wire::Refusals))]
pub(crate) async fn get_policy_schema(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<Value>> {
    Ok(Json((policy(&path.connector)?.schema)().document().clone()))
}

/// Lists the kinds of resources by name
#[utoipa::path(get, path = "/resources", operation_id = "list_resources", tag = "Policies",
    params(InEnvironment, ExpandParams),
    responses((status = 200, description = "The kinds of resources", body = Vec<wire::ResourceKind>), wire::Refusals))]
pub(crate) async fn list_resources(
    _: Actor,
    _: Scope,
    Params(params): Params<Pairs>,
) -> Json<Vec<wire::ResourceKind>> {
    let schema = expands(&params, "schema");
    let mut resources: Vec<_> = RESOURCES.iter().map(|spec| wire::ResourceKind::new(spec, schema)).collect();
    resources.sort_by_key(|resource| resource.name);
    Json(resources)
}

/// Reads a kind of resource
#[utoipa::path(get, path = "/resources/{connector}", operation_id = "get_resource", tag = "Policies",
    params(InConnector),
    responses((status = 200, description = "The kind of resource", body = wire::ResourceKind), wire::Refusals))]
pub(crate) async fn get_resource(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<wire::ResourceKind>> {
    Ok(Json(wire::ResourceKind::new(resource(&path.connector)?, false)))
}

/// Reads the JSON schema of a resource's settings
#[utoipa::path(get, path = "/resources/{connector}/schema", operation_id = "get_resource_schema", tag = "Policies",
    params(InConnector),
    responses((status = 200, description = "The schema", body = Object), wire::Refusals))]
pub(crate) async fn get_resource_schema(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<Value>> {
    Ok(Json((resource(&path.connector)?.schema)().document().clone()))
}

fn policy(id: &str) -> Result<&'static PolicySpec> {
    definition::policy::policy(id).map_err(|_| ApiError::not_found("plugin.notFound", "plugin", id))
}

fn resource(id: &str) -> Result<&'static ResourceSpec> {
    definition::resource::resource(id).ok_or_else(|| ApiError::not_found("plugin.notFound", "plugin", id))
}
