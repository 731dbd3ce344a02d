//! The resource `…/v4/apis/{api}/subscriptions/{subscription}/apikeys`: the API's side.

use super::operate::{self, Action};
use super::view::key_view;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::{Document, OptionalDocument, Params};
use crate::scope::Scope;
use crate::subscriptions::Held;
use crate::urls;
use crate::wire::{self, InKey, InSubscription, Target};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use definition::api_key::{read_expiry, read_renewal};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

/// Lists the keys of a subscription, latest first
#[utoipa::path(get, path = "/v4/apis/{api}/subscriptions/{subscription}/apikeys", operation_id = "list_api_keys",
    tag = "Subscriptions", params(InSubscription),
    responses((status = 200, description = "The keys, in clear", body = Vec<wire::ApiKey>), wire::Refusals))]
pub(crate) async fn list_keys(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
) -> Result<Json<Vec<Value>>> {
    let held = Held::read_of_api(&app, &scope, &path.api, &path.subscription).await?;
    Ok(Json(held.keys.iter().map(|key| key_view(&app, &held, key)).collect::<Result<_>>()?))
}

/// The new key.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct RenewParams {
    /// A key of the consumer's choice instead of a random one.
    custom_api_key: Option<String>,
}

impl RenewParams {
    /// The chosen key, of the query or else of the body.
    pub(super) fn custom(self, document: Option<&Value>) -> Result<Option<String>> {
        let in_body = document.map(read_renewal).transpose()?.flatten();
        Ok(self.custom_api_key.filter(|key| !key.is_empty()).or(in_body))
    }
}

/// Adds a key to a subscription
///
/// The keys before it end two hours later.
#[utoipa::path(post, path = "/v4/apis/{api}/subscriptions/{subscription}/apikeys/_renew", operation_id = "renew_api_key",
    tag = "Subscriptions", params(InSubscription, RenewParams), request_body(content = Option<wire::RenewApiKey>),
    responses((status = 201, description = "The new key, in clear", body = wire::ApiKey, headers(("Location" = String))),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn renew_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscription>,
    Params(params): Params<RenewParams>,
    headers: HeaderMap,
    OptionalDocument(document): OptionalDocument,
) -> Result<Response> {
    let custom = params.custom(document.as_ref())?;
    let (held, id) = renew(&app, &actor, &scope, path.target(), custom.as_deref()).await?;
    let keys = format!("{}/subscriptions/{}/apikeys", urls::api(&scope, held.api.id), held.subscription.id);
    created(&app, &headers, &held, &keys, id)
}

/// Adds a key, as the API's side.
pub(crate) async fn renew(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    target: Target<'_>,
    custom: Option<&str>,
) -> Result<(Held, Uuid)> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, scope, target.api, target.subscription).await?;
    let id = operate::renew(app, &mut tx, scope, actor, &mut held, custom).await?;
    tx.commit().await?;
    Ok((held, id))
}

/// 201 with a key.
pub(super) fn created(
    app: &AppState,
    headers: &HeaderMap,
    held: &Held,
    keys: &str,
    id: Uuid,
) -> Result<Response> {
    let location = urls::absolute(headers, &format!("{keys}/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(shown(app, held, id)?)).into_response())
}

fn shown(app: &AppState, held: &Held, id: Uuid) -> Result<Value> {
    let key = held.keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| anyhow::anyhow!("key {id} vanished inside its own transaction"))?;
    key_view(app, held, key)
}

/// Moves the date on which a key ends
#[utoipa::path(put, path = "/v4/apis/{api}/subscriptions/{subscription}/apikeys/{key}", operation_id = "update_api_key",
    tag = "Subscriptions", params(InKey), request_body = wire::UpdateApiKey,
    responses((status = 200, description = "The key, in clear", body = wire::ApiKey),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InKey>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let expiry = read_expiry(&document, &path.key)?.and_then(DateTime::from_timestamp_millis);
    let (held, id) = act(&app, &actor, &scope, (path.target(), &path.key), Action::ExpireAt(expiry)).await?;
    Ok(Json(shown(&app, &held, id)?))
}

/// Revokes a key
#[utoipa::path(delete, path = "/v4/apis/{api}/subscriptions/{subscription}/apikeys/{key}", operation_id = "revoke_api_key",
    tag = "Subscriptions", params(InKey),
    responses((status = 204, description = "It works no more"), wire::Invalid, wire::Refusals))]
pub(crate) async fn revoke_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InKey>,
) -> Result<StatusCode> {
    act(&app, &actor, &scope, (path.target(), &path.key), Action::Revoke).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a revoked or expired key work again
#[utoipa::path(post, path = "/v4/apis/{api}/subscriptions/{subscription}/apikeys/{key}/_reactivate", operation_id = "reactivate_api_key",
    tag = "Subscriptions", params(InKey),
    responses((status = 200, description = "The key, in clear", body = wire::ApiKey), wire::Invalid, wire::Refusals))]
pub(crate) async fn reactivate_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InKey>,
) -> Result<Json<Value>> {
    let (held, id) = act(&app, &actor, &scope, (path.target(), &path.key), Action::Reactivate).await?;
    Ok(Json(shown(&app, &held, id)?))
}

/// Does something to one key, as the API's side.
pub(crate) async fn act(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    (target, key): (Target<'_>, &str),
    action: Action,
) -> Result<(Held, Uuid)> {
    let mut tx = app.db.begin().await?;
    let mut held = Held::of_api(&mut tx, scope, target.api, target.subscription).await?;
    let id = operate::act(app, &mut tx, scope, actor, &mut held, (key, action)).await?;
    tx.commit().await?;
    Ok((held, id))
}
