//! Bodies by digest: a bounded memory in front of the store, so that a crowd of cold gateways reads each body once.

use super::store;
use crate::db::Db;
use bytes::Bytes;
use definition::digest::Digest;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of bodies kept.
const BODIES_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The memory, least recently used out first.
pub(crate) struct Bodies {
    db: Db,
    kept: Mutex<Kept>,
    /// One reader of the store at a time: whoever waits finds the body kept.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    /// Counts uses; the order of `by_use`.
    clock: u64,
    bodies: HashMap<Digest, (u64, Bytes)>,
    by_use: BTreeMap<u64, Digest>,
}

impl Bodies {
    pub(crate) fn new(db: Db) -> Self {
        Bodies { db, kept: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    pub(crate) async fn get(&self, digest: &Digest) -> sqlx::Result<Bytes> {
        if let Some(body) = self.kept().get(digest) {
            return Ok(body);
        }
        let _turn = self.reading.lock().await;
        if let Some(body) = self.kept().get(digest) {
            return Ok(body);
        }
        let body = store::body(&self.db, digest).await?;
        self.kept().insert(*digest, body.clone(), BODIES_MAX_BYTES);
        Ok(body)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, digest: &Digest) -> Option<Bytes> {
        let (used, body) = self.bodies.get_mut(digest)?;
        self.clock += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.clock, *digest);
        *used = self.clock;
        Some(body.clone())
    }

    fn insert(&mut self, digest: Digest, body: Bytes, max_bytes: usize) {
        self.clock += 1;
        self.bytes += body.len();
        self.by_use.insert(self.clock, digest);
        if let Some((used, old)) = self.bodies.insert(digest, (self.clock, body)) {
            self.by_use.remove(&used);
            self.bytes -= old.len();
        }
        while self.bytes > max_bytes
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            if let Some((_, old)) = self.bodies.remove(&oldest) {
                self.bytes -= old.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_body_leaves_first() {
        let mut kept = Kept::default();
        let body = Bytes::from_static(b"12345");
        for digest in [[1; 32], [2; 32]] {
            kept.insert(digest, body.clone(), 10);
        }
        assert!(kept.get(&[1; 32]).is_some());
        kept.insert([3; 32], body.clone(), 10);
        assert!(kept.get(&[2; 32]).is_none());
        assert!(kept.get(&[1; 32]).is_some() && kept.get(&[3; 32]).is_some());
        assert_eq!((kept.bytes, kept.by_use.len()), (10, 2));
    }
}
