//! The task of every management node that keeps each push subscription with an owner: says which gateways it hears,
//! stores what they report, decides, and publishes the picture that sessions tell their gateways.
//!
//! Notifications and commits only shorten the wait. While the store cannot be read nothing is decided, and afterwards
//! nobody is taken for dead until every management node has had the time to say whom it hears.

use super::roll::{Report, Roll};
use super::{Owned, Picture, Seen, assign, store};
use crate::db::Db;
use crate::deploy_log::wake;
use crate::subscriptions::failure;
use crate::sync::jittered;
use chrono::{DateTime, TimeDelta, Utc};
use definition::consumer::{PUSH_LEASE_MS, PushState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Longest pause between two looks.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Share by which pauses differ, so that replicas spread.
const LOOK_JITTER: f64 = 0.2;
/// Shortest pause between two looks: what a busy time costs the store is bounded.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// A look that takes longer has failed.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the store hears who lives; well below the time of a lease.
const RENEW_PERIOD: Duration = Duration::from_secs(2);
/// How long nobody is taken for dead after the store was away, or after the start.
const TRUST: Duration = Duration::from_millis(PUSH_LEASE_MS);
/// Gateways are forgotten this long after their leases ended.
const NODES_KEPT: TimeDelta = TimeDelta::hours(1);
/// How often gateways are forgotten.
const PURGE_PERIOD: Duration = Duration::from_secs(600);

/// The keeper of one management node.
pub(crate) struct Keeper {
    db: Db,
    roll: Arc<Roll>,
    picture: watch::Sender<Seen>,
    /// Another management node may have changed something.
    hint: Arc<Notify>,
    renewed: Option<Instant>,
    purged: Option<Instant>,
    /// There was something to own. Who owns nothing need not be known to live, which spares the store.
    busy: bool,
    /// Since when every look succeeded.
    steady: Option<Instant>,
}

impl Keeper {
    pub(crate) fn new(db: Db, roll: Arc<Roll>, hint: Arc<Notify>) -> (Keeper, watch::Receiver<Seen>) {
        let (picture, seen) = watch::channel(None);
        (Keeper { db, roll, picture, hint, renewed: None, purged: None, busy: false, steady: None }, seen)
    }

    /// Keeps until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut commits = wake::commits();
        let mut failing = false;
        let roll = Arc::clone(&self.roll);
        let hint = Arc::clone(&self.hint);
        let mut news = true;
        loop {
            commits.borrow_and_update();
            let look = tokio::time::timeout(LOOK_TIMEOUT, self.look(news)).await;
            let failure = match look {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(_) => Some(format!("no answer within {LOOK_TIMEOUT:?}")),
            };
            match failure {
                None => {
                    self.steady.get_or_insert_with(Instant::now);
                    if std::mem::replace(&mut failing, false) {
                        info!("owners of push subscriptions are kept again");
                    }
                }
                Some(error) => {
                    self.steady = None;
                    if !std::mem::replace(&mut failing, true) {
                        warn!(error, "owners of push subscriptions cannot be kept: everybody goes on as is");
                    }
                }
            }
            tokio::time::sleep(LOOK_PAUSE).await;
            news = tokio::select! {
                () = shutdown.cancelled() => return,
                () = roll.news.notified() => true,
                () = hint.notified() => false,
                changed = commits.changed() => if changed.is_err() { return } else { false },
                () = tokio::time::sleep(jittered(LOOK_PERIOD, LOOK_JITTER)) => false,
            };
        }
    }

    /// One look: tells the store what this node knows, decides, and publishes. `news`: the roll changed.
    pub(super) async fn look(&mut self, news: bool) -> anyhow::Result<()> {
        let now = store::now(&self.db).await?;
        if self.busy && (news || self.renewed.is_none_or(|at| at.elapsed() >= RENEW_PERIOD)) {
            self.renew(now).await?;
        }
        for owner in self.roll.gone() {
            store::forget(&self.db, &owner).await?;
            self.roll.forgotten(&owner);
        }
        for report in self.roll.reports() {
            match self.take(&report).await {
                Ok(()) => self.roll.settled(&report),
                // One that cannot be stored must not keep the others from having owners; the next look tries again.
                Err(error) => {
                    warn!(subscription = %report.subscription, error = format!("{error:#}"),
                        "what a gateway reports cannot be stored");
                }
            }
        }
        let (mut nodes, mut leases) = store::read(&self.db, now).await?;
        if !std::mem::replace(&mut self.busy, !leases.is_empty()) && self.busy {
            self.renew(now).await?;
            (nodes, leases) = store::read(&self.db, now).await?;
        }
        let judge = self.steady.is_some_and(|since| since.elapsed() >= TRUST);
        let moves = assign::assign(&nodes, &leases, judge);
        if !moves.is_empty() {
            self.apply(&moves).await?;
            leases = store::read(&self.db, now).await?.1;
        }
        self.publish(&leases);
        Ok(())
    }

    /// Tells the store whom this node hears.
    async fn renew(&mut self, now: DateTime<Utc>) -> sqlx::Result<()> {
        store::renew(&self.db, now, &self.roll.rows(now)).await?;
        self.renewed = Some(Instant::now());
        if self.purged.is_none_or(|at| at.elapsed() >= PURGE_PERIOD) {
            store::purge(&self.db, now - NODES_KEPT).await?;
            self.purged = Some(Instant::now());
        }
        Ok(())
    }

    async fn apply(&self, moves: &[assign::Move]) -> sqlx::Result<()> {
        let now = store::now(&self.db).await?;
        let mut done = 0;
        for change in moves {
            if store::give(&self.db, change, now).await? {
                done += 1;
                let node = change.to.as_ref().map_or("nobody", |owner| &owner.node);
                info!(subscription = %change.subscription, node, "a push subscription has another owner");
            }
        }
        if done > 0 {
            metrics::counter!("tidegate_push_moves_total").increment(done);
            store::notify(&self.db).await?;
        }
        Ok(())
    }

    /// Makes the store say what a gateway reported.
    async fn take(&self, report: &Report) -> anyhow::Result<()> {
        let now = store::now(&self.db).await?;
        match report.state {
            PushState::Failed => failure::record(&self.db, report, now).await,
            PushState::Waiting
            | PushState::Running
            | PushState::Retrying
            | PushState::Completed
            | PushState::Released => Ok(store::note(&self.db, report, now).await?),
        }
    }

    fn publish(&self, leases: &[assign::Lease]) {
        let mut picture = Picture::default();
        let mut unowned = 0;
        for lease in leases.iter().filter(|lease| lease.wanted) {
            let Some(owner) = &lease.owner else {
                unowned += 1;
                continue;
            };
            let owned = Owned { environment: lease.environment.clone(), generation: lease.generation };
            picture.owned.entry(owner.clone()).or_default().insert(lease.subscription, owned);
        }
        metrics::gauge!("tidegate_push_unowned").set(f64::from(unowned));
        self.picture.send_if_modified(|seen| {
            let news = seen.as_deref() != Some(&picture);
            if news {
                *seen = Some(Arc::new(picture));
            }
            news
        });
    }
}
