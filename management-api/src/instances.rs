//! The resource `…/instances`: the gateways of an environment.

use crate::app::AppState;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::Params;
use crate::page::{PageParams, Paged};
use crate::scope::Scope;
use crate::sync::status::{self, InstanceState};
use crate::urls;
use crate::wire::{self, InEnvironment, InInstance};
use axum::Json;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which gateways to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// List those too that said good-bye.
    #[serde(default)]
    include_stopped: bool,
}

/// Lists the gateways of an environment
#[utoipa::path(get, path = "/instances", operation_id = "list_instances", tag = "Gateways",
    params(InEnvironment, ListParams, PageParams),
    responses((status = 200, description = "One page", body = wire::InstancePage), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_instances(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    headers: HeaderMap,
    Params(params): Params<ListParams>,
    Params(page): Params<PageParams>,
) -> Result<Json<Paged<wire::Instance>>> {
    let page = page.page()?;
    let mut instances = status::instances(&app.db, &scope).await?;
    instances.retain(|instance| params.include_stopped || instance.state != InstanceState::Stopped);
    let total = i64::try_from(instances.len()).unwrap_or(i64::MAX);
    let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let shown = instances.into_iter().skip(count(page.offset())).take(count(page.size));
    let list = format!("{}/instances", urls::environment(&scope));
    Ok(Json(page.of(shown.map(wire::Instance::from).collect(), total, &urls::absolute(&headers, &list))))
}

/// Reads a gateway
#[utoipa::path(get, path = "/instances/{instance}", operation_id = "get_instance", tag = "Gateways",
    params(InInstance),
    responses((status = 200, description = "The gateway", body = wire::Instance), wire::Refusals))]
pub(crate) async fn get_instance(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InInstance>,
) -> Result<Json<wire::Instance>> {
    let instance = status::instance(&app.db, &scope, &path.instance).await?;
    let unknown = || ApiError::not_found("instance.notFound", "instance", &path.instance);
    Ok(Json(instance.ok_or_else(unknown)?.into()))
}
