//! The resource `…/applications/{application}/subscriptions`: the consumer's side.

use super::handlers::required;
use super::list::{ApplicationFilterParams, Expand, Filter, Pairs, SIZE_DEFAULT};
use super::rules::{self, Side, check_active};
use super::subscribe::{Order, subscribe};
use super::{Held, list, store, subscription_item, view};
use crate::app::AppState;
use crate::applications;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::{Document, OptionalDocument, Params};
use crate::page::PageParams;
use crate::scope::Scope;
use crate::urls;
use crate::wire::{self, InApplication, InApplicationSubscription};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use definition::api::ListenerType;
use definition::plan::{PlanSecurityType, PlanValidation};
use definition::subscription::{
    ConsumerAction, SubscriptionAction, SubscriptionStatus, read_request, read_update,
};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

/// Lists the subscriptions of an application, latest first
#[utoipa::path(get, path = "/applications/{application}/subscriptions", operation_id = "list_application_subscriptions",
    tag = "Applications", params(InApplication, ApplicationFilterParams, PageParams),
    responses((status = 200, description = "One page", body = wire::SubscriptionPage), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_subscriptions(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApplication>,
    Params(pairs): Params<Pairs>,
    Params(params): Params<PageParams>,
) -> Result<Json<Value>> {
    let page = params.page_of(SIZE_DEFAULT)?;
    let application = applications::handlers::find(&app, &scope, &path.application).await?;
    let filter =
        Filter { applications: Some(vec![application.id]), ..Filter::read(&pairs, list::OF_CONSUMERS)? };
    Ok(Json(list::page(&app, &scope, &filter, Expand::read(&pairs), page).await?))
}

/// The plan to subscribe to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlanParams {
    /// Id of the plan.
    #[param(required = true)]
    plan: Option<String>,
}

/// Subscribes the application to a plan
///
/// It waits as `PENDING` for the publisher when the plan's validation is manual.
#[utoipa::path(post, path = "/applications/{application}/subscriptions", operation_id = "create_application_subscription",
    tag = "Applications", params(InApplication, PlanParams), request_body(content = Option<wire::CreateSubscription>),
    responses((status = 201, description = "The new subscription", body = wire::ApplicationSubscription, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn create_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplication>,
    Params(params): Params<PlanParams>,
    headers: HeaderMap,
    OptionalDocument(document): OptionalDocument,
) -> Result<Response> {
    applications::handlers::find(&app, &scope, &path.application).await?;
    let plan = required("plan", params.plan)?;
    let request = read_request(&document.unwrap_or_else(|| json!({})), None)?;
    let order =
        Order { side: Side::Consumer, application: &path.application, plan: &plan, api: None, request };
    let held = subscribe(&app, &actor, &scope, order).await?;
    let application = urls::application(&scope, held.application.id);
    let location = urls::absolute(&headers, &format!("{application}/subscriptions/{}", held.subscription.id));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view::of_application(&held)?)).into_response())
}

/// Reads a subscription of the application
#[utoipa::path(get, path = "/applications/{application}/subscriptions/{subscription}", operation_id = "get_application_subscription",
    tag = "Applications", params(InApplicationSubscription),
    responses((status = 200, description = "The subscription", body = wire::ApplicationSubscription), wire::Forbidden, wire::Refusals))]
pub(crate) async fn get_subscription(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApplicationSubscription>,
) -> Result<Json<Value>> {
    let held = Held::read_of_application(&app, &scope, &path.application, &path.subscription).await?;
    Ok(Json(view::of_application(&held)?))
}

/// Changes where and what the consumer gets
///
/// On a plan with manual validation the publisher has to accept it again.
#[utoipa::path(put, path = "/applications/{application}/subscriptions/{subscription}", operation_id = "update_application_subscription",
    tag = "Applications", params(InApplicationSubscription), request_body = wire::UpdateApplicationSubscription,
    responses((status = 200, description = "The subscription", body = wire::SubscriptionItem),
        wire::Invalid, wire::Forbidden, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplicationSubscription>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_application(&mut tx, &scope, &path.application, &path.subscription).await?;
    check_active(&held.application)?;
    let id = held.subscription.id.to_string();
    if !held.subscription.status.is_live() {
        let message = format!("Subscription [{id}] is closed, so it cannot be changed");
        return Err(ApiError::refused("subscription.notUpdatable", message, &[("subscription", &id)]));
    }
    let update = read_update(&document, &id, held.subscription.configuration.as_ref())?;
    let manual = held.plan()?.definition.validation == PlanValidation::Manual;
    let now = app.clock.now();
    held.take_up_again(now);
    let subscription = &mut held.subscription;
    subscription.configuration = update.configuration.or(subscription.configuration.take());
    subscription.metadata = update.metadata.unwrap_or_else(|| std::mem::take(&mut subscription.metadata));
    subscription.updated_at = subscription.updated_at.max(now);
    if manual {
        subscription.status = SubscriptionStatus::Pending;
        subscription.history.processed_at = None;
        subscription.history.processed_by = None;
    }
    let others = store::of_application(&mut tx, held.application.id).await?;
    let plan = held.plan()?;
    let same = |other: &super::SubscriptionRecord| {
        other.id != held.subscription.id && other.channel() == held.subscription.channel()
    };
    if rules::live(&others, plan).any(same) {
        return Err(rules::subscribed(plan));
    }
    held.save(&mut tx, &scope, &actor, "subscription.update").await?;
    tx.commit().await?;
    Ok(Json(Value::Object(subscription_item(&held.subscription))))
}

/// Closes a subscription of the application
#[utoipa::path(delete, path = "/applications/{application}/subscriptions/{subscription}", operation_id = "close_application_subscription",
    tag = "Applications", params(InApplicationSubscription),
    responses((status = 200, description = "The closed subscription", body = wire::ApplicationSubscription),
        wire::Invalid, wire::Forbidden, wire::Refusals))]
pub(crate) async fn close_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplicationSubscription>,
) -> Result<Json<Value>> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_application(&mut tx, &scope, &path.application, &path.subscription).await?;
    held.act(SubscriptionAction::Close, &actor, app.clock.now())?;
    held.save(&mut tx, &scope, &actor, "subscription.close").await?;
    tx.commit().await?;
    Ok(Json(view::of_application(&held)?))
}

/// The status that the consumer asks for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsumerStatusParams {
    /// `STARTED` or `STOPPED`, any case. `STARTED` also takes up again what a gateway gave up.
    #[param(required = true, example = "STOPPED")]
    status: Option<String>,
}

/// Stops or starts what a push subscription delivers
#[utoipa::path(post, path = "/applications/{application}/subscriptions/{subscription}/_changeConsumerStatus",
    operation_id = "change_consumer_status", tag = "Applications", params(InApplicationSubscription, ConsumerStatusParams),
    responses((status = 200, description = "The subscription", body = wire::ApplicationSubscription),
        wire::Invalid, wire::Forbidden, wire::Refusals))]
pub(crate) async fn change_consumer_status(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplicationSubscription>,
    Params(params): Params<ConsumerStatusParams>,
) -> Result<Json<Value>> {
    let wanted = params.status.map(|status| status.to_ascii_uppercase());
    let start = match wanted.as_deref() {
        Some("STARTED") => true,
        Some("STOPPED") => false,
        _ => {
            let message = "query parameter `status` must be one of STARTED, STOPPED";
            return Err(ApiError::bad_request(message));
        }
    };
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_application(&mut tx, &scope, &path.application, &path.subscription).await?;
    check_updatable(&held)?;
    let failed = held.subscription.consumer_status == definition::subscription::ConsumerStatus::Failure;
    let action = match (start, failed) {
        (true, true) => ConsumerAction::ResumeFailure,
        (true, false) => ConsumerAction::Start,
        (false, _) => ConsumerAction::Stop,
    };
    held.act_as_consumer(action, app.clock.now())?;
    held.save(&mut tx, &scope, &actor, "subscription.consumer-status").await?;
    tx.commit().await?;
    Ok(Json(view::of_application(&held)?))
}

/// Only what is pushed can be stopped by who gets it.
pub(super) fn check_updatable(held: &Held) -> Result<()> {
    let listens = held.api.definition.listeners.iter();
    let pushes = listens.clone().any(|listener| listener.listener_type == ListenerType::Subscription);
    if pushes || held.plan()?.definition.security.security_type == PlanSecurityType::Subscription {
        return Ok(());
    }
    let id = held.subscription.id.to_string();
    let status = held.subscription.consumer_status.label();
    let message = format!("Subscription [{id}] does not push, so there is nothing to start or stop");
    let parameters = [("subscription", id.as_str()), ("status", status)];
    Err(ApiError::refused("subscription.consumerStatusNotUpdatable", message, &parameters))
}
