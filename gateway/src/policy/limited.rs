//! What the policies that count requests have in common: the limit that holds for a call, whose requests are counted
//! together, and what is said to those who had too many.

use super::Site;
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::limiter::{Count, Key, Limiter, Report};
use chrono::{DateTime, Months, TimeDelta};
use definition::expression::Template;
use definition::policy::limits::{ErrorStrategy, Rule, Unit};
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

/// Longest period that an expression may ask for, in the unit of the policy.
const DYNAMIC_PERIOD_MAX: i64 = 1_000_000;

/// What tells one kind of limit from another.
pub(super) struct Kind {
    /// Part of the counters' keys.
    pub(super) counter: &'static str,
    /// Unit of periods that expressions give.
    pub(super) dynamic_unit: Unit,
    /// Failure key when the store cannot be asked and nobody may pass uncounted.
    pub(super) blocked: &'static str,
}

/// A limit of one step.
pub(super) struct Limited {
    kind: &'static Kind,
    pub(super) rule: Rule<Unit>,
    strategy: ErrorStrategy,
    report: Report,
    limiter: Arc<Limiter>,
}

/// The limit that holds for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) limit: u64,
    pub(super) time: u64,
    pub(super) unit: Unit,
}

impl Limited {
    pub(super) fn new(
        kind: &'static Kind,
        rule: Rule<Unit>,
        (reported_later, strategy): (bool, ErrorStrategy),
        site: &Site<'_>,
    ) -> Self {
        let report = if reported_later { Report::Later } else { Report::AtOnce };
        Limited { kind, rule, strategy, report, limiter: Arc::clone(&site.shared.limiter) }
    }

    /// The limit of this call.
    pub(super) fn limits(&self, call: &Call) -> Result<Limits, Failure> {
        let number = |template: &Option<Template>| match template {
            Some(template) => {
                expression::integer(template, &Scope::of(call)).map_err(|error| unusable(&error))
            }
            None => Ok(None),
        };
        let limit = match self.rule.limit {
            0 => number(&self.rule.dynamic_limit)?.and_then(|limit| u64::try_from(limit).ok()).unwrap_or(0),
            limit => limit,
        };
        let asked =
            number(&self.rule.dynamic_period_time)?.filter(|time| (1..=DYNAMIC_PERIOD_MAX).contains(time));
        Ok(match asked.and_then(|time| u64::try_from(time).ok()) {
            Some(time) => Limits { limit, time, unit: self.kind.dynamic_unit },
            None => Limits { limit, time: self.rule.period_time, unit: self.rule.period_time_unit },
        })
    }

    /// Counts the call in a window that ends at `reset` when it begins now. `None`: it could not be counted and passes.
    pub(super) async fn hit(
        &self,
        call: &Call,
        limits: &Limits,
        reset: i64,
    ) -> Result<Option<Count>, Failure> {
        let key = self.key(call, limits)?;
        match (self.limiter.hit(key, call.request.timestamp, reset, self.report).await, self.strategy) {
            (Ok(count), _) => Ok(Some(count)),
            (Err(_), ErrorStrategy::Pass) => Ok(None),
            (Err(_), ErrorStrategy::Block) => {
                let message = "Requests cannot be counted at the moment, please try again.";
                Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, self.kind.blocked, message))
            }
        }
    }

    /// Steps with equal periods count together, so that a limit holds over all flows of a plan; the greatest number is no
    /// part of the key, so that raising it forgets nothing.
    fn key(&self, call: &Call, limits: &Limits) -> Result<Key, Failure> {
        let key = match &self.rule.key {
            Some(template) => {
                expression::text(template, &Scope::of(call)).map_err(|error| unusable(&error))?
            }
            None => None,
        };
        let period = format!("{} {}", limits.time, limits.unit);
        if let Some(key) = key.as_deref().filter(|_| self.rule.use_key_only) {
            return Ok(Key::of(&["key", self.kind.counter, &period, key]));
        }
        let subscription = call.consumer.as_ref().map_or("", |consumer| &consumer.subscription);
        let (scope, who) = match &call.plan {
            Some(plan) => (&**plan, subscription),
            None => (call.attributes.text("oauth.client_id").unwrap_or(&call.api.id), ""),
        };
        Ok(match key {
            Some(key) => Key::of(&["both", self.kind.counter, &period, scope, who, &key]),
            None => Key::of(&["caller", self.kind.counter, &period, scope, who]),
        })
    }
}

fn unusable(error: &expression::EvaluationError) -> Failure {
    tracing::debug!(%error, "an expression of a limit has no value");
    Failure::unexpected()
}

impl Limits {
    /// End of a window that begins now, milliseconds since 1970.
    pub(super) fn end(&self, now: i64) -> i64 {
        match self.unit {
            Unit::Months => {
                let months = Months::new(u32::try_from(self.time).unwrap_or(u32::MAX));
                let end = DateTime::from_timestamp_millis(now).and_then(|now| now.checked_add_months(months));
                end.map_or(i64::MAX, |end| end.timestamp_millis())
            }
            Unit::Seconds | Unit::Minutes | Unit::Hours | Unit::Days | Unit::Weeks => {
                now.saturating_add(i64::try_from(self.milliseconds()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Length of the period; a month counts 30 days here.
    pub(super) fn milliseconds(&self) -> u64 {
        let unit = match self.unit {
            Unit::Seconds => TimeDelta::seconds(1),
            Unit::Minutes => TimeDelta::minutes(1),
            Unit::Hours => TimeDelta::hours(1),
            Unit::Days => TimeDelta::days(1),
            Unit::Weeks => TimeDelta::weeks(1),
            Unit::Months => TimeDelta::days(30),
        };
        self.time.saturating_mul(unit.num_milliseconds().unsigned_abs())
    }

    /// What a caller who had too many is told.
    pub(super) fn exceeded(&self, key: &'static str, what: &str) -> Failure {
        let unit = self.unit.label().to_ascii_lowercase();
        let (limit, time) = (self.limit, self.time);
        let message = format!("{what} exceeded! You reached the limit of {limit} requests per {time} {unit}");
        self.described(Failure::new(StatusCode::TOO_MANY_REQUESTS, key, message))
    }

    /// Adds the parameters of response templates.
    pub(super) fn described(&self, failure: Failure) -> Failure {
        failure
            .parameter("limit", self.limit)
            .parameter("period_time", self.time)
            .parameter("period_unit", self.unit.label())
    }
}

/// Puts numbers into headers of the answer.
pub(super) fn put(call: &mut Call, headers: [(&'static str, String); 3]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            call.answer_headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_after_their_period_and_months_are_those_of_the_calendar() {
        let end = |time, unit, now: &str| {
            let now = DateTime::parse_from_rfc3339(now).unwrap().timestamp_millis();
            let end = Limits { limit: 1, time, unit }.end(now);
            DateTime::from_timestamp_millis(end).unwrap().to_rfc3339()
        };
        assert_eq!(end(90, Unit::Seconds, "2024-01-31T10:00:00Z"), "2024-01-31T10:01:30+00:00");
        assert_eq!(end(2, Unit::Minutes, "2024-01-31T10:00:00Z"), "2024-01-31T10:02:00+00:00");
        assert_eq!(end(36, Unit::Hours, "2024-01-31T10:00:00Z"), "2024-02-01T22:00:00+00:00");
        assert_eq!(end(1, Unit::Days, "2024-01-31T10:00:00Z"), "2024-02-01T10:00:00+00:00");
        assert_eq!(end(1, Unit::Weeks, "2024-01-31T10:00:00Z"), "2024-02-07T10:00:00+00:00");
        assert_eq!(end(1, Unit::Months, "2024-01-31T10:00:00Z"), "2024-02-29T10:00:00+00:00");
        assert_eq!(end(12, Unit::Months, "2024-02-29T10:00:00Z"), "2025-02-28T10:00:00+00:00");
        assert_eq!(Limits { limit: 1, time: u64::MAX, unit: Unit::Months }.end(0), i64::MAX);
        assert_eq!(Limits { limit: 1, time: u64::MAX, unit: Unit::Weeks }.end(0), i64::MAX);
    }
}
