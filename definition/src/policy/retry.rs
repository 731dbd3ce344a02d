//! Retry: asks the backend again when its answer is not good enough.

use super::{Phase, PolicySpec, condition};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "retry",
    name: "Retry",
    description: "Asks the backend again when its answer is not good enough",
    proxy: &[Phase::Request],
    message: &[],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Retry")]
pub struct Retry {
    /// Whether to ask again, decided on `#response`.
    pub condition: Template,
    /// How often to ask again, at most.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub max_retries: u32,
    /// Pause before asking again, milliseconds.
    #[serde(default)]
    #[schemars(range(min = 0, max = 30_000))]
    pub delay: u64,
    /// Time for one answer, milliseconds.
    #[serde(default = "second")]
    #[schemars(range(min = 1, max = 30_000))]
    pub timeout: u64,
    /// Whether the client gets the last answer when none was good enough, instead of 502.
    #[serde(default)]
    pub last_response: bool,
}

fn one() -> u32 {
    1
}

fn second() -> u64 {
    1000
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Retry>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Retry::parse(settings).err().unwrap_or_default()
}

impl Retry {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<Retry, Vec<Violation>> {
        let mut parsed: Retry = schema().read(settings)?;
        parsed.condition = condition("condition", &parsed.condition).map_err(|violation| vec![violation])?;
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_settings_have_their_defaults() {
        let parsed = Retry::parse(json!({"condition": "true"}).as_object().unwrap()).unwrap();
        assert_eq!(
            (parsed.max_retries, parsed.delay, parsed.timeout, parsed.last_response),
            (1, 0, 1000, false)
        );
        assert!(!check(json!({}).as_object().unwrap()).is_empty());
        assert!(!check(json!({"condition": "true", "timeout": 0}).as_object().unwrap()).is_empty());
    }
}
