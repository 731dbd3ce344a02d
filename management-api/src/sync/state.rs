//! What gateways are to run, in memory: an immutable picture per environment, replaced as a whole by the tailer and
//! shared by all sessions.

use super::view::NodeView;
use crate::scope::Scope;
use definition::digest::{Digest, set_digest};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Views whose summary is remembered per picture; gateways with the same tags share one.
const SUMMARIES_MAX: usize = 64;

/// Names a resource inside an environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: Arc<str>,
    pub(crate) id: Arc<str>,
}

impl Key {
    pub(crate) fn new(kind: &str, id: &str) -> Self {
        Key { kind: Arc::from(kind), id: Arc::from(id) }
    }
}

/// The wanted content of a resource; its body is read when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    pub(crate) schema_version: u32,
    /// Bytes of the body.
    pub(crate) size: usize,
}

/// One resource as of its last revision. Without content it is a tombstone: known to be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    pub(crate) content: Option<Content>,
    pub(crate) tags: Vec<String>,
    pub(crate) deployment: Option<Uuid>,
}

/// Number and digest of what a gateway holds when it is up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: u32,
    pub(crate) digest: Digest,
}

/// One environment at one revision.
#[derive(Debug, Default)]
pub(crate) struct EnvState {
    pub(crate) head: u64,
    /// When the head was committed, milliseconds since 1970.
    pub(crate) committed_unix_ms: u64,
    entries: BTreeMap<Key, Arc<Entry>>,
    by_revision: BTreeSet<(u64, Key)>,
    summaries: Mutex<HashMap<NodeView, Summary>>,
}

impl EnvState {
    pub(crate) fn new(head: u64, committed_unix_ms: u64, rows: Vec<(Key, Entry)>) -> Self {
        EnvState::default().with(head, committed_unix_ms, rows)
    }

    /// The next picture: `rows` replace what was known of them.
    pub(crate) fn with(&self, head: u64, committed_unix_ms: u64, rows: Vec<(Key, Entry)>) -> Self {
        let mut entries = self.entries.clone();
        let mut by_revision = self.by_revision.clone();
        for (key, entry) in rows {
            by_revision.insert((entry.revision, key.clone()));
            if let Some(old) = entries.insert(key.clone(), Arc::new(entry))
                && old.revision != entries[&key].revision
            {
                by_revision.remove(&(old.revision, key));
            }
        }
        EnvState { head, committed_unix_ms, entries, by_revision, summaries: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key).map(Arc::as_ref)
    }

    /// Resources touched after a revision.
    pub(crate) fn changed_since(&self, revision: u64) -> impl Iterator<Item = &Key> {
        let from = (revision.saturating_add(1), Key::new("", ""));
        self.by_revision.range(from..).map(|(_, key)| key)
    }

    /// What a gateway must hold.
    pub(crate) fn visible(&self, view: &NodeView) -> impl Iterator<Item = (&Key, &Content)> {
        self.entries.iter().filter_map(|(key, entry)| view.sees(key, entry).map(|content| (key, content)))
    }

    /// Count and digest of what a gateway must hold.
    pub(crate) fn summary(&self, view: &NodeView) -> Summary {
        let known = self.summaries.lock().unwrap_or_else(PoisonError::into_inner).get(view).copied();
        if let Some(summary) = known {
            return summary;
        }
        let held: Vec<_> = self.visible(view).collect();
        let digest =
            set_digest(held.iter().map(|(key, content)| (&*key.kind, &*key.id, &content.digest[..])));
        let summary = Summary { count: u32::try_from(held.len()).unwrap_or(u32::MAX), digest };
        let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        if summaries.len() < SUMMARIES_MAX {
            summaries.insert(view.clone(), summary);
        }
        summary
    }
}

/// Every environment of the installation. A new epoch means that revisions may have been used twice: they are only
/// comparable inside one.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) epoch: Uuid,
    pub(crate) environments: BTreeMap<Scope, Arc<EnvState>>,
}

impl State {
    /// An environment; unknown ones are empty, so that a gateway that still holds one is told to let go.
    pub(crate) fn environment(&self, scope: &Scope) -> Arc<EnvState> {
        self.environments.get(scope).cloned().unwrap_or_default()
    }
}
