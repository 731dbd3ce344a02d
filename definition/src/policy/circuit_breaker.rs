//! Circuit breaker: leaves a backend alone for a while that fails or answers slowly.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "policy-circuit-breaker",
    name: "Circuit Breaker",
    description: "Leaves a backend alone for a while that fails or answers slowly",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Circuit Breaker")]
pub struct CircuitBreaker {
    /// Share of failed calls from which the backend is left alone, percent. A status of 500 or more is a failure.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_rate_threshold: u32,
    /// Share of slow calls from which the backend is left alone, percent.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 100))]
    pub slow_call_rate_threshold: u32,
    /// From when on a call is slow, milliseconds.
    #[serde(default = "second")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub slow_call_duration_threshold: u64,
    /// Number of last calls that the shares are taken of.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    pub window_size: u32,
    /// How long the backend is left alone before one call may try it, milliseconds.
    #[serde(default = "second")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub wait_duration_in_open_state: u64,
    /// Where calls go meanwhile. Absent: they are refused.
    #[serde(default, rename = "redirectToURL")]
    pub redirect_to_url: Option<Template>,
}

fn fifty() -> u32 {
    50
}

fn hundred() -> u32 {
    100
}

fn second() -> u64 {
    1000
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<CircuitBreaker>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    CircuitBreaker::parse(settings).err().unwrap_or_default()
}

impl CircuitBreaker {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<CircuitBreaker, Vec<Violation>> {
        schema().read(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_settings_have_their_defaults() {
        let parsed = CircuitBreaker::parse(json!({}).as_object().unwrap()).unwrap();
        let shares = (parsed.failure_rate_threshold, parsed.slow_call_rate_threshold, parsed.window_size);
        assert_eq!(shares, (50, 100, 100));
        assert_eq!((parsed.slow_call_duration_threshold, parsed.wait_duration_in_open_state), (1000, 1000));
        assert_eq!(parsed.redirect_to_url, None);
        let with_target = json!({"redirectToURL": "http://h"});
        assert!(CircuitBreaker::parse(with_target.as_object().unwrap()).unwrap().redirect_to_url.is_some());
    }
}
