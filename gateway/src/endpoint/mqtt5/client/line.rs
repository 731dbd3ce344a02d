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
    fn subscribed(&self, _: &SubAck) -> Result<(), Failure> {
        Ok(())
    }

    /// A message.
    fn received(&self, _: Publish) {}

    /// What was sent on this connection and not answered is void. The library's queue is emptied after this.
    fn lost(&self);
}

/// How a connection ended.
pub(super) enum End {
    /// By our own request.
    Closed,
    /// Another client came with the same client id.
    TakenOver,
    Failed(Failure),
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

/// Polls until the end.
pub(super) async fn drive(events: &mut EventLoop, wire: &impl Wire, attempts: u32) -> End {
    let mut connected: Option<Instant> = None;
    let mut failures = 0;
    loop {
        // Brokers may choose another time, and none at all.
        let keep_alive = events.options.keep_alive();
        let hanging = if keep_alive.is_zero() { Duration::MAX } else { keep_alive * HANGING };
        let polled = tokio::time::timeout(hanging, events.poll()).await;
        let cause = match polled {
            Ok(Ok(Event::Incoming(packet))) => {
                let away = failures > 0 || connected.is_none();
                if matches!(packet, Incoming::ConnAck(_)) {
                    (connected, failures) = (Some(Instant::now()), 0);
                    // What is made again goes on with what was there.
                    events.options.set_clean_start(false);
                }
                match receive(wire, packet, away) {
                    Ok(()) => continue,
                    Err(failure) => return End::Failed(failure),
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
        let Some(since) = connected else { return End::Failed(cause.failure()) };
        if cause == Cause::TakenOver {
            return End::TakenOver;
        }
        if failures >= attempts {
            tracing::warn!(?cause, attempts, "an MQTT connection was lost and did not come back");
            return End::Failed(cause.lost());
        }
        tokio::time::sleep(pause(failures, since.elapsed() < SHORT_LIVED)).await;
        failures += 1;
    }
}

fn receive(wire: &impl Wire, packet: Incoming, away: bool) -> Result<(), Failure> {
    if let Incoming::Publish(publish) = packet {
        wire.received(publish);
    } else if let Incoming::ConnAck(connack) = &packet {
        wire.connected(connack, away);
    } else if let Incoming::SubAck(suback) = &packet {
        return wire.subscribed(suback);
    }
    Ok(())
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
