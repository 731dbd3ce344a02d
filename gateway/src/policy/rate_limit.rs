//! Policy `rate-limit`: so many requests per seconds or minutes.

use super::limited::{Kind, Limited, put};
use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::limits::Unit;
use definition::policy::rate_limit::RateLimit;
use definition::violation::Violation;
use std::sync::Arc;

const EXCEEDED: &str = "RATE_LIMIT_TOO_MANY_REQUESTS";
static KIND: Kind =
    Kind { counter: "rl", dynamic_unit: Unit::Seconds, blocked: "RATE_LIMIT_BLOCK_ON_INTERNAL_ERROR" };

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let RateLimit { r#async, add_headers, error_strategy, rate } = RateLimit::parse(settings)?;
    let limited = Limited::new(&KIND, rate.general(), (r#async, error_strategy), site);
    Ok(Arc::new(RateLimitPolicy { limited, add_headers }))
}

struct RateLimitPolicy {
    limited: Limited,
    add_headers: bool,
}

#[async_trait]
impl Policy for RateLimitPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.limited.rule.needs()
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let limits = self.limited.limits(call)?;
        let counted = self.limited.hit(call, &limits, limits.end(call.request.timestamp)).await?;
        let (count, reset) = counted.map_or((0, -1), |counted| (counted.count, counted.reset));
        if self.add_headers {
            put(
                call,
                [
                    ("x-rate-limit-limit", limits.limit.to_string()),
                    ("x-rate-limit-remaining", limits.limit.saturating_sub(count).to_string()),
                    ("x-rate-limit-reset", reset.to_string()),
                ],
            );
        }
        if count > limits.limit { Err(limits.exceeded(EXCEEDED, "Rate limit")) } else { Ok(Flow::Continue) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Consumer;
    use http::StatusCode;
    use serde_json::{Value, json};

    fn policy(settings: Value) -> Arc<dyn Policy> {
        super::super::sample::build(build, settings)
    }

    async fn ask(policy: &Arc<dyn Policy>, subscription: &str, at: i64) -> (Result<Flow, Failure>, String) {
        let mut call = Call::sample("GET /ctx", &[], "");
        call.plan = Some("plan".into());
        call.consumer = Some(Arc::new(Consumer { subscription: subscription.into(), ..Consumer::default() }));
        call.request.timestamp = at;
        let answer = policy.on_request(&mut call).await;
        let headers = call.answer_headers.values().map(|value| value.to_str().unwrap());
        (answer, headers.collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn a_window_takes_as_many_requests_as_the_limit_says() {
        let policy = policy(json!({"addHeaders": true, "rate": {"limit": 2, "periodTime": 10}}));
        assert_eq!(ask(&policy, "a", 1000).await.1, "2 1 11000");
        assert_eq!(ask(&policy, "a", 5000).await.1, "2 0 11000");
        let (answer, headers) = ask(&policy, "a", 10_999).await;
        let failure = answer.unwrap_err();
        assert_eq!((failure.status, failure.key.as_deref()), (StatusCode::TOO_MANY_REQUESTS, Some(EXCEEDED)));
        assert_eq!(
            failure.message,
            "Rate limit exceeded! You reached the limit of 2 requests per 10 seconds"
        );
        let parameters = Value::Object(failure.details.unwrap().parameters);
        assert_eq!(parameters, json!({"limit": 2, "period_time": 10, "period_unit": "SECONDS"}));
        assert_eq!(headers, "2 0 11000");
        assert_eq!(ask(&policy, "b", 10_999).await.0.unwrap(), Flow::Continue, "another subscription");
        assert_eq!(ask(&policy, "a", 11_000).await.1, "2 1 21000", "the next window");
    }

    #[tokio::test]
    async fn settings_have_their_defaults() {
        let policy = policy(json!({"rate": {"limit": 1, "periodTimeUnit": "minutes"}}));
        let (answer, headers) = ask(&policy, "a", 0).await;
        assert_eq!((answer.unwrap(), headers.as_str()), (Flow::Continue, ""));
        let message = ask(&policy, "a", 59_999).await.0.unwrap_err().message;
        assert_eq!(message, "Rate limit exceeded! You reached the limit of 1 requests per 1 minutes");
        ask(&policy, "a", 60_000).await.0.unwrap();
    }

    #[tokio::test]
    async fn limits_periods_and_keys_may_be_dynamic() {
        let dynamic =
            json!({"rate": {"dynamicLimit": "1", "periodTimeUnit": "MINUTES", "dynamicPeriodTime": "2"}});
        let dynamic = policy(dynamic);
        ask(&dynamic, "a", 0).await.0.unwrap();
        let message = ask(&dynamic, "a", 1999).await.0.unwrap_err().message;
        assert_eq!(message, "Rate limit exceeded! You reached the limit of 1 requests per 2 seconds");
        ask(&dynamic, "a", 2000).await.0.unwrap();
        let nothing = policy(json!({"rate": {"dynamicLimit": " "}}));
        assert!(ask(&nothing, "a", 0).await.0.is_err(), "no limit lets nothing through");
        let by_key = policy(json!({"rate": {"limit": 1, "key": "k", "useKeyOnly": true}}));
        ask(&by_key, "a", 0).await.0.unwrap();
        assert!(ask(&by_key, "b", 0).await.0.is_err(), "the key alone decides");
        let by_both = policy(json!({"rate": {"limit": 1, "key": "k"}}));
        ask(&by_both, "a", 0).await.0.unwrap();
        ask(&by_both, "b", 0).await.0.unwrap();
    }

    #[test]
    fn settings_are_checked() {
        let wrong = |settings: Value| {
            let violations = super::super::sample::try_build(build, &settings).err().unwrap();
            violations.into_iter().map(|violation| violation.path).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(wrong(json!({})), "rate");
        assert_eq!(wrong(json!({"rate": {"limit": -1, "periodTime": 0}})), "rate.limit rate.periodTime");
        assert_eq!(wrong(json!({"rate": {"periodTimeUnit": "HOURS"}})), "rate.periodTimeUnit");
        assert_eq!(wrong(json!({"rate": {}, "errorStrategy": "X"})), "errorStrategy");
    }
}
