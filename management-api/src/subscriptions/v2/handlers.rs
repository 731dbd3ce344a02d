//! The resource `…/apis/{api}/subscriptions` of the 4.x dialect.

use super::view::{Expands, subscription_view};
use crate::apis;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::{Document, Params};
use crate::page::{PageParams, Paged};
use crate::scope::Scope;
use crate::subscriptions::handlers::update;
use crate::subscriptions::list::{Filter, FilterNames, OF_PUBLISHERS, Pairs};
use crate::subscriptions::rules::Side;
use crate::subscriptions::subscribe::{Order, subscribe};
use crate::subscriptions::{Held, store};
use crate::urls;
use crate::wire::{self, InApiV2, InSubscriptionV2};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use definition::subscription::read_request;
use definition::violation::Violation;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use utoipa::IntoParams;

const NAMES: FilterNames = FilterNames {
    apis: "apiIds",
    plans: "planIds",
    applications: "applicationIds",
    statuses: "statuses",
    key: "apiKey",
};

/// Which subscriptions, and how much of what they name.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the parameters")]
pub(crate) struct ListParams {
    /// Ids of applications, separated by commas.
    application_ids: Option<String>,
    /// Ids of plans, separated by commas.
    plan_ids: Option<String>,
    /// Statuses, separated by commas.
    #[param(default = "ACCEPTED")]
    statuses: Option<String>,
    /// The subscriptions of this API key.
    api_key: Option<String>,
    /// `application`, `plan`, `subscribedBy`, separated by commas.
    expands: Option<String>,
}

/// How much of what a subscription names.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters")]
pub(crate) struct ExpandsParams {
    /// `application`, `plan`, `subscribedBy`, separated by commas.
    expands: Option<String>,
}

/// Lists the subscriptions of an API, latest first
#[utoipa::path(get, path = "/apis/{api}/subscriptions", operation_id = "list_subscriptions_v2", tag = "Subscriptions (4.x)",
    params(InApiV2, ListParams, PageParams),
    responses((status = 200, description = "One page", body = wire::SubscriptionPageV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_subscriptions(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApiV2>,
    headers: HeaderMap,
    Params(pairs): Params<Pairs>,
    Params(params): Params<PageParams>,
) -> Result<Json<Paged<Value>>> {
    let page = params.page()?;
    let api = apis::handlers::find(&app, &scope, &path.api).await?;
    let filter = Filter { apis: Some(vec![api.id]), ..Filter::named(&pairs, &NAMES, OF_PUBLISHERS)? };
    let (found, total) = store::list(&app.db, &scope, &filter, page).await?;
    let expands = Expands::read(&pairs);
    let mut data = Vec::with_capacity(found.len());
    for subscription in found {
        let held = Held::read_with(&app, &scope, subscription).await?;
        data.push(subscription_view(&held, expands)?);
    }
    let list = urls::absolute(&headers, &urls::subscriptions_v2(&scope, api.id));
    Ok(Json(page.of(data, total, &list)))
}

/// Subscribes an application to a plan of the API
///
/// It is accepted at once, also on a plan with manual validation, and takes effect on gateways without a deployment.
#[utoipa::path(post, path = "/apis/{api}/subscriptions", operation_id = "create_subscription_v2",
    tag = "Subscriptions (4.x)", params(InApiV2), request_body = wire::CreateSubscriptionV2,
    responses((status = 201, description = "The new subscription", body = wire::SubscriptionV2, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn create_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApiV2>,
    headers: HeaderMap,
    Document(document): Document,
) -> Result<Response> {
    apis::handlers::find(&app, &scope, &path.api).await?;
    let request = read_request(&document, None)?;
    let (application, plan) = (request.application.clone(), request.plan.clone());
    let missing = |name: &str| {
        Violation::new(name, "data.invalid", format!("{name} must not be null, an id is required"))
    };
    let application = application.ok_or_else(|| missing("applicationId"))?;
    let plan = plan.ok_or_else(|| missing("planId"))?;
    let api = Some(path.api.as_str());
    let order = Order { side: Side::Publisher, application: &application, plan: &plan, api, request };
    let held = subscribe(&app, &actor, &scope, order).await?;
    let place = format!("{}/{}", urls::subscriptions_v2(&scope, held.api.id), held.subscription.id);
    let body = Json(subscription_view(&held, Expands::default())?);
    Ok((StatusCode::CREATED, [(LOCATION, urls::absolute(&headers, &place))], body).into_response())
}

/// Reads a subscription
#[utoipa::path(get, path = "/apis/{api}/subscriptions/{subscription}", operation_id = "get_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2, ExpandsParams),
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2), wire::Refusals))]
pub(crate) async fn get_subscription(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    Params(pairs): Params<Pairs>,
) -> Result<Json<Value>> {
    let held = Held::read_of_api(&app, &scope, &path.api, &path.subscription).await?;
    Ok(Json(subscription_view(&held, Expands::read(&pairs))?))
}

/// Changes an accepted subscription
#[utoipa::path(put, path = "/apis/{api}/subscriptions/{subscription}", operation_id = "update_subscription_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2), request_body = wire::UpdateSubscriptionV2,
    responses((status = 200, description = "The subscription", body = wire::SubscriptionV2),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_subscription(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let held = update(&app, &actor, &scope, path.target(), &document).await?;
    Ok(Json(subscription_view(&held, Expands::default())?))
}
