//! Counters of requests in windows of time, for the policies that limit.
//!
//! A window begins with its first request. Counters live in this node, or in a store that all nodes share; that one
//! is asked for every request, or told every few seconds what was counted here meanwhile.

mod counters;
mod shared;

use counters::Counters;
use sha2::{Digest as _, Sha256};
use shared::SharedCounters;
pub use shared::StoreUrl;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Pause between two reports of what was counted here to the shared store, milliseconds.
const FLUSH_INTERVAL_MS: u64 = 5_000;

/// What a counter counts, hashed: whoever reads the store learns nothing about callers, and no key is longer than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);

impl Key {
    /// The key of these parts; no two lists of parts have the same.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Key(key)
    }
}

/// A counter after a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// Requests of the window, this one included.
    pub(crate) count: u64,
    /// End of the window, milliseconds since 1970.
    pub(crate) reset: i64,
}

/// When the shared store hears of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// Before it is let through: exact over all nodes.
    AtOnce,
    /// Later: each node knows what the others counted with some seconds' delay.
    Later,
}

/// The shared store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared store of counters cannot be reached")]
pub(crate) struct Unavailable;

/// All counters that this node knows.
#[derive(Default)]
pub struct Limiter {
    here: Counters,
    shared: Option<SharedCounters>,
}

impl Limiter {
    /// Counters that all nodes with this store share. Connects on first use. Must be called in the runtime.
    pub(crate) fn with_store(url: &StoreUrl) -> anyhow::Result<Self> {
        Ok(Limiter { here: Counters::default(), shared: Some(SharedCounters::new(url)?) })
    }

    /// Counts a request at `now`; were it the first of its window, the window would end at `reset`.
    pub(crate) async fn hit(
        &self,
        key: Key,
        now: i64,
        reset: i64,
        report: Report,
    ) -> Result<Count, Unavailable> {
        match (&self.shared, report) {
            (None, Report::AtOnce | Report::Later) => Ok(self.here.hit(key, now, reset, false)),
            (Some(_), Report::Later) => Ok(self.here.hit(key, now, reset, true)),
            (Some(shared), Report::AtOnce) => shared.add(key, 1, now, reset).await,
        }
    }

    /// Tells the shared store every few seconds what was counted here, and once more at the end.
    pub(crate) async fn report(&self, shutdown: CancellationToken) {
        let Some(shared) = &self.shared else { return };
        let mut last = false;
        while !last {
            last = tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(FLUSH_INTERVAL_MS)) => false,
                () = shutdown.cancelled() => true,
            };
            self.flush(shared).await;
        }
    }

    async fn flush(&self, shared: &SharedCounters) {
        let mut reachable = true;
        for unreported in self.here.take_unreported(now_ms()) {
            let counters::Unreported { key, count, reset } = unreported;
            // What could not be told is told next time; after one failure the others would only wait in vain.
            let told =
                if reachable { shared.add(key, count, now_ms(), reset).await } else { Err(Unavailable) };
            reachable = told.is_ok();
            match told {
                Ok(known) => self.here.learn(key, known),
                Err(Unavailable) => self.here.give_back(key, count),
            }
        }
    }
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
    i64::try_from(now).unwrap_or(i64::MAX)
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("shared", &self.shared.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_when_their_parts_do() {
        assert_eq!(Key::of(&["a", "b"]), Key::of(&["a", "b"]));
        assert_ne!(Key::of(&["a", "b"]), Key::of(&["ab", ""]));
        assert_ne!(Key::of(&["a", "b"]), Key::of(&["b", "a"]));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_no_obstacle_for_late_reports() {
        // Port 9 of the loopback interface refuses connections.
        let limiter = Limiter::with_store(&"redis://:secret@127.0.0.1:9".parse().unwrap()).unwrap();
        let key = Key::of(&["k"]);
        assert_eq!(limiter.hit(key, 0, 10, Report::AtOnce).await, Err(Unavailable));
        for count in 1..=3 {
            assert_eq!(
                limiter.hit(key, 0, i64::MAX, Report::Later).await,
                Ok(Count { count, reset: i64::MAX })
            );
        }
        limiter.flush(limiter.shared.as_ref().unwrap()).await;
        assert_eq!(
            limiter.here.take_unreported(0),
            [counters::Unreported { key, count: 3, reset: i64::MAX }]
        );
        assert!(!format!("{limiter:?}").contains("secret"));
    }
}
