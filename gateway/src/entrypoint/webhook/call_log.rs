//! What became of each call, and how long it took: a duration in the metrics always, a line in the log when the author of the API
//! asks for it.
//!
//! Headers and contents stay out of the log whatever is asked: they are the subscribers' credentials and the customers' data. So
//! do path and query of a callback, which often are secrets.

use super::callback::Verdict;
use http::StatusCode;
use metrics::{Histogram, histogram};
use std::sync::Arc;
use std::time::Duration;

/// Time of the calls, from the request to the head of the answer or to giving up, seconds, by API.
const SECONDS: &str = "tidegate_gateway_webhook_call_seconds";

/// The calls of one run.
pub(super) struct CallLog {
    seconds: Histogram,
    lines: Option<Lines>,
}

/// Whom the lines of the log are about.
struct Lines {
    api: Arc<str>,
    subscription: String,
    callback: String,
}

impl CallLog {
    /// `logged`: whether there are lines. `callback`: host and port.
    pub(super) fn new(api: &Arc<str>, subscription: &str, callback: &str, logged: bool) -> Self {
        let lines = || Lines {
            api: Arc::clone(api),
            subscription: subscription.to_owned(),
            callback: callback.to_owned(),
        };
        CallLog { seconds: histogram!(SECONDS, "api" => api.to_string()), lines: logged.then(lines) }
    }

    /// A call is over. `attempt`: 1 for the first one with a message; `bytes`: of its content.
    pub(super) fn called(&self, attempt: u32, bytes: usize, took: Duration, verdict: &Verdict) {
        self.seconds.record(took.as_secs_f64());
        let Some(Lines { api, subscription, callback }) = &self.lines else { return };
        let (outcome, status, reason) = words(verdict);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let status = status.map(|status| status.as_u16());
        tracing::info!(
            api.id = %api, subscription, callback, attempt, bytes, duration_ms, outcome, status, reason,
            "a webhook was called"
        );
    }

    /// A message was not delivered, and the next one follows.
    pub(super) fn passed_over(&self, what: &str) {
        let Some(Lines { api, subscription, callback }) = &self.lines else { return };
        tracing::info!(api.id = %api, subscription, callback, "a message of a webhook was {what}");
    }
}

/// Outcome, status and reason. Reasons name hosts, never paths, queries, headers or contents.
fn words(verdict: &Verdict) -> (&'static str, Option<StatusCode>, Option<&str>) {
    match verdict {
        Verdict::Delivered(status) => ("delivered", Some(*status), None),
        Verdict::Refused(status) => ("refused", Some(*status), None),
        Verdict::Unreachable { reason, .. } => ("unreachable", None, Some(reason)),
        Verdict::Hopeless(reason) => ("impossible", None, Some(reason)),
    }
}
