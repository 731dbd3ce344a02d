//! One session: its connection to the broker, and what its readers share.

use super::nothing::Nothing;
use super::reader::Reader;
use super::refusal::refusal;
use crate::endpoint::mqtt5::client::Broker;
use crate::endpoint::mqtt5::client::fault::{Cause, closed};
use crate::endpoint::mqtt5::client::line::{self, End, Wire};
use crate::endpoint::mqtt5::client::received::received;
use crate::endpoint::mqtt5::client::window::{Receipt, Window};
use crate::failure::Failure;
use crate::message::Outcome;
use rand::random_range;
use rumqttc::{
    AsyncClient, ConnAck, EventLoop, ManualAck, PubAck, Publish, QoS, SubAck, SubscribeFilterInput,
};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// A kept session is quiet for this long before it is subscribed again.
const QUIET: Duration = Duration::from_millis(200);
/// A session that nobody reads has this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// Messages that are acknowledged together before they are handed out (at-most-once).
const CONFIRM_MAX: usize = 16;
/// Nobody has subscribed to this; that the broker says so proves that it read everything before.
const NOTHING: &str = "tidegate/nothing";
/// A session beside the common one is kept by the broker for at most this long, seconds.
const SIDE_EXPIRY_MAX_S: u32 = 60;
/// A session beside the common one asks for the common one after this long, seconds, with as much jitter as the half.
const RETAKE_S: u64 = 60;
/// A session beside the common one has this long to hand out what it holds before it asks later.
const DRAIN: Duration = Duration::from_secs(10);

/// One session with its readers.
pub(super) struct Session {
    pub(super) broker: Broker,
    pub(super) client_id: String,
    /// The filter with its group.
    pub(super) shared_filter: String,
    pub(super) expiry_s: u32,
    pub(super) state: Mutex<State>,
    /// Readers wait for messages; the polling task waits for their wishes.
    pub(super) changed: watch::Sender<()>,
    pub(super) wishes: watch::Sender<()>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) window: Window,
    pub(super) client: Option<AsyncClient>,
    /// The broker kept the session, and was not asked for its subscription again.
    pub(super) resumed: bool,
    pub(super) readers: usize,
    /// Messages that readers have and did not settle.
    pub(super) held: usize,
    /// Readers at at-most-once that wait.
    pub(super) asking: usize,
    pub(super) dropped: bool,
}

pub(super) enum Phase {
    Starting,
    Live,
    /// The last reader left; nobody may join.
    Leaving,
    Over(Failure),
}

/// Which of the two client ids a session uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Common,
    Side,
}

/// Why one connection is not used any longer.
pub(super) enum Turn {
    Done,
    Failed(Failure),
    To(Role),
}

impl Wire for Session {
    fn connected(&self, connack: &ConnAck, away: bool) {
        let mut state = self.state();
        state.window.connect(connack.session_present);
        // A broker that was never away still has the subscription; asking again would only disturb it.
        state.resumed |= connack.session_present && away;
        if connack.session_present {
            // Its subscription is there, or is made again in a moment.
            if matches!(state.phase, Phase::Starting) {
                state.phase = Phase::Live;
            }
        } else if let Some(client) = &state.client {
            self.subscribe(client);
        }
        drop(state);
        self.tell_all();
    }

    fn subscribed(&self, suback: &SubAck) -> Result<(), Failure> {
        refusal(suback).map_or(Ok(()), Err)?;
        let mut state = self.state();
        if matches!(state.phase, Phase::Starting) {
            state.phase = Phase::Live;
        }
        drop(state);
        self.tell_all();
        Ok(())
    }

    fn received(&self, publish: Publish) {
        let packet = (publish.qos != QoS::AtMostOnce).then_some(publish.pkid);
        let mut state = self.state();
        if !state.window.receive(packet, received(publish)) && !std::mem::replace(&mut state.dropped, true) {
            tracing::warn!(
                client_id = self.client_id,
                "messages of a publisher's QoS 0 come faster than readers take them and are dropped"
            );
        }
        drop(state);
        self.tell_all();
    }

    fn lost(&self) {
        self.state().window.lose();
        self.tell_all();
    }
}

impl Session {
    pub(super) fn new(broker: Broker, client_id: String, shared_filter: String, expiry_s: u32) -> Session {
        Session {
            broker,
            client_id,
            shared_filter,
            expiry_s,
            state: Mutex::new(State {
                phase: Phase::Starting,
                window: Window::default(),
                client: None,
                resumed: false,
                readers: 0,
                held: 0,
                asking: 0,
                dropped: false,
            }),
            changed: watch::Sender::new(()),
            wishes: watch::Sender::new(()),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell_all(&self) {
        self.changed.send_replace(());
        self.wishes.send_replace(());
    }

    fn subscribe(&self, client: &AsyncClient) {
        let filter =
            SubscribeFilterInput::new(self.shared_filter.as_str(), QoS::AtLeastOnce).preserve_retain(true);
        if let Err(error) = client.try_subscribe_many([filter]) {
            tracing::warn!(%error, "a subscription was not sent");
        }
    }

    /// Subscribes again in a session that the broker kept: some forget shared subscriptions when they restart, and a session may
    /// have been left before it was subscribed. Others send what is under way once more then, so nothing may be. Never ends.
    async fn renew(&self, client: &AsyncClient) {
        let mut wishes = self.wishes.subscribe();
        loop {
            wishes.mark_unchanged();
            let due = { std::mem::take(&mut self.state().resumed) };
            if !due {
                if wishes.changed().await.is_err() {
                    return pending().await;
                }
                continue;
            }
            loop {
                if wishes.wait_for(|()| self.state().window.is_empty()).await.is_err() {
                    return pending().await;
                }
                sleep(QUIET).await;
                if self.state().window.is_empty() {
                    break;
                }
            }
            self.subscribe(client);
        }
    }

    /// `None`: nobody may join any more.
    pub(super) fn join(self: &Arc<Self>, once: bool) -> Option<Reader> {
        let mut state = self.state();
        if matches!(state.phase, Phase::Leaving | Phase::Over(_)) {
            return None;
        }
        state.readers += 1;
        drop(state);
        let changed = self.changed.subscribe();
        Some(Reader { session: Arc::clone(self), once, asks: false, changed })
    }

    /// Waits until nobody reads and nothing is out; nobody may join then.
    pub(super) async fn unwanted(&self) {
        let mut wishes = self.wishes.subscribe();
        loop {
            wishes.mark_unchanged();
            {
                let mut state = self.state();
                if state.readers == 0 && state.held == 0 {
                    state.phase = Phase::Leaving;
                    return;
                }
            }
            if wishes.changed().await.is_err() {
                return;
            }
        }
    }

    pub(super) fn settle(&self, receipt: Receipt, outcome: Outcome) {
        let mut state = self.state();
        state.held -= 1;
        state.window.settle(receipt, outcome == Outcome::Delivered);
        acknowledge(&mut state);
        drop(state);
        self.tell_all();
    }

    /// At-most-once: acknowledges what is asked for, and hands it out when the broker is known to know it. Never ends.
    async fn confirm(&self, client: &AsyncClient) {
        let mut wishes = self.wishes.subscribe();
        loop {
            wishes.mark_unchanged();
            let begun = {
                let mut state = self.state();
                let begun = (state.asking > 0 && state.window.can_confirm())
                    .then(|| state.window.begin_confirm(CONFIRM_MAX));
                acknowledge(&mut state);
                begun
            };
            if let Some(connection) = begun {
                let sent = wishes.wait_for(|()| self.state().window.is_acknowledged()).await.is_ok();
                if sent && let Ok(answer) = client.unsubscribe_tracked(NOTHING).await {
                    // Any answer will do.
                    drop(answer.wait_async().await);
                    self.state().window.end_confirm(connection);
                }
                self.tell_all();
            } else if wishes.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// Uses one connection until it is to be used no longer.
    pub(super) async fn turn(&self, role: Role, clean_start: bool, node: &str) -> Turn {
        let (id, expiry_s) = match role {
            Role::Common => (self.client_id.clone(), self.expiry_s),
            Role::Side => (format!("{}-{node}", self.client_id), self.expiry_s.min(SIDE_EXPIRY_MAX_S)),
        };
        let mut options = self.broker.reader(&id, expiry_s, clean_start);
        options.set_session_store(Nothing);
        let (client, mut events) = line::client(options);
        {
            let mut state = self.state();
            (state.client, state.resumed) = (Some(client.clone()), false);
        }
        let turn = tokio::select! {
            end = line::drive(&mut events, self, self.broker.reconnect_attempts) => match end {
                End::TakenOver if role == Role::Common => Turn::To(Role::Side),
                End::TakenOver => Turn::Failed(Cause::TakenOver.lost()),
                End::Closed => Turn::Failed(closed()),
                End::Failed(failure) => Turn::Failed(failure),
            },
            () = self.unwanted() => Turn::Done,
            () = self.confirm(&client) => Turn::Done,
            () = self.renew(&client) => Turn::Done,
            () = self.drained(role, &client) => Turn::To(Role::Common),
        };
        if matches!(turn, Turn::Done | Turn::To(Role::Common)) {
            self.goodbye(role, &client, &mut events).await;
        }
        let mut state = self.state();
        state.client = None;
        state.window.hand_over();
        turn
    }

    async fn goodbye(&self, role: Role, client: &AsyncClient, events: &mut EventLoop) {
        let connected = { self.state().window.is_connected() };
        // What an absent side session would be sent, the common one shall get.
        let forget = role == Role::Side && self.state().window.is_empty();
        let unsubscribed =
            role == Role::Common || client.try_unsubscribe(self.shared_filter.as_str()).is_ok();
        if connected && unsubscribed && line::leave(client, forget) {
            // A goodbye that is not heard changes nothing.
            drop(timeout(GOODBYE, line::drive(events, self, 0)).await);
        }
    }

    /// Waits until a side session may be given up for the common one without losing anything.
    async fn drained(&self, role: Role, client: &AsyncClient) {
        if role == Role::Common {
            return pending().await;
        }
        let mut wishes = self.wishes.subscribe();
        loop {
            sleep(Duration::from_secs(random_range(RETAKE_S..=RETAKE_S * 3 / 2))).await;
            let unsubscribed = match client.unsubscribe_tracked(self.shared_filter.as_str()).await {
                Ok(answer) => answer.wait_async().await.is_ok(),
                Err(_) => false,
            };
            let empty = wishes.wait_for(|()| self.state().window.is_empty());
            if unsubscribed && timeout(DRAIN, empty).await.is_ok() {
                return;
            }
            self.subscribe(client);
        }
    }

    /// Waits until it has said goodbye.
    pub(super) async fn gone(&self) {
        let mut changed = self.changed.subscribe();
        // An error means that it is gone for good.
        drop(changed.wait_for(|()| matches!(self.state().phase, Phase::Over(_))).await);
    }
}

/// Sends the acknowledgements that are due. Under the lock of the state, so that none is sent on another connection.
fn acknowledge(state: &mut State) {
    while let (Some(packet), Some(client)) = (state.window.due(), &state.client) {
        if client.try_manual_ack(ManualAck::PubAck(PubAck::new(packet, None))).is_err() {
            return;
        }
        state.window.acknowledged();
    }
}
