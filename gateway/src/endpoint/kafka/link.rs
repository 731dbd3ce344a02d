//! Whether a client reaches its brokers, and what callers hear when it does not.
//!
//! librdkafka retries for ever and tells the reason only through its error callback. This is where the reason is kept,
//! so that a caller need not wait for a timeout when all brokers have been down for a while. Broker text is never
//! shown: it may hold addresses and credentials.

use super::cause::Cause;
use super::connection::Connection;
use super::diagnosis;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaErrorCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// No broker can be used since then.
#[derive(Debug, Clone)]
pub(super) struct Down {
    pub(super) since: Instant,
    pub(super) cause: Cause,
}

/// State of the connection between one client and its cluster.
pub(super) struct Link {
    connection: Connection,
    state: watch::Sender<Option<Down>>,
    /// Mirrors `state`, so that the common case costs one load.
    down: AtomicBool,
    fatal: AtomicBool,
    last_cause: Mutex<Cause>,
    /// Since when something speaks against the brokers; a single broker's error is enough.
    suspected: Mutex<Option<Instant>>,
}

impl Link {
    pub(super) fn new(connection: Connection) -> Link {
        Link {
            connection,
            state: watch::Sender::new(None),
            down: AtomicBool::new(false),
            fatal: AtomicBool::new(false),
            last_cause: Mutex::new(Cause::Unreachable),
            suspected: Mutex::new(None),
        }
    }

    /// Takes in an error event.
    pub(super) fn error(&self, code: RDKafkaErrorCode, reason: &str) {
        if code == RDKafkaErrorCode::Fatal {
            tracing::error!(reason, "kafka client gave up; it will be replaced");
            self.fatal.store(true, Ordering::Release);
            return;
        }
        self.suspect();
        let cause = self.learn(Cause::of(code, reason));
        if code == RDKafkaErrorCode::AllBrokersDown {
            self.state.send_modify(|state| match state {
                Some(down) => down.cause = cause.clone(),
                None => *state = Some(Down { since: Instant::now(), cause: cause.clone() }),
            });
            if !self.down.swap(true, Ordering::AcqRel) {
                tracing::warn!(?cause, "no kafka broker can be used");
            }
        }
    }

    /// Takes in a cause unless a more precise one is known; returns the one that counts.
    fn learn(&self, cause: Option<Cause>) -> Cause {
        let mut last = self.last();
        if let Some(cause) = cause.filter(|cause| cause.replaces(&last)) {
            *last = cause;
        }
        last.clone()
    }

    fn last(&self) -> MutexGuard<'_, Cause> {
        self.last_cause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reason, found out by a look at the brokers when the library did not tell. Blocks for a second or two.
    pub(super) fn find_cause(&self) -> Cause {
        let known = self.cause();
        if known.is_precise() {
            return known;
        }
        let cause = self.learn(diagnosis::run(&self.connection));
        if cause != known {
            tracing::warn!(?cause, "why no kafka broker can be used");
            self.state.send_modify(|state| {
                if let Some(down) = state {
                    down.cause = cause.clone();
                }
            });
        }
        cause
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Something went wrong that an outage would explain.
    pub(super) fn suspect(&self) {
        self.suspicion().get_or_insert_with(Instant::now);
    }

    /// Since when something speaks against the brokers; `None`: a broker has answered since.
    pub(super) fn suspected(&self) -> Option<Instant> {
        *self.suspicion()
    }

    fn suspicion(&self) -> MutexGuard<'_, Option<Instant>> {
        self.suspected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A broker answered.
    pub(super) fn up(&self) {
        if self.suspicion().take().is_some() {
            *self.last() = Cause::Unreachable;
        }
        if self.down.swap(false, Ordering::AcqRel) {
            self.state.send_replace(None);
            tracing::info!("a kafka broker answers again");
        }
    }

    /// Since when and why no broker can be used; `None`: nothing is known against the brokers.
    pub(super) fn down(&self) -> Option<Down> {
        if self.down.load(Ordering::Acquire) { self.state.borrow().clone() } else { None }
    }

    /// Whether no broker could be used for all this time.
    pub(super) fn is_down_for(&self, time: Duration) -> bool {
        self.down().is_some_and(|down| down.since.elapsed() >= time)
    }

    /// The most specific reason seen so far.
    pub(super) fn cause(&self) -> Cause {
        self.last().clone()
    }

    /// Why nobody can log in, when there has been no token for `patience` and no broker has answered since. The library does not
    /// take that for an outage: it asks for a token again for as long as a record may wait.
    pub(super) fn without_token(&self, patience: Duration) -> Option<Cause> {
        let cause = self.cause();
        let lasting = || self.suspected().is_some_and(|since| since.elapsed() >= patience);
        (matches!(cause, Cause::TokenExpired | Cause::NoToken) && lasting()).then_some(cause)
    }

    /// The client cannot be used any more.
    pub(super) fn is_fatal(&self) -> bool {
        self.fatal.load(Ordering::Acquire)
    }

    /// Waits until nothing is known against the brokers, at most `patience`.
    pub(super) async fn usable(&self, patience: Duration) -> Result<(), Cause> {
        let Some(down) = self.down() else { return Ok(()) };
        let mut state = self.state.subscribe();
        match tokio::time::timeout(patience, state.wait_for(Option::is_none)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.down().map_or(down.cause, |now| now.cause)),
        }
    }
}

/// Passes a log line of librdkafka on. Failed connections are told once by `Link`, not at every attempt, and what the
/// library says while a broker comes back settles itself.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    let repeated = matches!(facility, "FAIL" | "ERROR" | "METADATAUPDATE" | "GETPID");
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning
            if !repeated =>
        {
            tracing::warn!(target: "kafka", facility, "{text}");
        }
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning
        | RDKafkaLogLevel::Notice
        | RDKafkaLogLevel::Info
        | RDKafkaLogLevel::Debug => tracing::debug!(target: "kafka", facility, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_survives_the_general_complaint() {
        let link = Link::new(Connection::plain("127.0.0.1:1"));
        assert!(link.down().is_none());
        link.error(RDKafkaErrorCode::Authentication, "SASL authentication error: alice");
        link.error(RDKafkaErrorCode::BrokerTransportFailure, "Disconnected");
        assert!(link.down().is_none(), "one broker's error is not an outage");
        let suspected = link.suspected();
        assert!(suspected.is_some(), "but it may be the first sign of one");
        assert!(!link.is_down_for(Duration::ZERO));
        link.error(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        assert!(link.is_down_for(Duration::ZERO) && !link.is_down_for(Duration::from_secs(60)));
        let failure = link.down().map(|down| down.cause.failure());
        assert_eq!(failure.as_ref().map(|failure| failure.status.as_u16()), Some(500));
        assert!(!failure.is_some_and(|failure| failure.message.contains("alice")));
        assert_eq!(link.suspected(), suspected, "it began with the first sign");
        link.up();
        assert!(link.down().is_none() && link.suspected().is_none());
    }

    #[test]
    fn a_token_that_is_missing_is_no_outage_and_told_as_one() {
        let link = Link::new(Connection::plain("127.0.0.1:1"));
        let acquire = "Failed to acquire SASL OAUTHBEARER token: the token has expired";
        link.error(RDKafkaErrorCode::Authentication, acquire);
        assert!(link.down().is_none());
        assert_eq!(link.without_token(Duration::from_secs(60)), None, "it may be a passing one");
        assert_eq!(link.without_token(Duration::ZERO), Some(Cause::TokenExpired));
        link.up();
        assert_eq!(link.without_token(Duration::ZERO), None);
        link.error(RDKafkaErrorCode::Authentication, "SASL authentication error: alice");
        assert_eq!(link.without_token(Duration::ZERO), None, "brokers differ in what they refuse");
    }

    #[tokio::test]
    async fn waiting_ends_with_the_outage_or_with_patience() {
        let link = std::sync::Arc::new(Link::new(Connection::plain("127.0.0.1:1")));
        link.error(RDKafkaErrorCode::AllBrokersDown, "");
        assert_eq!(link.usable(Duration::from_millis(10)).await, Err(Cause::Unreachable));
        let waiting = tokio::spawn({
            let link = std::sync::Arc::clone(&link);
            async move { link.usable(Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        link.up();
        assert_eq!(waiting.await.ok(), Some(Ok(())));
    }
}
