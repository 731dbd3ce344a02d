//! Plans.

use super::{Flow, PlanSecurityType, PlanStatus, PlanType, PlanValidation};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// A new plan.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = create_example)]
pub struct CreatePlan {
    /// Chosen by the author, or generated.
    pub id: Option<Uuid>,
    pub cross_id: Option<String>,
    pub name: String,
    pub description: String,
    #[schema(required = false)]
    pub validation: PlanValidation,
    pub security: PlanSecurity,
    #[schema(required = false, default = "staging")]
    pub status: PlanStatus,
    #[schema(required = false)]
    pub flows: Vec<Flow>,
    #[schema(required = false)]
    pub tags: Vec<String>,
    #[schema(required = false)]
    pub characteristics: Vec<String>,
    #[schema(required = false)]
    pub excluded_groups: Vec<String>,
    #[schema(required = false)]
    pub comment_required: bool,
    pub comment_message: Option<String>,
    /// An expression that decides whether the plan applies.
    pub selection_rule: Option<String>,
    pub general_conditions: Option<String>,
    #[schema(required = false, default = 0)]
    pub order: i32,
}

/// A changed plan. Status and security type are not changed this way.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = update_example)]
pub struct PlanUpdate {
    /// The id in the path, when given.
    pub id: Option<Uuid>,
    pub cross_id: Option<String>,
    pub name: String,
    pub description: String,
    pub validation: PlanValidation,
    #[schema(required = false)]
    pub security: PlanSecurity,
    /// Required, possibly empty.
    pub flows: Vec<Flow>,
    #[schema(required = false)]
    pub tags: Vec<String>,
    #[schema(required = false)]
    pub characteristics: Vec<String>,
    #[schema(required = false)]
    pub excluded_groups: Vec<String>,
    #[schema(required = false)]
    pub comment_required: bool,
    pub comment_message: Option<String>,
    pub selection_rule: Option<String>,
    pub general_conditions: Option<String>,
    /// Moves the plan among the published ones; clamped to 1..n.
    pub order: Option<i32>,
}

/// How callers prove themselves.
#[derive(Debug, ToSchema)]
pub struct PlanSecurity {
    #[schema(rename = "type")]
    pub security_type: PlanSecurityType,
    #[schema(required = false, value_type = Object)]
    pub configuration: Map<String, Value>,
}

/// A plan.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Plan {
    pub id: Uuid,
    pub cross_id: Option<String>,
    pub name: String,
    pub description: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub updated_at: i64,
    /// Milliseconds since 1970.
    pub published_at: Option<i64>,
    /// Milliseconds since 1970.
    pub closed_at: Option<i64>,
    pub validation: PlanValidation,
    #[schema(rename = "type")]
    pub plan_type: PlanType,
    pub security: PlanSecurity,
    pub selection_rule: Option<String>,
    #[schema(required = false)]
    pub flows: Vec<Flow>,
    #[schema(required = false)]
    pub tags: Vec<String>,
    pub status: PlanStatus,
    pub api_id: Uuid,
    pub order: i32,
    #[schema(required = false)]
    pub characteristics: Vec<String>,
    #[schema(required = false)]
    pub excluded_groups: Vec<String>,
    #[schema(required = false)]
    pub comment_required: bool,
    pub comment_message: Option<String>,
    pub general_conditions: Option<String>,
    /// `validation` again.
    pub plan_validation: PlanValidation,
    /// `security` again.
    pub plan_security: PlanSecurity,
    /// `status` again.
    pub plan_status: PlanStatus,
}

fn update_example() -> Value {
    json!({ "name": "Open", "description": "Nobody needs credentials", "validation": "auto", "flows": [] })
}

fn create_example() -> Value {
    json!({
        "name": "Open",
        "description": "No credentials",
        "status": "published",
        "characteristics": [],
        "security": { "type": "key-less" }
    })
}
