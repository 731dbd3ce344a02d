//! What the API's side does to a subscription: answer, pause, resume, close, move to another plan.

use super::handlers::date;
use super::{Held, rules, store, view};
use crate::api_keys::issue;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::{Document, Params};
use crate::plans;
use crate::scope::Scope;
use crate::wire::{self, InSubscription, Target};
use axum::Json;
use axum::extract::{Path, State};
use definition::plan::PlanStatus;
use definition::subscription::{SubscriptionAction, SubscriptionDecision, read_decision, read_transfer};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

/// Accepts or rejects a pending subscription
///
/// An absent `accepted` rejects.
#[utoipa::path(post, path = "/v4/apis/{api}/subscriptions/{subscription}/_process", operation_id = "process_subscription",
    tag = "Subscriptions", params(InSubscription), request_body = wire::ProcessSubscription,
    responses((status = 200, description = "The subscription", body = wire::Subscription),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn process_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let decision = read_decision(&document, &path.subscription)?;
    Ok(Json(view::of_api(&decide(&app, &actor, &scope, path.target(), decision).await?)?))
}

/// Answers a pending subscription.
pub(super) async fn decide(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    target: Target<'_>,
    decision: SubscriptionDecision,
) -> Result<Held> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, scope, target.api, target.subscription).await?;
    let now = app.clock.now();
    let action = if decision.accepted { SubscriptionAction::Accept } else { SubscriptionAction::Reject };
    if decision.accepted && held.plan()?.status == PlanStatus::Closed {
        let plan = held.subscription.plan_id.to_string();
        let message = format!("Plan {plan} is already closed !");
        return Err(ApiError::refused("plan.closed", message, &[("plan", &plan)]));
    }
    held.act(action, actor, now)?;
    held.subscription.history.reason = decision.reason;
    if decision.accepted {
        held.subscription.starting_at = decision.starting_at_ms.and_then(date).or(Some(now));
        held.end_at(decision.ending_at_ms.and_then(date), now);
        issue::first_key(app, &mut tx, scope, &mut held, decision.custom_api_key.as_deref(), now).await?;
    }
    let audited = if decision.accepted { "subscription.accept" } else { "subscription.reject" };
    held.save(&mut tx, scope, actor, audited).await?;
    tx.commit().await?;
    Ok(held)
}

/// The status that is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusParams {
    /// `CLOSED`, `PAUSED` or `RESUMED`, any case.
    #[param(required = true, example = "PAUSED")]
    status: Option<String>,
}

/// Pauses, resumes or closes a subscription
///
/// Its keys follow. A pending subscription that is closed becomes rejected.
#[utoipa::path(post, path = "/v4/apis/{api}/subscriptions/{subscription}/status", operation_id = "change_subscription_status",
    tag = "Subscriptions", params(InSubscription, StatusParams),
    responses((status = 200, description = "The subscription", body = wire::Subscription), wire::Invalid, wire::Refusals))]
pub(crate) async fn change_status(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
    Params(params): Params<StatusParams>,
) -> Result<Json<Value>> {
    let action = match params.status.map(|status| status.to_ascii_uppercase()).as_deref() {
        Some("CLOSED") => SubscriptionAction::Close,
        Some("PAUSED") => SubscriptionAction::Pause,
        Some("RESUMED") => SubscriptionAction::Resume,
        _ => {
            let message = "query parameter `status` must be one of CLOSED, PAUSED, RESUMED";
            return Err(ApiError::bad_request(message));
        }
    };
    Ok(Json(view::of_api(&act(&app, &actor, &scope, path.target(), action).await?)?))
}

/// Lets the publisher act on a subscription.
pub(super) async fn act(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    target: Target<'_>,
    action: SubscriptionAction,
) -> Result<Held> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, scope, target.api, target.subscription).await?;
    held.act(action, actor, app.clock.now())?;
    held.save(&mut tx, scope, actor, audited(action)).await?;
    tx.commit().await?;
    Ok(held)
}

/// How the audit trail calls an action.
pub(super) fn audited(action: SubscriptionAction) -> &'static str {
    match action {
        SubscriptionAction::Accept => "subscription.accept",
        SubscriptionAction::Reject => "subscription.reject",
        SubscriptionAction::Pause => "subscription.pause",
        SubscriptionAction::Resume => "subscription.resume",
        SubscriptionAction::Close => "subscription.close",
    }
}

/// Moves a subscription to another plan of the same security
#[utoipa::path(post, path = "/v4/apis/{api}/subscriptions/{subscription}/_transfer", operation_id = "transfer_subscription",
    tag = "Subscriptions", params(InSubscription), request_body = wire::TransferSubscription,
    responses((status = 200, description = "The subscription", body = wire::Subscription),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn transfer_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
    Document(document): Document,
) -> Result<Json<Value>> {
    Ok(Json(view::of_api(&transfer(&app, &actor, &scope, path.target(), &document).await?)?))
}

/// Moves a live subscription.
pub(super) async fn transfer(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    target: Target<'_>,
    document: &Value,
) -> Result<Held> {
    let wanted = read_transfer(document, target.subscription)?;
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, scope, target.api, target.subscription).await?;
    let plan = plans::handlers::named(&held.plans, &wanted)?;
    rules::check_transfer(held.plan()?, plan)?;
    let status = held.subscription.status;
    if !status.is_live() {
        return Err(super::change::closed(&held.subscription.id.to_string(), status.label()));
    }
    let others = store::of_application(&mut tx, held.application.id).await?;
    if rules::live(&others, plan).any(|other| other.channel() == held.subscription.channel()) {
        return Err(rules::subscribed(plan));
    }
    held.subscription.plan_id = plan.id;
    held.subscription.updated_at = held.subscription.updated_at.max(app.clock.now());
    held.save(&mut tx, scope, actor, "subscription.transfer").await?;
    tx.commit().await?;
    Ok(held)
}
