//! The push subscriptions that management gave to this gateway, between the session that hears of them and the
//! dispatcher that runs them.
//!
//! They outlive sessions: a gateway that is cut off keeps what it has. When a session begins management is told all of
//! it, and takes back what is somebody else's by then.

use definition::consumer::PushState;
use proto::sync::v1::{Assign, Revoke, SubscriptionStatus};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tracing::warn;

/// Push subscriptions of one gateway.
const ASSIGNED_MAX: usize = 100_000;

/// A push subscription that this gateway owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) subscription: String,
    /// `<organization>/<environment>`, as management named it.
    pub(crate) environment: String,
    pub(crate) generation: u64,
}

struct Held {
    environment: String,
    generation: u64,
    state: PushState,
    reason: String,
    /// Management has heard it.
    told: bool,
}

#[derive(Default)]
struct Pages {
    /// By subscription.
    held: BTreeMap<String, Held>,
    /// Given back, and management has not heard it.
    released: BTreeMap<String, SubscriptionStatus>,
    draining: bool,
    /// Management has heard that this gateway drains.
    draining_told: bool,
}

/// What this gateway owns.
#[derive(Default)]
pub struct Assignments {
    pages: Mutex<Pages>,
    /// For the dispatcher.
    changed: Notify,
    /// For the session.
    news: Notify,
}

impl Assignments {
    /// Everything that is owned, by subscription.
    pub(crate) fn held(&self) -> BTreeMap<String, Assigned> {
        let pages = self.pages();
        let assigned = |(subscription, held): (&String, &Held)| {
            let assigned = Assigned {
                subscription: subscription.clone(),
                environment: held.environment.clone(),
                generation: held.generation,
            };
            (subscription.clone(), assigned)
        };
        pages.held.iter().map(assigned).collect()
    }

    /// Something was given or taken since this was last awaited.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What became of a subscription; nothing if it is not this gateway's any more.
    pub(crate) fn report(&self, assigned: &Assigned, state: PushState, reason: &str) {
        let mut pages = self.pages();
        let held = pages.held.get_mut(&assigned.subscription);
        let Some(held) = held.filter(|held| held.generation == assigned.generation) else { return };
        if (held.state, held.reason.as_str()) != (state, reason) {
            (held.state, held.reason, held.told) = (state, reason.to_owned(), false);
            drop(pages);
            self.news.notify_one();
        }
    }

    /// This gateway is about to stop: it takes nothing more, and gives back what it has one by one.
    pub(crate) fn drain(&self) {
        self.pages().draining = true;
        self.news.notify_one();
    }

    /// Gives a subscription back that no longer runs here.
    pub(crate) fn release(&self, assigned: &Assigned) {
        let mut pages = self.pages();
        let Some(held) = pages.held.remove(&assigned.subscription) else { return };
        let held = Held { state: PushState::Released, reason: String::new(), ..held };
        let status = status(&assigned.subscription, &held);
        pages.released.insert(assigned.subscription.clone(), status);
        drop(pages);
        self.news.notify_one();
    }

    /// Management gives a subscription. An older gift than the one that is held means nothing.
    pub(super) fn assign(&self, assign: Assign) {
        let Assign { environment, subscription, generation, expires_unix_ms: _ } = assign;
        let mut pages = self.pages();
        if pages.held.get(&subscription).is_some_and(|held| held.generation >= generation) {
            return;
        }
        let held =
            Held { environment, generation, state: PushState::Waiting, reason: String::new(), told: true };
        if pages.draining {
            let status = status(&subscription, &Held { state: PushState::Released, ..held });
            pages.released.insert(subscription, status);
            drop(pages);
            self.news.notify_one();
            return;
        }
        if pages.held.len() >= ASSIGNED_MAX && !pages.held.contains_key(&subscription) {
            warn!(subscription, "this gateway has {ASSIGNED_MAX} push subscriptions and takes no more");
            return;
        }
        pages.released.remove(&subscription);
        pages.held.insert(subscription, held);
        drop(pages);
        self.changed.notify_one();
    }

    /// Management takes a subscription away, unless it was given again since.
    pub(super) fn revoke(&self, revoke: &Revoke) {
        let mut pages = self.pages();
        let held = pages.held.get(&revoke.subscription);
        if held.is_some_and(|held| held.generation <= revoke.generation) {
            pages.held.remove(&revoke.subscription);
            drop(pages);
            self.changed.notify_one();
        }
    }

    /// Forgets what management has heard, because a session begins.
    pub(super) fn begin(&self) {
        let mut pages = self.pages();
        pages.held.values_mut().for_each(|held| held.told = false);
        pages.draining_told = false;
        drop(pages);
        self.news.notify_one();
    }

    /// Management has not heard everything.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// What management has not heard, which counts as told from here on. With true first when this gateway drains.
    pub(super) fn take_news(&self) -> (bool, Vec<SubscriptionStatus>) {
        let mut pages = self.pages();
        let drains = pages.draining && !std::mem::replace(&mut pages.draining_told, true);
        let mut statuses: Vec<_> = std::mem::take(&mut pages.released).into_values().collect();
        for (subscription, held) in pages.held.iter_mut().filter(|(_, held)| !held.told) {
            held.told = true;
            statuses.push(status(subscription, held));
        }
        (drains, statuses)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.pages().draining
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status(subscription: &str, held: &Held) -> SubscriptionStatus {
    SubscriptionStatus {
        environment: held.environment.clone(),
        subscription: subscription.to_owned(),
        generation: held.generation,
        state: held.state.label().to_owned(),
        reason: held.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn give(assignments: &Assignments, subscription: &str, generation: u64) {
        let (environment, subscription) = ("o/e".to_owned(), subscription.to_owned());
        assignments.assign(Assign { environment, subscription, generation, expires_unix_ms: 0 });
    }

    fn take(assignments: &Assignments, subscription: &str, generation: u64) {
        let (environment, subscription) = ("o/e".to_owned(), subscription.to_owned());
        assignments.revoke(&Revoke { environment, subscription, generation });
    }

    fn held(assignments: &Assignments) -> Vec<String> {
        let held = assignments.held().into_values();
        held.map(|assigned| format!("{}@{}", assigned.subscription, assigned.generation)).collect()
    }

    fn news(assignments: &Assignments) -> Vec<String> {
        let (drains, statuses) = assignments.take_news();
        let text = |status: SubscriptionStatus| {
            format!("{}@{} {}", status.subscription, status.generation, status.state)
        };
        drains.then(|| "drains".to_owned()).into_iter().chain(statuses.into_iter().map(text)).collect()
    }

    #[test]
    fn only_the_newest_gift_counts() {
        let assignments = Assignments::default();
        give(&assignments, "s", 2);
        give(&assignments, "s", 1);
        assert_eq!(held(&assignments), ["s@2"]);
        take(&assignments, "s", 1);
        assert_eq!(held(&assignments), ["s@2"]);
        give(&assignments, "s", 3);
        assert_eq!(held(&assignments), ["s@3"]);
        take(&assignments, "s", 3);
        take(&assignments, "s", 3);
        assert_eq!(held(&assignments), Vec::<String>::new());
    }

    #[test]
    fn a_session_hears_everything_once_and_a_new_one_again() {
        let assignments = Assignments::default();
        give(&assignments, "s", 1);
        assert_eq!(news(&assignments), Vec::<String>::new());
        let assigned = assignments.held().remove("s").unwrap();
        assignments.report(&assigned, PushState::Failed, "why");
        assignments.report(&assigned, PushState::Failed, "why");
        assert_eq!(news(&assignments), ["s@1 failed"]);
        assert_eq!(news(&assignments), Vec::<String>::new());
        assignments.begin();
        assert_eq!(news(&assignments), ["s@1 failed"]);
        give(&assignments, "s", 2);
        assignments.report(&assigned, PushState::Running, "");
        assert_eq!(news(&assignments), Vec::<String>::new(), "an earlier generation says nothing");
    }

    #[test]
    fn who_drains_gives_everything_back_and_takes_nothing() {
        let assignments = Assignments::default();
        give(&assignments, "s", 1);
        give(&assignments, "t", 1);
        assignments.drain();
        assert_eq!(news(&assignments), ["drains"]);
        let assigned = assignments.held().remove("s").unwrap();
        assignments.release(&assigned);
        give(&assignments, "u", 5);
        assert_eq!(news(&assignments), ["s@1 released", "u@5 released"]);
        assert_eq!(held(&assignments), ["t@1"]);
        assignments.begin();
        assert_eq!(news(&assignments), ["drains", "t@1 waiting"]);
    }
}
