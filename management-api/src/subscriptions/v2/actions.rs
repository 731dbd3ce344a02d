//! What the API's side does to a subscription, in the 4.x dialect: one path per action.

use super::view::{Expands, subscription_view};
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::Document;
use crate::scope::Scope;
use crate::subscriptions::Held;
use crate::subscriptions::actions::{act, decide, transfer};
use crate::wire::{self, InSubscriptionV2};
use axum::Json;
use axum::extract::{Path, State};
use definition::subscription::{ConsumerAction, SubscriptionAction, SubscriptionDecision, read_decision};
use serde_json::Value;

/// Accepts a pending subscription
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_accept", operation_id = "accept_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    request_body = wire::AcceptSubscriptionV2,
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn accept_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let decision = SubscriptionDecision { accepted: true, ..read_decision(&document, &path.subscription)? };
    shown(&decide(&app, &actor, &scope, path.target(), decision).await?)
}

/// Rejects a pending subscription
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_reject", operation_id = "reject_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    request_body = wire::RejectSubscriptionV2,
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn reject_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let decision = SubscriptionDecision { accepted: false, ..read_decision(&document, &path.subscription)? };
    shown(&decide(&app, &actor, &scope, path.target(), decision).await?)
}

/// Pauses an accepted subscription and its keys
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_pause", operation_id = "pause_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn pause_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
) -> Result<Json<Value>> {
    shown(&act(&app, &actor, &scope, path.target(), SubscriptionAction::Pause).await?)
}

/// Resumes a paused subscription and its keys
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_resume", operation_id = "resume_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn resume_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
) -> Result<Json<Value>> {
    shown(&act(&app, &actor, &scope, path.target(), SubscriptionAction::Resume).await?)
}

/// Closes a subscription for good
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_close", operation_id = "close_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn close_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
) -> Result<Json<Value>> {
    shown(&act(&app, &actor, &scope, path.target(), SubscriptionAction::Close).await?)
}

/// Lets a gateway deliver again after it gave up
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_resumeFailure", operation_id = "resume_failure_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn resume_failure(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
) -> Result<Json<Value>> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, &scope, &path.api, &path.subscription).await?;
    held.act_as_consumer(ConsumerAction::ResumeFailure, app.clock.now())?;
    held.save(&mut tx, &scope, &actor, "subscription.consumer-status").await?;
    tx.commit().await?;
    shown(&held)
}

/// Moves a subscription to another plan of the same security
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/_transfer", operation_id = "transfer_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2),
    request_body = wire::TransferSubscriptionV2,
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn transfer_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    shown(&transfer(&app, &actor, &scope, path.target(), &document).await?)
}

fn shown(held: &Held) -> Result<Json<Value>> {
    Ok(Json(subscription_view(held, Expands::default())?))
}
