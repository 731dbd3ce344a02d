//! Plans: who may call. The plans of an API are asked in a fixed order of their kinds; the first one that takes what the
//! caller brought decides.

mod key_less;

use crate::call::Call;
use crate::failure::{Failure, key};
use crate::flow::Flows;
use crate::flow::build::Builder;
use crate::http::serve::Peer;
use crate::table::build::Rejection;
use definition::deployment::DeployedPlan;
use definition::plan::{PlanSecurityType, PlanStatus};
use http::StatusCode;
use std::sync::Arc;

/// A plan that lets callers in.
pub(crate) struct Plan {
    pub(crate) id: Arc<str>,
    pub(crate) flows: Flows,
}

/// Builds the plans of an API that are open.
pub(crate) fn build(plans: &[DeployedPlan], flows: &Builder<'_>) -> Result<Vec<Plan>, Rejection> {
    let mut built = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        let path = format!("plans[{index}]");
        let flows = flows.flows(&format!("{path}.flows"), &plan.flows)?;
        if plan.security.security_type != PlanSecurityType::KeyLess {
            let security = plan.security.security_type;
            let message = format!("plans with security `{security}` are not available in this version");
            return Err(Rejection::new("PLAN_SECURITY_UNKNOWN", format!("{path}.security.type"), message));
        }
        if matches!(plan.status, PlanStatus::Published | PlanStatus::Deprecated) {
            built.push(Plan { id: plan.id.as_str().into(), flows });
        }
    }
    Ok(built)
}

/// Finds the plan that lets the caller in, and notes who calls. Answers what the client identifier is inferred from.
pub(crate) async fn admit<'a>(
    plans: &'a [Plan],
    call: &mut Call,
    peer: &Peer,
) -> Result<(&'a Plan, Arc<str>), Failure> {
    let Some(plan) = plans.first() else {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, key::PLAN_UNRESOLVABLE, "Unauthorized"));
    };
    call.plan = Some(Arc::clone(&plan.id));
    let inferred = key_less::admit(call, peer);
    Ok((plan, inferred))
}
