//! What the gateway tells about its own synchronisation: readiness, age and counts, for the node API and for metrics.

use super::holdings::Holdings;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the age is measured.
const AGE_PERIOD: Duration = Duration::from_secs(5);
/// Age from which the log warns.
const STALE_WARNING: Duration = Duration::from_secs(15 * 60);

/// One environment as held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentStatus {
    /// `<organization>/<environment>`.
    pub name: String,
    /// Revision that everything held corresponds to.
    pub revision: u64,
    /// Revision that management has, as last heard.
    pub head: u64,
    /// Resources held, refused ones included.
    pub resources: usize,
    pub rejected: usize,
    pub degraded: usize,
}

/// The state of the synchronisation.
#[derive(Debug, Clone, Default)]
pub struct SyncStatus {
    /// Management node with which there is a session.
    pub connected: Option<String>,
    /// Last message from management.
    pub last_contact: Option<Instant>,
    /// Why there is no session.
    pub last_error: Option<String>,
    pub environments: Vec<EnvironmentStatus>,
}

impl SyncStatus {
    /// Time since management was last heard of; `None` before the first contact.
    pub fn staleness(&self) -> Option<Duration> {
        self.last_contact.map(|at| at.elapsed())
    }
}

/// The writing end.
pub(super) struct Publisher {
    ready: watch::Sender<bool>,
    status: watch::Sender<SyncStatus>,
}

impl Publisher {
    pub(super) fn new() -> (Self, watch::Receiver<bool>, watch::Receiver<SyncStatus>) {
        let (ready, ready_seen) = watch::channel(false);
        let (status, status_seen) = watch::channel(SyncStatus::default());
        (Publisher { ready, status }, ready_seen, status_seen)
    }

    /// The first reconciliation is complete. Never taken back: what was applied keeps serving.
    pub(super) fn ready(&self) {
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }

    pub(super) fn connected(&self, address: &str) {
        metrics::counter!("tidegate_sync_connects_total").increment(1);
        metrics::gauge!("tidegate_sync_connected").set(1.0);
        self.status.send_modify(|status| {
            status.connected = Some(address.to_owned());
            status.last_error = None;
        });
    }

    /// True when the error is a new one, to be logged.
    pub(super) fn disconnected(&self, error: &str) -> bool {
        metrics::gauge!("tidegate_sync_connected").set(0.0);
        let mut new = false;
        self.status.send_modify(|status| {
            new = status.connected.is_some() || status.last_error.as_deref() != Some(error);
            status.connected = None;
            status.last_error = Some(error.to_owned());
        });
        new
    }

    pub(super) fn heard(&self) {
        self.status.send_modify(|status| status.last_contact = Some(Instant::now()));
    }

    pub(super) fn held(&self, holdings: &Holdings) {
        let environments = holdings.statuses();
        for environment in &environments {
            let name = environment.name.clone();
            metrics::gauge!("tidegate_gateway_revision_lag", "environment" => name.clone())
                .set(environment.head.saturating_sub(environment.revision) as f64);
            let refused = [("rejected", environment.rejected), ("degraded", environment.degraded)];
            let active = environment.resources - environment.rejected - environment.degraded;
            for (level, count) in [("active", active)].into_iter().chain(refused) {
                metrics::gauge!("tidegate_gateway_resources", "environment" => name.clone(), "level" => level)
                    .set(count as f64);
            }
        }
        self.status.send_modify(|status| status.environments = environments);
    }

    /// Measures the age for ever, and warns once per outage.
    pub(super) fn age(&self) -> impl Future<Output = ()> + use<> {
        let status = self.status.subscribe();
        async move {
            let mut warned = false;
            let mut tick = tokio::time::interval(AGE_PERIOD);
            loop {
                tick.tick().await;
                let Some(age) = status.borrow().staleness() else { continue };
                metrics::gauge!("tidegate_gateway_staleness_seconds").set(age.as_secs_f64());
                let stale = age > STALE_WARNING;
                if stale && !warned {
                    tracing::warn!(
                        age_s = age.as_secs(),
                        "management was not heard of for long: serving what is held"
                    );
                }
                warned = stale;
            }
        }
    }
}
