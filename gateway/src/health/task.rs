//! The task that checks one endpoint on its schedule for as long as its version of the API serves.

use super::{Check, Client, State, measure, probe};
use crate::stop::Stop;
use crate::table::facts::ApiFacts;
use crate::table::groups::{DeployedEndpoint, DeployedGroup, Groups};
use chrono::{TimeDelta, Utc};
use rand::random_range;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Checks of one second are spread over this time, so that not every endpoint of every node is asked at once,
/// milliseconds.
const JITTER_MAX_MS: i64 = 900;

/// The check of one endpoint.
pub(super) struct Task {
    pub(super) api: Arc<ApiFacts>,
    /// Not held: an API that was dropped is checked no longer.
    pub(super) groups: Weak<Groups>,
    /// Index of the group, and of the endpoint within it.
    pub(super) place: (usize, usize),
    pub(super) client: Arc<Client>,
    /// Told when the endpoint is taken out or brought back.
    pub(super) changed: Arc<Notify>,
}

impl Task {
    /// Checks until the API stops.
    pub(super) async fn run(self, stop: Arc<Stop>) {
        let jitter = TimeDelta::milliseconds(random_range(0..=JITTER_MAX_MS));
        let checks = async { while self.once(jitter).await.is_some() {} };
        tokio::select! {
            () = checks => {}
            _ = stop.wait() => {}
        }
    }

    /// Waits for the next time of the schedule and checks. `None`: there is nothing to check any more.
    async fn once(&self, jitter: TimeDelta) -> Option<()> {
        let pause = {
            let groups = self.groups.upgrade()?;
            let check = self.find(&groups)?.2;
            until_next(check, jitter)?
        };
        // What is not held while waiting does not keep a version alive that was replaced.
        tokio::time::sleep(pause).await;
        let groups = self.groups.upgrade()?;
        let (group, endpoint, check) = self.find(&groups)?;
        let result = probe::run(&self.api, &endpoint.backend, check, &self.client).await;
        let (before, after) = endpoint.health.report(result.is_ok(), check.thresholds());
        if before == after {
            return Some(());
        }
        let (api, group_name, endpoint_name) = (&*self.api.id, &group.name, &endpoint.name);
        let (from, to) = (before.label(), after.label());
        match &result {
            Ok(()) => tracing::info!(
                api.id = api,
                group = group_name,
                endpoint = endpoint_name,
                from,
                to,
                "the health of an endpoint changed"
            ),
            Err(reason) => tracing::warn!(
                api.id = api,
                group = group_name,
                endpoint = endpoint_name,
                from,
                to,
                "a health check failed: {reason}"
            ),
        }
        if (before == State::Down) != (after == State::Down) {
            group.refresh();
            measure(api, group_name, endpoint_name, after != State::Down);
            self.changed.notify_one();
        }
        Some(())
    }

    fn find<'g>(&self, groups: &'g Groups) -> Option<(&'g DeployedGroup, &'g DeployedEndpoint, &'g Check)> {
        let group = groups.0.get(self.place.0)?;
        let endpoint = group.endpoints.get(self.place.1)?;
        Some((group, endpoint, endpoint.check.as_ref()?))
    }
}

/// Time until the next check; `None`: the schedule has no further time.
fn until_next(check: &Check, jitter: TimeDelta) -> Option<Duration> {
    let now = Utc::now();
    let next = check.schedule.find_next_occurrence(&(now - jitter), false).ok()? + jitter;
    Some((next - now).to_std().unwrap_or_default())
}
