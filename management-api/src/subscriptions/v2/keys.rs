//! The keys of a subscription in the 4.x dialect.

use super::view::key_view;
use crate::api_keys::handlers::{act, renew};
use crate::api_keys::operate::Action;
use crate::app::AppState;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::{Document, Params};
use crate::page::{PageParams, Paged};
use crate::scope::Scope;
use crate::subscriptions::Held;
use crate::urls;
use crate::wire::{self, InKeyV2, InSubscriptionV2};
use axum::Json;
use axum::extract::{Path, State};
use chrono::DateTime;
use definition::api_key::{read_expiry, read_renewal};
use http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

/// Lists the keys of a subscription, latest first
#[utoipa::path(get, path = "/apis/{api}/subscriptions/{subscription}/api-keys", operation_id = "list_api_keys_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2, PageParams),
    responses((status = 200, description = "One page, in clear", body = wire::ApiKeyPageV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn list_keys(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    headers: HeaderMap,
    Params(params): Params<PageParams>,
) -> Result<Json<Paged<Value>>> {
    let page = params.page()?;
    let held = Held::read_of_api(&app, &scope, &path.api, &path.subscription).await?;
    let (offset, size) = (usize::try_from(page.offset()), usize::try_from(page.size));
    let on_page = held.keys.iter().skip(offset.unwrap_or(usize::MAX)).take(size.unwrap_or(0));
    let data = on_page.map(|key| key_view(&app, &held, key)).collect::<Result<Vec<_>>>()?;
    let list = format!("{}/{}/api-keys", urls::subscriptions_v2(&scope, held.api.id), held.subscription.id);
    let total = i64::try_from(held.keys.len()).unwrap_or(i64::MAX);
    Ok(Json(page.of(data, total, &urls::absolute(&headers, &list))))
}

/// Adds a key to a subscription
///
/// The keys before it end two hours later.
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/api-keys/_renew", operation_id = "renew_api_key_v2",
    tag = "Subscriptions (4.x)", params(InSubscriptionV2), request_body = wire::RenewApiKey,
    responses((status = 200, description = "The new key, in clear", body = wire::ApiKeyV2),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn renew_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InSubscriptionV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let custom = read_renewal(&document)?;
    let (held, id) = renew(&app, &actor, &scope, path.target(), custom.as_deref()).await?;
    shown(&app, &held, id)
}

/// Moves the date on which a key ends
#[utoipa::path(put, path = "/apis/{api}/subscriptions/{subscription}/api-keys/{key}", operation_id = "update_api_key_v2",
    tag = "Subscriptions (4.x)", params(InKeyV2),
    request_body = wire::UpdateApiKeyV2,
    responses((status = 200, description = "The key, in clear", body = wire::ApiKeyV2), wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn update_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InKeyV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let expiry = read_expiry(&document, &path.key)?.and_then(DateTime::from_timestamp_millis);
    let (held, id) = act(&app, &actor, &scope, (path.target(), &path.key), Action::ExpireAt(expiry)).await?;
    shown(&app, &held, id)
}

/// Revokes a key
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/api-keys/{key}/_revoke", operation_id = "revoke_api_key_v2",
    tag = "Subscriptions (4.x)", params(InKeyV2),
    responses((status = 200, description = "The key, in clear", body = wire::ApiKeyV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn revoke_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InKeyV2>,
) -> Result<Json<Value>> {
    let (held, id) = act(&app, &actor, &scope, (path.target(), &path.key), Action::Revoke).await?;
    shown(&app, &held, id)
}

/// Makes a revoked or expired key work again
#[utoipa::path(post, path = "/apis/{api}/subscriptions/{subscription}/api-keys/{key}/_reactivate", operation_id = "reactivate_api_key_v2",
    tag = "Subscriptions (4.x)", params(InKeyV2),
    responses((status = 200, description = "The key, in clear", body = wire::ApiKeyV2), wire::Invalid, wire::Refusals))]
pub(crate) async fn reactivate_key(
    State(app): State<AppState>,
    actor: Actor,
    scope: Scope,
    Path(path): Path<InKeyV2>,
) -> Result<Json<Value>> {
    let (held, id) = act(&app, &actor, &scope, (path.target(), &path.key), Action::Reactivate).await?;
    shown(&app, &held, id)
}

fn shown(app: &AppState, held: &Held, id: Uuid) -> Result<Json<Value>> {
    let key = held.keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| anyhow::anyhow!("key {id} vanished inside its own transaction"))?;
    Ok(Json(key_view(app, held, key)?))
}
