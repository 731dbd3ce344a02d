//! The sessions of this replica, at most one per node id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Sessions of one management node.
const SESSIONS_MAX: usize = 4_096;

struct Live {
    session: u64,
    process: String,
    incarnation: u64,
    cut: CancellationToken,
}

#[derive(Default)]
struct Sessions {
    last: u64,
    live: HashMap<String, Live>,
}

#[derive(Default)]
pub(crate) struct Registry(Mutex<Sessions>);

/// The right to be a node's session, given back when dropped.
pub(crate) struct Admission {
    registry: Arc<Registry>,
    node: String,
    pub(crate) session: u64,
    /// Cancelled when a newer session of the node takes over.
    pub(crate) cut: CancellationToken,
}

/// Why a node gets no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another process with the same node id lives.
    Duplicate,
    /// There are too many sessions.
    Full,
}

impl Registry {
    /// Admits the same process again (it reconnected before its old session was missed) and a newer process of the
    /// node; both end the old session. A second copy, or an older process, is refused.
    pub(crate) fn admit(
        self: &Arc<Self>,
        node: &str,
        process: &str,
        incarnation: u64,
    ) -> Result<Admission, Refusal> {
        let mut sessions = self.sessions();
        if let Some(live) = sessions.live.get(node) {
            let same_process = !process.is_empty() && live.process == process;
            if !same_process && incarnation <= live.incarnation {
                return Err(Refusal::Duplicate);
            }
            live.cut.cancel();
        } else if sessions.live.len() >= SESSIONS_MAX {
            return Err(Refusal::Full);
        }
        sessions.last += 1;
        let (session, cut) = (sessions.last, CancellationToken::new());
        let live = Live { session, process: process.to_owned(), incarnation, cut: cut.clone() };
        sessions.live.insert(node.to_owned(), live);
        metrics::gauge!("tidegate_sync_sessions").set(sessions.live.len() as f64);
        Ok(Admission { registry: Arc::clone(self), node: node.to_owned(), session, cut })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut sessions = self.registry.sessions();
        if sessions.live.get(&self.node).is_some_and(|live| live.session == self.session) {
            sessions.live.remove(&self.node);
        }
        metrics::gauge!("tidegate_sync_sessions").set(sessions.live.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_per_node_and_the_newest_process_wins() {
        let registry = Arc::new(Registry::default());
        let first = registry.admit("n", "p", 5).unwrap();
        assert_eq!(registry.admit("n", "copy", 5).err(), Some(Refusal::Duplicate));
        assert_eq!(registry.admit("n", "older", 4).err(), Some(Refusal::Duplicate));
        assert_eq!(registry.admit("n", "", 5).err(), Some(Refusal::Duplicate));
        let again = registry.admit("n", "p", 5).unwrap();
        assert!(first.cut.is_cancelled() && !again.cut.is_cancelled());
        drop(first);
        assert_eq!(registry.admit("n", "copy", 5).err(), Some(Refusal::Duplicate));
        let newer = registry.admit("n", "next", 6).unwrap();
        assert!(again.cut.is_cancelled());
        drop((again, newer));
        assert!(registry.admit("n", "copy", 1).is_ok());
    }
}
