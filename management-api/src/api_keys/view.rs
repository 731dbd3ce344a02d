//! How an API key is printed, in clear: to administrators only.

use super::KeyRecord;
use super::issue::reveal;
use crate::apis::view::millis;
use crate::app::AppState;
use crate::applications::view::application_view;
use crate::error::Result;
use crate::members::present;
use crate::subscriptions::{Held, subscription_item};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// A key with its subscription and its application.
pub(super) fn key_view(app: &AppState, held: &Held, key: &KeyRecord) -> Result<Value> {
    let subscriptions = Value::Array(vec![Value::Object(subscription_item(&held.subscription))]);
    view(app, key, Some(subscriptions), Some(application_view(&held.application)))
}

/// A key alone, as items of lists carry it.
pub(crate) fn short_key_view(app: &AppState, key: &KeyRecord) -> Result<Value> {
    view(app, key, None, None)
}

fn view(
    app: &AppState,
    key: &KeyRecord,
    subscriptions: Option<Value>,
    application: Option<Value>,
) -> Result<Value> {
    let now = app.clock.now();
    let expired = key.state().is_expired(now.timestamp_millis());
    Ok(present([
        ("id", Some(json!(key.id))),
        ("key", Some(json!(reveal(app, key)?.expose_secret()))),
        ("subscriptions", subscriptions),
        ("application", application),
        ("revoked", Some(json!(key.revoked))),
        ("paused", Some(json!(key.paused))),
        ("expired", Some(json!(expired))),
        ("expire_at", key.expire_at.map(millis)),
        ("revoked_at", key.revoked_at.map(millis)),
        ("created_at", Some(millis(key.created_at))),
        ("updated_at", Some(millis(key.updated_at))),
    ]))
}
