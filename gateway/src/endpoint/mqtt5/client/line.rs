//! The connection of one client: polled until it is closed on purpose, taken over, or given up.
//!
//! A first connection that fails is the caller's to hear at once. One that was there and is lost is made again, after pauses
//! that grow, as often as the settings say.

use super::fault::Cause;
use crate::failure::Failure;
use rand::random_range;
use rumqttc::{
    AsyncClient, ConnAck, ConnectionError, DisconnectProperties, DisconnectReasonCode, Event, EventLoop,
    Incoming, MqttOptions, Publish, SubAck,
};
use std::time::{Duration, Instant};

/// Pauses before the attempts to connect again, milliseconds; the last one stays.
const PAUSES_MS: [u64; 4] = [100, 1_000, 3_000, 5_000];
/// A client that goes has this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// Attempts at a broker that sends a message where its answer is due, beside those of the settings.
const HASTY_MAX: u32 = 5;
/// A connection that ends sooner than this did not work, and is not made again without a real pause.
const SHORT_LIVED: Duration = Duration::from_secs(1);
/// A client that is not heard of for this many times its keep-alive hangs in a write that its broker does not take.
const HANGING: u32 = 3;

/// What a client does with its connection. Nothing here may block.
pub(super) trait Wire: Sync {
    /// The broker accepted the client.
    fn connected(&self, connack: &ConnAck, away: bool);

    /// The broker answered a subscription.
    ///
    /// # Errors
    /// It refused; the connection is given up.
    fn subscribed(&self, _: &SubAck) -> Result<Next, Failure> {
        Ok(Next::GoOn)
    }

    /// Whether a connection that was there is given up to another client, now that it ended like this.
    fn yields(&self, cause: Cause) -> bool {
        cause == Cause::TakenOver
    }

    /// A message.
    fn received(&self, _: Publish) {}

    /// What was sent on this connection and not answered is void. The library's queue is emptied after this.
    fn lost(&self);
}

/// What follows a subscription.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// The connection is left as it is, for another one.
    Anew,
}

/// How a connection ended.
pub(super) enum End {
    /// By our own request.
    Closed,
    /// Another client came with the same client id.
    TakenOver,
    /// As the answer to a subscription asked for it; connected when.
    Anew(Instant),
    /// The broker refused the subscription; it is still connected.
    Refused(Failure),
    Failed(Failure),
}

impl End {
    /// Why; `None`: it was asked for.
    pub(super) fn failure(self) -> Option<Failure> {
        match self {
            End::Closed => None,
            End::TakenOver | End::Anew(_) => Some(Cause::TakenOver.lost()),
            End::Refused(failure) | End::Failed(failure) => Some(failure),
        }
    }
}

/// A client and what has to be polled for it.
pub(super) fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
    AsyncClient::builder(options).capacity(super::REQUESTS_MAX).build()
}

/// Asks for the end of the connection; `forget`: also for that of the session. What was asked for before is sent before.
pub(super) fn leave(client: &AsyncClient, forget: bool) -> bool {
    let left = if forget {
        let properties = DisconnectProperties {
            session_expiry_interval: Some(0),
            reason_string: None,
            user_properties: Vec::new(),
            server_reference: None,
        };
        client.try_disconnect_with_properties(DisconnectReasonCode::NormalDisconnection, properties)
    } else {
        client.try_disconnect()
    };
    left.is_ok()
}

/// Says goodbye and waits until the broker heard it, or for a short while: a goodbye that is not heard changes nothing.
pub(super) async fn goodbye(client: &AsyncClient, events: &mut EventLoop, wire: &impl Wire, forget: bool) {
    if leave(client, forget) {
        drop(tokio::time::timeout(GOODBYE, drive(events, wire, 0)).await);
    }
}

/// What was before a client.
#[derive(Clone, Copy)]
pub(super) struct Past {
    /// There was a connection, since then.
    pub(super) connected: Option<Instant>,
    /// The broker may have been away since.
    pub(super) away: bool,
}

/// Polls until the end. A connection that never was there is not tried again.
pub(super) async fn drive(events: &mut EventLoop, wire: &impl Wire, attempts: u32) -> End {
    go_on(events, wire, attempts, Past { connected: None, away: true }).await
}

/// The same for a client that follows another one.
pub(super) async fn go_on(
    events: &mut EventLoop,
    wire: &impl Wire,
    attempts: u32,
    Past { mut connected, mut away }: Past,
) -> End {
    let mut failures = 0;
    let mut hasty = 0;
    let mut up = false;
    loop {
        // Brokers may choose another time, and none at all.
        let keep_alive = events.options.keep_alive();
        let hanging = if keep_alive.is_zero() { Duration::MAX } else { keep_alive * HANGING };
        let polled = tokio::time::timeout(hanging, events.poll()).await;
        let cause = match polled {
            Ok(Ok(Event::Incoming(packet))) => {
                let was_away = away;
                if matches!(packet, Incoming::ConnAck(_)) {
                    (connected, failures, up, away) = (Some(Instant::now()), 0, true, false);
                    // What is made again goes on with what was there.
                    events.options.set_clean_start(false);
                }
                match (receive(wire, packet, was_away), connected) {
                    (Ok(Next::Anew), Some(since)) => {
                        wire.lost();
                        return End::Anew(since);
                    }
                    (Ok(_), _) => continue,
                    (Err(failure), _) => return End::Refused(failure),
                }
            }
            Ok(Ok(Event::Outgoing(_) | Event::Auth(_))) => continue,
            Ok(Err(ConnectionError::RequestsDone)) => return End::Closed,
            Ok(Err(error)) => {
                tracing::debug!(%error, "an MQTT connection failed");
                Cause::of(&error)
            }
            Err(_) => Cause::Unreachable,
        };
        wire.lost();
        // What was asked for between the loss and this moment was meant for the lost connection.
        events.clean();
        if cause == Cause::Hasty && hasty < HASTY_MAX {
            hasty += 1;
            continue;
        }
        let Some(since) = connected else { return End::Failed(cause.failure()) };
        let was_up = std::mem::take(&mut up);
        if was_up && wire.yields(cause) {
            return End::TakenOver;
        }
        // Whose place another client only looked at comes back, whatever the settings say.
        let asked = was_up && matches!(cause, Cause::TakenOver | Cause::Ended);
        if failures >= attempts && !asked {
            tracing::warn!(?cause, attempts, "an MQTT connection was lost and did not come back");
            return End::Failed(cause.lost());
        }
        tokio::time::sleep(pause(failures, since.elapsed() < SHORT_LIVED)).await;
        failures += 1;
        // Whoever was taken over knows that the broker was there; otherwise it may have been started again.
        away |= cause != Cause::TakenOver;
    }
}

fn receive(wire: &impl Wire, packet: Incoming, away: bool) -> Result<Next, Failure> {
    if let Incoming::Publish(publish) = packet {
        wire.received(publish);
    } else if let Incoming::ConnAck(connack) = &packet {
        wire.connected(connack, away);
    } else if let Incoming::SubAck(suback) = &packet {
        return wire.subscribed(suback);
    }
    Ok(Next::GoOn)
}

/// With jitter: many clients lose a broker at the same moment.
fn pause(failures: u32, short_lived: bool) -> Duration {
    let step = usize::try_from(failures).unwrap_or(usize::MAX).max(usize::from(short_lived));
    let most = PAUSES_MS[step.min(PAUSES_MS.len() - 1)];
    Duration::from_millis(random_range(most / 2..=most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_end_and_a_connection_that_never_works_is_not_hurried() {
        let longest = |failures, short| (0..50).map(|_| pause(failures, short)).max().expect("some");
        assert!(longest(0, false) <= Duration::from_millis(100));
        assert!((0..50).all(|_| pause(0, true) >= Duration::from_millis(500)));
        assert!(longest(9, false) <= Duration::from_millis(5_000));
        assert!((0..50).all(|_| pause(9, false) >= Duration::from_millis(2_500)));
    }
}
