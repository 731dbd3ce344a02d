//! JSON threat protection: refuses JSON that is made to hurt its reader.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

pub static SPEC: PolicySpec = PolicySpec {
    id: "json-threat-protection",
    name: "JSON Threat Protection",
    description: "Refuses JSON that is made to hurt its reader",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "JSON Threat Protection")]
pub struct JsonThreatProtection {
    /// Greatest number of members of an object; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_entries: i64,
    /// Greatest number of items of a list; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_array_size: i64,
    /// Greatest depth of objects and lists; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_depth: i64,
    /// Greatest length of a member's name, characters; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_name_length: i64,
    /// Greatest length of a text, characters; -1: no limit.
    #[serde(default = "hundred")]
    #[schemars(range(min = -1))]
    pub max_value_length: i64,
    /// Whether an object may have no name twice.
    #[serde(default = "yes")]
    pub prevent_duplicate_key: bool,
    /// Whether bodies of other types are refused, instead of let through.
    #[serde(default = "yes")]
    pub enforce_json: bool,
    /// Ignored: the list that a step stands in says when it runs.
    #[serde(default)]
    pub scope: Option<String>,
}

fn hundred() -> i64 {
    100
}

fn yes() -> bool {
    true
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<JsonThreatProtection>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    JsonThreatProtection::parse(settings).err().unwrap_or_default()
}

impl JsonThreatProtection {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<JsonThreatProtection, Vec<Violation>> {
        schema().read(settings)
    }
}
