//! How subscriptions and keys are printed in the 4.x dialect. Dates are ISO 8601; absent members are left out.

use crate::api_keys::KeyRecord;
use crate::api_keys::issue::reveal;
use crate::app::AppState;
use crate::error::Result;
use crate::members::present;
use crate::subscriptions::list::{Pairs, values};
use crate::subscriptions::{Held, SubscriptionRecord};
use chrono::{DateTime, SecondsFormat, Utc};
use definition::subscription::Shape;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// What is shown of things that a subscription names, beyond their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Expands {
    application: bool,
    plan: bool,
    subscribed_by: bool,
}

impl Expands {
    pub(super) fn read(pairs: &Pairs) -> Expands {
        let wanted = values(pairs, "expands").unwrap_or_default();
        let has = |name: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        Expands { application: has("application"), plan: has("plan"), subscribed_by: has("subscribedBy") }
    }
}

/// The whole subscription.
pub(super) fn subscription_view(held: &Held, expands: Expands) -> Result<Value> {
    let SubscriptionRecord { id, api_id, status, consumer_status, configuration, metadata, history, .. } =
        &held.subscription;
    let subscription = &held.subscription;
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    Ok(present([
        ("id", Some(json!(id))),
        ("api", Some(json!({"id": api_id}))),
        ("plan", Some(plan(held, expands.plan)?)),
        ("application", Some(application(held, expands.application))),
        ("consumerMessage", text(&history.request)),
        ("publisherMessage", text(&history.reason)),
        ("metadata", Some(json!(metadata))),
        ("consumerConfiguration", configuration.as_ref().map(|found| found.shown(Shape::Nested))),
        ("failureCause", text(&history.failure_cause)),
        ("status", Some(json!(status.label()))),
        ("consumerStatus", Some(json!(consumer_status.label()))),
        ("processedBy", history.processed_by.as_ref().map(|id| json!({"id": id}))),
        ("subscribedBy", Some(subscribed_by(subscription, expands.subscribed_by))),
        ("processedAt", history.processed_at.map(date)),
        ("startingAt", subscription.starting_at.map(date)),
        ("endingAt", subscription.ending_at.map(date)),
        ("createdAt", Some(date(subscription.created_at))),
        ("updatedAt", Some(date(subscription.updated_at))),
        ("closedAt", history.closed_at.map(date)),
        ("pausedAt", history.paused_at.map(date)),
        ("consumerPausedAt", history.consumer_paused_at.map(date)),
    ]))
}

fn plan(held: &Held, expanded: bool) -> Result<Value> {
    let plan = held.plan()?;
    if !expanded {
        return Ok(json!({"id": plan.id}));
    }
    let security = plan.definition.security.security_type.label().to_uppercase().replace('-', "_");
    Ok(json!({
        "id": plan.id,
        "name": plan.definition.name,
        "description": plan.definition.description,
        "apiId": plan.api_id,
        "security": {"type": security},
    }))
}

fn application(held: &Held, expanded: bool) -> Value {
    let application = &held.application;
    if !expanded {
        return json!({"id": application.id});
    }
    let definition = &application.definition;
    present([
        ("id", Some(json!(application.id))),
        ("name", Some(json!(definition.name))),
        ("description", Some(json!(definition.description))),
        ("domain", definition.domain.as_ref().map(|domain| json!(domain))),
        ("type", Some(json!(definition.application_type().label()))),
        ("primaryOwner", Some(json!({"id": application.owner.id, "displayName": application.owner.name}))),
        ("apiKeyMode", Some(json!(definition.api_key_mode.label()))),
    ])
}

fn subscribed_by(subscription: &SubscriptionRecord, expanded: bool) -> Value {
    let person = &subscription.history.subscribed_by;
    if expanded {
        json!({"id": person.id, "displayName": person.display_name})
    } else {
        json!({"id": person.id})
    }
}

/// A key, in clear.
pub(super) fn key_view(app: &AppState, held: &Held, key: &KeyRecord) -> Result<Value> {
    let expired = key.state().is_expired(app.clock.now().timestamp_millis());
    Ok(present([
        ("id", Some(json!(key.id))),
        ("key", Some(json!(reveal(app, key)?.expose_secret()))),
        ("application", Some(json!({"id": held.application.id}))),
        ("subscriptions", Some(json!([{"id": held.subscription.id}]))),
        ("revoked", Some(json!(key.revoked))),
        ("paused", Some(json!(key.paused))),
        ("expired", Some(json!(expired))),
        ("expireAt", key.expire_at.map(date)),
        ("revokedAt", key.revoked_at.map(date)),
        ("createdAt", Some(date(key.created_at))),
        ("updatedAt", Some(date(key.updated_at))),
    ]))
}

fn date(at: DateTime<Utc>) -> Value {
    Value::from(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}
