//! Lines of the log that a caller can cause: at most one per place and second, with the number of those left out.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Shortest time between two lines of one place, milliseconds.
pub(crate) const WARNING_INTERVAL_MS: u64 = 1000;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// One place that writes to the log.
#[derive(Debug)]
pub(crate) struct Place {
    /// When the next line may be written, milliseconds since the start.
    next_ms: AtomicU64,
    left_out: AtomicU64,
}

impl Place {
    pub(crate) const fn new() -> Place {
        Place { next_ms: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// How many lines were left out before the one that may be written now; `None`: not yet.
    pub(crate) fn speak(&self) -> Option<u64> {
        self.speak_at(u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn speak_at(&self, now_ms: u64) -> Option<u64> {
        let next = self.next_ms.load(Ordering::Relaxed);
        let mine = now_ms >= next
            && self
                .next_ms
                .compare_exchange(next, now_ms + WARNING_INTERVAL_MS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !mine {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

/// As `tracing::warn!`, at most once per `WARNING_INTERVAL_MS` and place.
macro_rules! warn_seldom {
    ($($line:tt)*) => {{
        static PLACE: $crate::seldom::Place = $crate::seldom::Place::new();
        if let Some(left_out) = PLACE.speak() {
            tracing::warn!(left_out, $($line)*);
        }
    }};
}
pub(crate) use warn_seldom;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_speaks_once_and_says_what_it_left_out() {
        let place = Place::new();
        let said: Vec<Option<u64>> =
            [5, 6, 1004, 1005, 1006, 2004, 2005].map(|now_ms| place.speak_at(now_ms)).to_vec();
        assert_eq!(said, [Some(0), None, None, Some(2), None, None, Some(2)]);
    }
}
