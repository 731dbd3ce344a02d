//! Plans: who may call an API. Changes reach gateways with the next deploy of the API.

pub(crate) mod actions;
mod document;
pub(crate) mod handlers;
mod order;
mod rules;
pub(crate) mod store;
pub(crate) mod view;

pub(crate) use document::{deprecate_all, update_from_api};
pub(crate) use rules::check_all_complete;

use chrono::{DateTime, Utc};
use definition::plan::{Plan, PlanStatus};
use uuid::Uuid;

/// A plan with everything that the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanRecord {
    pub(crate) id: Uuid,
    pub(crate) api_id: Uuid,
    pub(crate) definition: Plan,
    pub(crate) status: PlanStatus,
    /// `order` of the documents.
    pub(crate) position: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) published_at: Option<DateTime<Utc>>,
    pub(crate) closed_at: Option<DateTime<Utc>>,
}

impl PlanRecord {
    /// Moves the plan to a status and notes when.
    fn enter(&mut self, status: PlanStatus, at: DateTime<Utc>) {
        self.status = status;
        match status {
            PlanStatus::Published => self.published_at = Some(at),
            PlanStatus::Closed => self.closed_at = Some(at),
            PlanStatus::Staging | PlanStatus::Deprecated => {}
        }
    }
}
