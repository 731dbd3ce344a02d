//! Counters in the memory of this node, bounded in number.

use super::{Count, Key};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts of the map, each with its own lock: requests of different callers rarely wait for each other.
const SHARDS: usize = 64;
/// Greatest number of counters of a node; 262,144 of them take about 16 MiB.
const COUNTERS_MAX: usize = 262_144;
const SHARD_COUNTERS_MAX: usize = COUNTERS_MAX / SHARDS;
/// Of a full part without ended windows, one in this many counters goes: those whose windows end first.
const EVICTED_OF: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Counter {
    count: u64,
    /// How many of these the shared store has not heard of.
    unreported: u64,
    reset: i64,
}

/// What the shared store has not heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreported {
    pub(super) key: Key,
    pub(super) count: u64,
    pub(super) reset: i64,
}

type Shard = HashMap<Key, Counter>;

/// The counters of this node.
pub(super) struct Counters(Vec<Mutex<Shard>>);

impl Default for Counters {
    fn default() -> Self {
        Counters((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Counters {
    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        let shard = &self.0[usize::from(key.0[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one; `reported_later` when the shared store is to hear of it.
    pub(super) fn hit(&self, key: Key, now: i64, reset: i64, reported_later: bool) -> Count {
        let mut shard = self.shard(key);
        if shard.len() >= SHARD_COUNTERS_MAX && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        let fresh = Counter { count: 0, unreported: 0, reset };
        let counter = shard.entry(key).or_insert(fresh);
        if counter.reset <= now {
            *counter = fresh;
        }
        counter.count = counter.count.saturating_add(1);
        counter.unreported += u64::from(reported_later);
        Count { count: counter.count, reset: counter.reset }
    }

    /// What the shared store has to hear of windows that go on; it counts as told from now.
    pub(super) fn take_unreported(&self, now: i64) -> Vec<Unreported> {
        let mut taken = Vec::new();
        for shard in &self.0 {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, counter| counter.reset > now);
            for (key, counter) in shard.iter_mut().filter(|(_, counter)| counter.unreported > 0) {
                let count = std::mem::take(&mut counter.unreported);
                taken.push(Unreported { key: *key, count, reset: counter.reset });
            }
        }
        taken
    }

    /// What could not be told has to be told later.
    pub(super) fn give_back(&self, key: Key, count: u64) {
        if let Some(counter) = self.shard(key).get_mut(&key) {
            counter.unreported = counter.unreported.saturating_add(count);
        }
    }

    /// What all nodes counted together; what came here since it was asked is on top of it.
    pub(super) fn learn(&self, key: Key, known: Count) {
        if let Some(counter) = self.shard(key).get_mut(&key) {
            counter.count = known.count.saturating_add(counter.unreported);
            counter.reset = known.reset;
        }
    }
}

/// Drops windows that ended, else those that end first: whoever floods a node with keys of short windows does not get rid
/// of a long quota.
fn make_room(shard: &mut Shard, now: i64) {
    shard.retain(|_, counter| counter.reset > now);
    if shard.len() < SHARD_COUNTERS_MAX {
        return;
    }
    let mut resets: Vec<i64> = shard.values().map(|counter| counter.reset).collect();
    let (_, last_evicted, _) = resets.select_nth_unstable(SHARD_COUNTERS_MAX / EVICTED_OF);
    let (last_evicted, mut left) = (*last_evicted, SHARD_COUNTERS_MAX / EVICTED_OF);
    shard.retain(|_, counter| {
        let goes = counter.reset <= last_evicted && left > 0;
        left -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        // All in one part.
        let mut key = [0; 16];
        key[8..].copy_from_slice(&number.to_le_bytes());
        Key(key)
    }

    #[test]
    fn a_window_begins_with_its_first_request() {
        let counters = Counters::default();
        let hit = |now| counters.hit(key(1), now, now + 10, false);
        assert_eq!(hit(5), Count { count: 1, reset: 15 });
        assert_eq!(hit(14), Count { count: 2, reset: 15 });
        assert_eq!(hit(15), Count { count: 1, reset: 25 });
        assert_eq!(counters.hit(key(2), 15, 25, false).count, 1);
    }

    #[test]
    fn what_nobody_heard_of_is_told_once() {
        let counters = Counters::default();
        counters.hit(key(1), 0, 10, true);
        counters.hit(key(1), 0, 10, true);
        counters.hit(key(2), 0, 5, true);
        assert_eq!(counters.take_unreported(5), [Unreported { key: key(1), count: 2, reset: 10 }]);
        assert_eq!(counters.take_unreported(5), []);
        counters.hit(key(1), 6, 16, true);
        counters.learn(key(1), Count { count: 7, reset: 11 });
        assert_eq!(counters.hit(key(1), 7, 17, true), Count { count: 9, reset: 11 });
        counters.give_back(key(1), 3);
        assert_eq!(counters.take_unreported(7), [Unreported { key: key(1), count: 5, reset: 11 }]);
    }

    #[test]
    fn a_flood_of_keys_drops_short_windows_first() {
        let counters = Counters::default();
        counters.hit(key(0), 0, 1_000_000, false);
        for number in 1..SHARD_COUNTERS_MAX * 3 {
            counters.hit(key(number), 0, 1_000, false);
        }
        assert!(counters.shard(key(0)).len() <= SHARD_COUNTERS_MAX);
        assert_eq!(counters.hit(key(0), 1, 2, false).count, 2, "the long window is still counted");
        assert_eq!(counters.take_unreported(1_000), []);
        assert_eq!(counters.shard(key(0)).len(), 1, "ended windows are gone");
    }
}
