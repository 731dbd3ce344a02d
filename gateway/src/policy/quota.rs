//! Policy `quota`: so many requests per hours, days, weeks or months. Leaves what it counted in context attributes.

use super::limited::{Kind, Limited, put};
use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::limits::Unit;
use definition::policy::quota::Quota;
use definition::violation::Violation;
use std::sync::Arc;

const EXCEEDED: &str = "QUOTA_TOO_MANY_REQUESTS";
static KIND: Kind =
    Kind { counter: "q", dynamic_unit: Unit::Hours, blocked: "QUOTA_BLOCK_ON_INTERNAL_ERROR" };

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let Quota { r#async, add_headers, error_strategy, quota } = Quota::parse(settings)?;
    let limited = Limited::new(&KIND, quota.general(), (r#async, error_strategy), site);
    Ok(Arc::new(QuotaPolicy { limited, add_headers }))
}

struct QuotaPolicy {
    limited: Limited,
    add_headers: bool,
}

#[async_trait]
impl Policy for QuotaPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.limited.rule.needs()
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let limits = self.limited.limits(call)?;
        let counted = self.limited.hit(call, &limits, limits.end(call.request.timestamp)).await?;
        let (count, reset) = counted.map_or((0, -1), |counted| (counted.count, counted.reset));
        let remaining = limits.limit.saturating_sub(count);
        call.attributes.set("quota.count", count);
        call.attributes.set("quota.limit", limits.limit);
        call.attributes.set("quota.remaining", remaining);
        call.attributes.set("quota.reset.time", reset);
        if self.add_headers {
            put(
                call,
                [
                    ("x-quota-limit", limits.limit.to_string()),
                    ("x-quota-remaining", remaining.to_string()),
                    ("x-quota-reset", reset.to_string()),
                ],
            );
        }
        if count > limits.limit { Err(limits.exceeded(EXCEEDED, "Quota")) } else { Ok(Flow::Continue) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn ask(policy: &Arc<dyn Policy>, at: i64) -> (Result<Flow, Failure>, Call) {
        let mut call = Call::sample("GET /ctx", &[], "");
        call.request.timestamp = at;
        (policy.on_request(&mut call).await, call)
    }

    #[tokio::test]
    async fn a_quota_is_counted_shown_and_left_in_attributes() {
        let policy = super::super::sample::build(build, json!({"quota": {"limit": 1}}));
        let (answer, call) = ask(&policy, 0).await;
        assert_eq!(answer.unwrap(), Flow::Continue);
        // January has 31 days.
        let end = 31 * 86_400_000_i64;
        let headers: Vec<_> = call.answer_headers.values().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(headers, ["1", "0", "2678400000"], "headers are the default");
        for (name, value) in [("count", 1), ("limit", 1), ("remaining", 0), ("reset.time", end)] {
            assert_eq!(call.attributes.get(&format!("quota.{name}")), Some(&json!(value)), "{name}");
        }
        let (answer, call) = ask(&policy, end - 1).await;
        let failure = answer.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (429, Some(EXCEEDED)));
        assert_eq!(failure.message, "Quota exceeded! You reached the limit of 1 requests per 1 months");
        assert_eq!(call.attributes.get("quota.count"), Some(&json!(2)));
        assert!(ask(&policy, end).await.0.is_ok());
    }

    #[tokio::test]
    async fn units_are_long_ones() {
        for (unit, hours) in [("HOURS", 1), ("days", 24), ("WEEKS", 168)] {
            let settings = json!({"addHeaders": false, "quota": {"limit": 1, "periodTimeUnit": unit}});
            let policy = super::super::sample::build(build, settings);
            let (_, call) = ask(&policy, 0).await;
            assert_eq!(call.attributes.get("quota.reset.time"), Some(&json!(hours * 3_600_000)), "{unit}");
            assert!(call.answer_headers.is_empty());
        }
        let short = json!({"quota": {"limit": 1, "periodTimeUnit": "SECONDS"}});
        assert!(super::super::sample::try_build(build, &short).is_err());
    }
}
