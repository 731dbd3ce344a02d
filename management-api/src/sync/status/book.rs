//! What the sessions of this replica observed and the store does not know yet.
//!
//! Sessions write here without waiting; the writer takes everything at once. It holds the newest value per node,
//! environment and resource, so it is bounded by what exists, however fast things change.

use crate::scope::Scope;
use crate::sync::state::Key;
use chrono::{DateTime, Utc};
use definition::digest::Digest;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a node said about itself when it connected.
#[derive(Debug, Clone)]
pub(crate) struct NodeFacts {
    pub(crate) incarnation: u64,
    pub(crate) build: String,
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) tags: Vec<String>,
    pub(crate) replica: String,
    pub(crate) connected_at: DateTime<Utc>,
}

/// How far a node is in an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Watermark {
    pub(crate) received_revision: u64,
    pub(crate) active_revision: u64,
    /// Of what serves there.
    pub(crate) active_digest: Option<Vec<u8>>,
    /// Of what should.
    pub(crate) expected_digest: Option<Digest>,
}

/// Exceptions have a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssueLevel {
    Rejected,
    Degraded,
}

impl IssueLevel {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            IssueLevel::Rejected => "rejected",
            IssueLevel::Degraded => "degraded",
        }
    }
}

/// A resource that does not serve as it should.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) level: IssueLevel,
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) code: String,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) at: DateTime<Utc>,
}

/// News of one environment of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvironmentUpdate {
    pub(crate) watermark: Option<Watermark>,
    /// The issues below are all there are.
    pub(crate) forget_issues: bool,
    /// `None`: no issue any more.
    pub(crate) issues: BTreeMap<Key, Option<Issue>>,
}

impl EnvironmentUpdate {
    /// Adds what happened after.
    fn then(&mut self, later: EnvironmentUpdate) {
        if later.watermark.is_some() {
            self.watermark = later.watermark;
        }
        if later.forget_issues {
            self.forget_issues = true;
            self.issues = later.issues;
        } else {
            self.issues.extend(later.issues);
        }
    }
}

/// News of a node.
#[derive(Debug, Clone)]
pub(crate) struct NodeUpdate {
    pub(crate) facts: Arc<NodeFacts>,
    /// A session began.
    pub(crate) connected: bool,
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) stopped_at: Option<DateTime<Utc>>,
    pub(crate) environments: BTreeMap<Scope, EnvironmentUpdate>,
}

/// Everything that is to be written, nodes in order, so that two replicas lock rows in the same order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) nodes: BTreeMap<String, NodeUpdate>,
}

struct Live {
    session: u64,
    facts: Arc<NodeFacts>,
    seen_at: DateTime<Utc>,
}

#[derive(Default)]
struct Pages {
    live: BTreeMap<String, Live>,
    unwritten: Batch,
}

/// The observations of this replica.
#[derive(Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    /// Something that users wait for.
    pub(super) urgent: Notify,
}

/// A session's pen.
pub(crate) struct Entry {
    book: Arc<Book>,
    node: String,
    session: u64,
}

impl Book {
    /// Opens the entry of a session; an earlier session of the same node can no longer write.
    pub(crate) fn open(self: &Arc<Self>, session: u64, node: &str, facts: NodeFacts) -> Entry {
        let facts = Arc::new(facts);
        let seen_at = facts.connected_at;
        let mut pages = self.pages();
        pages.live.insert(node.to_owned(), Live { session, facts: Arc::clone(&facts), seen_at });
        let update = pages.unwritten.add(node, facts, seen_at);
        update.connected = true;
        update.stopped_at = None;
        drop(pages);
        self.urgent.notify_one();
        Entry { book: Arc::clone(self), node: node.to_owned(), session }
    }

    /// Takes what is unwritten, with `everyone` also the last sight of all live nodes.
    pub(super) fn take(&self, everyone: bool) -> Batch {
        let mut pages = self.pages();
        let Pages { live, unwritten } = &mut *pages;
        if everyone {
            for (node, live) in live {
                unwritten.add(node, Arc::clone(&live.facts), live.seen_at);
            }
        }
        std::mem::take(unwritten)
    }

    /// Puts a batch back that could not be written, below what came since.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut pages = self.pages();
        let later = std::mem::replace(&mut pages.unwritten, batch);
        for (node, update) in later.nodes {
            let kept = pages.unwritten.add(&node, update.facts, update.seen_at);
            kept.connected |= update.connected;
            kept.stopped_at = update.stopped_at;
            for (scope, environment) in update.environments {
                kept.environments.entry(scope).or_default().then(environment);
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn add(&mut self, node: &str, facts: Arc<NodeFacts>, seen_at: DateTime<Utc>) -> &mut NodeUpdate {
        let update = self.nodes.entry(node.to_owned()).or_insert_with(|| NodeUpdate {
            facts: Arc::clone(&facts),
            connected: false,
            seen_at,
            stopped_at: None,
            environments: BTreeMap::new(),
        });
        update.facts = facts;
        update.seen_at = seen_at;
        update
    }
}

impl Entry {
    /// The node gave a sign of life.
    pub(crate) fn seen(&self) {
        if let Some(live) = self.book.pages().live.get_mut(&self.node)
            && live.session == self.session
        {
            live.seen_at = Utc::now();
        }
    }

    /// News of an environment; `urgent` when users may be waiting for it.
    pub(crate) fn environment(&self, scope: &Scope, update: EnvironmentUpdate, urgent: bool) {
        let mut pages = self.book.pages();
        let Pages { live, unwritten } = &mut *pages;
        let Some(live) = live.get(&self.node).filter(|live| live.session == self.session) else { return };
        let node = unwritten.add(&self.node, Arc::clone(&live.facts), live.seen_at);
        node.environments.entry(scope.clone()).or_default().then(update);
        drop(pages);
        if urgent {
            self.book.urgent.notify_one();
        }
    }

    /// The session ended; `drained` when the node said good-bye.
    pub(crate) fn close(self, drained: bool) {
        let mut pages = self.book.pages();
        if pages.live.get(&self.node).is_none_or(|live| live.session != self.session) {
            return;
        }
        if let Some(live) = pages.live.remove(&self.node) {
            let update = pages.unwritten.add(&self.node, live.facts, live.seen_at);
            update.stopped_at = drained.then(Utc::now);
        }
        drop(pages);
        self.book.urgent.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> NodeFacts {
        NodeFacts {
            incarnation: 1,
            build: "1".to_owned(),
            hostname: "host".to_owned(),
            port: 8082,
            tags: Vec::new(),
            replica: "r".to_owned(),
            connected_at: Utc::now(),
        }
    }

    fn mark(revision: u64) -> EnvironmentUpdate {
        let watermark = Watermark { received_revision: revision, ..Watermark::default() };
        EnvironmentUpdate { watermark: Some(watermark), ..EnvironmentUpdate::default() }
    }

    #[test]
    fn what_could_not_be_written_stays_below_what_came_since() {
        let book = Arc::new(Book::default());
        let scope = Scope { organization: "o".to_owned(), environment: "e".to_owned() };
        let entry = book.open(1, "n", facts());
        entry.environment(&scope, mark(1), true);
        let failed = book.take(false);
        entry.environment(&scope, mark(2), true);
        book.put_back(failed);
        let batch = book.take(false);
        assert!(batch.nodes["n"].connected);
        assert_eq!(batch.nodes["n"].environments[&scope].watermark.as_ref().unwrap().received_revision, 2);
        assert!(book.take(false).nodes.is_empty());
        assert_eq!(book.take(true).nodes.len(), 1);
    }

    #[test]
    fn a_replaced_session_cannot_write() {
        let book = Arc::new(Book::default());
        let scope = Scope { organization: "o".to_owned(), environment: "e".to_owned() };
        let old = book.open(1, "n", facts());
        let new = book.open(2, "n", facts());
        book.take(false);
        old.environment(&scope, mark(1), true);
        old.close(true);
        assert!(book.take(false).nodes.is_empty());
        new.close(true);
        assert!(book.take(false).nodes["n"].stopped_at.is_some());
    }
}
