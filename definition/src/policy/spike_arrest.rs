//! Spike arrest: spreads the requests of a period evenly over it, so that no burst passes.

use super::limits::{ErrorStrategy, Rule, ShortUnit};
use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "spike-arrest",
    name: "Spike Arrest",
    description: "Spreads the requests of a period evenly over it",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Spike Arrest")]
pub struct SpikeArrest {
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
    pub spike: Rule<ShortUnit>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<SpikeArrest>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    SpikeArrest::parse(settings).err().unwrap_or_default()
}

impl SpikeArrest {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<SpikeArrest, Vec<Violation>> {
        schema().read(settings)
    }
}
