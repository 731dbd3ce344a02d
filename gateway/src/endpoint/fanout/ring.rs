//! Messages of a shared source, kept for readers of different pace within a budget of bytes.
//!
//! Every message has a sequence number; a reader keeps the number it wants next. A reader that wants a message that is
//! gone has fallen behind, which hurts nobody else.

use crate::failure::Failure;
use crate::message::{Frames, Message};
use http::StatusCode;
use std::collections::VecDeque;
use std::sync::Arc;

/// A reader takes at most this many messages at a time.
const TAKE_MAX_MESSAGES: usize = 16;
/// A reader takes at most this many bytes at a time (one message may exceed it alone).
const TAKE_MAX_BYTES: usize = 64 * 1024;

/// What a ring keeps.
pub(crate) trait Kept {
    /// What it costs in memory, bytes.
    fn size(&self) -> usize;
    /// A message of it; content is shared, not copied.
    fn message(&self) -> Message;
}

/// One that many readers share, with the frames made of it.
pub(crate) struct Shared<T> {
    kept: T,
    frames: Arc<Frames>,
}

impl<T: Kept> Shared<T> {
    /// The message for one reader.
    pub(crate) fn message(&self) -> Message {
        let mut message = self.kept.message();
        message.frames = Some(Arc::clone(&self.frames));
        message
    }
}

/// The reader wants messages that are gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// How many are gone.
    pub(crate) missed: u64,
}

/// The buffer.
pub(crate) struct Ring<T> {
    kept: VecDeque<Arc<Shared<T>>>,
    first: u64,
    bytes: usize,
    budget: usize,
}

impl<T: Kept> Ring<T> {
    /// An empty buffer for `budget` bytes.
    pub(crate) fn new(budget: usize) -> Ring<T> {
        Ring { kept: VecDeque::new(), first: 0, bytes: 0, budget }
    }

    /// Number of the next message.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Adds one; the oldest make room. The newest is always kept.
    pub(crate) fn push(&mut self, kept: T) {
        self.bytes += kept.size();
        self.kept.push_back(Arc::new(Shared { kept, frames: Arc::default() }));
        while self.bytes > self.budget && self.kept.len() > 1 {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.kept.size();
            self.first += 1;
        }
    }

    /// Whether a reader that wants `next` has missed nothing.
    pub(crate) fn holds(&self, next: u64) -> bool {
        next >= self.first
    }

    /// Moves what comes from `next` on into `batch`, as much as one turn allows.
    pub(crate) fn take(&self, next: &mut u64, batch: &mut VecDeque<Arc<Shared<T>>>) -> Result<(), Gap> {
        if !self.holds(*next) {
            return Err(Gap { missed: self.first - *next });
        }
        let begin = usize::try_from(*next - self.first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for shared in self.kept.iter().skip(begin).take(TAKE_MAX_MESSAGES) {
            bytes += shared.kept.size();
            if bytes > TAKE_MAX_BYTES && !batch.is_empty() {
                break;
            }
            batch.push_back(Arc::clone(shared));
            *next += 1;
        }
        Ok(())
    }
}

/// What a reader is told that has fallen behind.
pub(crate) fn too_slow(gap: Gap) -> Failure {
    Failure::plain(
        StatusCode::SERVICE_UNAVAILABLE,
        format!(
            "this client reads too slowly: {} messages were dropped for it, reconnect to go on at the live end",
            gap.missed
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that costs one byte.
    struct Number(u64);

    impl Kept for Number {
        fn size(&self) -> usize {
            1
        }
        fn message(&self) -> Message {
            Message::new(Some(self.0.to_string().into()))
        }
    }

    fn numbers(batch: &mut VecDeque<Arc<Shared<Number>>>) -> Vec<u64> {
        batch.drain(..).map(|shared| shared.kept.0).collect()
    }

    #[test]
    fn readers_of_any_pace_get_every_message_that_is_kept() {
        let mut ring = Ring::new(20);
        let (mut fast, mut slow, mut batch) = (ring.end(), ring.end(), VecDeque::new());
        for offset in 0..9 {
            ring.push(Number(offset));
            ring.take(&mut fast, &mut batch).expect("kept");
            assert_eq!(numbers(&mut batch), [offset]);
        }
        ring.take(&mut slow, &mut batch).expect("kept");
        assert_eq!(numbers(&mut batch), (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn one_turn_is_bounded() {
        let mut ring = Ring::new(usize::MAX);
        (0..40).for_each(|offset| ring.push(Number(offset)));
        let (mut next, mut batch) = (0, VecDeque::new());
        ring.take(&mut next, &mut batch).expect("kept");
        assert_eq!((next, batch.len()), (TAKE_MAX_MESSAGES as u64, TAKE_MAX_MESSAGES));
    }

    #[test]
    fn who_falls_out_of_the_budget_is_told_how_far() {
        let mut ring = Ring::new(3);
        let mut next = ring.end();
        (0..5).for_each(|offset| ring.push(Number(offset)));
        assert_eq!(ring.take(&mut next, &mut VecDeque::new()), Err(Gap { missed: 2 }));
        let (mut now, mut batch) = (2, VecDeque::new());
        ring.take(&mut now, &mut batch).expect("kept");
        assert_eq!(numbers(&mut batch), [2, 3, 4]);
        let mut tiny = Ring::new(1);
        tiny.push(Number(0));
        assert!(tiny.holds(0), "the newest is kept however large it is");
    }
}
