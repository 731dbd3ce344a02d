//! API keys. Gateways know their hashes; the store has the keys themselves sealed, to be shown to administrators.

pub(crate) mod consumer;
pub(crate) mod handlers;
pub(crate) mod issue;
pub(crate) mod operate;
pub(crate) mod store;
pub(crate) mod view;

use chrono::{DateTime, Utc};
use definition::api_key::KeyState;
use uuid::Uuid;

/// A key with everything that the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyRecord {
    pub(crate) id: Uuid,
    pub(crate) subscription_id: Uuid,
    /// `definition::consumer::api_key_hash`.
    pub(crate) hash: String,
    /// The key, sealed for its id.
    pub(crate) sealed: Vec<u8>,
    pub(crate) revoked: bool,
    pub(crate) paused: bool,
    pub(crate) expire_at: Option<DateTime<Utc>>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl KeyRecord {
    /// What decides whether it works.
    pub(crate) fn state(&self) -> KeyState {
        KeyState {
            revoked: self.revoked,
            paused: self.paused,
            expire_at_ms: self.expire_at.map(|at| at.timestamp_millis()),
        }
    }

    /// Ends a key for good; one that has ended stays as it is.
    pub(crate) fn revoke(&mut self, at: DateTime<Utc>) {
        if !self.revoked {
            self.revoked = true;
            self.revoked_at = Some(at);
            self.updated_at = at;
        }
    }

    /// Pauses a key with its subscription, or lets it go on.
    pub(crate) fn pause(&mut self, paused: bool, at: DateTime<Utc>) {
        if self.paused != paused {
            self.paused = paused;
            self.updated_at = at;
        }
    }
}
