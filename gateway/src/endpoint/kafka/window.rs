//! What a group consumer holds: records that nobody took yet, and records that were handed over but not settled.
//!
//! It decides which position may be stored for each partition: at QoS auto what was handed over, at at-least-once what
//! was delivered, in order, so that one open record holds back everything behind it. Records of partitions that went
//! to another member are forgotten; acknowledgements that come later for them mean nothing.

use super::consumer::Partition;
use super::cursor::Cursor;
use super::record::Record;
use crate::endpoint::fanout::ring::Kept as _;
use crate::message::Outcome;
use definition::api::Qos;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Records and bytes read ahead for one client identifier (one record may exceed the bytes alone).
const AHEAD_MAX: Load = Load { records: 256, bytes: 1024 * 1024 };
/// Records and bytes that were handed over and are not settled. An entrypoint that settles at the end of its answer
/// gets no more than this into one answer.
const OPEN_MAX: Load = Load { records: 10_000, bytes: 16 * 1024 * 1024 };

/// What is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Load {
    records: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, record: &Record) {
        self.records += 1;
        self.bytes += record.size();
    }

    fn remove(&mut self, record: &Record) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(record.size());
    }

    fn reaches(&self, most: &Load) -> bool {
        self.records >= most.records || self.bytes >= most.bytes
    }
}

/// A record that came back; nobody has it.
const NOBODY: u64 = u64::MAX;

/// Place of a record that was handed over, for its acknowledgement.
#[derive(Debug)]
pub(super) struct Receipt {
    partition: Partition,
    offset: i64,
    generation: u64,
}

/// Records on their way through a commit.
pub(super) struct Uncommitted {
    records: Vec<Arc<Record>>,
    generation: u64,
}

impl Uncommitted {
    /// The positions to commit.
    pub(super) fn positions(&self) -> BTreeMap<Partition, i64> {
        let position =
            |record: &Arc<Record>| ((Arc::clone(&record.topic), record.partition), record.offset + 1);
        self.records.iter().map(position).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.records.len()
    }
}

struct Held {
    record: Arc<Record>,
    reader: u64,
    delivered: bool,
}

/// One assigned partition.
struct Assigned {
    generation: u64,
    /// Offset of the next record to hand over; `None`: the broker did not say where it starts.
    next: Option<i64>,
    /// At-least-once: handed over and not yet part of a stored position, by offset.
    open: VecDeque<Held>,
    /// New position to store.
    store: Option<i64>,
}

/// The window.
pub(super) struct Window {
    level: Qos,
    assigned: BTreeMap<Partition, Assigned>,
    generation: u64,
    waiting: VecDeque<Arc<Record>>,
    /// At-most-once: committed, to be handed over.
    committed: VecDeque<Arc<Record>>,
    /// Of `waiting` and `committed`.
    ahead: Load,
    open: Load,
}

impl Window {
    pub(super) fn new(level: Qos) -> Window {
        Window {
            level,
            assigned: BTreeMap::new(),
            generation: 0,
            waiting: VecDeque::new(),
            committed: VecDeque::new(),
            ahead: Load::default(),
            open: Load::default(),
        }
    }

    /// The partitions of this member, with the offset each starts at; they replace the former ones.
    pub(super) fn assign(&mut self, starts: &[(Partition, Option<i64>)]) {
        self.revoke();
        for (partition, next) in starts {
            let generation = self.generation;
            let assigned = Assigned { generation, next: *next, open: VecDeque::new(), store: None };
            self.assigned.insert(partition.clone(), assigned);
        }
    }

    /// Forgets every partition. What was committed for hand-over is still handed over.
    pub(super) fn revoke(&mut self) {
        self.generation += 1;
        self.assigned.clear();
        self.waiting.clear();
        self.ahead = Load::default();
        self.open = Load::default();
        self.committed.iter().for_each(|record| self.ahead.add(record));
    }

    /// Whether partitions are assigned.
    pub(super) fn is_assigned(&self) -> bool {
        !self.assigned.is_empty()
    }

    /// Offset of the next record to hand over of an assigned partition.
    pub(super) fn next(&self, partition: &Partition) -> Option<i64> {
        self.assigned.get(partition)?.next
    }

    /// Whether no further record may be read.
    pub(super) fn is_full(&self) -> bool {
        self.ahead.reaches(&AHEAD_MAX) || self.open.reaches(&OPEN_MAX)
    }

    /// Records that can be handed over at once.
    pub(super) fn ready(&self) -> usize {
        if self.level == Qos::AtMostOnce { self.committed.len() } else { self.waiting.len() }
    }

    /// Whether a record waits for its commit (at-most-once).
    pub(super) fn has_uncommitted(&self) -> bool {
        self.level == Qos::AtMostOnce && !self.waiting.is_empty()
    }

    /// A record came from the broker.
    pub(super) fn push(&mut self, record: Record) {
        if self.assigned.contains_key(&(Arc::clone(&record.topic), record.partition)) {
            self.ahead.add(&record);
            self.waiting.push_back(Arc::new(record));
        }
    }

    /// Hands a record to `reader`.
    pub(super) fn take(&mut self, reader: u64) -> Option<(Arc<Record>, Option<Receipt>)> {
        if self.level == Qos::AtMostOnce {
            let record = self.committed.pop_front()?;
            self.ahead.remove(&record);
            return Some((record, None));
        }
        let record = self.waiting.pop_front()?;
        self.ahead.remove(&record);
        let partition = (Arc::clone(&record.topic), record.partition);
        let Some(assigned) = self.assigned.get_mut(&partition) else { return Some((record, None)) };
        assigned.next = assigned.next.max(Some(record.offset + 1));
        if self.level == Qos::Auto {
            assigned.store = Some(record.offset + 1);
            return Some((record, None));
        }
        let receipt = Receipt { partition, offset: record.offset, generation: assigned.generation };
        match assigned.open.binary_search_by_key(&record.offset, |held| held.record.offset) {
            Ok(again) => assigned.open[again].reader = reader,
            Err(place) => {
                let held = Held { record: Arc::clone(&record), reader, delivered: false };
                assigned.open.insert(place, held);
                self.open.add(&record);
            }
        }
        Some((record, Some(receipt)))
    }

    /// At-most-once: takes up to `count` records out, whose positions are to be committed before they are handed over.
    pub(super) fn begin_commit(&mut self, count: usize) -> Uncommitted {
        let count = count.min(self.waiting.len());
        let records: Vec<Arc<Record>> = self.waiting.drain(..count).collect();
        records.iter().for_each(|record| self.ahead.remove(record));
        Uncommitted { records, generation: self.generation }
    }

    /// At-most-once: the broker has confirmed the commit (the records may go), or not (they stay; when their partitions
    /// went away meanwhile they are forgotten, and come again where the partition goes).
    pub(super) fn end_commit(&mut self, commit: Uncommitted, confirmed: bool) {
        if confirmed {
            for record in commit.records {
                let partition = (Arc::clone(&record.topic), record.partition);
                if let Some(assigned) = self.assigned.get_mut(&partition) {
                    assigned.next = assigned.next.max(Some(record.offset + 1));
                }
                self.ahead.add(&record);
                self.committed.push_back(record);
            }
        } else if commit.generation == self.generation {
            for record in commit.records.into_iter().rev() {
                self.ahead.add(&record);
                self.waiting.push_front(record);
            }
        }
    }

    /// At-least-once: what became of a record.
    pub(super) fn settle(&mut self, receipt: &Receipt, outcome: Outcome) {
        let Some(assigned) = self.assigned.get_mut(&receipt.partition) else { return };
        if assigned.generation != receipt.generation {
            return;
        }
        let place = assigned.open.binary_search_by_key(&receipt.offset, |held| held.record.offset);
        let Some(held) = place.ok().and_then(|place| assigned.open.get_mut(place)) else { return };
        if outcome == Outcome::Failed {
            held.reader = NOBODY;
            let record = Arc::clone(&held.record);
            self.put_back(record);
            return;
        }
        held.delivered = true;
        let mut done = Vec::new();
        while assigned.open.front().is_some_and(|held| held.delivered) {
            done.extend(assigned.open.pop_front());
        }
        if let Some(last) = done.last() {
            assigned.store = Some(last.record.offset + 1);
        }
        done.iter().for_each(|held| self.open.remove(&held.record));
    }

    /// Puts a record before the later ones of its partition.
    fn put_back(&mut self, record: Arc<Record>) {
        let later = |other: &Arc<Record>| {
            other.topic == record.topic && other.partition == record.partition && other.offset > record.offset
        };
        let place = self.waiting.iter().position(later).unwrap_or(0);
        self.ahead.add(&record);
        self.waiting.insert(place, record);
    }

    /// Whether records are on their way to a client.
    pub(super) fn has_open(&self) -> bool {
        let on_its_way = |held: &Held| held.reader != NOBODY && !held.delivered;
        self.assigned.values().any(|assigned| assigned.open.iter().any(on_its_way))
    }

    /// Positions that are new since the last call, to be stored.
    pub(super) fn stores(&mut self) -> Vec<(Partition, i64)> {
        let news = |(partition, assigned): (&Partition, &mut Assigned)| {
            assigned.store.take().map(|position| (partition.clone(), position))
        };
        self.assigned.iter_mut().filter_map(news).collect()
    }

    /// Forgets what is held of a partition, which goes on at `offset`.
    pub(super) fn reposition(&mut self, partition: &Partition, offset: i64) {
        let Some(assigned) = self.assigned.get_mut(partition) else { return };
        self.generation += 1;
        assigned.generation = self.generation;
        assigned.next = Some(offset);
        assigned.store = None;
        for held in assigned.open.drain(..) {
            self.open.remove(&held.record);
        }
        let (gone, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|record| record.topic == partition.0 && record.partition == partition.1);
        gone.iter().for_each(|record| self.ahead.remove(record));
        self.waiting = kept;
    }

    /// Adds the positions of all assigned partitions to `cursor`, as `reader` may go on from them: what another reader
    /// has not delivered yet, or gave back, is not counted as read.
    pub(super) fn add_positions(&self, reader: u64, cursor: &mut Cursor) {
        for ((topic, partition), assigned) in &self.assigned {
            let Some(next) = assigned.next else { continue };
            let missing = assigned.open.iter().find(|held| !held.delivered && held.reader != reader);
            let next = missing.map_or(next, |held| next.min(held.record.offset));
            cursor.set(topic, *partition, next - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> Partition {
        ("t".into(), number)
    }

    fn window(level: Qos, partitions: i32, records: i64) -> Window {
        let mut window = Window::new(level);
        let starts: Vec<_> = (0..partitions).map(|number| (partition(number), Some(0))).collect();
        window.assign(&starts);
        for offset in 0..records {
            (0..partitions).for_each(|number| window.push(Record::test("t", number, offset)));
        }
        window
    }

    fn offset(taken: Option<(Arc<Record>, Option<Receipt>)>) -> Option<i64> {
        taken.map(|(record, _)| record.offset)
    }

    fn cursor(window: &Window, reader: u64) -> String {
        let mut cursor = Cursor::default();
        window.add_positions(reader, &mut cursor);
        cursor.to_string()
    }

    #[test]
    fn auto_stores_what_was_handed_over() {
        let mut window = window(Qos::Auto, 1, 3);
        assert_eq!(offset(window.take(1)), Some(0));
        assert_eq!(offset(window.take(2)), Some(1));
        assert_eq!(window.stores(), [(partition(0), 2)]);
        assert!(window.stores().is_empty());
    }

    #[test]
    fn an_open_record_holds_back_later_ones() {
        let mut window = window(Qos::AtLeastOnce, 1, 3);
        let receipts: Vec<Receipt> = (0..3).filter_map(|_| window.take(1)?.1).collect();
        window.settle(&receipts[2], Outcome::Delivered);
        window.settle(&receipts[1], Outcome::Delivered);
        assert!(window.stores().is_empty());
        window.settle(&receipts[0], Outcome::Delivered);
        assert_eq!(window.stores(), [(partition(0), 3)]);
        assert_eq!((window.ahead, window.open), (Load::default(), Load::default()));
    }

    #[test]
    fn a_failed_record_goes_to_the_next_reader_in_order() {
        let mut window = window(Qos::AtLeastOnce, 1, 3);
        let first = window.take(1).and_then(|taken| taken.1).expect("a receipt");
        let second = window.take(1).and_then(|taken| taken.1).expect("a receipt");
        window.settle(&second, Outcome::Failed);
        window.settle(&first, Outcome::Failed);
        assert!(!window.has_open());
        assert_eq!(cursor(&window, 2), "t@0#-1", "given back is not read");
        let again: Vec<_> = (0..3).map(|_| offset(window.take(2))).collect();
        assert_eq!(again, [Some(0), Some(1), Some(2)]);
        assert!(window.stores().is_empty());
        window.settle(&first, Outcome::Delivered);
        assert_eq!(window.stores(), [(partition(0), 1)]);
    }

    #[test]
    fn a_cursor_leaves_out_what_another_reader_still_has() {
        let mut window = window(Qos::AtLeastOnce, 2, 2);
        assert_eq!(cursor(&window, 1), "t@0#-1,1#-1");
        let other = window.take(2).and_then(|taken| taken.1).expect("a receipt");
        (0..3).for_each(|_| assert!(window.take(1).is_some()));
        assert_eq!(cursor(&window, 1), "t@0#-1,1#1");
        window.settle(&other, Outcome::Delivered);
        assert_eq!(cursor(&window, 1), "t@0#1,1#1");
    }

    #[test]
    fn nothing_is_left_of_partitions_that_went_elsewhere() {
        let mut window = window(Qos::AtLeastOnce, 1, 2);
        let receipt = window.take(1).and_then(|taken| taken.1).expect("a receipt");
        window.revoke();
        assert!(!window.is_assigned() && window.take(1).is_none());
        window.assign(&[(partition(0), Some(0))]);
        window.settle(&receipt, Outcome::Delivered);
        assert!(window.stores().is_empty(), "a receipt of the former assignment means nothing");
        assert_eq!((window.ahead, window.open), (Load::default(), Load::default()));
    }

    #[test]
    fn at_most_once_hands_over_after_the_commit_only() {
        let mut window = window(Qos::AtMostOnce, 1, 3);
        assert!(window.take(1).is_none());
        let commit = window.begin_commit(2);
        assert_eq!(commit.positions().into_iter().collect::<Vec<_>>(), [(partition(0), 2)]);
        window.end_commit(commit, false);
        assert!(window.take(1).is_none());
        let commit = window.begin_commit(2);
        window.end_commit(commit, true);
        window.revoke();
        assert_eq!(offset(window.take(1)), Some(0), "committed records are not lost with the partition");
        assert_eq!(offset(window.take(1)), Some(1));
        assert!(window.take(1).is_none());
    }

    #[test]
    fn records_whose_commit_failed_do_not_outlive_their_partition() {
        let mut window = window(Qos::AtMostOnce, 1, 3);
        let commit = window.begin_commit(2);
        window.assign(&[(partition(0), Some(0))]);
        window.end_commit(commit, false);
        assert_eq!((window.has_uncommitted(), window.ahead), (false, Load::default()));
    }

    #[test]
    fn going_back_forgets_what_was_held() {
        let mut window = window(Qos::AtLeastOnce, 2, 3);
        let receipt = window.take(1).and_then(|taken| taken.1).expect("a receipt");
        window.reposition(&partition(0), 1);
        window.settle(&receipt, Outcome::Delivered);
        assert!(window.stores().is_empty());
        assert_eq!((window.ahead.records, window.open.records), (3, 0));
        assert_eq!(cursor(&window, 1), "t@0#0,1#-1");
    }

    #[test]
    fn the_window_is_bounded_ahead_of_and_behind_the_client() {
        let mut window = window(Qos::AtLeastOnce, 1, 256);
        assert!(window.is_full());
        let mut receipts: VecDeque<Receipt> = VecDeque::new();
        let mut offset = 256;
        while window.open.records < OPEN_MAX.records {
            receipts.extend(window.take(1).and_then(|taken| taken.1));
            window.push(Record::test("t", 0, offset));
            offset += 1;
        }
        (0..256).for_each(|_| {
            assert!(window.waiting.pop_front().is_some_and(|record| {
                window.ahead.remove(&record);
                true
            }))
        });
        assert!(window.is_full(), "handed over is still held");
        let first = receipts.pop_front().expect("a receipt");
        window.settle(&first, Outcome::Delivered);
        assert!(!window.is_full());
    }
}
