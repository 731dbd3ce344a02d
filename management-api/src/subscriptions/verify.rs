//! Whether an application could have an API key for an API, in both dialects.

use super::handlers::required;
use crate::api_keys;
use crate::apis;
use crate::app::AppState;
use crate::applications;
use crate::auth::Actor;
use crate::error::Result;
use crate::extract::{Document, Params};
use crate::scope::Scope;
use crate::wire::{self, InApi, InApiV2};
use axum::Json;
use axum::extract::{Path, State};
use definition::api_key::check_custom;
use definition::consumer::api_key_hash;
use definition::violation::Violation;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

/// A key that an application would like to have.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CanCreateParams {
    /// The key.
    #[param(required = true)]
    key: Option<String>,
    /// Id of the application.
    #[param(required = true)]
    application: Option<String>,
}

/// Tells whether an application could have a key for the API
#[utoipa::path(get, path = "/v4/apis/{api}/subscriptions/_canCreate", operation_id = "can_create_api_subscription",
    tag = "Subscriptions", params(InApi, CanCreateParams),
    responses((status = 200, description = "Whether it could", body = bool), wire::Invalid, wire::Refusals))]
pub(crate) async fn can_create(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApi>,
    Params(params): Params<CanCreateParams>,
) -> Result<Json<bool>> {
    let key = required("key", params.key)?;
    let application = required("application", params.application)?;
    Ok(Json(can_have(&app, &scope, &path.api, &application, &key).await?))
}

/// Tells whether an application could have a key for the API
#[utoipa::path(post, path = "/apis/{api}/subscriptions/_verify", operation_id = "verify_subscription_v2",
    tag = "Subscriptions (4.x)", params(InApiV2), request_body = wire::VerifySubscriptionV2,
    responses((status = 200, description = "Whether it could", body = wire::VerifiedV2),
        wire::Invalid, wire::Refusals, wire::TooLarge))]
pub(crate) async fn verify_subscription(
    State(app): State<AppState>,
    _: Actor,
    scope: Scope,
    Path(path): Path<InApiV2>,
    Document(document): Document,
) -> Result<Json<Value>> {
    let (application, key) = (text(&document, "applicationId")?, text(&document, "apiKey")?);
    Ok(Json(json!({"ok": can_have(&app, &scope, &path.api, application, key).await?})))
}

fn text<'a>(document: &'a Value, name: &'static str) -> Result<&'a str> {
    let text = document[name].as_str().filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| {
        let message = format!("{name} must not be blank, a text is required");
        Violation::new(name, "data.invalid", message).into()
    })
}

async fn can_have(app: &AppState, scope: &Scope, api: &str, application: &str, key: &str) -> Result<bool> {
    let api = apis::handlers::find(app, scope, api).await?;
    let application = applications::handlers::find(app, scope, application).await?;
    let hash = api_key_hash(key);
    let taken = api_keys::store::is_taken_now(&app.db, scope, &hash, application.id, api.id).await?;
    Ok(!taken && check_custom(key).is_ok())
}
