//! What a plan may do: transitions and the uniqueness of key-less plans. Pure.

use super::PlanRecord;
use crate::error::{ApiError, Result};
use crate::extract::too_large;
use definition::api::Api;
use definition::limits::DEFINITION_MAX_BYTES;
use definition::plan::{Plan, PlanAction, PlanSecurityType, PlanStatus, PlanTransitionError};
use definition::references;

/// The status of `plan` after `action`.
pub(super) fn status_after(plan: &PlanRecord, action: PlanAction) -> Result<PlanStatus> {
    plan.status.after(action).map_err(|error| {
        let id = plan.id.to_string();
        let (code, message) = match error {
            PlanTransitionError::Published => ("plan.published", format!("Plan {id} is already published !")),
            PlanTransitionError::Deprecated => {
                ("plan.deprecated", format!("Plan {id} is already deprecated !"))
            }
            PlanTransitionError::Closed => ("plan.closed", format!("Plan {id} is already closed !")),
            PlanTransitionError::NotPublished => {
                ("plan.notPublished", format!("Plan {id} is not yet published !"))
            }
        };
        ApiError::refused(code, message, &[("plan", &id)])
    })
}

/// Refuses a second key-less plan that is in force: the first one lets everybody in, so the other could never apply.
pub(super) fn check_key_less(plan: &PlanRecord, plans: &[PlanRecord]) -> Result<()> {
    let another = |other: &&PlanRecord| other.id != plan.id && is_key_less(other) && in_force(other.status);
    if !is_key_less(plan) || !in_force(plan.status) {
        return Ok(());
    }
    match plans.iter().find(another) {
        None => Ok(()),
        Some(other) => {
            let id = plan.id.to_string();
            let message = format!(
                "The API has the key-less plan [{}] ({}) already; close it before another one is published",
                other.definition.name, other.id
            );
            Err(ApiError::refused("plan.keyless.exists", message, &[("plan", &id)]))
        }
    }
}

/// Refuses the deletion of a plan in force that was ever subscribed to: its history would go with it.
pub(super) fn check_deletable(plan: &PlanRecord, is_used: bool) -> Result<()> {
    if is_used && in_force(plan.status) {
        let id = plan.id.to_string();
        let message = format!("The plan [{id}] cannot be deleted: it has subscriptions, close it first");
        return Err(ApiError::refused("plan.notDeletable", message, &[("plan", &id)]));
    }
    Ok(())
}

/// Refuses a plan in force that gateways could not run: a draft may lack what a published plan must have.
pub(super) fn check_complete(plan: &PlanRecord, api: &Api) -> Result<()> {
    if !in_force(plan.status) {
        return Ok(());
    }
    let Plan { security, flows, .. } = &plan.definition;
    match references::of_plan(security, flows, &api.resources) {
        violations if violations.is_empty() => Ok(()),
        violations => Err(violations.into()),
    }
}

/// The same for all plans of an API that changes under them.
pub(crate) fn check_all_complete(plans: &[PlanRecord], api: &Api) -> Result<()> {
    let mut violations = Vec::new();
    for plan in plans.iter().filter(|plan| in_force(plan.status)) {
        let Plan { name, security, flows, .. } = &plan.definition;
        let found = references::of_plan(security, flows, &api.resources);
        violations.extend(references::in_plan(&plan.id.to_string(), name, found));
    }
    if violations.is_empty() { Ok(()) } else { Err(violations.into()) }
}

/// Refuses a plan that is too large to be deployed.
pub(super) fn check_size(plan: &Plan) -> Result<()> {
    if serde_json::to_vec(plan)?.len() > DEFINITION_MAX_BYTES {
        return Err(too_large("the plan", DEFINITION_MAX_BYTES));
    }
    Ok(())
}

fn is_key_less(plan: &PlanRecord) -> bool {
    plan.definition.security.security_type == PlanSecurityType::KeyLess
}

fn in_force(status: PlanStatus) -> bool {
    match status {
        PlanStatus::Published | PlanStatus::Deprecated => true,
        PlanStatus::Staging | PlanStatus::Closed => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use definition::plan::{PlanSecurity, PlanValidation};
    use uuid::Uuid;

    /// A key-less plan.
    pub(in crate::plans) fn plan(status: PlanStatus) -> PlanRecord {
        let at = chrono::DateTime::UNIX_EPOCH;
        let security = PlanSecurity { security_type: PlanSecurityType::KeyLess, configuration: None };
        PlanRecord {
            id: Uuid::new_v4(),
            api_id: Uuid::nil(),
            definition: Plan {
                name: "n".to_owned(),
                description: "d".to_owned(),
                validation: PlanValidation::Auto,
                security,
                cross_id: None,
                flows: Vec::new(),
                tags: Vec::new(),
                characteristics: Vec::new(),
                excluded_groups: Vec::new(),
                comment_required: false,
                comment_message: None,
                selection_rule: None,
                general_conditions: None,
            },
            status,
            position: 0,
            created_at: at,
            updated_at: at,
            published_at: None,
            closed_at: None,
        }
    }

    #[test]
    fn one_key_less_plan_is_in_force() {
        use PlanStatus::{Closed, Deprecated, Published, Staging};
        for (new, other, allowed) in [
            (Published, Published, false),
            (Published, Deprecated, false),
            (Deprecated, Published, false),
            (Published, Staging, true),
            (Published, Closed, true),
            (Staging, Published, true),
        ] {
            assert_eq!(check_key_less(&plan(new), &[plan(other)]).is_ok(), allowed, "{new} beside {other}");
        }
        let same = plan(Published);
        assert!(check_key_less(&same, std::slice::from_ref(&same)).is_ok());
        let mut secured = plan(Published);
        secured.definition.security.security_type = PlanSecurityType::ApiKey;
        assert!(check_key_less(&secured, &[plan(Published)]).is_ok());
    }

    #[test]
    fn refusals_have_the_codes_of_the_dialect() {
        let refused = |status, action| match status_after(&plan(status), action) {
            Err(ApiError::Refused(problem)) => problem.technical_code.unwrap_or_default(),
            _ => "",
        };
        assert_eq!(refused(PlanStatus::Published, PlanAction::Publish), "plan.published");
        assert_eq!(refused(PlanStatus::Deprecated, PlanAction::Publish), "plan.deprecated");
        assert_eq!(refused(PlanStatus::Staging, PlanAction::Deprecate), "plan.notPublished");
        assert_eq!(refused(PlanStatus::Closed, PlanAction::Close), "plan.closed");
        assert_eq!(refused(PlanStatus::Staging, PlanAction::Close), "");
    }
}
