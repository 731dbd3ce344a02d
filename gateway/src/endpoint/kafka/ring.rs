//! Records of a shared fetch, kept for readers of different pace within a budget of bytes.
//!
//! Every record has a sequence number; a reader keeps the number it wants next. A reader that wants a record that is
//! gone has fallen behind, which hurts nobody else.

use super::consumer::Partition;
use super::record::Record;
use crate::message::{Frames, Message};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A reader takes at most this many records at a time.
const TAKE_MAX_RECORDS: usize = 16;
/// A reader takes at most this many bytes at a time (one record may exceed it alone).
const TAKE_MAX_BYTES: usize = 64 * 1024;

/// A record that many readers share, with the frames made of it.
pub(super) struct SharedRecord {
    record: Record,
    frames: Arc<Frames>,
}

impl SharedRecord {
    /// The message for one reader.
    pub(super) fn message(&self) -> Message {
        let mut message = self.record.message();
        message.frames = Some(Arc::clone(&self.frames));
        message
    }
}

/// The reader wants records that are gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// How many are gone.
    pub(super) missed: u64,
}

/// The buffer.
pub(super) struct Ring {
    records: VecDeque<Arc<SharedRecord>>,
    first: u64,
    bytes: usize,
    budget: usize,
    /// Offset after the last record of each partition that went through.
    positions: HashMap<Partition, i64>,
}

impl Ring {
    /// An empty buffer for `budget` bytes.
    pub(super) fn new(budget: usize) -> Ring {
        Ring { records: VecDeque::new(), first: 0, bytes: 0, budget, positions: HashMap::new() }
    }

    /// Number of the next record.
    pub(super) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// Where the fetch stands in every partition.
    pub(super) fn positions(&self) -> &HashMap<Partition, i64> {
        &self.positions
    }

    /// A partition that is fetched from `offset` on.
    pub(super) fn add_partition(&mut self, partition: Partition, offset: i64) {
        self.positions.insert(partition, offset);
    }

    /// Adds a record; the oldest make room. The newest is always kept.
    pub(super) fn push(&mut self, record: Record) {
        self.positions.insert((Arc::clone(&record.topic), record.partition), record.offset + 1);
        self.bytes += record.size();
        self.records.push_back(Arc::new(SharedRecord { record, frames: Arc::default() }));
        while self.bytes > self.budget && self.records.len() > 1 {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.record.size();
            self.first += 1;
        }
    }

    /// Whether a reader that wants `next` has missed nothing.
    pub(super) fn holds(&self, next: u64) -> bool {
        next >= self.first
    }

    /// Moves what comes from `next` on into `batch`, as much as one turn allows.
    pub(super) fn take(&self, next: &mut u64, batch: &mut VecDeque<Arc<SharedRecord>>) -> Result<(), Gap> {
        if !self.holds(*next) {
            return Err(Gap { missed: self.first - *next });
        }
        let begin = usize::try_from(*next - self.first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for shared in self.records.iter().skip(begin).take(TAKE_MAX_RECORDS) {
            bytes += shared.record.size();
            if bytes > TAKE_MAX_BYTES && !batch.is_empty() {
                break;
            }
            batch.push_back(Arc::clone(shared));
            *next += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(batch: &mut VecDeque<Arc<SharedRecord>>) -> Vec<i64> {
        batch.drain(..).map(|shared| shared.record.offset).collect()
    }

    #[test]
    fn readers_of_any_pace_get_every_record_that_is_kept() {
        let size = Record::test("t", 0, 0).size();
        let mut ring = Ring::new(size * 20);
        let (mut fast, mut slow, mut batch) = (ring.end(), ring.end(), VecDeque::new());
        for offset in 0..9 {
            ring.push(Record::test("t", 0, offset));
            ring.take(&mut fast, &mut batch).expect("kept");
            assert_eq!(offsets(&mut batch), [offset]);
        }
        ring.take(&mut slow, &mut batch).expect("kept");
        assert_eq!(offsets(&mut batch), (0..9).collect::<Vec<_>>());
        assert_eq!(ring.positions().get(&("t".into(), 0)), Some(&9));
    }

    #[test]
    fn one_turn_is_bounded() {
        let mut ring = Ring::new(usize::MAX);
        (0..40).for_each(|offset| ring.push(Record::test("t", 0, offset)));
        let (mut next, mut batch) = (0, VecDeque::new());
        ring.take(&mut next, &mut batch).expect("kept");
        assert_eq!((next, batch.len()), (TAKE_MAX_RECORDS as u64, TAKE_MAX_RECORDS));
    }

    #[test]
    fn who_falls_out_of_the_budget_is_told_how_far() {
        let size = Record::test("t", 0, 0).size();
        let mut ring = Ring::new(size * 3);
        let mut next = ring.end();
        (0..5).for_each(|offset| ring.push(Record::test("t", 0, offset)));
        assert_eq!(ring.take(&mut next, &mut VecDeque::new()), Err(Gap { missed: 2 }));
        let (mut now, mut batch) = (2, VecDeque::new());
        ring.take(&mut now, &mut batch).expect("kept");
        assert_eq!(offsets(&mut batch), [2, 3, 4]);
        let mut tiny = Ring::new(1);
        tiny.push(Record::test("t", 0, 0));
        assert!(tiny.holds(0), "the newest record is kept however large it is");
    }
}
