//! What the connections of one client identifier share: messages that came and wait for one of them, and what the
//! broker has to be told of those that were handed over.
//!
//! A message is handed to one connection. When that connection fails with it, the next one gets it, in its old place.

use super::connection::Incoming;
use super::fault::Fault;
use super::message;
use crate::endpoint::fanout::Received;
use crate::endpoint::fanout::ring::Kept as _;
use crate::failure::Failure;
use crate::message::{Ack, Message, Outcome};
use definition::api::Qos;
use definition::limits::SHARED_FETCH_BUFFER_MAX_BYTES;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Messages that wait for a client or for its acknowledgement, over all topics.
const WINDOW: usize = 64;

/// What makes two connections share one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    /// Of the broker and its settings.
    pub(super) identity: [u8; 32],
    pub(super) client_identifier: Arc<str>,
    pub(super) topics: Vec<String>,
    /// Auto, at-most-once or at-least-once.
    pub(super) level: Qos,
}

/// The shared state.
pub(super) struct Group {
    pub(super) key: GroupKey,
    state: Mutex<State>,
    /// For clients: something changed.
    news: watch::Sender<()>,
    /// For the task that speaks with the broker: there is something to do.
    work: Notify,
    clients: watch::Sender<usize>,
    /// The task has left the broker.
    done: watch::Sender<bool>,
}

struct State {
    phase: Phase,
    /// Counts connections to the broker; what came over an older one cannot be settled any more.
    connection: u64,
    waiting: VecDeque<Held>,
    waiting_bytes: usize,
    /// Handed over and not settled.
    handed: usize,
    settled: Vec<(usize, DeliveryInfo)>,
    /// Clients that wait for a message.
    idle: usize,
    next_number: u64,
}

enum Phase {
    Starting,
    Live,
    /// Away, for this reason.
    Down(Fault),
    Over(Option<Failure>),
}

/// A message between broker and client.
struct Held {
    number: u64,
    connection: u64,
    link: usize,
    info: DeliveryInfo,
    received: Received,
}

impl Group {
    pub(super) fn new(key: GroupKey) -> Group {
        Group {
            key,
            state: Mutex::new(State {
                phase: Phase::Starting,
                connection: 0,
                waiting: VecDeque::new(),
                waiting_bytes: 0,
                handed: 0,
                settled: Vec::new(),
                idle: 0,
                next_number: 0,
            }),
            news: watch::Sender::new(()),
            work: Notify::new(),
            clients: watch::Sender::new(0),
            done: watch::Sender::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a client; `None`: too late.
    pub(super) fn join(self: &Arc<Self>) -> Option<Client> {
        let state = self.state();
        if matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        self.clients.send_modify(|clients| *clients += 1);
        drop(state);
        Some(Client { group: Arc::clone(self), news: self.news.subscribe() })
    }

    /// The broker is there.
    pub(super) fn live(&self) {
        self.state().phase = Phase::Live;
        self.news.send_replace(());
    }

    /// The connection is gone. What was not settled at the broker will come again.
    pub(super) fn down(&self, fault: Fault) {
        let mut state = self.state();
        state.phase = Phase::Down(fault);
        state.connection += 1;
        state.settled.clear();
        if self.key.level != Qos::AtMostOnce {
            state.waiting.clear();
            state.waiting_bytes = 0;
        }
        drop(state);
        self.news.send_replace(());
    }

    /// Nothing more comes.
    pub(super) fn end(&self, failure: Option<Failure>) {
        let mut state = self.state();
        if !matches!(state.phase, Phase::Over(_)) {
            state.phase = Phase::Over(failure);
        }
        drop(state);
        self.news.send_replace(());
    }

    /// The subscription is free for another task.
    pub(super) fn left(&self) {
        self.done.send_replace(true);
    }

    /// Returns when the task has left the broker.
    pub(super) async fn gone(&self) {
        // An error means that nobody is left who could say so.
        drop(self.done.subscribe().wait_for(|done| *done).await);
    }

    /// A message came.
    pub(super) fn push(&self, incoming: Incoming) {
        let received = message::received(incoming.message, &self.key.topics[incoming.link]);
        let mut state = self.state();
        let (number, connection) = (state.next_number, state.connection);
        state.next_number += 1;
        state.waiting_bytes += received.size();
        let Incoming { link, info, .. } = incoming;
        state.waiting.push_back(Held { number, connection, link, info, received });
        drop(state);
        self.news.send_replace(());
    }

    /// How many more messages the broker may send, per topic.
    ///
    /// What is settled before it is delivered is lost when the client goes: no more than clients wait for.
    pub(super) fn room(&self) -> u32 {
        let state = self.state();
        let free = match self.key.level {
            Qos::AtMostOnce => state.idle.saturating_sub(state.waiting.len()),
            Qos::None | Qos::Auto | Qos::AtLeastOnce
                if state.waiting_bytes > SHARED_FETCH_BUFFER_MAX_BYTES =>
            {
                0
            }
            Qos::None | Qos::Auto | Qos::AtLeastOnce => WINDOW
                .saturating_sub(state.waiting.len() + state.handed)
                .div_ceil(self.key.topics.len().max(1)),
        };
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// What the broker has to be told, link and message.
    pub(super) fn take_settled(&self) -> Vec<(usize, DeliveryInfo)> {
        std::mem::take(&mut self.state().settled)
    }

    /// Returns when the task has something to do.
    pub(super) async fn work(&self) {
        self.work.notified().await;
    }

    /// Returns when no client is left and what was handed over is settled, after `patience` at the latest. Nobody can
    /// join any more then.
    pub(super) async fn unwanted(&self, patience: std::time::Duration) {
        let mut clients = self.clients.subscribe();
        let mut news = self.news.subscribe();
        loop {
            if clients.wait_for(|clients| *clients == 0).await.is_err() {
                return;
            }
            let settled = async {
                while self.state().handed > 0 {
                    if news.changed().await.is_err() {
                        return;
                    }
                }
            };
            if tokio::time::timeout(patience, settled).await.is_err() {
                tracing::warn!(
                    client = &*self.key.client_identifier,
                    "messages of a client that went were not settled"
                );
            }
            let mut state = self.state();
            if *self.clients.borrow() == 0 {
                state.phase = Phase::Over(None);
                return;
            }
        }
    }

    fn take(self: &Arc<Self>) -> Taken {
        let mut state = self.state();
        let Some(held) = state.waiting.pop_front() else {
            return match &state.phase {
                Phase::Over(failure) => Taken::Over(failure.clone()),
                Phase::Starting | Phase::Live | Phase::Down(_) => Taken::Nothing,
            };
        };
        state.waiting_bytes = state.waiting_bytes.saturating_sub(held.received.size());
        let mut message = held.received.message();
        match self.key.level {
            // It was settled when it came.
            Qos::None | Qos::AtMostOnce => {}
            Qos::Auto => {
                if held.connection == state.connection {
                    state.settled.push((held.link, held.info));
                }
            }
            Qos::AtLeastOnce => {
                state.handed += 1;
                let group = Arc::clone(self);
                message.ack = Ack::new(move |outcome| group.settle(held, outcome));
            }
        }
        drop(state);
        self.work.notify_one();
        Taken::Message(message)
    }

    fn settle(&self, held: Held, outcome: Outcome) {
        let mut state = self.state();
        state.handed -= 1;
        if held.connection == state.connection {
            match outcome {
                Outcome::Delivered => state.settled.push((held.link, held.info)),
                Outcome::Failed => {
                    let place = state.waiting.partition_point(|other| other.number < held.number);
                    state.waiting_bytes += held.received.size();
                    state.waiting.insert(place, held);
                }
            }
        }
        drop(state);
        self.work.notify_one();
        self.news.send_replace(());
    }

    fn idle(&self, change: isize) {
        let mut state = self.state();
        state.idle = state.idle.saturating_add_signed(change);
        drop(state);
        self.work.notify_one();
    }
}

enum Taken {
    Message(Message),
    Nothing,
    Over(Option<Failure>),
}

/// One connection of the client.
pub(super) struct Client {
    group: Arc<Group>,
    news: watch::Receiver<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.group.clients.send_modify(|clients| *clients -= 1);
    }
}

/// Counts a client as waiting for as long as it lives.
struct Idle(Arc<Group>);

impl Idle {
    fn new(group: &Arc<Group>) -> Idle {
        group.idle(1);
        Idle(Arc::clone(group))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.idle(-1);
    }
}

impl Client {
    /// Waits until the broker is there. A broker that is away already is a fault after `patience`.
    pub(super) async fn started(&mut self, patience: std::time::Duration) -> Result<(), Failure> {
        let started = async {
            loop {
                self.news.mark_unchanged();
                match &self.group.state().phase {
                    Phase::Live | Phase::Over(None) => return Ok(()),
                    Phase::Over(Some(failure)) => return Err(failure.clone()),
                    Phase::Starting | Phase::Down(_) => {}
                }
                if self.news.changed().await.is_err() {
                    return Ok(());
                }
            }
        };
        match tokio::time::timeout(patience, started).await {
            Ok(started) => started,
            Err(_) => Err(match &self.group.state().phase {
                Phase::Down(fault) => fault.failure(),
                Phase::Starting | Phase::Live | Phase::Over(_) => Fault::NoAnswer.failure(),
            }),
        }
    }

    /// The next message; `Ok(None)`: nothing more comes.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        let mut idle = None;
        loop {
            self.news.mark_unchanged();
            match self.group.take() {
                Taken::Message(message) => return Ok(Some(message)),
                Taken::Over(failure) => return failure.map_or(Ok(None), Err),
                Taken::Nothing => {}
            }
            idle.get_or_insert_with(|| Idle::new(&self.group));
            if self.news.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
