//! How an application is printed.

use super::ApplicationRecord;
use crate::apis::view::millis;
use crate::members::present;
use serde_json::{Value, json};

/// The whole application. Dates are milliseconds since 1970.
pub(crate) fn application_view(application: &ApplicationRecord) -> Value {
    let ApplicationRecord { id, definition, status, owner, created_at, updated_at } = application;
    present([
        ("id", Some(json!(id))),
        ("name", Some(json!(definition.name))),
        ("description", Some(json!(definition.description))),
        ("domain", definition.domain.as_ref().map(|domain| json!(domain))),
        ("groups", Some(json!(definition.groups))),
        ("status", Some(json!(status.label()))),
        ("type", Some(json!(definition.application_type().label()))),
        ("created_at", Some(millis(*created_at))),
        ("updated_at", Some(millis(*updated_at))),
        ("owner", Some(json!({"id": owner.id, "displayName": owner.name, "type": "USER"}))),
        ("settings", Some(json!(definition.settings))),
        ("disable_membership_notifications", Some(json!(definition.disable_membership_notifications))),
        ("api_key_mode", Some(json!(definition.api_key_mode.label()))),
    ])
}

/// What a subscription tells of its application.
pub(crate) fn application_of_subscription(application: &ApplicationRecord) -> Value {
    let ApplicationRecord { id, definition, owner, .. } = application;
    present([
        ("id", Some(json!(id))),
        ("name", Some(json!(definition.name))),
        ("type", Some(json!(definition.application_type().label()))),
        ("description", Some(json!(definition.description))),
        ("domain", definition.domain.as_ref().map(|domain| json!(domain))),
        ("owner", Some(json!({"id": owner.id, "displayName": owner.name}))),
        ("apiKeyMode", Some(json!(definition.api_key_mode.label()))),
    ])
}
