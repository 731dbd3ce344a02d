//! One seat of a session: a client id that every gateway knows, with the connection under which this gateway uses it.

use super::nothing::Nothing;
use super::refusal::refusal;
use super::shared::{HOME, Phase, Session};
use crate::endpoint::mqtt5::client::fault::{Cause, closed};
use crate::endpoint::mqtt5::client::line::{self, End, Next, Past, Wire};
use crate::endpoint::mqtt5::client::received::received;
use crate::endpoint::mqtt5::client::window::{Packet, Window};
use crate::failure::Failure;
use rumqttc::{
    AsyncClient, ConnAck, ManualAck, PubAck, Publish, QoS, SubAck, SubscribeFilterInput,
    UnsubscribeNoticeError,
};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Messages that are acknowledged together before they are handed out (at-most-once).
const CONFIRM_MAX: usize = 16;
/// Nobody has subscribed to this; that the broker says so proves that it read everything before.
const NOTHING: &str = "tidegate/nothing";
/// Who sits for shorter makes way for somebody who sat there before and comes back.
const SETTLED: Duration = Duration::from_secs(4);
/// Who is away from a seat for longer than this has left it, and is new to it afterwards.
const AWAY: Duration = Duration::from_millis(1_500);
/// So many ends without a word of connections that were there mean somebody who comes back; one is also what a broker does that
/// stops.
const PLAIN_ENDS: u32 = 2;
/// A broker has this long to hear the last acknowledgements of a session that nobody reads.
const HEARD: Duration = Duration::from_secs(1);
/// Between two looks whether the home is this gateway's.
const LOOK_HOME: Duration = Duration::from_millis(500);

/// What a session knows about a seat.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) window: Window,
    /// This gateway sits here.
    pub(super) taken: bool,
    /// What it still has is read, and nothing new shall come to it.
    pub(super) closing: bool,
    client: Option<AsyncClient>,
    /// Since when, without a break in which somebody else could have come.
    since: Option<Instant>,
    lost: Option<Instant>,
    /// Connections that ended without a word since then.
    plain_ends: u32,
    /// The subscription is being made again; what comes before that is there will come again.
    renewing: bool,
    /// The broker had nothing under this client id.
    fresh: bool,
    dropped: bool,
}

impl Seat {
    /// Whether nobody who comes back will claim it.
    fn is_settled(&self) -> bool {
        self.taken && self.since.is_some_and(|since| since.elapsed() >= SETTLED)
    }

    /// Whether an end like this means that somebody else sits here.
    fn yields(&mut self, cause: Cause) -> bool {
        if self.is_settled() {
            return false;
        }
        self.plain_ends += u32::from(cause == Cause::Ended);
        cause == Cause::TakenOver || self.plain_ends >= PLAIN_ENDS
    }

    /// Sends the acknowledgements that are due. Under the lock of the state, so that none is sent on another connection.
    pub(super) fn acknowledge(&mut self) {
        while let (Some(packet), Some(client)) = (self.window.due(), &self.client) {
            if client.try_manual_ack(ManualAck::PubAck(PubAck::new(packet, None))).is_err() {
                return;
            }
            self.window.acknowledged();
        }
    }
}

/// Why a gateway does not sit there any longer.
pub(super) enum Left {
    /// By our own wish.
    Done,
    /// Somebody else sits there.
    Taken,
    Failed(Failure),
}

/// A gateway on a seat.
pub(super) struct Place {
    pub(super) session: Arc<Session>,
    pub(super) number: usize,
}

impl Wire for Place {
    fn connected(&self, connack: &ConnAck, away: bool) {
        let mut state = self.session.state();
        let state_now = &mut *state;
        let seat = &mut state_now.seats[self.number];
        if seat.lost.take().is_some_and(|lost| lost.elapsed() > AWAY) {
            (seat.since, seat.plain_ends) = (None, 0);
        }
        seat.since.get_or_insert_with(Instant::now);
        seat.window.connect(connack.session_present);
        seat.fresh = !connack.session_present;
        // A broker that was never away still has the subscription; asking again would only disturb it.
        seat.renewing = connack.session_present && away && !seat.closing;
        let subscribes = seat.renewing || (seat.fresh && !seat.closing);
        if let Some(client) = seat.client.as_ref().filter(|_| subscribes) {
            self.session.subscribe(client);
        } else if matches!(state_now.phase, Phase::Starting) {
            state_now.phase = Phase::Live;
        }
        // Who finds a session may find more.
        state_now.neighbours |= connack.session_present && away;
        drop(state);
        self.session.tell_all();
    }

    fn subscribed(&self, suback: &SubAck) -> Result<Next, Failure> {
        refusal(suback).map_or(Ok(()), Err)?;
        let mut state = self.session.state();
        if std::mem::take(&mut state.seats[self.number].renewing) {
            return Ok(Next::Anew);
        }
        if matches!(state.phase, Phase::Starting) {
            state.phase = Phase::Live;
        }
        drop(state);
        self.session.tell_all();
        Ok(Next::GoOn)
    }

    fn received(&self, publish: Publish) {
        let packet = Packet { number: publish.pkid, duplicate: publish.dup };
        let packet = (publish.qos != QoS::AtMostOnce).then_some(packet);
        let mut state = self.session.state();
        let seat = &mut state.seats[self.number];
        if seat.renewing {
            return;
        }
        if !seat.window.receive(packet, received(publish)) && !std::mem::replace(&mut seat.dropped, true) {
            tracing::warn!(
                client_id = self.session.client_id,
                "messages of a publisher's QoS 0 come faster than readers take them and are dropped"
            );
        }
        seat.acknowledge();
        drop(state);
        self.session.tell_all();
    }

    fn yields(&self, cause: Cause) -> bool {
        let mut state = self.session.state();
        state.neighbours |= matches!(cause, Cause::TakenOver | Cause::Ended);
        let yields = state.seats[self.number].yields(cause);
        drop(state);
        self.session.tell_all();
        yields
    }

    fn lost(&self) {
        let mut state = self.session.state();
        let seat = &mut state.seats[self.number];
        seat.window.lose();
        seat.lost.get_or_insert_with(Instant::now);
        drop(state);
        self.session.tell_all();
    }
}

impl Session {
    fn subscribe(&self, client: &AsyncClient) {
        let filter =
            SubscribeFilterInput::new(self.shared_filter.as_str(), QoS::AtLeastOnce).preserve_retain(true);
        if let Err(error) = client.try_subscribe_many([filter]) {
            tracing::warn!(%error, "a subscription was not sent");
        }
    }

    /// The client id of a seat, the same on every gateway.
    pub(super) fn seat_id(&self, number: usize) -> String {
        match number {
            HOME => self.client_id.clone(),
            number => format!("{}-{number}", self.client_id),
        }
    }
}

impl Place {
    /// Sits there until it is to do so no longer. The seat was marked as taken before.
    pub(super) async fn sit(self, mut past: Past, mut clean_start: bool) -> (usize, Left) {
        let left = loop {
            match self.connection(&mut past, clean_start).await {
                Some(left) => break left,
                None => clean_start = false,
            }
        };
        let mut state = self.session.state();
        let seat = &mut state.seats[self.number];
        seat.window.hand_over();
        (seat.taken, seat.closing, seat.renewing) = (false, false, false);
        (seat.client, seat.since, seat.lost, seat.plain_ends) = (None, None, None, 0);
        drop(state);
        self.session.tell_all();
        (self.number, left)
    }

    /// Uses one client until its end; `None`: another one is to follow.
    async fn connection(&self, past: &mut Past, clean_start: bool) -> Option<Left> {
        let session = &self.session;
        let id = session.seat_id(self.number);
        let mut options = session.broker.reader(&id, session.expiry_s, clean_start);
        options.set_session_store(Nothing);
        let (client, mut events) = line::client(options);
        session.state().seats[self.number].client = Some(client.clone());
        let attempts = session.broker.reconnect_attempts;
        let (left, forget) = tokio::select! {
            end = line::go_on(&mut events, self, attempts, *past) => match end {
                // Brokers send what is under way once more when a session is subscribed again. On another connection that is
                // the same for all of them.
                End::Anew(since) => {
                    *past = Past { connected: Some(since), away: false };
                    return None;
                }
                End::TakenOver => return Some(Left::Taken),
                End::Closed => return Some(Left::Failed(closed())),
                End::Failed(failure) => return Some(Left::Failed(failure)),
                End::Refused(failure) => (Left::Failed(failure), session.state().seats[self.number].fresh),
            },
            () = self.unwanted(&client) => (Left::Done, false),
            () = self.confirm(&client) => (Left::Done, false),
            () = self.drained(&client) => (Left::Done, true),
        };
        line::goodbye(&client, &mut events, self, forget).await;
        Some(left)
    }

    /// At-most-once: acknowledges what is asked for, and hands it out when the broker is known to know it. Never ends.
    async fn confirm(&self, client: &AsyncClient) {
        let session = &self.session;
        let mut wishes = session.wishes.subscribe();
        loop {
            wishes.mark_unchanged();
            let begun = {
                let mut state = session.state();
                let asking = state.asking > 0;
                let seat = &mut state.seats[self.number];
                let begun =
                    (asking && seat.window.can_confirm()).then(|| seat.window.begin_confirm(CONFIRM_MAX));
                seat.acknowledge();
                begun
            };
            if let Some(connection) = begun {
                let acknowledged = || session.state().seats[self.number].window.is_acknowledged();
                if wishes.wait_for(|()| acknowledged()).await.is_ok() && answered(client, NOTHING).await {
                    session.state().seats[self.number].window.end_confirm(connection);
                }
                session.tell_all();
            } else if wishes.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// Waits until nobody reads any more, and the broker knows what was read.
    async fn unwanted(&self, client: &AsyncClient) {
        self.session.until(|state| matches!(state.phase, Phase::Leaving)).await;
        let connected = { self.session.state().seats[self.number].window.is_connected() };
        if connected {
            // Without an answer it is sent again, which every level but at-most-once may do; that one waits before.
            drop(timeout(HEARD, answered(client, NOTHING)).await);
        }
    }

    /// Waits until this seat may be given up for the home without losing anything. Never ends at home.
    async fn drained(&self, client: &AsyncClient) {
        if self.number == HOME {
            return pending().await;
        }
        while !self.session.state().seats[HOME].is_settled() {
            sleep(LOOK_HOME).await;
        }
        {
            self.session.state().seats[self.number].closing = true;
        }
        while !answered(client, &self.session.shared_filter).await {
            sleep(LOOK_HOME).await;
        }
        let empty = |state: &super::shared::State| state.seats[self.number].window.is_empty();
        loop {
            self.session.until(empty).await;
            // What the broker sent next when it heard the last acknowledgement is here before its answer.
            if answered(client, NOTHING).await && empty(&self.session.state()) {
                return;
            }
            sleep(LOOK_HOME).await;
        }
    }
}

/// Unsubscribes and waits for the broker's answer, whatever it says; `false`: there was none.
async fn answered(client: &AsyncClient, filter: &str) -> bool {
    let Ok(asked) = client.unsubscribe_tracked(filter).await else { return false };
    matches!(asked.wait_async().await, Ok(_) | Err(UnsubscribeNoticeError::V5UnsubAckFailure(_)))
}
