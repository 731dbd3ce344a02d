//! Quota: so many requests per hours, days, weeks or months.

use super::limits::{ErrorStrategy, LongUnit, Rule};
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "quota",
    name: "Quota",
    description: "Limits the requests per hours, days, weeks or months",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Quota")]
pub struct Quota {
    /// Whether nodes count for themselves and tell the shared store every few seconds: faster, not exact.
    #[serde(default)]
    pub r#async: bool,
    /// Whether answers say how much is left.
    #[serde(default = "yes")]
    pub add_headers: bool,
    /// What happens while the shared store cannot be reached.
    #[serde(default)]
    pub error_strategy: ErrorStrategy,
    /// The limit.
    pub quota: Rule<LongUnit>,
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Quota>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Quota::parse(settings).err().unwrap_or_default()
}

impl Quota {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Quota, Vec<Violation>> {
        schema().read(settings)
    }
}
