//! One connection of a client identifier.

use super::shared::{Phase, Session};
use crate::endpoint::fanout::ring::Kept as _;
use crate::endpoint::mqtt5::client::fault::closed;
use crate::endpoint::mqtt5::client::window::{Item, Receipt};
use crate::failure::Failure;
use crate::message::{Ack, Message};
use std::sync::Arc;
use tokio::sync::watch;

/// One connection of a client identifier.
pub(super) struct Reader {
    pub(super) session: Arc<Session>,
    /// At-most-once.
    pub(super) once: bool,
    pub(super) asks: bool,
    pub(super) changed: watch::Receiver<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.session.state();
        state.readers -= 1;
        state.asking -= usize::from(self.asks);
        drop(state);
        self.session.tell_all();
    }
}

impl Reader {
    /// Waits until the broker lets read.
    pub(super) async fn started(&mut self) -> Result<(), Failure> {
        loop {
            self.changed.mark_unchanged();
            match &self.session.state().phase {
                Phase::Live => return Ok(()),
                Phase::Over(failure) => return Err(failure.clone()),
                Phase::Starting | Phase::Leaving => {}
            }
            if self.changed.changed().await.is_err() {
                return Err(closed());
            }
        }
    }

    /// A message that is there. `Err`: none will come.
    fn take(&mut self) -> Result<Option<Message>, Failure> {
        let mut state = self.session.state();
        if self.once {
            let item = state.seats.iter_mut().find_map(|seat| seat.window.take_confirmed());
            let asks = item.is_none();
            state.asking = state.asking + usize::from(asks) - usize::from(self.asks);
            let began = asks && !self.asks;
            self.asks = asks;
            if let Some(item) = item {
                return Ok(Some(item.received.message()));
            }
            if began {
                // Those who wait look at the state while they hold the channel: never both the other way round.
                drop(state);
                self.session.wishes.send_replace(());
                state = self.session.state();
            }
        } else {
            let taken =
                state.seats.iter_mut().enumerate().find_map(|(seat, at)| Some((seat, at.window.take()?)));
            if let Some((seat, (item, receipt))) = taken {
                state.held += 1;
                drop(state);
                return Ok(Some(self.message(seat, &item, receipt)));
            }
        }
        match &state.phase {
            Phase::Over(failure) => Err(failure.clone()),
            Phase::Starting | Phase::Live | Phase::Leaving => Ok(None),
        }
    }

    fn message(&self, seat: usize, item: &Item, receipt: Receipt) -> Message {
        let mut message = item.received.message();
        let session = Arc::clone(&self.session);
        message.ack = Ack::new(move |outcome| session.settle(seat, receipt, outcome));
        message
    }

    pub(super) async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            self.changed.mark_unchanged();
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.changed.changed().await.is_err() {
                return Err(closed());
            }
        }
    }
}
