//! What a group consumer holds: records that nobody took yet, and records that were handed over but not settled.
//!
//! It decides which position may be stored for each partition: at QoS auto what was handed over, at at-least-once what
//! was delivered, in order, so that one open record holds back everything behind it. Records of partitions that went
//! to another member are forgotten; acknowledgements that come later for them mean nothing.

use super::consumer::Partition;
use super::cursor::Cursor;
use super::record::Record;
use crate::message::Outcome;
use definition::api::Qos;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Records held for one client identifier.
const RECORDS_MAX: usize = 256;
/// Bytes held for one client identifier (one record may exceed it alone).
const BYTES_MAX: usize = 1024 * 1024;

/// A record that came back; nobody has it.
const NOBODY: u64 = u64::MAX;

/// Place of a record that was handed over, for its acknowledgement.
#[derive(Debug)]
pub(super) struct Receipt {
    partition: Partition,
    offset: i64,
    generation: u64,
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
    records: usize,
    bytes: usize,
}

impl Window {
    pub(super) fn new(level: Qos) -> Window {
        Window {
            level,
            assigned: BTreeMap::new(),
            generation: 0,
            waiting: VecDeque::new(),
            committed: VecDeque::new(),
            records: 0,
            bytes: 0,
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
        self.records = self.committed.len();
        self.bytes = self.committed.iter().map(|record| record.size()).sum();
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
        self.records >= RECORDS_MAX || (self.bytes >= BYTES_MAX && self.records > 0)
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
            self.records += 1;
            self.bytes += record.size();
            self.waiting.push_back(Arc::new(record));
        }
    }

    /// Hands a record to `reader`.
    pub(super) fn take(&mut self, reader: u64) -> Option<(Arc<Record>, Option<Receipt>)> {
        if self.level == Qos::AtMostOnce {
            let record = self.committed.pop_front()?;
            self.release(&record);
            return Some((record, None));
        }
        let record = self.waiting.pop_front()?;
        let partition = (Arc::clone(&record.topic), record.partition);
        let Some(assigned) = self.assigned.get_mut(&partition) else { return Some((record, None)) };
        assigned.next = assigned.next.max(Some(record.offset + 1));
        if self.level == Qos::Auto {
            assigned.store = Some(record.offset + 1);
            self.release(&record);
            return Some((record, None));
        }
        let receipt = Receipt { partition, offset: record.offset, generation: assigned.generation };
        match assigned.open.binary_search_by_key(&record.offset, |held| held.record.offset) {
            Ok(again) => assigned.open[again].reader = reader,
            Err(place) => {
                let held = Held { record: Arc::clone(&record), reader, delivered: false };
                assigned.open.insert(place, held);
            }
        }
        Some((record, Some(receipt)))
    }

    fn release(&mut self, record: &Record) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(record.size());
    }

    /// At-most-once: takes up to `count` records whose positions are to be committed, with these positions.
    pub(super) fn begin_commit(&mut self, count: usize) -> (Vec<Arc<Record>>, BTreeMap<Partition, i64>) {
        let count = count.min(self.waiting.len());
        let records: Vec<Arc<Record>> = self.waiting.drain(..count).collect();
        let positions = records
            .iter()
            .map(|record| ((Arc::clone(&record.topic), record.partition), record.offset + 1))
            .collect();
        (records, positions)
    }

    /// At-most-once: the broker has confirmed the commit (the records may go), or not (they stay).
    pub(super) fn end_commit(&mut self, records: Vec<Arc<Record>>, confirmed: bool) {
        if confirmed {
            for record in records {
                let partition = (Arc::clone(&record.topic), record.partition);
                if let Some(assigned) = self.assigned.get_mut(&partition) {
                    assigned.next = Some(record.offset + 1);
                }
                self.committed.push_back(record);
            }
        } else {
            records.into_iter().rev().for_each(|record| self.waiting.push_front(record));
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
        done.iter().for_each(|held| self.release(&held.record));
    }

    /// Puts a record before the later ones of its partition.
    fn put_back(&mut self, record: Arc<Record>) {
        let later = |other: &Arc<Record>| {
            other.topic == record.topic && other.partition == record.partition && other.offset > record.offset
        };
        let place = self.waiting.iter().position(later).unwrap_or(0);
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
        let mut gone: Vec<Arc<Record>> = assigned.open.drain(..).map(|held| held.record).collect();
        let of_partition =
            |record: &Arc<Record>| record.topic == partition.0 && record.partition == partition.1;
        for record in std::mem::take(&mut self.waiting) {
            if !of_partition(&record) {
                self.waiting.push_back(record);
            } else if !gone.iter().any(|other| other.offset == record.offset) {
                gone.push(record);
            }
        }
        gone.iter().for_each(|record| self.release(record));
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
        assert_eq!((window.records, window.bytes), (0, 0));
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
        assert_eq!((window.records, window.bytes), (0, 0));
    }

    #[test]
    fn at_most_once_hands_over_after_the_commit_only() {
        let mut window = window(Qos::AtMostOnce, 1, 3);
        assert!(window.take(1).is_none());
        let (records, positions) = window.begin_commit(2);
        assert_eq!(positions.into_iter().collect::<Vec<_>>(), [(partition(0), 2)]);
        window.end_commit(records, false);
        assert!(window.take(1).is_none());
        let (records, _) = window.begin_commit(2);
        window.end_commit(records, true);
        window.revoke();
        assert_eq!(offset(window.take(1)), Some(0), "committed records are not lost with the partition");
        assert_eq!(offset(window.take(1)), Some(1));
        assert!(window.take(1).is_none());
    }

    #[test]
    fn going_back_forgets_what_was_held() {
        let mut window = window(Qos::AtLeastOnce, 2, 3);
        let receipt = window.take(1).and_then(|taken| taken.1).expect("a receipt");
        window.reposition(&partition(0), 1);
        window.settle(&receipt, Outcome::Delivered);
        assert!(window.stores().is_empty());
        assert_eq!((window.records, cursor(&window, 1).as_str()), (3, "t@0#0,1#-1"));
    }

    #[test]
    fn the_window_is_bounded_in_records_and_bytes() {
        let mut window = window(Qos::AtLeastOnce, 1, RECORDS_MAX as i64);
        assert!(window.is_full());
        let receipt = window.take(1).and_then(|taken| taken.1).expect("a receipt");
        assert!(window.is_full(), "handed over is still held");
        window.settle(&receipt, Outcome::Delivered);
        assert!(!window.is_full());
    }
}
