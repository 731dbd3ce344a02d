//! The catalogue: which entrypoints and endpoints this version runs, with the schemas of their settings.

use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::Params;
use crate::scope::Scope;

use crate::wire::{self, Expand, InConnector, InEnvironment};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use definition::catalogue::{Connector, catalogue};
use serde_json::Value;
use utoipa::IntoParams;

/// What to add to each connector. Read by hand, because clients repeat the parameter.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExpandParams {
    /// `schema`: the JSON schema of the settings, as text; `subscriptionSchema`: that of what each subscription
    /// configures. Others are ignored.
    #[param(example = "schema")]
    #[expect(dead_code, reason = "describes the parameter")]
    expand: Option<String>,
}

/// Query parameters, in order.
pub(crate) type Pairs = Vec<(String, String)>;

/// Lists the entrypoints by name
#[utoipa::path(get, path = "/v4/entrypoints", operation_id = "list_entrypoints", tag = "Connectors",
    params(InEnvironment, ExpandParams),
    responses((status = 200, description = "The entrypoints", body = Vec<wire::Connector>), wire::Refusals))]
pub(crate) async fn list_entrypoints(
    _: Actor,
    _: Scope,
    Params(params): Params<Pairs>,
) -> Json<Vec<wire::Connector>> {
    list(catalogue().entrypoints, &params)
}

/// Reads an entrypoint
#[utoipa::path(get, path = "/v4/entrypoints/{connector}", operation_id = "get_entrypoint", tag = "Connectors",
    params(InConnector),
    responses((status = 200, description = "The entrypoint", body = wire::Connector), wire::Refusals))]
pub(crate) async fn get_entrypoint(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<wire::Connector>> {
    Ok(Json(wire::Connector::new(find(catalogue().entrypoints, &path.connector)?, Expand::default())))
}

/// Reads the JSON schema of an entrypoint's settings
#[utoipa::path(get, path = "/v4/entrypoints/{connector}/schema", operation_id = "get_entrypoint_schema",
    tag = "Connectors", params(InConnector),
    responses((status = 200, description = "The schema", body = Object), wire::Refusals))]
pub(crate) async fn get_entrypoint_schema(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<Value>> {
    Ok(Json(find(catalogue().entrypoints, &path.connector)?.schema.clone()))
}

/// Reads the JSON schema of what each subscription to an entrypoint configures
#[utoipa::path(get, path = "/v4/entrypoints/{connector}/subscriptionSchema",
    operation_id = "get_entrypoint_subscription_schema", tag = "Connectors", params(InConnector),
    responses((status = 200, description = "The schema", body = Object),
        (status = 204, description = "Its subscriptions configure nothing"), wire::Refusals))]
pub(crate) async fn get_entrypoint_subscription_schema(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Response> {
    let connector = find(catalogue().entrypoints, &path.connector)?;
    Ok(match connector.subscription_schema {
        Some(schema) => Json(schema.clone()).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Lists the endpoints by name
#[utoipa::path(get, path = "/v4/endpoints", operation_id = "list_endpoints", tag = "Connectors",
    params(InEnvironment, ExpandParams),
    responses((status = 200, description = "The endpoints", body = Vec<wire::Connector>), wire::Refusals))]
pub(crate) async fn list_endpoints(
    _: Actor,
    _: Scope,
    Params(params): Params<Pairs>,
) -> Json<Vec<wire::Connector>> {
    list(catalogue().endpoints, &params)
}

/// Reads an endpoint
#[utoipa::path(get, path = "/v4/endpoints/{connector}", operation_id = "get_endpoint", tag = "Connectors",
    params(InConnector),
    responses((status = 200, description = "The endpoint", body = wire::Connector), wire::Refusals))]
pub(crate) async fn get_endpoint(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<wire::Connector>> {
    Ok(Json(wire::Connector::new(find(catalogue().endpoints, &path.connector)?, Expand::default())))
}

/// Reads the JSON schema of an endpoint's settings
#[utoipa::path(get, path = "/v4/endpoints/{connector}/schema", operation_id = "get_endpoint_schema",
    tag = "Connectors", params(InConnector),
    responses((status = 200, description = "The schema", body = Object), wire::Refusals))]
pub(crate) async fn get_endpoint_schema(
    _: Actor,
    _: Scope,
    Path(path): Path<InConnector>,
) -> Result<Json<Value>> {
    Ok(Json(find(catalogue().endpoints, &path.connector)?.schema.clone()))
}

fn list(connectors: Vec<Connector>, params: &[(String, String)]) -> Json<Vec<wire::Connector>> {
    let subscription_schema = expands(params, "subscriptionSchema");
    let expand = Expand { schema: expands(params, "schema"), subscription_schema };
    Json(connectors.into_iter().map(|connector| wire::Connector::new(connector, expand)).collect())
}

/// Whether this part is asked for.
pub(crate) fn expands(params: &[(String, String)], part: &str) -> bool {
    params.iter().any(|(name, value)| name == "expand" && value.split(',').any(|asked| asked == part))
}

fn find(connectors: Vec<Connector>, id: &str) -> Result<Connector> {
    let found = connectors.into_iter().find(|connector| connector.id == id);
    found.ok_or_else(|| ApiError::not_found("plugin.notFound", "plugin", id))
}
