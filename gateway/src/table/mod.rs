//! What this node serves: deployed APIs by id, and the routing table made of them.
//!
//! Requests read an immutable snapshot. A batch of changes builds every new runtime beside the old ones, then
//! publishes one new snapshot, then tells the streams of what was replaced or removed.

pub(crate) mod balancer;
pub(crate) mod build;
pub mod facts;
pub(crate) mod groups;
mod outlook;
pub(crate) mod routes;
pub(crate) mod runtime;

use crate::consumers::{Consumers, now_ms};
use crate::endpoint::Shared;
use crate::health;
use crate::stop::StopReason;
use crate::sync::{Applier, ApplyChange, ApplyOp, ApplyOutcome, Assignments, Degraded, Level, Problem};
use arc_swap::{ArcSwap, Guard};
pub use build::Rejection;
use definition::api::Path;
use definition::deployment::{ApiDeployment, KIND_API};
use definition::digest::{Digest, from_canonical};
use outlook::Outlook;
use routes::{Route, RouteTable};
use runtime::ApiRuntime;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::{Mutex, Notify, watch};

/// The APIs of this node.
pub struct Table {
    routes: ArcSwap<RouteTable>,
    held: Mutex<BTreeMap<String, Held>>,
    shared: Shared,
    outlook: Arc<Outlook>,
    assignments: Arc<Assignments>,
    /// A batch was applied.
    applied: Notify,
}

/// What is held for one API id.
#[derive(Default)]
struct Held {
    serving: Option<(Digest, Arc<ApiRuntime>)>,
    /// Paths of a deployment that was refused while nothing served: they answer that, instead of "nothing here".
    refused: Vec<Path>,
}

impl Table {
    /// An empty table.
    pub fn new(shared: Shared) -> Self {
        let (assignments, applied) = (Arc::default(), Notify::new());
        Table {
            routes: ArcSwap::default(),
            held: Mutex::default(),
            shared,
            outlook: Arc::default(),
            assignments,
            applied,
        }
    }

    /// The push subscriptions that this node owns.
    pub(crate) fn assignments(&self) -> &Arc<Assignments> {
        &self.assignments
    }

    /// Something was applied since this was last awaited, by the one task that awaits it.
    pub(crate) async fn applied(&self) {
        self.applied.notified().await;
    }

    /// The current snapshot.
    pub(crate) fn routes(&self) -> Guard<Arc<RouteTable>> {
        self.routes.load()
    }

    /// Subscriptions and API keys.
    pub(crate) fn consumers(&self) -> &Consumers {
        &self.shared.consumers
    }

    /// The API of this id, while it serves.
    pub(crate) async fn api(&self, id: &str) -> Option<Arc<ApiRuntime>> {
        let held = self.held.lock().await;
        held.get(id)?.serving.as_ref().map(|(_, runtime)| Arc::clone(runtime))
    }

    /// Ends every stream: the node goes away.
    pub async fn shut_down(&self) {
        for held in self.held.lock().await.values() {
            if let Some((_, runtime)) = &held.serving {
                runtime.stop.signal(StopReason::Shutdown);
            }
        }
    }

    fn apply_one(
        &self,
        all: &mut BTreeMap<String, Held>,
        change: &ApplyChange,
        replaced: &mut Vec<(Arc<ApiRuntime>, StopReason)>,
    ) -> Result<Level, Rejection> {
        if Consumers::takes(&change.kind) {
            return self.shared.consumers.apply(change, now_ms());
        }
        if change.kind != KIND_API {
            let message = format!("this gateway does not run resources of the kind `{}`", change.kind);
            return Err(Rejection::new("KIND_UNKNOWN", "", message));
        }
        let (digest, body) = match &change.op {
            ApplyOp::Upsert { digest, body, .. } => (digest, body),
            ApplyOp::Delete => {
                let serving = all.remove(&change.id).and_then(|held| held.serving);
                serving.iter().for_each(|(_, runtime)| health::forget(runtime, None));
                replaced.extend(serving.map(|(_, runtime)| (runtime, StopReason::Stopped)));
                return Ok(Level::Removed);
            }
        };
        let held = all.entry(change.id.clone()).or_default();
        if let Some((_, runtime)) = held.serving.as_ref().filter(|(serving, _)| serving == digest) {
            return Ok(level(runtime));
        }
        let deployment: ApiDeployment = from_canonical(body)
            .map_err(|error| Rejection::new("DEFINITION_UNREADABLE", "", error.to_string()))?;
        let built = catch_unwind(AssertUnwindSafe(|| build::build(&deployment, &self.shared)));
        let built =
            built.unwrap_or_else(|_| Err(Rejection::new("PANIC", "", "the API could not be built: a bug")));
        match built {
            Ok(mut runtime) => {
                let level = level(&runtime);
                if let Some((_, old)) = &held.serving {
                    runtime.removed = Arc::clone(&old.removed);
                }
                let runtime = Arc::new(runtime);
                let old = held.serving.replace((*digest, Arc::clone(&runtime)));
                if let Some((_, old)) = &old {
                    health::inherit(&runtime, old);
                    health::forget(old, Some(&runtime));
                }
                let changed = Arc::default();
                health::start(&runtime, &self.shared.health, &changed);
                self.outlook.watch(&runtime, *digest, changed);
                replaced.extend(old.map(|(_, runtime)| (runtime, StopReason::Redeployed)));
                held.refused.clear();
                Ok(level)
            }
            Err(rejection) => {
                if held.serving.is_none() {
                    held.refused =
                        deployment.listeners.into_iter().flat_map(|listener| listener.paths).collect();
                }
                Err(rejection)
            }
        }
    }

    fn publish(&self, held: &BTreeMap<String, Held>) {
        let mut table = RouteTable::default();
        // Refused paths first: an API that serves takes a path from one that cannot.
        for path in held.values().flat_map(|held| &held.refused) {
            table.insert(path, Route::Rejected);
        }
        for (_, runtime) in held.values().filter_map(|held| held.serving.as_ref()) {
            // Without a plan nobody may call the API, so that there is nothing at its paths.
            for path in runtime.paths.iter().filter(|_| !runtime.plans.is_empty()) {
                let context_path = path.path.as_str().into();
                let route = Route::Serving { api: Arc::clone(runtime), context_path };
                if let Some(Route::Serving { api: other, .. }) = table.insert(path, route) {
                    tracing::warn!(api.id = %runtime.facts.id, other = %other.facts.id, path = %path.path,
                        "two APIs have the same path: the first one is not reachable there");
                }
            }
        }
        self.routes.store(Arc::new(table));
    }
}

impl Applier for Table {
    /// Every change is judged alone, the good ones take effect together. An API that is refused keeps its old version;
    /// one whose content did not change keeps its streams.
    async fn apply(&self, changes: Vec<ApplyChange>) -> Vec<ApplyOutcome> {
        let mut held = self.held.lock().await;
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut replaced = Vec::new();
        let apis = changes.iter().any(|change| change.kind == KIND_API);
        for change in changes {
            let result = self.apply_one(&mut held, &change, &mut replaced);
            outcomes.push(outcome(change, result));
            // A large first batch must not keep the streams of this thread waiting.
            tokio::task::yield_now().await;
        }
        // Who may call is not part of the routes.
        if apis {
            self.publish(&held);
        }
        self.shared.consumers.measure();
        for (runtime, reason) in replaced {
            runtime.stop.signal(reason);
            if reason == StopReason::Stopped {
                runtime.removed.signal(reason);
            }
        }
        self.applied.notify_one();
        outcomes
    }

    fn degraded(&self) -> watch::Receiver<Arc<Degraded>> {
        self.outlook.degraded()
    }

    fn owns(&self) -> Option<&Arc<Assignments>> {
        Some(&self.assignments)
    }
}

/// An API without a plan is there, and nobody can call it.
fn level(runtime: &ApiRuntime) -> Level {
    if runtime.plans.is_empty() && runtime.push_plans.is_empty() { Level::Degraded } else { Level::Active }
}

fn outcome(change: ApplyChange, result: Result<Level, Rejection>) -> ApplyOutcome {
    let digest = match change.op {
        ApplyOp::Upsert { digest, .. } => Some(digest),
        ApplyOp::Delete => None,
    };
    let (level, problem) = match result {
        Ok(Level::Degraded) => {
            let message =
                "the API has no published plan, so nobody may call it: publish one and deploy again";
            let path = "plans".to_owned();
            (Level::Degraded, Some(Problem { code: "NO_PLAN".to_owned(), path, message: message.to_owned() }))
        }
        Ok(level) => (level, None),
        Err(Rejection { code, path, message }) => {
            tracing::warn!(kind = %change.kind, id = %change.id, code, %path, "a deployment was refused: {message}");
            (Level::Rejected, Some(Problem { code: code.to_owned(), path, message }))
        }
    };
    ApplyOutcome { kind: change.kind, id: change.id, digest, level, problem }
}
