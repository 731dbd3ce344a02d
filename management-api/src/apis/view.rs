//! How an API is printed: the members of its definition and those of the store, in one documented order.

use super::ApiRecord;
use crate::plans::PlanRecord;
use crate::plans::view::plan_view;
use chrono::{DateTime, Utc};
use definition::dialect::beta_api;
use serde_json::{Map, Value, json};

/// Members before the rest of the definition, and their order. What is not named here follows as the definition
/// prints it.
const ORDER: &[&str] = &[
    "id",
    "crossId",
    "name",
    "apiVersion",
    "definitionVersion",
    "type",
    "deployedAt",
    "createdAt",
    "updatedAt",
    "description",
    "tags",
    "listeners",
    "endpointGroups",
    "analytics",
    "failover",
    "properties",
    "resources",
    "plans",
    "flowMode",
    "flowExecution",
    "flows",
    "responseTemplates",
    "services",
    "groups",
    "visibility",
    "state",
    "primaryOwner",
    "categories",
    "labels",
    "lifecycleState",
    "disableMembershipNotifications",
];

/// The whole API. Dates are milliseconds since 1970, absent members are left out.
pub(crate) fn api_view(api: &ApiRecord, plans: &[PlanRecord]) -> Value {
    let ApiRecord { id, definition, state, version: _, owner, published, created_at, updated_at } = api;
    let mut members = beta_api(definition);
    members.insert("id".to_owned(), json!(id));
    if let Some(published) = published {
        members.insert("deployedAt".to_owned(), millis(published.at));
    }
    members.insert("createdAt".to_owned(), millis(*created_at));
    members.insert("updatedAt".to_owned(), millis(*updated_at));
    members.insert("plans".to_owned(), plans.iter().map(plan_view).collect());
    members.insert("state".to_owned(), json!(state.label()));
    members.insert(
        "primaryOwner".to_owned(),
        json!({"id": owner.id, "displayName": owner.name, "type": "USER"}),
    );
    Value::Object(ordered(members, ORDER))
}

/// Milliseconds since 1970.
pub(crate) fn millis(at: DateTime<Utc>) -> Value {
    Value::from(at.timestamp_millis())
}

/// Puts the members named in `order` first.
pub(crate) fn ordered(mut members: Map<String, Value>, order: &[&str]) -> Map<String, Value> {
    let mut result = Map::with_capacity(members.len());
    for name in order {
        if let Some(member) = members.shift_remove(*name) {
            result.insert((*name).to_owned(), member);
        }
    }
    result.extend(members);
    result
}
