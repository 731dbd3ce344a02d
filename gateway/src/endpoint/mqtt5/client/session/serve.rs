//! The seats of a session that this gateway takes, and those that others left.
//!
//! Brokers keep what they sent to a member of a group for that member alone, so a seat whose gateway is gone must be found. Sitting
//! down somewhere ends the connection of whoever sits there. So everybody who was sitting comes back at once, and who is new and
//! is sent away like that (by a DISCONNECT, or without a word) sits elsewhere. Whoever looks at a seat does no more than wait for that.

use super::nothing::Nothing;
use super::seat::{Left, Place};
use super::shared::{HOME, SEATS_MAX, Session};
use crate::endpoint::mqtt5::client::fault::Cause;
use crate::endpoint::mqtt5::client::line::{self, Past, Wire};
use crate::failure::Failure;
use futures::stream::{FuturesUnordered, StreamExt as _};
use rand::random_range;
use rumqttc::ConnAck;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::pin;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Whoever sits somewhere is back within this time.
const BACK: Duration = Duration::from_secs(4);
/// Pause before the first look for seats that were left, milliseconds. A look may repeat what somebody's connection has under way.
const LOOK_FIRST_MS: u64 = 8_000;
/// The pauses between looks double up to this one, milliseconds.
const LOOK_MAX_MS: u64 = 60_000;

/// What a look at a seat shows.
enum Look {
    /// The broker has nothing under this client id.
    Nothing,
    /// Somebody sits there.
    Somebody,
    /// A session that somebody left.
    Left,
    /// The broker did not answer.
    Unknown,
}

/// Someone who only looks.
struct Guest {
    found: watch::Sender<Option<bool>>,
}

impl Wire for Guest {
    fn connected(&self, connack: &ConnAck, _away: bool) {
        self.found.send_replace(Some(connack.session_present));
    }

    fn lost(&self) {}
}

/// A client that was not there before.
fn first() -> Past {
    Past { connected: None, away: true }
}

impl Session {
    /// Serves the readers until they are gone, or until it cannot: why.
    pub(super) async fn serve(self: &Arc<Session>, clean_start: bool) -> Option<Failure> {
        let mut seats = FuturesUnordered::new();
        seats.push(self.place(HOME).sit(first(), clean_start));
        let mut looking = Box::pin(self.look());
        let mut leaving = false;
        loop {
            tokio::select! {
                () = self.unwanted(), if !leaving => leaving = true,
                number = &mut looking, if !leaving => {
                    seats.push(self.place(number).sit(first(), false));
                    looking = Box::pin(self.look());
                }
                left = seats.next() => {
                    let (number, left) = left?;
                    if leaving || !seats.is_empty() {
                        continue;
                    }
                    // That somebody was there means that the broker was.
                    let past = Past { connected: Some(Instant::now()), away: true };
                    let next = match left {
                        Left::Failed(failure) => return Some(failure),
                        Left::Done => HOME,
                        Left::Taken => number + 1,
                    };
                    if next == SEATS_MAX {
                        return Some(Cause::TakenOver.failure());
                    }
                    tracing::info!(client_id = self.seat_id(next), "an MQTT session changes its client id");
                    seats.push(self.place(next).sit(past, false));
                }
            }
        }
    }

    fn place(self: &Arc<Session>, number: usize) -> Place {
        self.state().seats[number].taken = true;
        Place { session: Arc::clone(self), number }
    }

    /// Looks for a seat that somebody left. From the home, which has to be somebody's, all others are looked after.
    async fn look(&self) -> usize {
        if self.expiry_s == 0 {
            return pending().await;
        }
        let mut pause = LOOK_FIRST_MS;
        loop {
            self.until(|state| state.neighbours).await;
            sleep(Duration::from_millis(random_range(pause..=pause * 3 / 2))).await;
            let home = { self.state().seats[HOME].taken };
            let others = if home { HOME + 1..SEATS_MAX } else { HOME..HOME + 1 };
            for number in others {
                if self.state().seats[number].taken {
                    continue;
                }
                match self.look_at(number).await {
                    Look::Left => {
                        self.state().seats[number].closing = number != HOME;
                        return number;
                    }
                    Look::Nothing if number == HOME => return number,
                    Look::Nothing => {
                        self.state().neighbours = number > HOME + 1;
                        break;
                    }
                    Look::Somebody => {}
                    Look::Unknown => break,
                }
            }
            pause = (pause * 2).min(LOOK_MAX_MS);
        }
    }

    async fn look_at(&self, number: usize) -> Look {
        let mut options = self.broker.reader(&self.seat_id(number), self.expiry_s, false);
        options.set_session_store(Nothing).set_receive_maximum(Some(1));
        let (client, mut events) = line::client(options);
        let guest = Guest { found: watch::Sender::new(None) };
        let mut answer = guest.found.subscribe();
        let look = {
            let driven = line::drive(&mut events, &guest, 0);
            pin!(driven);
            let present = tokio::select! {
                answer = answer.wait_for(Option::is_some) => answer.is_ok_and(|present| *present == Some(true)),
                _ = &mut driven => return Look::Unknown,
            };
            match present {
                false => Look::Nothing,
                true if timeout(BACK, driven).await.is_ok() => return Look::Somebody,
                true => Look::Left,
            }
        };
        line::goodbye(&client, &mut events, &guest, matches!(look, Look::Nothing)).await;
        look
    }
}
