//! APIs: their documents, their life cycle and what of them is published to gateways.

pub(crate) mod actions;
pub(crate) mod handlers;
mod life_cycle;
mod paths;
pub(crate) mod publish;
pub(crate) mod store;
pub(crate) mod view;

use chrono::{DateTime, Utc};
use definition::api::Api;
use definition::digest::Digest;
use uuid::Uuid;

/// Whether gateways are to serve an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiState {
    Stopped,
    Started,
}

/// An API with everything that the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiRecord {
    pub(crate) id: Uuid,
    pub(crate) definition: Api,
    pub(crate) state: ApiState,
    /// Rises by one with every change: the entity tag.
    pub(crate) version: i64,
    pub(crate) owner: Owner,
    /// What was last deployed; start and stop use this and not the definition.
    pub(crate) published: Option<Published>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// The user who created the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) id: Uuid,
    pub(crate) name: String,
}

/// Content that was deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) digest: Digest,
    pub(crate) at: DateTime<Utc>,
}

impl ApiState {
    /// As stored and as printed.
    pub(crate) fn label(self) -> &'static str {
        match self {
            ApiState::Stopped => "STOPPED",
            ApiState::Started => "STARTED",
        }
    }

    fn parse(text: &str) -> Option<ApiState> {
        [ApiState::Stopped, ApiState::Started].into_iter().find(|state| state.label() == text)
    }
}

impl ApiRecord {
    /// Counts a change made at `at`. Dates never go back, even when the clock does.
    pub(crate) fn touch(&mut self, at: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = self.updated_at.max(at);
    }
}
