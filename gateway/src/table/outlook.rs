//! Whether the endpoints of deployed APIs serve, for the status of their deployments.
//!
//! An API is deployed whether they do or not, because brokers and backends come and go. Soon after it serves, and from
//! time to time then, brokers are asked, and what health checks know is looked at whenever it changes; an endpoint that
//! does not serve makes the deployment degraded until it does again. Nothing here changes what calls do.

use super::groups::{DeployedEndpoint, Groups};
use super::runtime::ApiRuntime;
use crate::endpoint::{Backend, Endpoint};
use crate::stop::Stop;
use crate::sync::{Degraded, ENDPOINT_UNAVAILABLE, Problem};
use definition::digest::Digest;
use futures::future::join_all;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Endpoints of one gateway that are asked at a time.
const ASKED_AT_A_TIME: usize = 16;
/// An endpoint answers within this time, or it does not.
const PATIENCE: Duration = Duration::from_secs(6);
/// Pause between two questions while everything answers.
const GOOD_PERIOD: Duration = Duration::from_secs(60);
/// The same while something does not: first, and greatest after it has doubled each time.
const BAD_PERIOD: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// Share by which pauses differ, so that APIs that were deployed together do not ask together.
const JITTER: f64 = 0.2;

/// What is known about the APIs of a gateway.
pub(super) struct Outlook {
    degraded: watch::Sender<Arc<Degraded>>,
    asking: Semaphore,
}

impl Default for Outlook {
    fn default() -> Self {
        Outlook { degraded: watch::Sender::default(), asking: Semaphore::new(ASKED_AT_A_TIME) }
    }
}

impl Outlook {
    /// What is known, as it changes.
    pub(super) fn degraded(&self) -> watch::Receiver<Arc<Degraded>> {
        self.degraded.subscribe()
    }

    /// Asks the endpoints of an API for as long as this version of it serves. `health`: told when a check takes an
    /// endpoint out or brings it back.
    pub(super) fn watch(self: &Arc<Self>, api: &ApiRuntime, digest: Digest, health: Arc<Notify>) {
        let mut endpoints = api.groups.0.iter().flat_map(|group| &group.endpoints);
        let says = |endpoint: &DeployedEndpoint| match endpoint.backend {
            Backend::Messages(_) => true,
            Backend::Http(_) => endpoint.check.is_some(),
        };
        if !endpoints.any(says) {
            return;
        }
        let watcher = Watcher {
            outlook: Arc::clone(self),
            api: Arc::clone(&api.facts.id),
            digest,
            groups: Arc::downgrade(&api.groups),
            health,
        };
        tokio::spawn(watcher.run(Arc::clone(&api.stop)));
    }

    fn set(&self, api: &str, digest: Digest, problem: Option<Problem>) {
        self.degraded.send_if_modified(|degraded| {
            let known = degraded.get(api);
            let same = known.is_some_and(|(known, _)| *known == digest);
            match problem {
                Some(problem) => {
                    let changed = known != Some(&(digest, problem.clone()));
                    if changed {
                        tracing::warn!(api.id = api, path = problem.path, "{}", problem.message);
                        Arc::make_mut(degraded).insert(api.to_owned(), (digest, problem));
                    }
                    changed
                }
                // Another version may have a problem of its own.
                None if same => {
                    Arc::make_mut(degraded).remove(api);
                    true
                }
                None => false,
            }
        });
    }
}

struct Watcher {
    outlook: Arc<Outlook>,
    api: Arc<str>,
    digest: Digest,
    /// Not held: an API that was dropped is watched no longer.
    groups: Weak<Groups>,
    health: Arc<Notify>,
}

impl Watcher {
    async fn run(self, stop: Arc<Stop>) {
        tokio::select! {
            () = self.ask() => {}
            _ = stop.wait() => {}
        }
        self.outlook.set(&self.api, self.digest, None);
    }

    async fn ask(&self) {
        let mut pause = BAD_PERIOD.0;
        loop {
            // What is not held while waiting does not keep a version alive that was replaced.
            let Some(groups) = self.groups.upgrade() else { return };
            let problem = self.look(&groups).await;
            drop(groups);
            let bad = problem.is_some();
            self.outlook.set(&self.api, self.digest, problem);
            let next = if bad { pause } else { GOOD_PERIOD };
            pause = if bad { (pause * 2).min(BAD_PERIOD.1) } else { BAD_PERIOD.0 };
            tokio::select! {
                () = sleep(next.mul_f64(1.0 + JITTER * rand::random_range(-1.0..=1.0))) => {}
                () = self.health.notified() => {}
            }
        }
    }

    /// The first endpoint with a problem, and how many more there are.
    async fn look(&self, groups: &Groups) -> Option<Problem> {
        let endpoints = groups
            .0
            .iter()
            .enumerate()
            .flat_map(|(index, group)| group.endpoints.iter().map(move |endpoint| (index, endpoint)));
        let asked = endpoints.map(|(index, endpoint)| self.one(index, endpoint));
        let mut problems = join_all(asked).await.into_iter().flatten();
        let mut first = problems.next()?;
        match problems.count() {
            0 => {}
            more => first.message.push_str(&format!(" (and {more} more of its endpoints)")),
        }
        Some(first)
    }

    async fn one(&self, group: usize, endpoint: &DeployedEndpoint) -> Option<Problem> {
        let message = match &endpoint.backend {
            // It gets no calls, whatever it would say.
            _ if !endpoint.health.is_available() => "its health check fails".to_owned(),
            Backend::Http(_) => return None,
            Backend::Messages(backend) => self.probe(backend).await?,
        };
        let name = &endpoint.name;
        Some(Problem {
            code: ENDPOINT_UNAVAILABLE.to_owned(),
            path: format!("endpointGroups[{group}]"),
            message: format!("the API serves, but its endpoint `{name}` does not: {message}"),
        })
    }

    /// Why a broker does not answer.
    async fn probe(&self, backend: &Arc<dyn Endpoint>) -> Option<String> {
        let _turn = self.outlook.asking.acquire().await.ok()?;
        match timeout(PATIENCE, backend.probe()).await {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure.message.into_owned()),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(message: &str) -> Option<Problem> {
        Some(Problem { code: "C".into(), path: String::new(), message: message.into() })
    }

    #[test]
    fn a_version_speaks_for_itself_alone() {
        let outlook = Outlook::default();
        let mut news = outlook.degraded();
        let known = |news: &mut watch::Receiver<Arc<Degraded>>| {
            let changed = news.has_changed().unwrap();
            let degraded = news.borrow_and_update();
            (changed, degraded.get("a").map(|(digest, problem)| (digest[0], problem.message.clone())))
        };
        outlook.set("a", [1; 32], problem("x"));
        assert_eq!(known(&mut news), (true, Some((1, "x".into()))));
        outlook.set("a", [1; 32], problem("x"));
        assert!(!known(&mut news).0, "nothing new");
        outlook.set("a", [2; 32], problem("y"));
        outlook.set("a", [1; 32], None);
        assert_eq!(known(&mut news), (true, Some((2, "y".into()))), "the old version is not asked any more");
        outlook.set("a", [2; 32], None);
        assert_eq!(known(&mut news), (true, None));
    }
}
