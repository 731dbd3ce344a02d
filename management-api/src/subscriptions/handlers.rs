//! The resource `…/v4/apis/{api}/subscriptions`: the API's side.

use super::list::{ApiFilterParams, Expand, Filter, Pairs, SIZE_DEFAULT};
use super::rules::Side;
use super::subscribe::{Order, subscribe};
use super::{Held, list, view};
use crate::apis;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::{ApiError, Result};
use crate::extract::{Document, OptionalDocument, Params};
use crate::page::PageParams;
use crate::scope::Scope;
use crate::urls;
use crate::wire::{self, InApi, InSubscription, Target};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use definition::subscription::{SubscriptionStatus, read_request, read_update};
use definition::violation::Violation;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

/// Lists the subscriptions of an API, latest first
#[utoipa::path(get, path = "/v4/apis/{api}/subscriptions", operation_id = "list_api_subscriptions", tag = "Subscriptions",
    params(InApi, ApiFilterParams, PageParams),
    responses((status = 200, description = "One page", body = wire::SubscriptionPage), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_subscriptions(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    Params(pairs): Params<Pairs>,
    Params(params): Params<PageParams>,
) -> Result<Json<Value>> {
    let page = params.page_of(SIZE_DEFAULT)?;
    let api = apis::handlers::find(&app, &scope, &path.api).await?;
    let filter = Filter { apis: Some(vec![api.id]), ..Filter::read(&pairs, list::OF_PUBLISHERS)? };
    Ok(Json(list::page(&app, &scope, &filter, Expand::read(&pairs), page).await?))
}

/// Who subscribes to what.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct SubscribeParams {
    /// Id of the application.
    #[param(required = true)]
    application: Option<String>,
    /// Id of the plan.
    #[param(required = true)]
    plan: Option<String>,
    /// A key of the consumer's choice instead of a random one, for API-key plans.
    custom_api_key: Option<String>,
}

/// Subscribes an application to a plan of the API
///
/// It is accepted at once, also on a plan with manual validation, and takes effect on gateways without a deployment.
#[utoipa::path(post, path = "/v4/apis/{api}/subscriptions", operation_id = "create_api_subscription",
    tag = "Subscriptions", params(InApi, SubscribeParams), request_body(content = Option<wire::CreateSubscription>),
    responses((status = 201, description = "The new subscription", body = wire::Subscription, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn create_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    Params(params): Params<SubscribeParams>,
    headers: HeaderMap,
    OptionalDocument(document): OptionalDocument,
) -> Result<Response> {
    apis::handlers::find(&app, &scope, &path.api).await?;
    let application = required("application", params.application)?;
    let plan = required("plan", params.plan)?;
    let mut request = read_request(&document.unwrap_or_else(|| json!({})), None)?;
    request.custom_api_key = params.custom_api_key.or(request.custom_api_key);
    let api = Some(path.api.as_str());
    let order = Order { side: Side::Publisher, application: &application, plan: &plan, api, request };
    let held = subscribe(&app, &actor, &scope, order).await?;
    let place = format!("{}/subscriptions/{}", urls::api(&scope, held.api.id), held.subscription.id);
    let location = urls::absolute(&headers, &place);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view::of_api(&held)?)).into_response())
}

/// A query parameter that has to be there.
pub(super) fn required(name: &'static str, value: Option<String>) -> Result<String> {
    value.filter(|value| !value.trim().is_empty()).ok_or_else(|| {
        let message = format!("query parameter `{name}` must not be null");
        Violation::new(name, "data.invalid", message).into()
    })
}

/// Reads a subscription
#[utoipa::path(get, path = "/v4/apis/{api}/subscriptions/{subscription}", operation_id = "get_api_subscription",
    tag = "Subscriptions", params(InSubscription),
    responses((status = 200, description = "The subscription", body = wire::Subscription), wire::Refusals))]
pub(crate) async fn get_subscription(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
) -> Result<Json<Value>> {
    Ok(Json(view::of_api(&Held::read_of_api(&app, &scope, &path.api, &path.subscription).await?)?))
}

/// Changes an accepted subscription
///
/// Absent dates are cleared; absent configuration and metadata stay. Another end moves the expiry of keys with it.
#[utoipa::path(put, path = "/v4/apis/{api}/subscriptions/{subscription}", operation_id = "update_api_subscription",
    tag = "Subscriptions", params(InSubscription), request_body = wire::UpdateSubscription,
    responses((status = 200, description = "The subscription", body = wire::Subscription),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
    Document(document): Document,
) -> Result<Json<Value>> {
    Ok(Json(view::of_api(&update(&app, &actor, &scope, path.target(), &document).await?)?))
}

/// Changes an accepted subscription as its publisher.
pub(super) async fn update(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    target: Target<'_>,
    document: &Value,
) -> Result<Held> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, scope, target.api, target.subscription).await?;
    let id = held.subscription.id.to_string();
    if held.subscription.status != SubscriptionStatus::Accepted {
        let message = format!("Subscription [{id}] is not accepted, so it cannot be changed");
        return Err(ApiError::refused("subscription.notUpdatable", message, &[("subscription", &id)]));
    }
    let update = read_update(document, &id, held.subscription.configuration.as_ref())?;
    let now = app.clock.now();
    held.end_at(update.ending_at_ms.and_then(date), now);
    let subscription = &mut held.subscription;
    subscription.starting_at = update.starting_at_ms.and_then(date);
    subscription.configuration = update.configuration.or(subscription.configuration.take());
    subscription.metadata = update.metadata.unwrap_or_else(|| std::mem::take(&mut subscription.metadata));
    subscription.updated_at = subscription.updated_at.max(now);
    held.take_up_again(now);
    held.save(&mut tx, scope, actor, "subscription.update").await?;
    tx.commit().await?;
    Ok(held)
}

/// A date that was read; the reader has checked its range.
pub(super) fn date(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms)
}
