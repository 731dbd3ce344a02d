//! The resource `…/applications/{application}/subscriptions/{subscription}/apikeys`: the consumer's side.

use super::handlers::{RenewParams, created};
use super::operate::{self, Action};
use super::view::key_view;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::{OptionalDocument, Params};
use crate::scope::Scope;
use crate::subscriptions::Held;
use crate::urls;
use crate::wire::{self, InApplicationKey, InApplicationSubscription};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// Lists the keys of a subscription, latest first
#[utoipa::path(get, path = "/applications/{application}/subscriptions/{subscription}/apikeys", operation_id = "list_application_api_keys",
    tag = "Applications", params(InApplicationSubscription),
    responses((status = 200, description = "The keys, in clear", body = Vec<wire::ApiKey>), wire::Forbidden, wire::Refusals))]
pub(crate) async fn list_keys(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApplicationSubscription>,
) -> Result<Json<Vec<Value>>> {
    let held = Held::read_of_application(&app, &scope, &path.application, &path.subscription).await?;
    Ok(Json(held.keys.iter().map(|key| key_view(&app, &held, key)).collect::<Result<_>>()?))
}

/// Adds a key to a subscription
///
/// The keys before it end two hours later.
#[utoipa::path(post, path = "/applications/{application}/subscriptions/{subscription}/apikeys/_renew",
    operation_id = "renew_application_api_key", tag = "Applications", params(InApplicationSubscription, RenewParams),
    request_body(content = Option<wire::RenewApiKey>),
    responses((status = 201, description = "The new key, in clear", body = wire::ApiKey, headers(("Location" = String))),
        wire::Invalid, wire::Forbidden, wire::Refusals, wire::TooLarge))]
pub(crate) async fn renew_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplicationSubscription>,
    Params(params): Params<RenewParams>,
    headers: HeaderMap,
    OptionalDocument(document): OptionalDocument,
) -> Result<Response> {
    let custom = params.custom(document.as_ref())?;
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_application(&mut tx, &scope, &path.application, &path.subscription).await?;
    let id = operate::renew(&app, &mut tx, &scope, &actor, &mut held, custom.as_deref()).await?;
    tx.commit().await?;
    let application = urls::application(&scope, held.application.id);
    created(
        &app,
        &headers,
        &held,
        &format!("{application}/subscriptions/{}/apikeys", held.subscription.id),
        id,
    )
}

/// Revokes a key
#[utoipa::path(delete, path = "/applications/{application}/subscriptions/{subscription}/apikeys/{key}",
    operation_id = "revoke_application_api_key", tag = "Applications", params(InApplicationKey),
    responses((status = 204, description = "It works no more"), wire::Invalid, wire::Forbidden, wire::Refusals))]
pub(crate) async fn revoke_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InApplicationKey>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_application(&mut tx, &scope, &path.application, &path.subscription).await?;
    operate::act(&app, &mut tx, &scope, &actor, &mut held, (&path.key, Action::Revoke)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
