//! The dispatcher: one task that compares what is owned, subscribed and deployed with what runs, whenever any of it
//! changes, and starts and stops runs. It waits for nothing but the comparison's own reads.

use super::decide::{Decision, decide};
use super::supervise::{PATIENCE, supervise};
use crate::consumers::now_ms;
use crate::entrypoint::webhook::{self, Ended, PushRun};
use crate::sync::{Assigned, Assignments};
use crate::table::Table;
use crate::table::runtime::ApiRuntime;
use definition::consumer::{PushState, SubscriptionResource};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Longest pause between two comparisons, milliseconds: the clock may be set while this sleeps.
const LOOK_AT_LEAST_EVERY_MS: i64 = 10_000;

/// What a run runs; another one of either is another run.
#[derive(Clone)]
struct Target {
    subscription: Arc<SubscriptionResource>,
    api: Arc<ApiRuntime>,
}

impl Target {
    fn is(&self, other: &Target) -> bool {
        Arc::ptr_eq(&self.api, &other.api) && self.subscription == other.subscription
    }
}

struct Run {
    assigned: Assigned,
    target: Target,
    stop: CancellationToken,
}

struct Dispatcher {
    table: Arc<Table>,
    assignments: Arc<Assignments>,
    tasks: JoinSet<Ended>,
    by_task: HashMap<Id, String>,
    /// What runs, or is about to end, by subscription.
    runs: BTreeMap<String, Run>,
    /// What is over for good as it was: it begins again when something of it changes.
    over: BTreeMap<String, (Assigned, Target)>,
}

/// Runs push subscriptions until `shutdown`, then ends them and gives them back.
pub(crate) async fn dispatch(table: Arc<Table>, shutdown: CancellationToken) {
    let assignments = Arc::clone(table.assignments());
    let mut dispatcher = Dispatcher {
        table: Arc::clone(&table),
        assignments: Arc::clone(&assignments),
        tasks: JoinSet::new(),
        by_task: HashMap::new(),
        runs: BTreeMap::new(),
        over: BTreeMap::new(),
    };
    loop {
        let now = now_ms();
        let next = dispatcher.compare(now).await;
        let pause = next.map_or(LOOK_AT_LEAST_EVERY_MS, |next| (next - now).clamp(1, LOOK_AT_LEAST_EVERY_MS));
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = assignments.changed() => {}
            () = table.applied() => {}
            Some(ended) = dispatcher.tasks.join_next_with_id() => dispatcher.ended(ended),
            () = tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())) => {}
        }
    }
    dispatcher.drain().await;
}

impl Dispatcher {
    /// Starts and stops what has to be. Answers when the clock alone makes another comparison necessary.
    async fn compare(&mut self, now: i64) -> Option<i64> {
        let held = self.assignments.held();
        for (id, run) in self.runs.iter().filter(|(id, run)| held.get(*id) != Some(&run.assigned)) {
            info!(subscription = id, "a push subscription is no longer this gateway's");
            run.stop.cancel();
        }
        self.over.retain(|id, (assigned, _)| held.get(id) == Some(assigned));
        let mut next: Option<i64> = None;
        for (id, assigned) in held {
            let at = self.compare_one(&id, assigned, now).await;
            next = next.into_iter().chain(at).min();
        }
        metrics::gauge!("tidegate_gateway_push_running").set(self.runs.len() as f64);
        next
    }

    async fn compare_one(&mut self, id: &str, assigned: Assigned, now: i64) -> Option<i64> {
        let subscription = self.table.consumers().pushed(id);
        let api = match &subscription {
            Some(subscription) => self.table.api(&subscription.api).await,
            None => None,
        };
        let takes = subscription
            .as_ref()
            .zip(api.as_ref())
            .map(|(subscription, api)| webhook::takes(api, subscription));
        let decision = decide(subscription.as_deref(), takes, now);
        let (at, state, reason) = match (decision, subscription.zip(api)) {
            (Decision::Run { until_ms }, Some((subscription, api))) => {
                self.run(id, assigned, Target { subscription, api });
                return until_ms;
            }
            (Decision::Wait { from_ms, reason }, _) => (from_ms, PushState::Waiting, reason),
            (Decision::Fail { reason }, _) => (None, PushState::Failed, reason),
            // Not possible: it runs only with both.
            (Decision::Run { .. }, None) => return None,
        };
        self.over.remove(id);
        match self.runs.get(id) {
            Some(run) => run.stop.cancel(),
            None => self.assignments.report(&assigned, state, reason),
        }
        at
    }

    /// Sees to it that a subscription runs like this. A run that is another one ends first.
    fn run(&mut self, id: &str, assigned: Assigned, target: Target) {
        if let Some(run) = self.runs.get(id) {
            if run.assigned != assigned || !run.target.is(&target) {
                run.stop.cancel();
            }
            return;
        }
        let over = self.over.get(id);
        if over.is_some_and(|(before, was)| *before == assigned && was.is(&target)) {
            return;
        }
        self.over.remove(id);
        info!(subscription = id, generation = assigned.generation, api.id = %target.api.facts.id,
            "a push subscription starts");
        let stop = CancellationToken::new();
        let task = self.tasks.spawn({
            let (assigned, target, stop) = (assigned.clone(), target.clone(), stop.clone());
            let assignments = Arc::clone(&self.assignments);
            async move {
                let once = || {
                    let Target { subscription, api } = target.clone();
                    webhook::run(PushRun { api, subscription, stop: stop.clone() })
                };
                let tell = |state, reason: &str| assignments.report(&assigned, state, reason);
                supervise(once, &stop, tell, &PATIENCE).await
            }
        });
        self.by_task.insert(task.id(), id.to_owned());
        self.runs.insert(id.to_owned(), Run { assigned, target, stop });
    }

    /// Takes the end of a run in. What is still wanted begins again with the next comparison.
    fn ended(&mut self, ended: Result<(Id, Ended), tokio::task::JoinError>) {
        let (task, ended) = match ended {
            Ok((task, ended)) => (task, ended),
            Err(join) => {
                error!(error = %join, "the task of a push subscription broke");
                let reason = "the gateway could not deliver because of a defect of its own: please report it";
                (join.id(), Ended::Failed { reason: reason.to_owned(), retryable: false })
            }
        };
        let Some(id) = self.by_task.remove(&task) else { return };
        let Some(run) = self.runs.remove(&id) else { return };
        let asked = run.stop.is_cancelled();
        match ended {
            Ended::Stopped => info!(subscription = id, "a push subscription stopped"),
            Ended::Completed => {
                info!(subscription = id, "a push subscription is complete");
                self.assignments.report(&run.assigned, PushState::Completed, "");
                if !asked {
                    self.over.insert(id, (run.assigned, run.target));
                }
            }
            // Whatever went wrong while it was stopped is told by the next run, if it goes wrong again.
            Ended::Failed { reason, .. } if asked => {
                info!(subscription = id, reason, "a push subscription failed while it was stopped");
            }
            Ended::Failed { reason, .. } => {
                warn!(subscription = id, reason, "a push subscription failed");
                metrics::counter!("tidegate_gateway_push_failures_total").increment(1);
                self.assignments.report(&run.assigned, PushState::Failed, &reason);
                self.over.insert(id, (run.assigned, run.target));
            }
        }
    }

    /// Ends everything, each within the grace of a run, and gives each back as soon as it has ended.
    async fn drain(mut self) {
        self.assignments.drain();
        for (id, assigned) in self.assignments.held() {
            match self.runs.get(&id) {
                Some(run) => run.stop.cancel(),
                None => self.assignments.release(&assigned),
            }
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let task = match &ended {
                Ok((task, _)) => *task,
                Err(join) => join.id(),
            };
            let assigned =
                self.by_task.get(&task).and_then(|id| self.runs.get(id)).map(|run| run.assigned.clone());
            self.ended(ended);
            if let Some(assigned) = assigned {
                self.assignments.release(&assigned);
            }
            metrics::gauge!("tidegate_gateway_push_running").set(self.runs.len() as f64);
        }
    }
}
