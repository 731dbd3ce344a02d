//! How a plan is printed.

use super::PlanRecord;
use crate::apis::view::{millis, ordered};
use definition::dialect::beta_plan;
use serde_json::{Value, json};

const ORDER: &[&str] = &[
    "id",
    "crossId",
    "name",
    "description",
    "createdAt",
    "updatedAt",
    "publishedAt",
    "closedAt",
    "validation",
    "type",
    "mode",
    "security",
    "selectionRule",
    "flows",
    "tags",
    "status",
    "apiId",
    "order",
    "characteristics",
    "excludedGroups",
    "commentRequired",
    "commentMessage",
    "generalConditions",
    "planValidation",
    "planSecurity",
    "planStatus",
];

/// The whole plan. Dates are milliseconds since 1970; the three members `plan…` repeat others, as clients of the
/// dialect expect.
pub(crate) fn plan_view(plan: &PlanRecord) -> Value {
    let PlanRecord {
        id,
        api_id,
        definition,
        status,
        position,
        created_at,
        updated_at,
        published_at,
        closed_at,
    } = plan;
    let mut members = beta_plan(definition);
    let echoes: Vec<(&str, Option<Value>)> = vec![
        ("planValidation", members.get("validation").cloned()),
        ("planSecurity", members.get("security").cloned()),
        ("planStatus", Some(json!(status.label()))),
        ("publishedAt", published_at.map(millis)),
        ("closedAt", closed_at.map(millis)),
    ];
    let own = [
        ("id", json!(id)),
        ("apiId", json!(api_id)),
        ("type", json!("api")),
        ("status", json!(status.label())),
        ("order", json!(position)),
        ("createdAt", millis(*created_at)),
        ("updatedAt", millis(*updated_at)),
    ];
    let present = echoes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in own.into_iter().chain(present) {
        members.insert(name.to_owned(), value);
    }
    Value::Object(ordered(members, ORDER))
}
