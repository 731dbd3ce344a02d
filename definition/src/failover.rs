//! Failover of an API: further attempts at other endpoints, and a circuit breaker around them.

use crate::api::Settings;
use crate::expression::Template;
use serde::Deserialize;
use std::time::Duration;

/// The block `failover`, complete.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    pub enabled: bool,
    /// Attempts after the first one.
    pub max_retries: u32,
    /// Longest attempt, milliseconds.
    slow_call_duration: u64,
    /// How long an open circuit stays open, milliseconds.
    open_state_duration: u64,
    /// Calls in a row that must fail for the circuit to open.
    pub max_failures: u32,
    /// One circuit per subscription; otherwise one for the API.
    pub per_subscription: bool,
    /// A response for which this holds counts as a failure.
    #[serde(default)]
    pub failure_condition: Option<Template>,
    /// A further attempt goes to another endpoint whenever there is one.
    #[serde(default)]
    pub force_next_endpoint_on_failure: bool,
}

impl Failover {
    /// Reads the block of a deployed API; `None`: it is not enabled. The error names what cannot be read.
    pub fn parse(settings: &Settings) -> Result<Option<Failover>, String> {
        let failover = serde_json::Value::Object(settings.clone());
        let failover: Failover = serde_json::from_value(failover).map_err(|error| error.to_string())?;
        Ok(Some(failover).filter(|failover| failover.enabled))
    }

    /// Longest attempt.
    pub fn slow_call(&self) -> Duration {
        Duration::from_millis(self.slow_call_duration)
    }

    /// How long an open circuit stays open.
    pub fn open_state(&self) -> Duration {
        Duration::from_millis(self.open_state_duration)
    }
}
