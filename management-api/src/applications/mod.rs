//! Applications: who subscribes to APIs. Gateways learn of one only through its subscriptions.

mod archive;
pub(crate) mod handlers;
pub(crate) mod list;
pub(crate) mod store;
pub(crate) mod view;

use crate::apis::Owner;
use chrono::{DateTime, Utc};
use definition::application::{Application, ApplicationStatus};
use uuid::Uuid;

/// An application with everything that the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApplicationRecord {
    pub(crate) id: Uuid,
    pub(crate) definition: Application,
    pub(crate) status: ApplicationStatus,
    pub(crate) owner: Owner,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}
