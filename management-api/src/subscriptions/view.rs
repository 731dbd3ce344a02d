//! How a subscription is printed. Dates are milliseconds since 1970; absent members are left out.

use super::{Held, SubscriptionRecord};
use crate::api_keys::KeyRecord;
use crate::api_keys::view::short_key_view;
use crate::apis::ApiRecord;
use crate::apis::view::millis;
use crate::app::AppState;
use crate::applications::view::application_of_subscription;
use crate::error::Result;
use crate::members::present;
use crate::plans::PlanRecord;
use definition::subscription::Shape;
use serde_json::{Map, Value, json};

/// As the API's side sees it.
pub(super) fn of_api(held: &Held) -> Result<Value> {
    let application = ("application", Some(application_of_subscription(&held.application)));
    whole(held, [("plan", Some(plan(held.plan()?))), application])
}

/// As the application's side sees it.
pub(super) fn of_application(held: &Held) -> Result<Value> {
    whole(held, [("api", Some(api(&held.api))), ("plan", Some(plan(held.plan()?)))])
}

fn whole(held: &Held, parts: [(&str, Option<Value>); 2]) -> Result<Value> {
    let [first, second] = parts;
    let subscription = &held.subscription;
    let mut members = match present([("id", Some(json!(subscription.id))), first, second]) {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    members.insert("metadata".to_owned(), json!(subscription.metadata));
    let client_id = held.application.definition.client_id();
    members.extend(client_id.map(|client_id| ("client_id".to_owned(), json!(client_id))));
    let history = &subscription.history;
    let subscribed_by =
        json!({"id": history.subscribed_by.id, "displayName": history.subscribed_by.display_name});
    members.insert("subscribed_by".to_owned(), subscribed_by);
    members.extend(facts(subscription));
    Ok(Value::Object(members))
}

/// The flat form of lists and of keys.
pub(crate) fn subscription_item(subscription: &SubscriptionRecord) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, id) in [
        ("id", subscription.id),
        ("api", subscription.api_id),
        ("plan", subscription.plan_id),
        ("application", subscription.application_id),
    ] {
        members.insert(name.to_owned(), json!(id));
    }
    members.insert("metadata".to_owned(), json!(subscription.metadata));
    members.insert("subscribed_by".to_owned(), json!(subscription.history.subscribed_by.id));
    members.extend(facts(subscription));
    members
}

/// An item of a list: with the configuration, as JSON text.
pub(super) fn list_item(
    app: &AppState,
    subscription: &SubscriptionRecord,
    keys: Option<&[KeyRecord]>,
    security: Option<&PlanRecord>,
) -> Result<Value> {
    let mut members = subscription_item(subscription);
    if let Some(configuration) = &subscription.configuration {
        members.insert("configuration".to_owned(), Value::from(configuration.shown(Shape::Flat).to_string()));
    }
    if let Some(keys) = keys {
        let keys = keys.iter().map(|key| short_key_view(app, key)).collect::<Result<Vec<_>>>()?;
        members.insert("keys".to_owned(), Value::Array(keys));
    }
    if let Some(plan) = security {
        members.insert("security".to_owned(), json!(plan.definition.security.security_type.label()));
    }
    Ok(Value::Object(members))
}

/// What both forms say alike.
fn facts(subscription: &SubscriptionRecord) -> impl Iterator<Item = (String, Value)> {
    let SubscriptionRecord { status, consumer_status, history, starting_at, ending_at, .. } = subscription;
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let facts = [
        ("status", Some(json!(status.label()))),
        ("consumerStatus", Some(json!(consumer_status.label()))),
        ("failureCause", text(&history.failure_cause)),
        ("request", text(&history.request)),
        ("reason", text(&history.reason)),
        ("processed_at", history.processed_at.map(millis)),
        ("processed_by", text(&history.processed_by)),
        ("starting_at", starting_at.map(millis)),
        ("ending_at", ending_at.map(millis)),
        ("created_at", Some(millis(subscription.created_at))),
        ("updated_at", Some(millis(subscription.updated_at))),
        ("closed_at", history.closed_at.map(millis)),
        ("paused_at", history.paused_at.map(millis)),
        ("consumer_paused_at", history.consumer_paused_at.map(millis)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

fn plan(plan: &PlanRecord) -> Value {
    let security = plan.definition.security.security_type.label();
    json!({"id": plan.id, "name": plan.definition.name, "security": security})
}

fn api(api: &ApiRecord) -> Value {
    json!({
        "id": api.id,
        "name": api.definition.name,
        "version": api.definition.api_version,
        "owner": {"id": api.owner.id, "displayName": api.owner.name},
    })
}
