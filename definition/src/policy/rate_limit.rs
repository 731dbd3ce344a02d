//! Rate limit: so many requests per seconds or minutes.

use super::limits::{ErrorStrategy, Rule, ShortUnit};
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "rate-limit",
    name: "Rate Limit",
    description: "Limits the requests per seconds or minutes",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Rate Limit")]
pub struct RateLimit {
    /// Whether nodes count for themselves and tell the shared store every few seconds: faster, not exact.
    #[serde(default)]
    pub r#async: bool,
    /// Whether answers say how much is left.
    #[serde(default)]
    pub add_headers: bool,
    /// What happens while the shared store cannot be reached.
    #[serde(default)]
    pub error_strategy: ErrorStrategy,
    /// The limit.
    pub rate: Rule<ShortUnit>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<RateLimit>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    RateLimit::parse(settings).err().unwrap_or_default()
}

impl RateLimit {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<RateLimit, Vec<Violation>> {
        schema().read(settings)
    }
}
