//! What this gateway keeps of a session that its broker keeps: nothing.

use crate::endpoint::mqtt5::client::READER_IN_FLIGHT_MAX;
use rumqttc::{PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey};
use std::future::{Future, ready};
use std::pin::Pin;

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// The library resumes a session that a broker kept only when it has kept its own part. Ours is always empty: a reader
/// has nothing under way that would have to be repeated.
#[derive(Debug)]
pub(super) struct Nothing;

impl SessionStore for Nothing {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Later<'a, Option<PersistedSession>> {
        Box::pin(ready(Ok(Some(PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: None,
            outgoing_inflight_upper_limit: Some(READER_IN_FLIGHT_MAX),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        }))))
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Later<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Later<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}
