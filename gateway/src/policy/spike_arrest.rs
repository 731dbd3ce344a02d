//! Policy `spike-arrest`: the requests of a period are spread evenly over it, in slices that take few requests each.

use super::limited::{Kind, Limited, Limits, put};
use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::limits::Unit;
use definition::policy::spike_arrest::SpikeArrest;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;

const EXCEEDED: &str = "SPIKE_ARREST_TOO_MANY_REQUESTS";
static KIND: Kind =
    Kind { counter: "sa", dynamic_unit: Unit::Seconds, blocked: "SPIKE_ARREST_BLOCK_ON_INTERNAL_ERROR" };

/// Shortest slice, milliseconds; shorter ones are put together.
const SLICE_MIN_MS: f64 = 100.0;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let SpikeArrest { r#async, add_headers, error_strategy, spike } = SpikeArrest::parse(settings)?;
    let limited = Limited::new(&KIND, spike.general(), (r#async, error_strategy), site);
    Ok(Arc::new(SpikeArrestPolicy { limited, add_headers }))
}

struct SpikeArrestPolicy {
    limited: Limited,
    add_headers: bool,
}

/// A part of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    limit: u64,
    milliseconds: u64,
}

impl Slice {
    fn of(limits: &Limits) -> Slice {
        let period = limits.milliseconds();
        if limits.limit == 0 {
            return Slice { limit: 0, milliseconds: period };
        }
        let slice = period as f64 / limits.limit as f64;
        let limit = if slice < SLICE_MIN_MS { (SLICE_MIN_MS / slice).round() } else { 1.0 };
        // Both are far below what an integer holds; the conversion saturates.
        Slice { limit: limit as u64, milliseconds: (slice * limit).round() as u64 }
    }
}

#[async_trait]
impl Policy for SpikeArrestPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.limited.rule.needs()
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let limits = self.limited.limits(call)?;
        let slice = Slice::of(&limits);
        let end =
            i64::try_from(slice.milliseconds).unwrap_or(i64::MAX).saturating_add(call.request.timestamp);
        let counted = self.limited.hit(call, &limits, end).await?;
        let (count, reset) = counted.map_or((0, -1), |counted| (counted.count, counted.reset));
        if self.add_headers {
            put(
                call,
                [
                    ("x-spike-arrest-limit", slice.limit.to_string()),
                    ("x-spike-arrest-slice-period", format!("{}ms", slice.milliseconds)),
                    ("x-spike-arrest-reset", reset.to_string()),
                ],
            );
        }
        if count > slice.limit { Err(exceeded(&limits, slice)) } else { Ok(Flow::Continue) }
    }
}

fn exceeded(limits: &Limits, Slice { limit, milliseconds }: Slice) -> Failure {
    let message =
        format!("Spike limit exceeded! You reached the limit of {limit} requests per {milliseconds} ms.");
    limits
        .described(Failure::new(StatusCode::TOO_MANY_REQUESTS, EXCEEDED, message))
        .parameter("slice_limit", limit)
        .parameter("slice_period_time", milliseconds)
        .parameter("slice_period_unit", "MILLISECONDS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_period_is_sliced() {
        let check = |limit, time, unit, expected: (u64, u64)| {
            let slice = Slice::of(&Limits { limit, time, unit });
            assert_eq!((slice.limit, slice.milliseconds), expected, "{limit} per {time} {unit}");
        };
        check(10, 1, Unit::Seconds, (1, 100));
        check(5, 1, Unit::Seconds, (1, 200));
        check(7, 1, Unit::Seconds, (1, 143));
        check(100, 1, Unit::Seconds, (10, 100));
        check(1000, 1, Unit::Seconds, (100, 100));
        check(30, 1, Unit::Seconds, (3, 100));
        check(60, 1, Unit::Minutes, (1, 1000));
        check(0, 1, Unit::Minutes, (0, 60_000));
    }

    #[tokio::test]
    async fn a_slice_takes_its_share() {
        let settings = json!({"addHeaders": true, "spike": {"limit": 20, "periodTime": 1}});
        let policy = super::super::sample::build(build, settings);
        let ask = async |at| {
            let mut call = Call::sample("GET /ctx", &[], "");
            call.request.timestamp = at;
            let answer = policy.on_request(&mut call).await;
            let headers = call.answer_headers.values().map(|value| value.to_str().unwrap().to_owned());
            (answer, headers.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(ask(0).await.1, "2 100ms 100");
        ask(50).await.0.unwrap();
        let failure = ask(99).await.0.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (429, Some(EXCEEDED)));
        assert_eq!(failure.message, "Spike limit exceeded! You reached the limit of 2 requests per 100 ms.");
        assert_eq!(
            Value::Object(failure.details.unwrap().parameters),
            json!({"limit": 20, "period_time": 1, "period_unit": "SECONDS", "slice_limit": 2,
                "slice_period_time": 100, "slice_period_unit": "MILLISECONDS"})
        );
        ask(100).await.0.unwrap();
    }
}
