//! Latency: delays requests, or each message.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::token::tokens;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;
use std::time::Duration;

pub static SPEC: PolicySpec = PolicySpec {
    id: "latency",
    name: "Latency",
    description: "Delays requests, or each message",
    proxy: &[Phase::Request],
    message: &[Phase::Request, Phase::Publish, Phase::Subscribe],
    schema,
    check,
};

tokens! {
    /// Units of the delay.
    pub enum LatencyUnit { Milliseconds = "MILLISECONDS", Seconds = "SECONDS" }
}

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Latency")]
pub struct Latency {
    /// How long each request or message waits.
    #[serde(default = "time")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub time: u32,
    /// Unit of the time.
    #[serde(default = "unit")]
    pub time_unit: LatencyUnit,
}

fn time() -> u32 {
    100
}

fn unit() -> LatencyUnit {
    LatencyUnit::Milliseconds
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Latency>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Latency::parse(settings).err().unwrap_or_default()
}

impl Latency {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Latency, Vec<Violation>> {
        schema().read(settings)
    }

    /// The delay.
    pub fn delay(&self) -> Duration {
        match self.time_unit {
            LatencyUnit::Milliseconds => Duration::from_millis(self.time.into()),
            LatencyUnit::Seconds => Duration::from_secs(self.time.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_delay_is_in_its_unit() {
        let delay = |settings: Value| Latency::parse(settings.as_object().unwrap()).unwrap().delay();
        assert_eq!(delay(json!({})), Duration::from_millis(100));
        assert_eq!(delay(json!({"time": "3", "timeUnit": "seconds"})), Duration::from_secs(3));
        assert!(Latency::parse(json!({"time": -1}).as_object().unwrap()).is_err());
        assert!(Latency::parse(json!({"timeUnit": "HOURS"}).as_object().unwrap()).is_err());
    }
}
