//! When an API may be started, stopped and deleted: pure rules.

use super::{ApiRecord, ApiState};
use crate::error::{ApiError, Result};
use crate::plans::PlanRecord;
use definition::api::LifecycleState;
use definition::plan::PlanStatus;

/// A change of state that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Start,
    Stop,
}

impl Action {
    /// Reads the query parameter `action`, in any case.
    pub(super) fn parse(text: Option<&str>) -> Result<Action> {
        match text.map(str::to_ascii_uppercase).as_deref() {
            Some("START") => Ok(Action::Start),
            Some("STOP") => Ok(Action::Stop),
            _ => Err(ApiError::bad_request("Valid LifecycleAction is required: action=START or action=STOP")),
        }
    }
}

/// The state after `action`.
pub(super) fn state_after(api: &ApiRecord, action: Action) -> Result<ApiState> {
    if api.definition.lifecycle_state == LifecycleState::Archived {
        return Err(ApiError::bad_request("API is archived, it can be neither started nor stopped"));
    }
    match (api.state, action) {
        (ApiState::Started, Action::Start) => Err(ApiError::bad_request("API is already started")),
        (ApiState::Stopped, Action::Stop) => Err(ApiError::bad_request("API is already stopped")),
        (ApiState::Stopped, Action::Start) => Ok(ApiState::Started),
        (ApiState::Started, Action::Stop) => Ok(ApiState::Stopped),
    }
}

/// Refuses the deletion of an API that runs, or that has published plans which are not to be closed with it.
pub(super) fn check_deletable(api: &ApiRecord, plans: &[PlanRecord], close_plans: bool) -> Result<()> {
    let id = api.id.to_string();
    if api.state == ApiState::Started {
        let message = format!("API [{id}] is still running and must be stopped before being deleted !");
        return Err(ApiError::refused("api.running", message, &[("api", &id)]));
    }
    let published: Vec<&str> = plans
        .iter()
        .filter(|plan| plan.status == PlanStatus::Published)
        .map(|plan| plan.definition.name.as_str())
        .collect();
    if published.is_empty() || close_plans {
        return Ok(());
    }
    let names = published.join(", ");
    let message = format!("Plan(s) [{names}] must be closed before being able to delete the API !");
    Err(ApiError::refused("api.notDeletable", message, &[("plans", &names)]))
}
