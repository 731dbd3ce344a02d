//! State of one group consumer, between its thread and the connections of one client identifier.
//!
//! Connections take records and settle them; the thread alone talks to the client library. Neither ever waits for the
//! other with the lock held.

use super::connection::Connection;
use super::consumer::{self, Partition};
use super::cursor::Cursor;
use super::record::{Content, Record};
use super::topics::Topics;
use super::window::{Receipt, Uncommitted, Window};
use crate::failure::Failure;
use crate::message::Outcome;
use definition::api::Qos;
use definition::connector::kafka::AutoOffsetReset;
use definition::limits::SLOW_CLIENT_WRITE_TIMEOUT_MS;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A closed consumer waits this long for acknowledgements that are still on their way.
const ACK_WAIT: Duration = Duration::from_millis(SLOW_CLIENT_WRITE_TIMEOUT_MS);

/// What makes two connections share a consumer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) connection: Connection,
    pub(super) group_id: String,
    pub(super) topics: Topics,
    pub(super) content: Content,
    pub(super) level: Qos,
    pub(super) reset: AutoOffsetReset,
}

/// One group consumer.
pub(super) struct Group {
    pub(super) key: GroupKey,
    state: Mutex<State>,
    /// Told to connections: a record, an assignment, the end.
    news: Notify,
    /// Told to the thread: room, demand, a cursor, a connection that left.
    work: Condvar,
}

struct State {
    window: Window,
    readers: usize,
    next_reader: u64,
    left: Option<Instant>,
    /// At-most-once: records that each connection asked for and has not got.
    demand: BTreeMap<u64, usize>,
    /// When the thread was last known to be at work with brokers that answer, or not known not to.
    well: Instant,
    /// Cursors of connections, not looked at yet.
    cursors: Vec<Cursor>,
    /// Positions that clients asked for in partitions which this member does not have.
    wanted: Cursor,
    over: Option<Option<Failure>>,
}

/// What a connection gets when it asks.
pub(super) enum Taken {
    Record { record: Arc<Record>, receipt: Option<Receipt> },
    Nothing,
    Over(Option<Failure>),
}

/// What the thread does next.
pub(super) enum Step {
    Read,
    /// No room: keep the membership, read nothing.
    Hold,
    /// At-most-once: commit this many records and hand them over.
    Commit(usize),
    Stop,
}

impl Group {
    pub(super) fn new(key: GroupKey) -> Group {
        let state = State {
            window: Window::new(key.level),
            readers: 0,
            next_reader: 0,
            left: None,
            demand: BTreeMap::new(),
            well: Instant::now(),
            cursors: Vec::new(),
            wanted: Cursor::default(),
            over: None,
        };
        Group { key, state: Mutex::new(state), news: Notify::new(), work: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the window.
    pub(super) fn window<T>(&self, change: impl FnOnce(&mut Window) -> T) -> T {
        change(&mut self.state().window)
    }

    /// A connection joins; `None`: this consumer is over. Returns the connection's number.
    pub(super) fn join(&self, cursor: &Cursor) -> Option<u64> {
        let mut state = self.state();
        if state.over.is_some() {
            return None;
        }
        state.readers += 1;
        state.next_reader += 1;
        if !cursor.is_empty() {
            state.cursors.push(cursor.clone());
        }
        let reader = state.next_reader;
        drop(state);
        self.work.notify_one();
        Some(reader)
    }

    /// A connection leaves; what it asked for and has not got is wanted no more.
    pub(super) fn leave(&self, reader: u64) {
        let mut state = self.state();
        state.readers -= 1;
        state.demand.remove(&reader);
        if state.readers == 0 {
            state.left = Some(Instant::now());
        }
        drop(state);
        self.work.notify_one();
        // The wake-up that this connection may have swallowed belongs to another one.
        self.news.notify_one();
    }

    /// Resolves at the next news. Create it before looking.
    pub(super) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.news.notified()
    }

    /// Takes a record for `reader`.
    pub(super) fn take(&self, reader: u64) -> Taken {
        let mut state = self.state();
        // A connection that sent a cursor must not get what lies before it or is about to be read again.
        let looked_at = state.cursors.is_empty();
        let taken = if looked_at { state.window.take(reader) } else { None };
        if let Some((record, receipt)) = taken {
            if let Some(demand) = state.demand.get_mut(&reader) {
                *demand = demand.saturating_sub(1);
            }
            drop(state);
            self.work.notify_one();
            return Taken::Record { record, receipt };
        }
        state.over.clone().map_or(Taken::Nothing, Taken::Over)
    }

    /// At-most-once: a connection takes `count` records from now on, as soon as they are committed.
    pub(super) fn ask(&self, reader: u64, count: usize) {
        let before = self.state().demand.insert(reader, count);
        if before != Some(count) {
            self.work.notify_one();
        }
    }

    /// At-least-once: what became of a record. Does not block.
    pub(super) fn settle(&self, receipt: &Receipt, outcome: Outcome) {
        self.state().window.settle(receipt, outcome);
        self.work.notify_one();
        if outcome == Outcome::Failed {
            self.news.notify_one();
        }
    }

    /// Positions of all partitions as `reader` may go on from them, over what it brought along. `None`: not assigned yet.
    pub(super) fn positions(&self, reader: u64, brought: &Cursor) -> Option<Cursor> {
        let state = self.state();
        if !state.window.is_assigned() || !state.cursors.is_empty() {
            return None;
        }
        let mut cursor = brought.clone();
        state.window.add_positions(reader, &mut cursor);
        Some(cursor)
    }

    /// Whether records can be taken or never will be.
    pub(super) fn is_started(&self) -> bool {
        let state = self.state();
        state.over.is_some() || (state.window.is_assigned() && state.cursors.is_empty())
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.state().readers > 0
    }

    /// A record came from the broker.
    pub(super) fn push(&self, record: Record) {
        self.state().window.push(record);
        if self.key.level != Qos::AtMostOnce {
            self.news.notify_one();
        }
    }

    /// At-most-once: a commit has an answer.
    pub(super) fn end_commit(&self, commit: Uncommitted, confirmed: bool) {
        let count = commit.count();
        self.state().window.end_commit(commit, confirmed);
        if confirmed {
            (0..count).for_each(|_| self.news.notify_one());
        }
    }

    /// Tells every connection to look.
    pub(super) fn tell_all(&self) {
        self.news.notify_waiters();
    }

    /// No further record comes.
    pub(super) fn end(&self, failure: Option<Failure>) {
        self.state().over.get_or_insert(failure);
        self.tell_all();
    }

    /// The thread is at work and nothing is known against the brokers.
    pub(super) fn is_well(&self) {
        self.state().well = Instant::now();
    }

    /// Ends what has not been well for `patience`, so that connections hear of an outage even while the client library
    /// keeps the thread. Ending what is over changes nothing.
    pub(super) fn end_if_lost(&self, patience: Duration) {
        let mut state = self.state();
        if state.over.is_none() && state.well.elapsed() >= patience {
            tracing::warn!(group = self.key.group_id, "the thread of a group consumer is stuck");
            state.over = Some(Some(consumer::connection_closed()));
            drop(state);
            self.work.notify_one();
            self.tell_all();
        }
    }

    /// The failure that a callback found.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.state().over.clone().flatten()
    }

    /// What to do now; waits up to `patience` when there is nothing to do.
    pub(super) fn step(&self, patience: Duration) -> Step {
        let mut state = self.state();
        for waited in [false, true] {
            if state.over.is_some() {
                return Step::Stop;
            }
            if state.readers == 0 {
                let late = state.left.is_some_and(|left| left.elapsed() >= ACK_WAIT);
                if late || !state.window.has_open() {
                    // From now on nobody joins, so that nobody joins a consumer that is leaving its group.
                    state.over = Some(None);
                    return Step::Stop;
                }
            }
            if state.window.has_uncommitted() {
                // Records that are committed already come first.
                let demand: usize = state.demand.values().sum();
                let missing = demand.saturating_sub(state.window.ready());
                if missing > 0 {
                    return Step::Commit(missing);
                }
            } else if !state.window.is_full() && state.readers > 0 {
                return Step::Read;
            }
            if !state.cursors.is_empty() || waited {
                return Step::Hold;
            }
            state = self.work.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        Step::Hold
    }

    /// Offsets that clients asked for in `partition`, asked once.
    pub(super) fn wanted(&self, partition: &Partition) -> Option<i64> {
        let mut state = self.state();
        let cursors = std::mem::take(&mut state.cursors);
        cursors.iter().for_each(|cursor| state.wanted.merge(cursor));
        state.wanted.take(&partition.0, partition.1).map(|offset| offset + 1)
    }

    /// Cursors of connections that joined a running consumer, merged; they count as looked at.
    pub(super) fn new_cursors(&self) -> Option<Cursor> {
        let state = self.state();
        if state.cursors.is_empty() || !state.window.is_assigned() {
            return None;
        }
        let mut merged = Cursor::default();
        state.cursors.iter().for_each(|cursor| merged.merge(cursor));
        Some(merged)
    }

    /// The cursors were applied, except for partitions that another member has.
    pub(super) fn applied(&self, elsewhere: &Cursor) {
        let mut state = self.state();
        state.cursors.clear();
        state.wanted.merge(elsewhere);
        drop(state);
        self.tell_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    fn group(level: Qos) -> Group {
        let group = Group::new(GroupKey {
            connection: Connection::plain("localhost:9092"),
            group_id: "g".to_owned(),
            topics: Topics::Named(vec!["t".into()]),
            content: Content::AsIs,
            level,
            reset: AutoOffsetReset::Latest,
        });
        group.window(|window| window.assign(&[(("t".into(), 0), Some(0))]));
        group
    }

    fn receipt(taken: Taken) -> Receipt {
        match taken {
            Taken::Record { receipt, .. } => receipt.expect("at-least-once gives receipts"),
            Taken::Nothing | Taken::Over(_) => panic!("a record was there"),
        }
    }

    #[test]
    fn a_consumer_stays_until_its_last_record_is_settled() {
        let group = group(Qos::AtLeastOnce);
        let reader = group.join(&Cursor::default()).expect("open");
        group.push(Record::test("t", 0, 0));
        let receipt = receipt(group.take(reader));
        group.leave(reader);
        assert!(matches!(group.step(AT_ONCE), Step::Hold), "its acknowledgement is on its way");
        group.settle(&receipt, Outcome::Delivered);
        assert!(matches!(group.step(AT_ONCE), Step::Stop));
        assert!(group.join(&Cursor::default()).is_none(), "who leaves its group is not joined");
        assert_eq!(group.window(Window::stores), [(("t".into(), 0), 1)], "what was delivered is stored");
    }

    #[test]
    fn at_most_once_commits_what_is_asked_for_and_no_more() {
        let group = group(Qos::AtMostOnce);
        let reader = group.join(&Cursor::default()).expect("open");
        (0..3).for_each(|offset| group.push(Record::test("t", 0, offset)));
        assert!(matches!(group.step(AT_ONCE), Step::Hold));
        group.ask(reader, 2);
        assert!(matches!(group.step(AT_ONCE), Step::Commit(2)));
        let commit = group.window(|window| window.begin_commit(2));
        group.end_commit(commit, true);
        assert!(matches!(group.step(AT_ONCE), Step::Hold), "the demand is met");
        assert!(matches!(group.take(reader), Taken::Record { receipt: None, .. }));
        assert!(matches!(group.take(reader), Taken::Record { receipt: None, .. }));
        assert!(matches!(group.take(reader), Taken::Nothing));
    }

    #[test]
    fn one_connection_does_not_use_up_what_another_asked_for() {
        let group = group(Qos::AtMostOnce);
        let fast = group.join(&Cursor::default()).expect("open");
        let waiting = group.join(&Cursor::default()).expect("open");
        (0..3).for_each(|offset| group.push(Record::test("t", 0, offset)));
        group.ask(fast, 1);
        group.ask(waiting, 1);
        assert!(matches!(group.step(AT_ONCE), Step::Commit(2)));
        let commit = group.window(|window| window.begin_commit(2));
        group.end_commit(commit, true);
        (0..2).for_each(|_| assert!(matches!(group.take(fast), Taken::Record { .. })));
        assert!(matches!(group.step(AT_ONCE), Step::Commit(1)), "the other one still waits");
        group.leave(waiting);
        assert!(matches!(group.step(AT_ONCE), Step::Hold), "and then no more");
    }

    #[test]
    fn connections_hear_of_a_thread_that_is_stuck() {
        let group = group(Qos::Auto);
        let reader = group.join(&Cursor::default()).expect("open");
        group.is_well();
        group.end_if_lost(Duration::from_secs(60));
        assert!(matches!(group.take(reader), Taken::Nothing));
        group.end_if_lost(Duration::ZERO);
        assert!(matches!(group.take(reader), Taken::Over(Some(_))));
        assert!(matches!(group.step(AT_ONCE), Step::Stop), "the thread ends when it can");
    }

    #[test]
    fn nothing_is_taken_before_a_cursor_is_applied() {
        let group = group(Qos::AtLeastOnce);
        group.push(Record::test("t", 0, 0));
        let mut cursor = Cursor::default();
        cursor.set("t", 0, 4);
        let reader = group.join(&cursor).expect("open");
        assert!(matches!(group.take(reader), Taken::Nothing));
        assert_eq!(group.new_cursors(), Some(cursor));
        group.applied(&Cursor::default());
        assert!(matches!(group.take(reader), Taken::Record { .. }));
    }
}
