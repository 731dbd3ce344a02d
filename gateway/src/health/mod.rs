//! Health checks of deployed endpoints: what is known about each of them, and the tasks that find it out.
//!
//! The checks of an API start when it serves and end with its streams. What was known about an endpoint stays known
//! over a redeploy that changes neither the endpoint nor its check.

mod probe;
mod state;
mod task;

use crate::table::build::Rejection;
use crate::table::runtime::ApiRuntime;
use croner::Cron;
use definition::api::{Endpoint, EndpointGroup};
use definition::digest::{Digest, canonical_bytes, resource_digest};
use definition::health_check::{HealthCheck, effective};
use metrics::gauge;
pub(crate) use probe::Client;
use serde_json::json;
pub(crate) use state::{Health, State, Thresholds};
use std::sync::Arc;
use tokio::sync::Notify;

/// 1 while an endpoint that has a health check may be chosen, else 0.
const UP: &str = "tidegate_gateway_endpoint_up";
/// Version of what decides whether two checks are the same.
const FINGERPRINT_VERSION: u32 = 1;

/// The check of one endpoint.
pub(crate) struct Check {
    settings: HealthCheck,
    schedule: Cron,
    /// The endpoint's own target, where one path may replace another.
    endpoint_target: Option<String>,
    /// Equal for two versions of an endpoint whose health may be carried over.
    fingerprint: Digest,
}

impl Check {
    /// The check of an endpoint, when it has one. `path` is the place of the endpoint in the deployment.
    pub(crate) fn build(
        endpoint: &Endpoint,
        group: &EndpointGroup,
        path: &str,
    ) -> Result<Option<Check>, Rejection> {
        let Some(settings) = effective(endpoint, group) else { return Ok(None) };
        let refused = |message: String| {
            Rejection::new("HEALTH_CHECK_CONFIGURATION", format!("{path}.services.healthCheck"), message)
        };
        let own = endpoint.effective_settings(group);
        let identity = json!({ "type": endpoint.connector, "endpoint": own, "check": settings });
        let identity = canonical_bytes(&identity).map_err(|error| refused(error.to_string()))?;
        let settings = HealthCheck::parse(settings).map_err(|violations| {
            let first = violations.into_iter().next();
            refused(first.map_or_else(|| "invalid settings".to_owned(), |violation| violation.message))
        })?;
        Ok(Some(Check {
            schedule: settings.cron().map_err(|error| refused(error.to_string()))?,
            settings,
            endpoint_target: own.get("target").and_then(|target| target.as_str()).map(str::to_owned),
            fingerprint: resource_digest("health-check", FINGERPRINT_VERSION, &identity),
        }))
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds { success: self.settings.success_threshold, failure: self.settings.failure_threshold }
    }
}

/// Takes over what an older version of the API knew.
pub(crate) fn inherit(new: &ApiRuntime, old: &ApiRuntime) {
    for group in &new.groups.0 {
        for endpoint in &group.endpoints {
            let known = old.groups.find(&group.name, &endpoint.name);
            if let (Some(check), Some(known)) = (&endpoint.check, known)
                && known.check.as_ref().is_some_and(|old| old.fingerprint == check.fingerprint)
            {
                endpoint.health.take_over(&known.health);
            }
        }
        group.refresh();
    }
}

/// Starts the checks of an API; they end with it. `changed`: told when an endpoint is taken out or brought back.
pub(crate) fn start(api: &ApiRuntime, client: &Arc<Client>, changed: &Arc<Notify>) {
    for (group, deployed) in api.groups.0.iter().enumerate() {
        for (endpoint, checked) in deployed.endpoints.iter().enumerate() {
            if checked.check.is_some() {
                measure(&api.facts.id, &deployed.name, &checked.name, checked.health.is_available());
                let task = task::Task {
                    api: Arc::clone(&api.facts),
                    groups: Arc::downgrade(&api.groups),
                    place: (group, endpoint),
                    client: Arc::clone(client),
                    changed: Arc::clone(changed),
                };
                tokio::spawn(task.run(Arc::clone(&api.stop)));
            }
        }
    }
}

/// Takes the endpoints of an API that serves no longer out of the metrics, but for those that `next` checks.
pub(crate) fn forget(old: &ApiRuntime, next: Option<&ApiRuntime>) {
    for group in &old.groups.0 {
        for endpoint in group.endpoints.iter().filter(|endpoint| endpoint.check.is_some()) {
            let kept = next.and_then(|next| next.groups.find(&group.name, &endpoint.name));
            if kept.is_none_or(|kept| kept.check.is_none()) {
                // A gauge cannot be removed; this value stands for none.
                up(&old.facts.id, &group.name, &endpoint.name).set(f64::NAN);
            }
        }
    }
}

fn measure(api: &str, group: &str, endpoint: &str, available: bool) {
    up(api, group, endpoint).set(if available { 1.0 } else { 0.0 });
}

fn up(api: &str, group: &str, endpoint: &str) -> metrics::Gauge {
    let [api, group, endpoint] = [api, group, endpoint].map(str::to_owned);
    gauge!(UP, "api" => api, "group" => group, "endpoint" => endpoint)
}
