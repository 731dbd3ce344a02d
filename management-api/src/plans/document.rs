//! What the document of an API does to its plans: `plans` of a PUT, and the deprecation of the API.

use super::PlanRecord;
use crate::error::{ApiError, Result};
use chrono::{DateTime, Utc};
use definition::dialect::PlanDocument;
use definition::plan::PlanStatus;
use definition::violation::Violation;
use serde_json::Value;

/// Applies the `plans` of a PUT to plans that exist; answers the changed ones. Statuses are not changed this way.
pub(crate) fn update_from_api(
    plans: &[PlanRecord],
    document: &Value,
    updates: Vec<(String, PlanDocument)>,
    at: DateTime<Utc>,
) -> Result<Vec<PlanRecord>> {
    let updates = updates.into_iter().enumerate();
    updates.map(|(index, (id, update))| update_one(plans, document, index, &id, update, at)).collect()
}

fn update_one(
    plans: &[PlanRecord],
    document: &Value,
    index: usize,
    id: &str,
    update: PlanDocument,
    at: DateTime<Utc>,
) -> Result<PlanRecord> {
    let place = format!("plans[{index}]");
    let Some(plan) = plans.iter().find(|plan| plan.id.to_string().eq_ignore_ascii_case(id)) else {
        let message = format!("plan [{id}] is not a plan of this API; create it with POST …/plans first");
        return Err(Violation::new(format!("{place}.id"), "data.invalid", message).value(id).into());
    };
    let status = document["plans"][index]["status"].as_str().and_then(PlanStatus::parse);
    if plan.status == PlanStatus::Closed && status.is_some_and(|status| status != PlanStatus::Closed) {
        let message = format!("plan [{id}] is closed and stays so; send `closed` or leave the status out");
        return Err(ApiError::from(Violation::new(format!("{place}.status"), "data.invalid", message)));
    }
    let mut plan = plan.clone();
    // How callers prove themselves cannot change under those who already do.
    let security_type = plan.definition.security.security_type;
    plan.definition = update.plan;
    plan.definition.security.security_type = security_type;
    plan.position = update.order.unwrap_or(plan.position);
    plan.updated_at = at;
    Ok(plan)
}

/// A deprecated API takes nobody new: its published and staging plans become deprecated. Answers the changed ones.
pub(crate) fn deprecate_all(plans: &[PlanRecord], at: DateTime<Utc>) -> Vec<PlanRecord> {
    let open = |plan: &&PlanRecord| match plan.status {
        PlanStatus::Staging | PlanStatus::Published => true,
        PlanStatus::Deprecated | PlanStatus::Closed => false,
    };
    let deprecated = |plan: &PlanRecord| {
        let mut plan = PlanRecord { updated_at: at, ..plan.clone() };
        plan.enter(PlanStatus::Deprecated, at);
        plan
    };
    plans.iter().filter(open).map(deprecated).collect()
}
