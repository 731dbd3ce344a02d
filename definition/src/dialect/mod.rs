//! Two spellings in, one canonical form stored, the beta spelling out.

use crate::api::Api;
use crate::plan::{Plan, PlanStatus};
use crate::violation::Violation;
use serde_json::{Map, Value};

/// What a definition is read for.
#[derive(Debug, Clone, Copy)]
pub enum ReadApi<'a> {
    /// POST: visibility and state members are ignored.
    Create,
    /// PUT: full replacement of `current`; the body must carry `id`.
    Update { id: &'a str, current: &'a Api },
}

/// Reads, checks and completes a definition. Every violation is reported, in the order of management-api.md 4.1.
pub fn read_api(_document: &Value, _read: ReadApi<'_>) -> Result<Api, Vec<Violation>> {
    Err(Vec::new())
}

/// The members of a beta response that come from the definition, in the beta's order, secrets masked.
pub fn beta_api(_api: &Api) -> Map<String, Value> {
    Map::new()
}

/// What a plan is read for.
#[derive(Debug, Clone, Copy)]
pub enum ReadPlan<'a> {
    Create { api: &'a Api },
    Update { id: &'a str, api: &'a Api, current: &'a Plan },
}

/// A plan document with the members that are columns of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanDocument {
    pub plan: Plan,
    /// A UUID, when the author chose one.
    pub id: Option<String>,
    /// Create only; staging when absent.
    pub status: PlanStatus,
    pub order: Option<i32>,
}

/// Reads and checks a plan.
pub fn read_plan(_document: &Value, _read: ReadPlan<'_>) -> Result<PlanDocument, Vec<Violation>> {
    Err(Vec::new())
}

/// The members of a beta plan that come from its definition, secrets masked.
pub fn beta_plan(_plan: &Plan) -> Map<String, Value> {
    Map::new()
}

/// The plans of a PUT document (`plans`): `None` when absent. Each must carry the id of an existing plan.
pub fn read_update_plans(
    _document: &Value,
    _api: &Api,
) -> Result<Option<Vec<(String, PlanDocument)>>, Vec<Violation>> {
    Ok(None)
}
