//! Queues that hold a message which the client library cannot read.
//!
//! Such a message costs the whole connection, and it comes again with the next one. Whoever shared the connection therefore reads
//! apart for a while, one message at a time: the one that meets it again has it in its own queue and is told, the others come
//! back. A queue that is known to hold one is read apart from the beginning, so that its clients cannot hurt the others by coming
//! back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A queue is known for this long after the last meeting.
const KNOWN: Duration = Duration::from_secs(300);
/// Queues that are known at a time; of more the others are met again.
const QUEUES_MAX: usize = 1_000;

/// The queues of one target that are known, with the time of the last meeting.
#[derive(Default)]
pub(super) struct Unreadable(Mutex<HashMap<String, Instant>>);

impl Unreadable {
    /// A message that cannot be read is at the head of `queue`, as was seen `now`.
    pub(super) fn met(&self, queue: &str, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, met| now.duration_since(*met) < KNOWN);
        if known.len() < QUEUES_MAX {
            known.insert(queue.to_owned(), now);
        }
    }

    /// Whether `queue` had such a message a short while ago.
    pub(super) fn knows(&self, queue: &str, now: Instant) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(queue).is_some_and(|met| now.duration_since(*met) < KNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_known_for_a_while() {
        let (unreadable, now) = (Unreadable::default(), Instant::now());
        unreadable.met("q", now);
        assert!(unreadable.knows("q", now) && !unreadable.knows("other", now));
        assert!(!unreadable.knows("q", now + KNOWN));
        unreadable.met("r", now + KNOWN);
        assert!(!unreadable.knows("q", now), "and forgotten then");
    }
}
