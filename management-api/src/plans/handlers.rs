//! The resource `…/v4/apis/{api}/plans/{plan}`.

use super::store::Inserted;
use super::view::plan_view;
use super::{PlanRecord, order, rules, store};
use crate::apis::ApiRecord;
use crate::apis::handlers::{find, find_for_update};
use crate::app::AppState;
use crate::audit::{self, store::Entry};
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::extract::{Document, Params, id, tokens};
use crate::scope::Scope;
use crate::subscriptions::sweep;
use crate::urls;
use crate::wire::{self, InApi, InPlan};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use definition::api::LifecycleState;
use definition::dialect::{PlanDocument, ReadPlan, read_plan};
use definition::plan::{PlanSecurityType, PlanStatus};
use definition::violation::Violation;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

const NOT_FOUND: &str = "plan.notFound";

/// Which plans to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Statuses, separated by commas. Absent: `published`.
    #[param(example = "published,staging")]
    status: Option<String>,
    /// Security types, separated by commas. Absent: all.
    #[param(example = "key-less")]
    security: Option<String>,
}

/// Lists the plans of an API in their order
#[utoipa::path(get, path = "/v4/apis/{api}/plans", operation_id = "list_plans", tag = "Plans", params(InApi, ListParams),
    responses((status = 200, description = "The plans", body = Vec<wire::Plan>), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_plans(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    Params(params): Params<ListParams>,
) -> Result<Json<Vec<Value>>> {
    let api = find(&app, &scope, &path.api).await?;
    let listed = |list: Option<&str>| -> Option<Vec<String>> {
        let labels = list?.split(',').map(str::trim).filter(|label| !label.is_empty());
        Some(labels.map(str::to_owned).collect()).filter(|labels: &Vec<String>| !labels.is_empty())
    };
    let statuses: Vec<PlanStatus> = match listed(params.status.as_deref()) {
        Some(labels) => tokens("status", &labels)?,
        None => vec![PlanStatus::Published],
    };
    let securities = listed(params.security.as_deref());
    let securities = securities.map(|labels| tokens::<PlanSecurityType>("security", &labels)).transpose()?;
    let matches = |plan: &&PlanRecord| {
        let security = plan.definition.security.security_type;
        statuses.contains(&plan.status) && securities.as_ref().is_none_or(|list| list.contains(&security))
    };
    Ok(Json(store::list(&app.db, &api).await?.iter().filter(matches).map(plan_view).collect()))
}

/// Creates a plan
///
/// Gateways get it with the next deployment of the API.
#[utoipa::path(post, path = "/v4/apis/{api}/plans", operation_id = "create_plan", tag = "Plans", params(InApi),
    request_body = wire::CreatePlan,
    responses((status = 201, description = "The new plan", body = wire::Plan, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn create_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    headers: HeaderMap,
    Document(document): Document,
) -> Result<Response> {
    let mut tx = app.db.begin().await?;
    let api = find_for_update(&mut tx, &scope, &path.api).await?;
    if api.definition.lifecycle_state == LifecycleState::Deprecated {
        let id = api.id.to_string();
        let message = format!("API [{id}] is deprecated and takes no new plans");
        return Err(ApiError::refused("api.deprecated", message, &[("api", &id)]));
    }
    let document = read_plan(&document, ReadPlan::Create { api: &api.definition })?;
    let plan = born(&api, document, app.clock.now())?;
    rules::check_size(&plan.definition)?;
    rules::check_complete(&plan, &api.definition)?;
    rules::check_key_less(&plan, &store::list_for_update(&mut tx, &api).await?)?;
    if store::insert(&mut tx, &plan).await? == Inserted::AlreadyThere {
        return Err(exists(plan.id));
    }
    record(&mut tx, &scope, &actor, "plan.create", &plan).await?;
    tx.commit().await?;
    let location = urls::absolute(&headers, &format!("{}/plans/{}", urls::api(&scope, api.id), plan.id));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(plan_view(&plan))).into_response())
}

/// Reads a plan
#[utoipa::path(get, path = "/v4/apis/{api}/plans/{plan}", operation_id = "get_plan", tag = "Plans", params(InPlan),
    responses((status = 200, description = "The plan", body = wire::Plan), wire::Refusals))]
pub(crate) async fn get_plan(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
) -> Result<Json<Value>> {
    let api = find(&app, &scope, &path.api).await?;
    let plans = store::list(&app.db, &api).await?;
    let plan = named(&plans, &path.plan)?;
    Ok(Json(plan_view(plan)))
}

/// Replaces a plan
///
/// Status and security type stay as they are. Another `order` moves a published plan among the published ones.
#[utoipa::path(put, path = "/v4/apis/{api}/plans/{plan}", operation_id = "update_plan", tag = "Plans", params(InPlan),
    request_body = wire::PlanUpdate,
    responses((status = 200, description = "The plan", body = wire::Plan), wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let mut tx = app.db.begin().await?;
    let api = find_for_update(&mut tx, &scope, &path.api).await?;
    let mut plans = store::list_for_update(&mut tx, &api).await?;
    let plan = named(&plans, &path.plan)?.clone();
    let id = plan.id.to_string();
    let read = ReadPlan::Update { id: &id, api: &api.definition, current: &plan.definition };
    let PlanDocument { plan: mut definition, order: wanted, .. } = read_plan(&document, read)?;
    rules::check_size(&definition)?;
    definition.security.security_type = plan.definition.security.security_type;
    let before = plans.clone();
    if let Some(changed) = plans.iter_mut().find(|other| other.id == plan.id) {
        changed.definition = definition;
        changed.updated_at = app.clock.now();
        rules::check_complete(changed, &api.definition)?;
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != plan.position) {
        order::place(&mut plans, plan.id, wanted);
    }
    save_changed(&mut tx, &before, &plans).await?;
    let plan = named(&plans, &id)?;
    record(&mut tx, &scope, &actor, "plan.update", plan).await?;
    tx.commit().await?;
    Ok(Json(plan_view(plan)))
}

/// Deletes a plan
#[utoipa::path(delete, path = "/v4/apis/{api}/plans/{plan}", operation_id = "delete_plan", tag = "Plans", params(InPlan),
    responses((status = 204, description = "It is gone"), wire::Refusals))]
pub(crate) async fn delete_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    let api = find_for_update(&mut tx, &scope, &path.api).await?;
    let plans = store::list_for_update(&mut tx, &api).await?;
    let plan = named(&plans, &path.plan)?;
    rules::check_deletable(plan, sweep::plan_is_used(&mut tx, &api, plan.id).await?)?;
    store::delete(&mut tx, &api, plan.id).await?;
    record(&mut tx, &scope, &actor, "plan.delete", plan).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn exists(id: Uuid) -> ApiError {
    let id = id.to_string();
    let message = format!("A plan [{id}] exists already; leave `id` out or choose another one");
    ApiError::refused("plan.exists", message, &[("plan", &id)])
}

/// Makes a record of a new plan.
fn born(api: &ApiRecord, document: PlanDocument, at: DateTime<Utc>) -> Result<PlanRecord> {
    let PlanDocument { plan, id: chosen, status, order } = document;
    let id = chosen.map_or_else(|| Ok(Uuid::new_v4()), |text| Uuid::parse_str(&text));
    let id = id.map_err(|_| Violation::new("id", "data.invalid", "id must be a UUID, or left out"))?;
    let mut record = PlanRecord {
        id,
        api_id: api.id,
        definition: plan,
        status,
        position: order.unwrap_or(0),
        created_at: at,
        updated_at: at,
        published_at: None,
        closed_at: None,
    };
    record.enter(status, at);
    Ok(record)
}

/// The plan that a path names, among those of its API: a plan of another API is as unknown as none.
pub(crate) fn named<'a>(plans: &'a [PlanRecord], text: &str) -> Result<&'a PlanRecord> {
    let id = id(text, NOT_FOUND, "plan")?;
    plans.iter().find(|plan| plan.id == id).ok_or_else(|| ApiError::not_found(NOT_FOUND, "plan", text))
}

/// Saves the plans that differ.
pub(super) async fn save_changed(tx: &mut Tx, before: &[PlanRecord], after: &[PlanRecord]) -> Result<()> {
    for (_, plan) in before.iter().zip(after).filter(|(before, after)| before != after) {
        store::update(tx, plan).await?;
    }
    Ok(())
}

/// Writes the audit row of a change of a plan.
pub(super) async fn record(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    action: &'static str,
    plan: &PlanRecord,
) -> Result<()> {
    let entry = Entry { action, kind: "plan", id: &plan.id.to_string() };
    audit::store::record(tx, scope, actor, entry, plan.updated_at).await?;
    Ok(())
}
