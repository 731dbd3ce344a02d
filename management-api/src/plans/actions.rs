//! What publishes, deprecates and closes a plan.

use super::handlers::{named, record, save_changed};
use super::view::plan_view;
use super::{order, rules, store};
use crate::apis::handlers::find_for_update;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::scope::Scope;
use crate::subscriptions::sweep;
use crate::wire::{self, InPlan};
use axum::Json;
use axum::extract::{Path, State};
use definition::plan::{PlanAction, PlanStatus};
use serde_json::Value;

/// Publishes a staging plan behind the published ones
#[utoipa::path(post, path = "/v4/apis/{api}/plans/{plan}/_publish", operation_id = "publish_plan", tag = "Plans",
    params(InPlan), responses((status = 200, description = "The plan", body = wire::Plan), wire::Invalid, wire::Refusals))]
pub(crate) async fn publish_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
) -> Result<Json<Value>> {
    act(&app, &actor, &scope, &path, PlanAction::Publish, "plan.publish").await
}

/// Deprecates a published plan: it stays in force and takes nobody new
#[utoipa::path(post, path = "/v4/apis/{api}/plans/{plan}/_deprecate", operation_id = "deprecate_plan", tag = "Plans",
    params(InPlan), responses((status = 200, description = "The plan", body = wire::Plan), wire::Invalid, wire::Refusals))]
pub(crate) async fn deprecate_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
) -> Result<Json<Value>> {
    act(&app, &actor, &scope, &path, PlanAction::Deprecate, "plan.deprecate").await
}

/// Deprecates a published plan, under an old name
#[utoipa::path(post, path = "/v4/apis/{api}/plans/{plan}/_depreciate", operation_id = "depreciate_plan", tag = "Plans",
    params(InPlan), responses((status = 200, description = "The plan", body = wire::Plan), wire::Invalid, wire::Refusals))]
pub(crate) async fn depreciate_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
) -> Result<Json<Value>> {
    act(&app, &actor, &scope, &path, PlanAction::Deprecate, "plan.deprecate").await
}

/// Closes a plan for good, and its subscriptions with it
#[utoipa::path(post, path = "/v4/apis/{api}/plans/{plan}/_close", operation_id = "close_plan", tag = "Plans",
    params(InPlan), responses((status = 200, description = "The plan", body = wire::Plan), wire::Invalid, wire::Refusals))]
pub(crate) async fn close_plan(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InPlan>,
) -> Result<Json<Value>> {
    act(&app, &actor, &scope, &path, PlanAction::Close, "plan.close").await
}

async fn act(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    path: &InPlan,
    action: PlanAction,
    audited: &'static str,
) -> Result<Json<Value>> {
    let mut tx = app.db.begin().await?;
    let api = find_for_update(&mut tx, scope, &path.api).await?;
    let mut plans = store::list_for_update(&mut tx, &api).await?;
    let before = plans.clone();
    let mut plan = named(&plans, &path.plan)?.clone();
    let was = plan.clone();
    let now = app.clock.now();
    plan.enter(rules::status_after(&plan, action)?, now);
    plan.updated_at = now;
    rules::check_key_less(&plan, &plans)?;
    if action == PlanAction::Publish {
        rules::check_complete(&plan, &api.definition)?;
    }
    match action {
        PlanAction::Publish => plan.position = order::next(&plans),
        PlanAction::Close if was.status == PlanStatus::Published => order::close_gap(&mut plans, &was),
        PlanAction::Close | PlanAction::Deprecate => {}
    }
    for other in plans.iter_mut().filter(|other| other.id == plan.id) {
        *other = plan.clone();
    }
    save_changed(&mut tx, &before, &plans).await?;
    record(&mut tx, scope, actor, audited, &plan).await?;
    if action == PlanAction::Close {
        sweep::close_plan(&mut tx, scope, actor, &api, plan.id, now).await?;
    }
    tx.commit().await?;
    Ok(Json(plan_view(&plan)))
}
