//! One session: what its readers and its seats at the broker share.

use super::reader::Reader;
use super::seat::Seat;
use crate::endpoint::mqtt5::client::Broker;
use crate::endpoint::mqtt5::client::window::Receipt;
use crate::failure::Failure;
use crate::message::Outcome;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Gateways that can serve one client identifier at a time.
pub(super) const SEATS_MAX: usize = 8;
/// The seat that every gateway asks for first, and that a session has alone while one gateway serves it.
pub(super) const HOME: usize = 0;

/// One session with its readers.
pub(super) struct Session {
    pub(super) broker: Broker,
    /// The client id of its home.
    pub(super) client_id: String,
    /// The filter with its group.
    pub(super) shared_filter: String,
    pub(super) expiry_s: u32,
    pub(super) state: Mutex<State>,
    /// Readers wait for messages; the polling tasks wait for their wishes.
    pub(super) changed: watch::Sender<()>,
    pub(super) wishes: watch::Sender<()>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) seats: [Seat; SEATS_MAX],
    /// Another gateway may sit at this session, or may have left something behind.
    pub(super) neighbours: bool,
    pub(super) readers: usize,
    /// Messages that readers have and did not settle.
    pub(super) held: usize,
    /// Readers at at-most-once that wait.
    pub(super) asking: usize,
}

pub(super) enum Phase {
    Starting,
    Live,
    /// The last reader left; nobody may join.
    Leaving,
    Over(Failure),
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
                seats: Default::default(),
                neighbours: false,
                readers: 0,
                held: 0,
                asking: 0,
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

    /// Waits until the state is so.
    pub(super) async fn until(&self, so: impl Fn(&State) -> bool) {
        let mut wishes = self.wishes.subscribe();
        // The sender lives as long as this session does.
        drop(wishes.wait_for(|()| so(&self.state())).await);
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
                    break;
                }
            }
            if wishes.changed().await.is_err() {
                return;
            }
        }
        self.tell_all();
    }

    pub(super) fn settle(&self, seat: usize, receipt: Receipt, outcome: Outcome) {
        let mut state = self.state();
        state.held -= 1;
        state.seats[seat].window.settle(receipt, outcome == Outcome::Delivered);
        state.seats[seat].acknowledge();
        drop(state);
        self.tell_all();
    }

    /// Waits until it has said goodbye.
    pub(super) async fn gone(&self) {
        let mut changed = self.changed.subscribe();
        // An error means that it is gone for good.
        drop(changed.wait_for(|()| matches!(self.state().phase, Phase::Over(_))).await);
    }
}
