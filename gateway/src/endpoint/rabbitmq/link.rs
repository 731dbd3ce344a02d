//! The shared connection of one role (reading or writing) to one target: made when it is needed, made anew when it is
//! lost, and not more often than the pauses allow, however many ask.

use super::connection::{GOODBYE, Open, Server};
use super::fault::Fault;
use super::unreadable::Unreadable;
use lapin::protocol::constants::REPLY_SUCCESS;
use lapin::{Channel, Consumer};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// Pause after a failed attempt: first and greatest. Each is shortened by chance, by up to a half.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// A broker that does not answer a request on a channel for this long counts as unreachable.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers are told when the broker stays away for this long.
pub(super) const OUTAGE: Duration = Duration::from_secs(30);

/// Growing pauses.
#[derive(Debug, Default)]
pub(super) struct Pauses(u32);

impl Pauses {
    /// How long to wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let pause = PAUSE.0.saturating_mul(1 << self.0.min(16)).min(PAUSE.1);
        self.0 = self.0.saturating_add(1);
        pause.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// An attempt succeeded.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }
}

/// What the connection is for; a broker slows writers down, which must not keep readers from acknowledging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Producer,
    Consumer,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Producer => "producer",
            Role::Consumer => "consumer",
        }
    }
}

/// The connection of one role to one target.
pub(super) struct Link {
    server: Server,
    role: Role,
    state: Mutex<State>,
    pub(super) unreadable: Unreadable,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Open>>,
    failed: Option<(Fault, Instant)>,
    pauses: Pauses,
    /// The settings are right: what fails from now on is an outage, which is not to be looked into.
    proved: bool,
}

impl Link {
    pub(super) fn new(server: Server, role: Role) -> Link {
        Link { server, role, state: Mutex::default(), unreadable: Unreadable::default() }
    }

    /// Another connection to the same target, for one alone.
    pub(super) fn apart(&self) -> Link {
        Link::new(self.server.clone(), self.role)
    }

    /// The connection, made when there is none. After a failure the same answer is given until the pause is over.
    pub(super) async fn open(&self) -> Result<Arc<Open>, Fault> {
        let mut state = self.state.lock().await;
        if let Some(open) = state.open.as_ref().filter(|open| open.is_connected()) {
            return Ok(Arc::clone(open));
        }
        if let Some((fault, until)) = &state.failed
            && Instant::now() < *until
        {
            return Err(fault.clone());
        }
        // The lost one goes before the new one comes.
        state.open = None;
        match self.server.connect(self.role.name(), !state.proved).await {
            Ok(open) => {
                if state.failed.take().is_some() {
                    tracing::info!(role = self.role.name(), "RabbitMQ answers again");
                }
                state.pauses.reset();
                state.proved = true;
                let open = Arc::new(open);
                state.open = Some(Arc::clone(&open));
                Ok(open)
            }
            Err(fault) => {
                if state.failed.as_ref().is_none_or(|(before, _)| *before != fault) {
                    tracing::warn!(role = self.role.name(), ?fault, "RabbitMQ cannot be used");
                }
                let until = Instant::now() + state.pauses.next();
                state.failed = Some((fault.clone(), until));
                Err(fault)
            }
        }
    }

    /// A channel of its own for one purpose.
    pub(super) async fn lane(&self) -> Result<Lane, Fault> {
        let open = self.open().await?;
        let Some(connection) = open.connection() else { return Err(Fault::Unreachable) };
        let channel = timeout(ANSWER_TIMEOUT, connection.create_channel()).await;
        let channel =
            channel.map_err(|_| Fault::Unreachable)?.map_err(|error| Fault::of_handshake(&error))?;
        Ok(Lane { channel, consumer: None, open })
    }
}

/// A channel, with its connection and perhaps a consumer; closed when dropped.
///
/// It is closed in so many words: what the library does when its handles are dropped at once can end the connection.
pub(super) struct Lane {
    pub(super) channel: Channel,
    pub(super) consumer: Option<Consumer>,
    pub(super) open: Arc<Open>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.channel.status().connected() {
            return;
        }
        let (channel, consumer, open) = (self.channel.clone(), self.consumer.take(), Arc::clone(&self.open));
        runtime.spawn(async move {
            // A channel that is not closed in time goes with its connection.
            drop(timeout(GOODBYE, channel.close(REPLY_SUCCESS, "OK".into())).await);
            drop((consumer, channel, open));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_begin_anew() {
        let mut pauses = Pauses::default();
        let first = pauses.next();
        assert!(first >= PAUSE.0 / 2 && first <= PAUSE.0, "{first:?}");
        (0..100).for_each(|_| assert!(pauses.next() <= PAUSE.1));
        assert!(pauses.next() >= PAUSE.1 / 2);
        pauses.reset();
        assert!(pauses.next() <= PAUSE.0);
    }
}
