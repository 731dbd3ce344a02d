//! The resource `…/v4/apis/{api}`: create, read, change, delete.

use super::publish::{self, Occasion};
use super::view::api_view;
use super::{ApiRecord, ApiState, Owner, life_cycle, paths, store};
use crate::app::AppState;
use crate::audit::{self, store::Entry};
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::extract::{Document, Params, id, too_large};
use crate::page::{PageParams, Paged};
use crate::plans::{self, PlanRecord};
use crate::scope::Scope;
use crate::subscriptions::sweep;
use crate::wire::{self, InApi, InEnvironment};
use crate::{entity_tag, urls};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use definition::api::{Api, LifecycleState};
use definition::dialect::{ReadApi, read_api, read_update_plans};
use definition::limits::DEFINITION_MAX_BYTES;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

const NOT_FOUND: &str = "api.notFound";

/// Creates an API
///
/// It is born stopped and private, and nothing reaches gateways before it is started or deployed.
#[utoipa::path(post, path = "/v4/apis", operation_id = "create_api", tag = "APIs", params(InEnvironment),
    request_body = wire::CreateApi,
    responses((status = 201, description = "The new API", body = wire::Api, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn create_api(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    headers: HeaderMap,
    Document(document): Document,
) -> Result<Response> {
    let definition = read_api(&document, ReadApi::Create)?;
    check_size(&definition)?;
    let now = app.clock.now();
    let api = ApiRecord {
        id: Uuid::new_v4(),
        definition,
        state: ApiState::Stopped,
        version: 1,
        owner: Owner { id: actor.id, name: actor.name.clone() },
        published: None,
        created_at: now,
        updated_at: now,
    };
    let mut tx = app.db.begin().await?;
    store::insert(&mut tx, &scope, &api).await?;
    paths::save(&mut tx, &scope, &api).await?;
    record(&mut tx, &scope, &actor, "api.create", &api).await?;
    tx.commit().await?;
    let location = urls::absolute(&headers, &urls::api(&scope, api.id));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(api_view(&api, &[]))).into_response())
}

/// Lists the APIs of an environment by name
#[utoipa::path(get, path = "/v4/apis", operation_id = "list_apis", tag = "APIs", params(InEnvironment, PageParams),
    responses((status = 200, description = "One page", body = wire::ApiPage), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_apis(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    headers: HeaderMap,
    Params(params): Params<PageParams>,
) -> Result<Json<Paged<Value>>> {
    let page = params.page()?;
    let (apis, total) = store::list(&app.db, &scope, page).await?;
    let plans = plans::store::list_for_page(&app.db, &scope, page).await?;
    let view = |api: &ApiRecord| {
        let own: Vec<PlanRecord> = plans.iter().filter(|plan| plan.api_id == api.id).cloned().collect();
        api_view(api, &own)
    };
    let data = apis.iter().map(view).collect();
    Ok(Json(page.of(data, total, &urls::absolute(&headers, &urls::apis(&scope)))))
}

/// Reads an API
#[utoipa::path(get, path = "/v4/apis/{api}", operation_id = "get_api", tag = "APIs", params(InApi),
    responses((status = 200, description = "The API", body = wire::Api, headers(("ETag" = String), ("Last-Modified" = String))), wire::Refusals))]
pub(crate) async fn get_api(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
) -> Result<Response> {
    let api = find(&app, &scope, &path.api).await?;
    let plans = plans::store::list(&app.db, &api).await?;
    Ok(shown(&api, &plans))
}

/// Replaces an API
///
/// Gateways keep what was deployed until the next deployment.
#[utoipa::path(put, path = "/v4/apis/{api}", operation_id = "update_api", tag = "APIs",
    params(InApi, ("If-Match" = Option<String>, Header, description = "Refuse unless the API has this ETag")),
    request_body = wire::UpdateApi,
    responses((status = 200, description = "The API", body = wire::Api, headers(("ETag" = String), ("Last-Modified" = String))),
        wire::Invalid, wire::Refusals, wire::Mismatch, wire::TooLarge))]
pub(crate) async fn update_api(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    headers: HeaderMap,
    Document(document): Document,
) -> Result<Response> {
    let mut tx = app.db.begin().await?;
    let mut api = find_for_update(&mut tx, &scope, &path.api).await?;
    entity_tag::check_match(&headers, api.version)?;
    let before = api.definition.lifecycle_state;
    api.definition =
        read_api(&document, ReadApi::Update { id: &api.id.to_string(), current: &api.definition })?;
    check_size(&api.definition)?;
    let plans = plans::store::list_for_update(&mut tx, &api).await?;
    let stored = |id: &str| {
        let mut found = plans.iter().filter(|plan| plan.id.to_string().eq_ignore_ascii_case(id));
        found.next().map(|plan| &plan.definition)
    };
    let updates = read_update_plans(&document, &api.definition, stored)?.unwrap_or_default();
    api.touch(app.clock.now());
    store::update(&mut tx, &scope, &api).await?;
    paths::save(&mut tx, &scope, &api).await?;

    for plan in plans::update_from_api(&plans, &document, updates, api.updated_at)? {
        plans::store::update(&mut tx, &plan).await?;
    }
    if api.definition.lifecycle_state == LifecycleState::Deprecated && before != LifecycleState::Deprecated {
        let plans = plans::store::list_for_update(&mut tx, &api).await?;
        for plan in plans::deprecate_all(&plans, api.updated_at) {
            plans::store::update(&mut tx, &plan).await?;
        }
    }
    let plans = plans::store::list_for_update(&mut tx, &api).await?;
    plans::check_all_complete(&plans, &api.definition)?;
    record(&mut tx, &scope, &actor, "api.update", &api).await?;
    tx.commit().await?;
    Ok(shown(&api, &plans))
}

/// What to do with plans that are still published.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteParams {
    /// Close published plans with the API instead of refusing.
    #[serde(default)]
    close_plans: bool,
}

/// Deletes a stopped API with its plans
#[utoipa::path(delete, path = "/v4/apis/{api}", operation_id = "delete_api", tag = "APIs",
    params(InApi, DeleteParams, ("If-Match" = Option<String>, Header, description = "Refuse unless the API has this ETag")),
    responses((status = 204, description = "It is gone"), wire::Invalid, wire::Refusals, wire::Mismatch))]
pub(crate) async fn delete_api(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    headers: HeaderMap,
    Params(params): Params<DeleteParams>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    let api = find_for_update(&mut tx, &scope, &path.api).await?;
    entity_tag::check_match(&headers, api.version)?;
    let plans = plans::store::list_for_update(&mut tx, &api).await?;
    life_cycle::check_deletable(&api, &plans, params.close_plans)?;
    let subscribers = sweep::of_deleted_api(&mut tx, &api).await?;
    store::delete(&mut tx, &scope, api.id).await?;
    record(&mut tx, &scope, &actor, "api.delete", &api).await?;
    subscribers.flush(&mut tx, &scope, &actor.name).await?;
    if api.published.is_some() {
        publish::withdraw(
            &mut tx,
            &scope,
            &api,
            Occasion { actor: &actor, at: app.clock.now(), label: None },
        )
        .await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The API that a path names, for reading.
pub(crate) async fn find(app: &AppState, scope: &Scope, text: &str) -> Result<ApiRecord> {
    let id = id(text, NOT_FOUND, "api")?;
    store::find(&app.db, scope, id).await?.ok_or_else(|| ApiError::not_found(NOT_FOUND, "api", text))
}

/// The API that a path names, held until the transaction ends.
pub(crate) async fn find_for_update(tx: &mut Tx, scope: &Scope, text: &str) -> Result<ApiRecord> {
    let id = id(text, NOT_FOUND, "api")?;
    store::find_for_update(tx, scope, id).await?.ok_or_else(|| ApiError::not_found(NOT_FOUND, "api", text))
}

/// 200 with the API and its entity tag.
pub(super) fn shown(api: &ApiRecord, plans: &[PlanRecord]) -> Response {
    (entity_tag::headers(api.version, api.updated_at), Json(api_view(api, plans))).into_response()
}

/// Writes the audit row of a change of an API.
pub(super) async fn record(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    action: &'static str,
    api: &ApiRecord,
) -> Result<()> {
    let entry = Entry { action, kind: "api", id: &api.id.to_string() };
    audit::store::record(tx, scope, actor, entry, api.updated_at).await?;
    Ok(())
}

fn check_size(definition: &Api) -> Result<()> {
    let bytes = serde_json::to_vec(definition)?.len();
    if bytes > DEFINITION_MAX_BYTES {
        return Err(too_large("the definition", DEFINITION_MAX_BYTES));
    }
    Ok(())
}
