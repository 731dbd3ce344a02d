//! QoS auto, at-most-once and at-least-once: one group consumer per client identifier, shared by its connections.
//!
//! Connections with one identifier share the records, none gets one twice; across gateways the group sees to that.
//! The consumer leaves its group when the last connection has gone and its acknowledgements have come.
//!
//! - auto: a position is stored when its record is handed over and committed by the library.
//! - at-most-once: a record is handed over after the broker confirmed the commit of its position.
//! - at-least-once: a position is stored when its record and all before it are delivered.

use super::Clients;
use super::consumer;
use super::cursor::{self, Cursor};
use super::group::{Group, GroupKey, Taken};
use super::member;
use super::permits::Permit;
use super::record::Record;
use super::window::Receipt;
use crate::endpoint::Limit;
use crate::endpoint::StartingCursor;
use crate::endpoint::fanout::ring::Kept as _;
use crate::failure::Failure;
use crate::message::{Ack, Message};
use definition::api::Qos;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// At-most-once commits at most this many records ahead of a client, and no more than it has said it takes: a commit is
/// a round trip, so one for each record would be slow. These are lost when the client goes before it gets them.
const COMMIT_AHEAD_MAX: usize = 64;
/// Connections look this often whether their consumer's thread is stuck.
const STUCK_LOOK: Duration = Duration::from_secs(2);
/// A thread that was kept for this long by the client library counts as cut off from the brokers; it tells an outage
/// itself a little earlier when it can.
const STUCK: Duration = consumer::OUTAGE.saturating_add(STUCK_LOOK);

/// The group consumers of a gateway.
pub(super) type Groups = Mutex<HashMap<GroupKey, Arc<Group>>>;

/// What a connection wants beside the group's key.
pub(super) struct Wishes {
    /// Where the client says it is; empty: nowhere.
    pub(super) cursor: Cursor,
    pub(super) starting_cursor: StartingCursor,
    pub(super) encode_ids: bool,
    /// The client takes at most this many messages.
    pub(super) limit: Option<Limit>,
    /// Brokers that do not answer for this long are reported.
    pub(super) start: Duration,
}

/// Joins the consumer of `key`, starting it when there is none.
pub(super) fn join(clients: &Arc<Clients>, key: GroupKey, wishes: Wishes) -> Result<Connection, Failure> {
    let mut groups = clients.groups.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(group) = groups.get(&key)
        && let Some(reader) = group.join(&wishes.cursor)
    {
        return Ok(Connection::new(Arc::clone(group), reader, wishes));
    }
    let permit = clients.permits.take()?;
    let group = Arc::new(Group::new(key.clone()));
    let reader = group.join(&wishes.cursor).ok_or_else(super::no_thread)?;
    let (thread_group, thread_clients, start) = (Arc::clone(&group), Arc::clone(clients), wishes.start);
    super::thread("kafka-group", move || run(&thread_group, &thread_clients, permit, start))?;
    groups.insert(key, Arc::clone(&group));
    Ok(Connection::new(group, reader, wishes))
}

fn run(group: &Arc<Group>, clients: &Clients, permit: Permit, start: Duration) {
    let outcome = member::run(group, start);
    if let Err(failure) = &outcome {
        tracing::warn!(group = group.key.group_id, topics = ?group.key.topics, %failure, "a group consumer ended");
    }
    group.end(outcome.err());
    let mut groups = clients.groups.lock().unwrap_or_else(PoisonError::into_inner);
    if groups.get(&group.key).is_some_and(|known| Arc::ptr_eq(known, group)) {
        groups.remove(&group.key);
    }
    drop(permit);
}

/// One connection's share of a group consumer.
pub(super) struct Connection {
    group: Arc<Group>,
    reader: u64,
    wishes: Wishes,
    got: usize,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.group.leave(self.reader);
    }
}

impl super::Source for Connection {
    async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            let group = Arc::clone(&self.group);
            let mut news = pin!(group.news());
            news.as_mut().enable();
            match group.take(self.reader) {
                Taken::Record { record, receipt } => return Ok(Some(self.message(&record, receipt))),
                Taken::Over(failure) => return failure.map_or(Ok(None), Err),
                Taken::Nothing => {}
            }
            self.say_start();
            self.ask();
            if tokio::time::timeout(STUCK_LOOK, news).await.is_err() {
                self.group.end_if_lost(STUCK);
            }
        }
    }
}

impl Connection {
    fn new(group: Arc<Group>, reader: u64, wishes: Wishes) -> Connection {
        Connection { group, reader, wishes, got: 0 }
    }

    /// Waits until records can be taken or never will be.
    pub(super) async fn started(&mut self) {
        loop {
            let group = Arc::clone(&self.group);
            let mut news = pin!(group.news());
            news.as_mut().enable();
            if group.is_started() {
                self.say_start();
                return;
            }
            news.await;
        }
    }

    fn say_start(&self) {
        if self.group.key.level != Qos::Auto
            && self.wishes.starting_cursor.get().is_none()
            && let Some(start) = self.group.positions(self.reader, &self.wishes.cursor)
        {
            self.wishes.starting_cursor.set(|| start.encode(self.wishes.encode_ids));
        }
    }

    fn ask(&self) {
        if self.group.key.level == Qos::AtMostOnce {
            let left = self.wishes.limit.as_ref();
            let left = left.map_or(COMMIT_AHEAD_MAX, |limit| limit.get().saturating_sub(self.got));
            self.group.ask(self.reader, left.clamp(1, COMMIT_AHEAD_MAX));
        }
    }

    fn message(&mut self, record: &Record, receipt: Option<Receipt>) -> Message {
        self.got += 1;
        let mut message = record.message();
        if self.group.key.level == Qos::Auto {
            return message;
        }
        let encode = self.wishes.encode_ids;
        message.id = Some(cursor::record_id(&record.topic, record.partition, record.offset, encode));
        let mut position = self.group.positions(self.reader, &self.wishes.cursor).unwrap_or_default();
        position.set(&record.topic, record.partition, record.offset);
        message.cursor = Some(position.encode(encode));
        if let Some(receipt) = receipt {
            let group = Arc::clone(&self.group);
            message.ack = Ack::new(move |outcome| group.settle(&receipt, outcome));
        }
        message
    }
}
