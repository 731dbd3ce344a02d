//! One tailer per management node follows the deploy log and publishes the picture that all sessions share.
//!
//! It reads the heads, then the rows above its cursors, then waits for a hint or for the next poll. Hints only shorten
//! the wait. A gap, a revision that fell or a changed epoch means that its picture cannot be trusted: it loads anew.

use super::state::{EnvState, State};
use super::{jittered, store};
use crate::db::Db;
use crate::deploy_log::wake;
use crate::scope::Scope;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

/// Pause between two polls.
const POLL_PERIOD: Duration = Duration::from_secs(1);
/// The same while notifications do not arrive.
const POLL_PERIOD_WITHOUT_LISTENER: Duration = Duration::from_millis(250);
/// Share by which pauses differ, so that replicas spread.
const POLL_JITTER: f64 = 0.2;
/// A read of the store that takes longer has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait of a session for a fresh read.
const FRESH_TIMEOUT: Duration = Duration::from_secs(2);

/// The sessions' end of the tailer.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    db: Db,
    pub(super) state: watch::Receiver<Arc<State>>,
    /// True after the first complete load.
    pub(super) ready: watch::Receiver<bool>,
    /// False while the store cannot be read.
    pub(super) reachable: watch::Receiver<bool>,
    /// Completed reads.
    reads: watch::Receiver<u64>,
    hint: Arc<Notify>,
}

/// The tailer's own end.
pub(super) struct Tailer {
    db: Db,
    state: watch::Sender<Arc<State>>,
    ready: watch::Sender<bool>,
    reachable: watch::Sender<bool>,
    reads: watch::Sender<u64>,
    hint: Arc<Notify>,
    /// Whether notifications arrive; constantly true where there are none.
    listening: watch::Receiver<bool>,
}

impl Tail {
    pub(super) fn current(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    /// The state as read after this call began. `None`: the store did not answer in time.
    pub(super) async fn fresh(&self) -> Option<Arc<State>> {
        let mut reads = self.reads.clone();
        // The read under way may have begun before; the one after it did not.
        let wanted = *reads.borrow() + 2;
        let read = async {
            while *reads.borrow_and_update() < wanted {
                self.hint.notify_one();
                if reads.changed().await.is_err() {
                    return None;
                }
            }
            Some(self.current())
        };
        tokio::time::timeout(FRESH_TIMEOUT, read).await.ok().flatten()
    }

    /// Ends an epoch whose revisions were found to be used twice, and gives the state of the next one.
    pub(super) async fn end_epoch(&self, old: Uuid) -> Option<Arc<State>> {
        if let Err(error) = store::end_epoch(&self.db, old).await {
            warn!(error = format!("{error:#}"), "the epoch could not be ended");
            return None;
        }
        warn!(epoch = %old, "revisions were reused: a new epoch begins, gateways compare everything they hold");
        self.fresh().await
    }
}

impl Tailer {
    pub(super) fn new(db: Db, hint: Arc<Notify>, listening: watch::Receiver<bool>) -> (Tailer, Tail) {
        let (state, state_seen) = watch::channel(Arc::new(State::default()));
        let (ready, ready_seen) = watch::channel(false);
        let (reachable, reachable_seen) = watch::channel(true);
        let (reads, reads_seen) = watch::channel(0);
        let tail = Tail {
            db: db.clone(),
            state: state_seen,
            ready: ready_seen,
            reachable: reachable_seen,
            reads: reads_seen,
            hint: Arc::clone(&hint),
        };
        (Tailer { db, state, ready, reachable, reads, hint, listening }, tail)
    }

    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut commits = wake::commits();
        loop {
            commits.borrow_and_update();
            let read = tokio::time::timeout(READ_TIMEOUT, self.read()).await;
            let failure = match read {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(_) => Some(format!("no answer within {READ_TIMEOUT:?}")),
            };
            self.note(failure);
            let period = if *self.listening.borrow() { POLL_PERIOD } else { POLL_PERIOD_WITHOUT_LISTENER };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.hint.notified() => {}
                changed = commits.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(jittered(period, POLL_JITTER)) => {}
            }
        }
    }

    /// Logs the change between reachable and unreachable once.
    fn note(&self, failure: Option<String>) {
        let reachable = failure.is_none();
        let turned = self.reachable.send_replace(reachable) != reachable;
        match failure {
            None => {
                self.reads.send_modify(|reads| *reads += 1);
                if turned {
                    info!("the store answers again");
                }
            }
            Some(error) if turned => {
                warn!(error, "the deploy log cannot be read: gateways keep what they have")
            }
            Some(_) => {}
        }
    }

    async fn read(&self) -> sqlx::Result<()> {
        if !*self.ready.borrow() {
            store::ensure_epoch(&self.db).await?;
            return self.load().await;
        }
        let heads = store::heads(&self.db).await?;
        let known = Arc::clone(&self.state.borrow());
        if heads.epoch != known.epoch {
            return self.load().await;
        }
        let fell = known.environments.iter().find(|(scope, environment)| {
            heads.revisions.get(*scope).copied().unwrap_or(0) < environment.head
        });
        if let Some((scope, environment)) = fell {
            error!(environment = ?scope, cursor = environment.head, "the revision fell: the store was restored");
            store::end_epoch(&self.db, known.epoch).await?;
            return self.load().await;
        }
        let mut next = BTreeMap::new();
        for (scope, head) in &heads.revisions {
            let environment = known.environments.get(scope);
            if environment.is_none_or(|environment| environment.head < *head) {
                let Some(newer) = self.follow(scope, environment).await? else { return self.load().await };
                next.insert(scope.clone(), Arc::new(newer));
            }
        }
        if !next.is_empty() {
            let mut environments = known.environments.clone();
            environments.extend(next);
            self.state.send_replace(Arc::new(State { epoch: known.epoch, environments }));
        }
        Ok(())
    }

    /// The rows above the cursor. `None`: there is a gap, which the counter row makes impossible.
    async fn follow(&self, scope: &Scope, known: Option<&Arc<EnvState>>) -> sqlx::Result<Option<EnvState>> {
        let mut snapshot = store::snapshot(&self.db).await?;
        let Some(known) = known else {
            return environment(&mut snapshot, scope).await.map(Some);
        };
        let revisions = store::revisions_after(&mut snapshot, scope, known.head).await?;
        let contiguous = (known.head + 1..).zip(&revisions).all(|(expected, (found, _))| expected == *found);
        let Some((head, committed)) = revisions.last().copied().filter(|_| contiguous) else {
            metrics::counter!("tidegate_tail_gap_total").increment(1);
            error!(environment = ?scope, cursor = known.head, "the deploy log has a gap: loading everything");
            return Ok(None);
        };
        let rows = store::resources_after(&mut snapshot, scope, known.head).await?;
        Ok(Some(known.with(head, committed, rows)))
    }

    /// Everything, from one moment of the store.
    async fn load(&self) -> sqlx::Result<()> {
        let heads = store::heads(&self.db).await?;
        let mut snapshot = store::snapshot(&self.db).await?;
        let mut environments = BTreeMap::new();
        for scope in heads.revisions.into_keys() {
            let state = environment(&mut snapshot, &scope).await?;
            environments.insert(scope, Arc::new(state));
        }
        info!(environments = environments.len(), epoch = %heads.epoch, "the deploy log is loaded");
        self.state.send_replace(Arc::new(State { epoch: heads.epoch, environments }));
        self.ready.send_replace(true);
        Ok(())
    }
}

async fn environment(snapshot: &mut crate::db::Tx, scope: &Scope) -> sqlx::Result<EnvState> {
    let (head, committed) = store::head(snapshot, scope).await?;
    let rows = store::resources_after(snapshot, scope, 0).await?;
    Ok(EnvState::new(head, committed, rows))
}
