//! Whether a client reaches its brokers, and what callers hear when it does not.
//!
//! librdkafka retries for ever and tells the reason only through its error callback. This is where the reason is kept,
//! so that a caller need not wait for a timeout when all brokers have been down for a while. Broker text is never
//! shown: it may hold addresses and credentials.

use crate::failure::{Failure, key};
use http::StatusCode;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Why no broker can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Unreachable,
    Unresolvable,
    Credentials,
    Tls,
}

impl Cause {
    /// The cause behind an error event, when it names one.
    fn of(code: RDKafkaErrorCode, reason: &str) -> Option<Cause> {
        if matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) {
            Some(Cause::Credentials)
        } else if code == RDKafkaErrorCode::SSL
            || reason.contains("SSL handshake")
            || reason.contains("SSL alert")
        {
            Some(Cause::Tls)
        } else if code == RDKafkaErrorCode::Resolve {
            Some(Cause::Unresolvable)
        } else if code == RDKafkaErrorCode::BrokerTransportFailure {
            Some(Cause::Unreachable)
        } else {
            None
        }
    }

    /// What the caller hears.
    pub(super) fn failure(self) -> Failure {
        let invalid =
            |text| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION_INVALID, text);
        match self {
            Cause::Unreachable => Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                key::CONNECTION_FAILED,
                "Endpoint connection failed",
            ),
            Cause::Unresolvable => {
                invalid("Endpoint configuration invalid: no bootstrap server has an address")
            }
            Cause::Credentials => {
                invalid("Endpoint configuration invalid: the broker refused the credentials")
            }
            Cause::Tls => {
                invalid("Endpoint configuration invalid: no TLS connection to the broker is possible")
            }
        }
    }
}

/// No broker can be used since then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Down {
    pub(super) since: Instant,
    pub(super) cause: Cause,
}

/// State of the connection between one client and its cluster.
pub(super) struct Link {
    state: watch::Sender<Option<Down>>,
    /// Mirrors `state`, so that the common case costs one load.
    down: AtomicBool,
    fatal: AtomicBool,
    last_cause: Mutex<Cause>,
    /// Since when something speaks against the brokers; a single broker's error is enough.
    suspected: Mutex<Option<Instant>>,
}

impl Link {
    pub(super) fn new() -> Link {
        Link {
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
        let mut last = self.last_cause.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(cause) = Cause::of(code, reason) {
            // A closed port says nothing against credentials that were refused a moment ago.
            if cause != Cause::Unreachable || *last != Cause::Credentials {
                *last = cause;
            }
        }
        let cause = *last;
        drop(last);
        if code == RDKafkaErrorCode::AllBrokersDown {
            self.state.send_modify(|state| match state {
                Some(down) => down.cause = cause,
                None => *state = Some(Down { since: Instant::now(), cause }),
            });
            if !self.down.swap(true, Ordering::AcqRel) {
                tracing::warn!(?cause, "no kafka broker can be used");
            }
        }
    }

    /// Something went wrong that an outage would explain.
    pub(super) fn suspect(&self) {
        self.suspicion().get_or_insert_with(Instant::now);
    }

    /// Since when something speaks against the brokers; `None`: a broker has answered since.
    pub(super) fn suspected(&self) -> Option<Instant> {
        *self.suspicion()
    }

    fn suspicion(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.suspected.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A broker answered.
    pub(super) fn up(&self) {
        *self.suspicion() = None;
        if self.down.swap(false, Ordering::AcqRel) {
            *self.last_cause.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Cause::Unreachable;
            self.state.send_replace(None);
            tracing::info!("a kafka broker answers again");
        }
    }

    /// Since when and why no broker can be used; `None`: nothing is known against the brokers.
    pub(super) fn down(&self) -> Option<Down> {
        if self.down.load(Ordering::Acquire) { *self.state.borrow() } else { None }
    }

    /// The most specific reason seen so far.
    pub(super) fn cause(&self) -> Cause {
        *self.last_cause.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
            Err(_) => Err(self.down().map_or(down.cause, |down| down.cause)),
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
        let link = Link::new();
        assert!(link.down().is_none());
        link.error(RDKafkaErrorCode::Authentication, "SASL authentication error: alice");
        link.error(RDKafkaErrorCode::BrokerTransportFailure, "Disconnected");
        assert!(link.down().is_none(), "one broker's error is not an outage");
        let suspected = link.suspected();
        assert!(suspected.is_some(), "but it may be the first sign of one");
        link.error(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        let failure = link.down().map(|down| down.cause.failure());
        assert_eq!(failure.as_ref().map(|failure| failure.status.as_u16()), Some(500));
        assert!(!failure.is_some_and(|failure| failure.message.contains("alice")));
        assert_eq!(link.suspected(), suspected, "it began with the first sign");
        link.up();
        assert!(link.down().is_none() && link.suspected().is_none());
    }

    #[tokio::test]
    async fn waiting_ends_with_the_outage_or_with_patience() {
        let link = std::sync::Arc::new(Link::new());
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
